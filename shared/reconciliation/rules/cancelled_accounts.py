"""What a cancelled migration leaves as it is. Pure."""

from dataclasses import replace
from datetime import datetime

from shared.intake.rules.resubmission import CANCELLED
from shared.model.account import Account, Change, apply_event
from shared.model.lifecycle import MOVING, Event, State
from shared.model.migration import Migration, Phase
from shared.model.profile import Profile
from shared.model.step import choose_message
from shared.scheduling.rules.gate import OVERDUE_AFTER


def is_left_as_is(
    account: Account, migration: Migration, profile: Profile, now: datetime, *, messages_on: bool
) -> bool:
    """Return True if nothing more happens to the account because its migration was cancelled.

    A step that was in progress at that time may still finish, and its record is waited for.
    """
    if migration.phase is not Phase.CANCELLED or account.settled:
        return False
    untold = account.state is State.PROVISIONED and messages_on and choose_message(account, profile) is not None
    at_work = account.due_at is not None and account.due_at + OVERDUE_AFTER >= now
    return (account.state in MOVING or untold) and not at_work


def hold_cancelled(account: Account, now: datetime) -> tuple[Account, Change]:
    """Return the held account. If it was created after all, its owner marker shows that to a later create."""
    left_so, change = apply_event(account, Event.HOLD, now, CANCELLED)
    return replace(left_so, begun_before=account.begun_before or not account.done), change
