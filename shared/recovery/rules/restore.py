"""What a rebuild makes of the evidence that is left after tables were emptied. Pure.

Table Storage has no restore. A copy knows what was done before it was made. What was done later is known to the
directory by our owner marker, and to the message service by our reference. So the copy is not believed about an account
in progress. That account is checked again, and `tables_lost_at` says from when on it may have been moved or notified
without a record.
"""

from dataclasses import dataclass, replace
from typing import Final

from shared.model.account import Account, Change, apply_event
from shared.model.lifecycle import MOVING, Event
from shared.model.migration import Kind, Migration, Phase, without_pause
from shared.model.safeguards.rebuild import MAX_MESSAGE_DELAY, Rebuild, choose_first_release

BEGUN: Final = frozenset({Phase.STAGING, Phase.CLASSIFYING, Phase.ASSESSED, Phase.ADOPTING, Phase.RUNNING, Phase.DONE})


def restore_account(account: Account, rebuild: Rebuild) -> tuple[Account, Change | None]:
    """Return an account of the copy as it enters the new table.

    An account at rest stays so. An account in progress starts again, and is first looked for in the directory. An
    account that was moved and not notified is in doubt since the time of the copy.
    """
    back = replace(account, release=max(account.release, choose_first_release(rebuild.since)), due_at=None)
    if account.notified_at is None:
        back = replace(back, tables_lost_at=rebuild.tables_lost_at)
    if account.done and account.notified_at is None:
        back = replace(
            back, claimed_at=account.claimed_at or rebuild.tables_lost_at, not_before=rebuild.since + MAX_MESSAGE_DELAY
        )
    if account.state not in MOVING:
        return back, None
    back, change = apply_event(back, Event.REBUILD, rebuild.since)
    return replace(back, not_before=rebuild.since), change


@dataclass(frozen=True, slots=True)
class Left:
    """What is left of a migration beside its record."""

    was_assessed: bool
    """The assessment was published. After that, something may have been done."""
    newer: Migration | None
    """The next export of this council that was taken: what this one has not begun is left to it."""
    file: bool
    rows: bool


def restore_migration(migration: Migration, rebuild: Rebuild, left: Left) -> Migration:
    """Return a migration as it continues: its rows are read again, unless its file is gone.

    May run any number of times.
    """
    if migration.rebuilt_at == rebuild.since or migration.layout is None:
        return migration
    again = replace(migration, rebuilt_at=rebuild.since, tables_lost_at=rebuild.tables_lost_at)
    if migration.phase is Phase.FAILED:
        return replace(again, piece=0, offset=migration.layout.start, row=0)
    only_assessed = migration.kind is Kind.ASSESS and migration.phase is Phase.ASSESSED
    if migration.phase not in BEGUN or only_assessed or migration.kind is Kind.EXCLUDE:
        return again
    newer = left.newer
    if newer is not None and not left.was_assessed:
        return replace(without_pause(again), phase=Phase.SUPERSEDED, reason="newer_upload", superseded_by=newer.id)
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
