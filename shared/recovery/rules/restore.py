"""What a rebuild makes of what is left when tables were emptied. Pure.

Table Storage has no restore. A copy knows what was done until it was made; what was done after it is known to the
directory by our mark and to the message service by our reference. So nothing that a copy says of an account on its way
is believed: the account is looked at afresh, and `lost_since` says from when on it may have been moved or told
without a record.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from shared import names
from shared.matching.rules.match import DirectoryUser
from shared.model.account import Account, Change, apply
from shared.model.lifecycle import MOVING, Event, Outcome
from shared.model.migration import Kind, Migration, Phase, going

CLOCKS_DIFFER: Final = timedelta(minutes=1)
"""The directory's clock tells when a user was made, ours when the tables were copied."""
LATE: Final = timedelta(minutes=2)
"""So long a message that was being sent when the tables were lost may take to be known to the service."""
BEGUN: Final = frozenset({Phase.STAGING, Phase.CLASSIFYING, Phase.ASSESSED, Phase.ADOPTING, Phase.RUNNING, Phase.DONE})


class Source(StrEnum):
    """What the tables are made from."""

    COPY = "copy"
    """The newest whole nightly copy, then as `EXPORT` for what it does not know."""
    EXPORT = "export"
    """The exports that are left, our marks in the directory and the message service's references."""


@dataclass(frozen=True, slots=True)
class Rebuild:
    """A rebuild of one authority that somebody began and that has not been handed over yet."""

    since: datetime
    source: Source
    lost_since: datetime
    """Everything that was done before this moment is in the copy; without one, nothing was done before it."""
    night: str = ""
    """Which copy it is made from."""
    by: str = ""
    put_back: str = ""
    """The last file of the copy that was put back."""


@dataclass(frozen=True, slots=True)
class Anchors:
    """What is left of the record that every table of an authority holds from its first upload on."""

    tables: frozenset[str]
    """Tables in which it is."""
    missing: frozenset[str]
    rebuild: Rebuild | None = None

    @property
    def torn(self) -> bool:
        """Whether other tables than Migrations were emptied, or a rebuild has not come to its end."""
        return self.rebuild is not None or bool(self.missing and names.MIGRATIONS in self.tables)


def beyond(rebuilt_at: datetime) -> int:
    """A release number that no message of the lost tables can have: nobody is released once a second."""
    return int(rebuilt_at.timestamp())


def put_back(account: Account, rebuild: Rebuild) -> tuple[Account, Change | None]:
    """An account of the copy, as it enters the new table.

    What was at rest stays so. What was on its way begins again, and is looked for in the directory first; what was
    moved and not told is in doubt since the copy was made.
    """
    back = replace(account, release=max(account.release, beyond(rebuild.since)), moment=None)
    if account.notified_at is None:
        back = replace(back, lost_since=rebuild.lost_since)
    if account.done and account.notified_at is None:
        back = replace(back, claimed_at=account.claimed_at or rebuild.lost_since, not_before=rebuild.since + LATE)
    if account.state not in MOVING:
        return back, None
    back, change = apply(back, Event.REBUILD, rebuild.since)
    return replace(back, not_before=rebuild.since), change


@dataclass(frozen=True, slots=True)
class Left:
    """What is left of a migration beside its record."""

    was_assessed: bool
    """People were told what would be done; from then on something may have been done."""
    newer: Migration | None
    """The next export of this council that was taken: what this one has not begun is left to it."""
    file: bool
    rows: bool


def made_again(migration: Migration, rebuild: Rebuild, left: Left) -> Migration:
    """A migration as it goes on: its rows are read again, unless its file is gone. May be asked any number of times."""
    if migration.rebuilt_at == rebuild.since or migration.layout is None:
        return migration
    again = replace(migration, rebuilt_at=rebuild.since, lost_since=rebuild.lost_since)
    if migration.phase is Phase.FAILED:
        return replace(again, piece=0, offset=migration.layout.start, row=0)
    only_assessed = migration.kind is Kind.ASSESS and migration.phase is Phase.ASSESSED
    if migration.phase not in BEGUN or only_assessed or migration.kind is Kind.EXCLUDE:
        return again
    newer = left.newer
    if newer is not None and not left.was_assessed:
        return replace(going(again), phase=Phase.SUPERSEDED, reason="newer_upload", superseded_by=newer.id)
    if not left.file:
        return _without_file(again, left)
    return replace(
        again,
        phase=Phase.STAGING,
        reason="",
        superseded_by=migration.superseded_by or (newer.id if newer else ""),
        piece=0,
        offset=migration.layout.start,
        row=0,
        moved_at=None,
        stalled=0,
        assessed_at=None,
        # A draft is frozen again, and signed again: its accounts are gone, and with them what was signed.
        plan=None if migration.apart else migration.plan,
        approved_at=None if migration.apart else migration.approved_at,
        published="",
    )


def _without_file(migration: Migration, left: Left) -> Migration:
    if not left.was_assessed:
        return replace(migration, phase=Phase.SUPERSEDED, reason="overwritten")
    return replace(migration, rows_lost=not left.rows)


def holds(user: DirectoryUser, address: str) -> bool:
    """Whether a user signs in with this normalised address, or has it as a contact address."""
    theirs = (*(identity.assigned_id for identity in user.identities), *user.other_mails)
    return bool(address) and address in (name.lower() for name in theirs)


def told_apart(account: Account, user: DirectoryUser, told: Outcome | None) -> tuple[Outcome, str]:
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


def recognised(account: Account, user: DirectoryUser, told: Outcome | None, now: datetime) -> tuple[Account, Change]:
    """The account of a user who holds our mark: moved before the tables were lost. Its message is in doubt."""
    outcome, known_by = told_apart(account, user, told)
    back, change = apply(account, Event.RECOGNISE, now)
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
