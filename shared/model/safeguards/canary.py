"""The canary: one marked test customer who passes through all steps in the real directory. Pure.

This module has the steps in order, the meaning and remedy of each failure, and the open question that each answer
settles. The record holds nothing personal. Each request brings the address, and only its HMAC is stored.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from shared.model.account import AddressKey, Authority, DirectoryId

CANARY_REF: Final = "canary"
"""Customer reference of a canary when it is created."""
LINKED_REF: Final = "canary-linked"
"""The customer reference after our attributes were written again, as for a link."""
GIVEN_NAME: Final = "Canary"
SURNAME: Final = "Test"
RETIRED: Final = "Canary, to be deleted"
"""Display name of a canary that has done its work: what the directory's administrator looks for."""
FORCE_CHANGE_REFUSED: Final = "force_change_refused"
"""The failure that shows that the profile's password_reset does not fit this directory."""
TELLS_NOTHING: Final = frozenset({"address_taken", "left_over", "profile_changed"})
"""Failures that say nothing of the directory: a canary that passed before still counts."""
FOR_ANOTHER_CHOICE: Final = "profile_changed"
"""The failure of a canary whose profile was changed to another password_reset since."""
RESET_SIGNS_TIME: Final = timedelta(seconds=15)
"""How long after the first sign of a reset the other signs may arrive."""
BLOCKED_AFTER: Final = timedelta(seconds=60)
"""A conflict this long after a deletion, with no user to be found, comes from the deleted user."""
MAX_READ_LAG: Final = timedelta(minutes=15)
"""How long reads may lag behind a write."""


class CanaryStep(StrEnum):
    """The steps of the canary, in order."""

    FREE = "address-free"
    CREATE = "create"
    READ_BACK = "read-back"
    LOOK_UP = "look-up"
    CONFLICT = "create-twice"
    LINK = "link"
    RESET = "reset-by-customer"
    UNDO = "undo"
    GONE = "deleted"
    AGAIN = "create-after-deletion"
    UNDO_AGAIN = "undo-second"
    GONE_AGAIN = "second-deleted"
    END = "end"


ORDER: Final = tuple(CanaryStep)
UNDOING: Final = frozenset({CanaryStep.UNDO, CanaryStep.GONE, CanaryStep.UNDO_AGAIN, CanaryStep.GONE_AGAIN})
FOR_A_PERSON: Final = frozenset({CanaryStep.RESET, CanaryStep.GONE, CanaryStep.GONE_AGAIN})
"""Steps that wait for a person."""


@dataclass(frozen=True, slots=True)
class Done:
    """One step behind us. An empty failure is a yes."""

    step: CanaryStep
    at: datetime
    failure: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class LearnedAnswer:
    """The answer of this directory to an open question, and when it was found."""

    value: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Canary:
    """The newest canary of an authority, and what all its canaries have learned about the directory."""

    authority: Authority
    run: int
    by: str
    """Who started it: an object id, or `local`."""
    address_key: AddressKey
    started_at: datetime
    step: CanaryStep
    """The next step."""
    since: datetime
    """When this step began."""
    by_flag: bool = False
    """True if it was created with MustResetPassword instead of forceChangePasswordNextSignIn."""
    done: tuple[Done, ...] = ()
    user: DirectoryId | None = None
    """The test customer."""
    living: tuple[DirectoryId, ...] = ()
    """Users of canaries that are still to be deleted."""
    made: tuple[DirectoryId, ...] = ()
    """All users of this run."""
    seen: tuple[DirectoryId, ...] = ()
    """The users that the directory has shown by their id. A user that it stops showing was deleted."""
    created_at: datetime | None = None
    password_at: datetime | None = None
    """lastPasswordChangeDateTime as it was after the create."""
    reset_seen_at: datetime | None = None
    """When the first sign of a reset was seen, or when a person said that the sign-in worked."""
    signed_in: bool | None = None
    """What a person said about the sign-in. None: nobody said anything."""
    ending: bool = False
    """Nothing more is to be learned: undo, and end."""
    cancelled: bool = False
    finished_at: datetime | None = None
    passed_at: datetime | None = None
    """When the newest canary passed. A new canary keeps this time."""
    passed_by_flag: bool = False
    """How that canary was made to set a password. Accounts may be created only in the same way."""
    failed_at: datetime | None = None
    """When a canary last failed for a reason that lies in the directory."""
    answers: Mapping[str, LearnedAnswer] = field(default_factory=dict)

    @property
    def failures(self) -> tuple[Done, ...]:
        """The steps that failed."""
        return tuple(each for each in self.done if each.failure)

    @property
    def verdict(self) -> str:
        """`running`, `passed`, `failed` or `cancel_run`."""
        if self.finished_at is None:
            return "running"
        if self.failures:
            return "failed"
        return "cancelled" if self.cancelled else "passed"


