"""canary: one marked test customer passes through all steps in the real directory.

Each request continues as far as it can: guard, act, save. The record says what comes next. So a request may come twice,
after a crash, or from two people at the same time. The uniqueness in the directory and the ETag of the record are the
only locks. Each request brings the address, which is not stored.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from shared.errors import ActionRefused, AnswerLost, Cannot, DirectoryRefused, StaleWrite, Stop, TryLater
from shared.integrity.pseudonym_key import has_key_changed
from shared.model.account import DirectoryId
from shared.model.directory_user import DirectoryUser
from shared.model.migration import Migration, Phase
from shared.model.profile import Profile
from shared.model.safeguards.canary import (
    FOR_ANOTHER_CHOICE,
    ORDER,
    UNDOING,
    Canary,
    CanaryStep,
    cancel_run,
    fail_step,
    is_recent_pass,
    record_sign_in,
    start_run,
)
from shared.ports import Ports, Stored
from shared.readiness.canary_steps import MOVES, Run, explain_refusal

MAX_STEPS_PER_REQUEST: Final = 2 * len(ORDER)
"""The most steps of one request, which is more than a canary has."""


_OTHER_KEY: Final = (
    "PSEUDONYM_KEY is not the key with which the accounts were made, so a canary would prove nothing and find none of "
    "its own users. Put the right key back (it is in escrow), restart the app, and ask again."
)


@dataclass(frozen=True, slots=True)
class Asked:
    """What a person asks of the canary."""

    address: str = ""
    """The normalised address of the test customer's mailbox."""
    signed_in: bool | None = None
    """True if the sign-in with the new password worked."""
    undo: DirectoryId | None = None
    """End here, and take this user back."""
    run: int = 0
    """The run that is meant, where one is: when it is over, no other is started."""


@dataclass(frozen=True, slots=True)
class CanaryProgress:
    """The progress, and why it could not continue just now."""

    canary: Canary
    trouble: str = ""


async def run_canary_step(ports: Ports, profile: Profile, asked: Asked, by: str) -> CanaryProgress:
    """Start a canary, or continue the current one, until it has to wait.

    Raises:
        ActionRefused: this cannot be asked now.
    """
    if await has_key_changed(ports):
        raise ActionRefused(_OTHER_KEY)
    run = Run(ports, profile, asked.address)
    trouble = ""
    try:
        stored = await _begin_request(run, asked, by)
        for _ in range(MAX_STEPS_PER_REQUEST):
            before = stored.record
            after, trouble = (before, "") if before.finished_at else await _take_step(run, before)
            if after != before:
                stored = await ports.ledger.canaries.save(stored, after)
            if after.step is before.step:
                break
    except StaleWrite:
        # Somebody else goes on with the same canary: what that one saved is true.
        found = await ports.ledger.canaries.get(run.authority)
        if found is None:
            raise
        stored = found
    return CanaryProgress(stored.record, trouble)


async def _begin_request(run: Run, asked: Asked, by: str) -> Stored[Canary]:
    """Return the canary that this request is about, with what the person says. New statements are saved."""
    stored = await run.ports.ledger.canaries.get(run.authority)
    canary = stored.record if stored else None
    if asked.undo is not None:
        after = await _end_canary(run, canary, asked.undo, by)
    elif asked.signed_in is not None:
        after = _record_sign_in(run, canary, worked=asked.signed_in)
    elif canary is None or (canary.finished_at and canary.run != asked.run):
        after = _start_canary(run, canary, by)
    else:
        after = _same_address(run, canary) if canary.made else _restart_canary(run, canary, by)
    return stored if stored and after == canary else await run.ports.ledger.canaries.save(stored, after)


def _start_canary(run: Run, before: Canary | None, by: str) -> Canary:
    address = run.ports.pseudonyms.address(run.authority, run.address)
    return start_run(before, run.authority, address, by, run.now(), by_flag=run.profile.directory.by_flag)


