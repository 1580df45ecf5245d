"""The one gate: what may happen to an account next, and when. Pure.

`find_due_step` knows everything that an account may wait for: the end of staging, the assessment, the approval, its
wave, a pause, a newer export, a message service that is off. A step asks it before it acts, the feeder before it
releases an account, and the sweep before it sends a message again.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from shared.model.account import Account
from shared.model.calendar import convert_from_london
from shared.model.lifecycle import Outcome, State
from shared.model.migration import Migration, Phase
from shared.model.profile import SET_YOUR_PASSWORD, Profile
from shared.model.step import Step, choose_message
from shared.model.wave import Wave, find_wave

OVERDUE_AFTER: Final = timedelta(minutes=2)
"""An account is sent again this long after its due time, even if the old message is still hidden."""

MAX_CLOCK_DIFFERENCE: Final = timedelta(seconds=2)
"""Clocks of storage and app differ a little: a message this early is taken."""


@dataclass(frozen=True, slots=True)
class Due:
    """The answer of the gate: the next step and its earliest time.

    Without a step, it says what the account waits for.
    """

    step: Step | None
    at: datetime | None = None
    waits_for: str = ""


def find_account_wave(account: Account, migration: Migration) -> Wave | None:
    """Return the account's wave in its migration's plan. None if there is no plan."""
    return find_wave(account.id, account.cohort, migration.plan.waves) if migration.plan else None


def get_announcement_start(wave: Wave, profile: Profile) -> datetime | None:
    """Return when the customers of a wave get the announcement. None for a wave without a date."""
    return wave.starts_at - timedelta(days=profile.plan.announce_days) if wave.starts_at else None


def get_change_time(wave: Wave, profile: Profile) -> datetime | None:
    """Return when something changes for the customers of a wave.

    At its start, or with `at-once` when the portal switches.
    """
    if profile.plan.switch == "at-once" and profile.plan.switch_at is not None:
        return convert_from_london(profile.plan.switch_at)
    return wave.starts_at


def respect_told_day(account: Account, profile: Profile, at: datetime) -> datetime:
    """Return the later of `at` and the day that the customer was told.

    With `at-once` a move changes nothing for the customer, and the message waits for the portal.
    """
    knows = account.announced_at is not None and profile.plan.switch == "by-wave"
    return max(at, account.told_day) if knows and account.told_day is not None else at


def find_due_step(account: Account, migration: Migration, profile: Profile, *, messages_on: bool) -> Due:
    """Return the next step of `account` in `migration`, and its earliest time."""
    at = account.due_at or account.not_before
    if migration.paused:
        return Due(None, waits_for=f"paused: {migration.pause_reason}")
    if migration.phase is Phase.CANCELLED or account.settled:
        return Due(None)
    left_to_newer = migration.superseded_by and account.state in {State.STAGED, State.CLASSIFIED, State.RELEASED}
    if left_to_newer and not must_be_recovered(account, migration):
        return Due(None, waits_for=f"superseded by {migration.superseded_by}")
    match account.state:
        case State.STAGED if migration.phase in {Phase.STAGING, Phase.FAILED, Phase.SUPERSEDED}:
            return Due(None, waits_for="the last row to be staged")
        case State.STAGED:
            return Due(Step.CLASSIFY, at)
        case State.CLASSIFIED | State.RELEASED:
            return _find_due_move(account, migration, profile, at, messages_on=messages_on)
        case State.PROVISIONED if not (messages_on and choose_message(account, profile)):
            return Due(None)
        case State.PROVISIONED if profile.plan.switch == "at-once" and migration.switched_at is None:
            return Due(None, waits_for="the portal to switch")
        case State.PROVISIONED:
            return Due(Step.NOTIFY, at)
        case _:
            return Due(None)


def _find_due_move(account: Account, migration: Migration, profile: Profile, at: datetime, *, messages_on: bool) -> Due:
    """Assessment, signatures, announcement, canary, wave: in the order in which they come."""
    if migration.assessed_at is None:
        return Due(None, waits_for="the assessment")
    if account.drafted or not migration.may_move(profile):
        return Due(None, waits_for="approval")
    if account.outcome is Outcome.CREATE and not is_customer_told(profile, messages_on=messages_on):
        return Due(None, waits_for="somebody who tells the customers")
    wave = find_account_wave(account, migration)
    if wave is not None and not is_told_before(account, wave, profile, messages_on=messages_on):
        return Due(Step.NOTIFY, max(at, get_announcement_start(wave, profile) or at))
    if migration.waits_for_canary:
        return Due(None, waits_for="a canary that passed")
    if wave is not None and migration.gate(wave.number).opened_at is None:
        return Due(None, waits_for=f"wave {wave.number}")
    return Due(Step.PROVISION, respect_told_day(account, profile, at))


def is_customer_told(profile: Profile, *, messages_on: bool) -> bool:
    """Return True if customers whose accounts are created are notified. Without a message they could not sign in."""
    sent = messages_on and SET_YOUR_PASSWORD in profile.messages.templates
    return sent or profile.plan.council_tells_customers


def is_told_before(account: Account, wave: Wave, profile: Profile, *, messages_on: bool) -> bool:
    """Return True if the customer has the announcement, or needs none before the change."""
    if account.announced_at is not None or account.done or wave.starts_at is None or not messages_on:
        return True
    return choose_message(account, profile) is None


def must_be_recovered(account: Account, migration: Migration) -> bool:
    """Return True if the app must first find out what was done for the account before the tables were lost."""
    running = migration.phase in {Phase.CLASSIFYING, Phase.RUNNING}
    return running and account.state is State.STAGED and account.tables_lost_at is not None


def is_message_open(step: Step, release: int, account: Account, answer: Due, now: datetime, *, epoch: int) -> bool:
    """Return True if a message of `step` with this release number may act now. `epoch` is the migration's."""
    return (
        account.release == release
        and account.epoch == epoch
        and account.due_at is not None
        and answer.step is step
        and answer.at is not None
        and answer.at - MAX_CLOCK_DIFFERENCE <= now
    )


def is_overdue(account: Account, answer: Due, now: datetime) -> bool:
    """Return True if the message of an account must have been lost: the account is long past its due time."""
    return answer.step is not None and account.due_at is not None and account.due_at + OVERDUE_AFTER < now
