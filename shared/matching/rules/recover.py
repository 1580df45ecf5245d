"""What was done for an account before its tables were lost. Pure."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from shared.model.account import Account, Change, apply_event
from shared.model.directory_user import DirectoryUser
from shared.model.lifecycle import Event, Outcome
from shared.model.safeguards.rebuild import MAX_MESSAGE_DELAY

CLOCKS_DIFFER: Final = timedelta(minutes=1)
"""How far the clocks may differ. The directory's clock says when a user was made, and ours when the tables were
copied.
"""


def has_address(user: DirectoryUser, address: str) -> bool:
    """Return True if a user signs in with this normalised address, or has it as a contact address."""
    theirs = (*(identity.assigned_id for identity in user.identities), *user.other_mails)
    return bool(address) and address in (name.lower() for name in theirs)


def tell_create_from_link(account: Account, user: DirectoryUser, told: Outcome | None) -> tuple[Outcome, str]:
    """Return if the user with our owner marker was created or linked, and how we know.

    `told` is the outcome whose message the service knows, which is certain. Otherwise a record of the copy counts if
    the directory does not contradict it. Otherwise a user that did not exist before the loss was created by us.
    """
    if told is not None:
        return told, "message"
    since = account.tables_lost_at
    new = user.created is not None and since is not None and user.created >= since - CLOCKS_DIFFER
    if account.outcome is Outcome.LINK and account.directory_id == user.id:
        return Outcome.LINK, "record"
    if new:
        return Outcome.CREATE, "record" if account.outcome is Outcome.CREATE else "created_since"
    return Outcome.LINK, "created_before"


def restore_moved_account(
    account: Account, user: DirectoryUser, told: Outcome | None, now: datetime
) -> tuple[Account, Change]:
    """Return the account of a user that has our owner marker, as moved before the loss. Its message is in doubt."""
    outcome, known_by = tell_create_from_link(account, user, told)
    back, change = apply_event(account, Event.RECOGNISE, now)
    made = user.created if outcome is Outcome.CREATE and user.created else None
    possible = max(at for at in (account.tables_lost_at or now, made) if at is not None)
    evidence: Mapping[str, str] = {"found": "one with our mark", "known_by": known_by}
    back = replace(
        back,
        outcome=outcome,
        evidence=evidence,
        directory_id=user.id,
        before=account.before if outcome is Outcome.LINK and account.directory_id == user.id else {},
        classified_at=now,
        provisioned_at=made or now,
        claimed_at=possible,
        not_before=now + MAX_MESSAGE_DELAY,
    )
    return back, change