def start_run(
    before: Canary | None, authority: Authority, address: AddressKey, by: str, now: datetime, *, by_flag: bool
) -> Canary:
    """A new run. What earlier ones learned is kept."""
    fresh = Canary(authority, (before.run if before else 0) + 1, by, address, now, CanaryStep.FREE, now, by_flag)
    if before is None:
        return fresh
    return replace(
        fresh,
        answers=before.answers,
        passed_at=before.passed_at,
        passed_by_flag=before.passed_by_flag,
        failed_at=before.failed_at,
    )


def go_to_step(canary: Canary, step: CanaryStep, now: datetime, failure: str = "", detail: str = "") -> Canary:
    """The canary with its current step behind it, and this one next."""
    done = (*canary.done, Done(canary.step, now, failure, detail))
    changed = replace(canary, done=done, step=step, since=now)
    return finish_run(changed, now) if step is CanaryStep.END else changed


def pass_step(canary: Canary, now: datetime) -> Canary:
    """Return the canary at its next step."""
    return go_to_step(canary, ORDER[ORDER.index(canary.step) + 1], now)


def fail_step(canary: Canary, failure: str, now: datetime, detail: str = "") -> Canary:
    """A failure after which nothing more can be learned: what was made is undone first."""
    return go_to_step(
        replace(canary, ending=True), CanaryStep.UNDO if canary.living else CanaryStep.END, now, failure, detail
    )


def record_deleted(canary: Canary, now: datetime) -> Canary:
    """Return the canary after all its users were deleted: at the next thing to learn, or at the end."""
    return go_to_step(canary, CanaryStep.END, now) if canary.ending else pass_step(canary, now)


def finish_run(canary: Canary, now: datetime) -> Canary:
    """The end: it passed, failed, or was cancelled."""
    ended = replace(canary, finished_at=now)
    match ended.verdict:
        case "passed":
            return replace(ended, passed_at=now, passed_by_flag=canary.by_flag)
        case "failed" if any(each.failure not in TELLS_NOTHING for each in ended.failures):
            return replace(ended, failed_at=now)
        case _:
            return ended


def cancel_run(canary: Canary, user: DirectoryId, now: datetime) -> Canary:
    """Return the canary that a person ended. Its user and anything else that it left are removed."""
    stopped = replace(record_created(canary, user), ending=True, cancelled=True)
    on_its_way = canary.step in UNDOING and user in canary.living
    return stopped if on_its_way else replace(stopped, step=CanaryStep.UNDO, since=now)


def record_created(canary: Canary, user: DirectoryId) -> Canary:
    """Record a user that was created or found to be ours. It is removed before the end."""
    if user in canary.living:
        return canary
    made = canary.made if user in canary.made else (*canary.made, user)
    return replace(canary, living=(*canary.living, user), made=made)


def record_seen(canary: Canary, user: DirectoryId) -> Canary:
    """The directory showed it."""
    return canary if user in canary.seen else replace(canary, seen=(*canary.seen, user))


def record_answers(canary: Canary, now: datetime, **answers: str) -> Canary:
    """The canary with these questions answered as of now."""
    fresh = {name: LearnedAnswer(value, now) for name, value in answers.items()}
    return replace(canary, answers={**canary.answers, **fresh})


def record_sign_in(canary: Canary, now: datetime, *, worked: bool) -> Canary:
    """Record what somebody said about the sign-in. A no counts even after all other steps."""
    if canary.signed_in is worked:
        return canary
    said = record_answers(replace(canary, signed_in=worked), now, sign_in_after_reset=format_answer(said=worked))
    if worked or canary.step is CanaryStep.RESET:
        return said
    others = tuple(each for each in said.done if each.step is not CanaryStep.RESET)
    failed = replace(said, done=(*others, Done(CanaryStep.RESET, now, "sign_in_failed")))
    return replace(failed, failed_at=now) if failed.finished_at else failed


def format_answer(*, said: bool) -> str:
    """An answer of two kinds."""
    return "yes" if said else "no"


def is_recent_pass(canary: Canary | None, days: int, now: datetime, *, by_flag: bool) -> bool:
    """Return True if the newest canary passed in this way within this number of days, and none has failed since."""
    if canary is None or canary.passed_at is None or canary.passed_by_flag is not by_flag:
        return False
    failed_since = canary.failed_at is not None and canary.failed_at >= canary.passed_at
    return not failed_since and now - canary.passed_at < timedelta(days=days)
