"""What happens to a row whose customer an earlier export has brought. Pure."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from shared.intake.rules.suppressions import EXCLUDED
from shared.model.account import Account, Change, apply_event
from shared.model.lifecycle import Event, Outcome, State

DISCARDED: Final = "discarded"
CANCELLED: Final = "cancelled"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The row is settled by what is known of its account."""

    outcome: Outcome
    reason: str = ""


def judge_resubmission(known: Account, digest: str) -> Verdict | None:
    """Return what the council's own account decides about a row with these facts.

    None if the row must still be judged.
    """
    if known.state is State.HELD and known.reason == DISCARDED:
        # A person left it as it is; only a person takes that back.
        return Verdict(Outcome.REVIEW, DISCARDED)
    if was_told_after_all(known) or not (known.done or known.state is State.UNDONE):
        return None
    if known.digest != digest:
        return Verdict(Outcome.REVIEW, "changed_since_migrated")
    return Verdict(Outcome.UNCHANGED)


def is_in_export(account: Account, migration: str) -> bool:
    """Return True if an export has this customer, with its own account or with one that was moved before."""
    return account.migration == migration or account.resubmission.startswith(f"{migration}|")


def was_told_after_all(known: Account) -> bool:
    """Return True if the account was created or linked, but the message was stopped. A newer export then sends it.

    Somebody cancelled the migration, or excluded the customer and took the exclusion back.
    """
    stopped = known.reason == CANCELLED or known.reason.startswith(EXCLUDED)
    return known.state is State.HELD and stopped and known.done and known.notified_at is None


def go_on_with_message(known: Account, new: Account, now: datetime) -> tuple[Account, Change]:
    """Return the account as part of the newer migration, which only has its message to send."""
    back, change = apply_event(known, Event.REPLAY_MESSAGE, now)
    mine = replace(back, migration=new.migration, row=new.row, release=known.release + 1, not_before=now)
    return mine, replace(change, migration=new.migration)