def _same_address(run: Run, canary: Canary) -> Canary:
    if canary.address_key and canary.address_key != run.ports.pseudonyms.address(run.authority, run.address):
        raise ActionRefused(
            f"The canary of {run.authority} has another address. Go on with that one, or end it first: "
            f"`ops canary --authority {run.authority} --undo {canary.user or 'ID'}`."
        )
    return canary


def _restart_canary(run: Run, canary: Canary, by: str) -> Canary:
    """Nothing was made yet, so another address may still be taken."""
    address = run.ports.pseudonyms.address(run.authority, run.address)
    return canary if canary.address_key == address else _start_canary(run, canary, by)


def _record_sign_in(run: Run, canary: Canary | None, *, worked: bool) -> Canary:
    if canary is None or ORDER.index(canary.step) < ORDER.index(CanaryStep.RESET):
        raise ActionRefused(
            "Nobody can have signed in yet. Run the canary without --signed-in; it says when to sign in."
        )
    return record_sign_in(_same_address(run, canary), run.now(), worked=worked)


async def _end_canary(run: Run, canary: Canary | None, user: DirectoryId, by: str) -> Canary:
    """Return the canary whose user is to be removed. A canary without a record is found by its owner marker."""
    if canary is not None and user in canary.made and (canary.finished_at or canary.cancelled):
        return canary
    known = canary is not None and user in canary.made
    if not known and not run.ours(await _read_user(run, user)):
        raise ActionRefused(
            "No test customer of this council has this id, so nothing was changed. `ops canary --show` has it."
        )
    if canary is None or canary.finished_at is not None:
        canary = _start_canary(run, canary, by)
    return cancel_run(canary, user, run.now())


async def _read_user(run: Run, user: DirectoryId) -> DirectoryUser | None:
    try:
        return await run.ports.directory.get(user)
    except (TryLater, Stop, Cannot):
        raise ActionRefused("The directory does not tell whose user this is. Nothing was changed; try again.") from None


async def _take_step(run: Run, canary: Canary) -> tuple[Canary, str]:
    """The canary after its current step, and what was in the way."""
    other_choice = canary.by_flag is not run.profile.directory.by_flag
    if other_choice and not canary.ending and ORDER.index(canary.step) <= ORDER.index(CanaryStep.RESET):
        return fail_step(canary, FOR_ANOTHER_CHOICE, run.now()), ""
    try:
        return await MOVES[canary.step](run, canary), ""
    except TryLater as later:
        return canary, later.cause
    except AnswerLost:
        return canary, "directory_unreachable"
    except (Stop, Cannot) as refused:
        code, detail = refused.reason, refused.detail
    except DirectoryRefused as refused:
        code, detail = explain_refusal(canary, refused), refused.code
    # An undo is never given up: it is tried again, and a person can delete the user meanwhile.
    return (canary, code) if canary.step in UNDOING else (fail_step(canary, code, run.now(), detail), "")


# Before a wave


async def ask_for_canary(
    ports: Ports, profile: Profile, migrations: Mapping[str, Migration]
) -> Mapping[str, Migration]:
    """Return the migrations of one authority, each with the note if it waits for a canary.

    One read, if the profile asks.
    """
    days = profile.directory.canary_within_days
    concerned = [m for m in migrations.values() if m.phase not in {Phase.REFUSED, Phase.SUPERSEDED}]
    stored = await ports.ledger.canaries.get(profile.authority) if days and concerned else None
    by_flag = profile.directory.by_flag
    waits = days > 0 and not is_recent_pass(stored.record if stored else None, days, ports.clock.now(), by_flag=by_flag)
    changed = [m for m in concerned if m.waits_for_canary is not waits]
    told_so = [
        await ports.ledger.migrations.change(m.authority, m.id, lambda found: replace(found, waits_for_canary=waits))
        for m in changed
    ]
    return {**migrations, **{m.id: m for m in told_so}}
