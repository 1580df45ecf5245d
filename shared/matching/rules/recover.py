"""What was done for an account before its tables were lost. Pure."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from shared.model.account import Account, Change, apply_event
from shared.model.directory_user import DirectoryUser
from shared.model.lifecycle import Event, Outcome
from shared.model.safeguards.rebuild import LATE

CLOCKS_DIFFER: Final = timedelta(minutes=1)
"""The directory's clock tells when a user was made, ours when the tables were copied."""


def has_address(user: DirectoryUser, address: str) -> bool:
    """Whether a user signs in with this normalised address, or has it as a contact address."""
    theirs = (*(identity.assigned_id for identity in user.identities), *user.other_mails)
    return bool(address) and address in (name.lower() for name in theirs)


def tell_create_from_link(account: Account, user: DirectoryUser, told: Outcome | None) -> tuple[Outcome, str]:
    """Whether the user with our mark was created or linked, and by what that is known.

    `told` is the outcome whose message the service knows: that is certain. Else a record of the copy counts where the
    directory does not contradict it. Else a user who was not there before anything was lost was created by us.
    """
    if told is not None:
        return told, "message"
    since = account.lost_since
    new = user.created is not None and since is not None and user.created >= since - CLOCKS_DIFFER
    if account.outcome is Outcome.LINK and account.directory_id == user.id:
        return Outcome.LINK, "record"
    if new:
        return Outcome.CREATE, "record" if account.outcome is Outcome.CREATE else "created_since"
    return Outcome.LINK, "created_before"


def restore_account(
    account: Account, user: DirectoryUser, told: Outcome | None, now: datetime
) -> tuple[Account, Change]:
    """The account of a user who holds our mark: moved before the tables were lost. Its message is in doubt."""
    outcome, known_by = tell_create_from_link(account, user, told)
    back, change = apply_event(account, Event.RECOGNISE, now)
    made = user.created if outcome is Outcome.CREATE and user.created else None
    possible = max(at for at in (account.lost_since or now, made) if at is not None)
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
        not_before=now + LATE,
    )
    return back, change
