"""The one gate: what may happen to an account next, and when. Pure.

Staging complete, assessment, pause, supersession, a message service that is off: all are answers of `due`. Steps ask it
before they act, the feeder asks it before it releases, the walk asks it before it sends again.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from shared.domain.account import Account
from shared.domain.lifecycle import Outcome, State
from shared.domain.migration import Migration, Phase
from shared.domain.profile import NOW_ONE_ACCOUNT, SET_YOUR_PASSWORD, Profile

OVERDUE: Final = timedelta(minutes=2)
"""So long past its moment an account is sent again, whatever lease still holds the old message."""

EARLY: Final = timedelta(seconds=2)
"""Clocks of storage and app differ a little: a message this early is taken."""


class Step(StrEnum):
    """What may happen to an account next; named as the queue of the step."""

    CLASSIFY = "classify-account"
    PROVISION = "provision-account"
    NOTIFY = "notify-customer"


@dataclass(frozen=True, slots=True)
class Due:
    """The gate's answer: this step, not before this moment; or nothing, and what it waits for."""

    step: Step | None
    at: datetime | None = None
    waits_for: str = ""


def message_for(account: Account, profile: Profile) -> str | None:
    """The name of the message this account's customer is to get, None where there is none to send."""
    name = {Outcome.CREATE: SET_YOUR_PASSWORD, Outcome.LINK: NOW_ONE_ACCOUNT}.get(account.outcome or Outcome.REVIEW)
    return name if name in profile.messages.templates else None


def due(account: Account, migration: Migration, profile: Profile, *, messages_on: bool) -> Due:
    """What may happen next to `account` of `migration`, and not before when."""
    at = account.moment or account.not_before
    if migration.paused:
        return Due(None, waits_for=f"paused: {migration.pause_reason}")
    left_to_newer = migration.superseded_by and account.state in {State.STAGED, State.CLASSIFIED, State.RELEASED}
    if left_to_newer and not to_be_looked_for(account, migration):
        return Due(None, waits_for=f"superseded by {migration.superseded_by}")
    match account.state:
        case State.STAGED if migration.phase in {Phase.STAGING, Phase.FAILED, Phase.SUPERSEDED}:
            return Due(None, waits_for="the last row to be staged")
        case State.STAGED:
            return Due(Step.CLASSIFY, at)
        case State.CLASSIFIED if migration.assessed_at is None:
            return Due(None, waits_for="the assessment")
        case State.CLASSIFIED if profile.plan.approval != "automatic":
            return Due(None, waits_for="approval")
        case State.CLASSIFIED | State.RELEASED if migration.waits_for_canary:
            return Due(None, waits_for="a canary that passed")
        case State.CLASSIFIED | State.RELEASED:
            return Due(Step.PROVISION, at)
        case State.PROVISIONED if messages_on and message_for(account, profile):
            return Due(Step.NOTIFY, at)
        case _:
            return Due(None)


def to_be_looked_for(account: Account, migration: Migration) -> bool:
    """Whether it is to be found out first what was done for the account before the tables were lost."""
    running = migration.phase in {Phase.CLASSIFYING, Phase.RUNNING}
    return running and account.state is State.STAGED and account.lost_since is not None


def open_for(step: Step, release: int, account: Account, answer: Due, now: datetime) -> bool:
    """Whether a message of `step` with this release number may act now."""
    return (
        account.release == release
        and account.moment is not None
        and answer.step is step
        and answer.at is not None
        and answer.at - EARLY <= now
    )


def overdue(account: Account, answer: Due, now: datetime) -> bool:
    """Whether an account's message must have been lost: it is due and long past its moment."""
    return answer.step is not None and account.moment is not None and account.moment + OVERDUE < now
