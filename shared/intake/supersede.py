"""Only the newest export of a council is carried out. It takes over what older exports have not started."""

from dataclasses import replace
from functools import partial

from shared.model.account import MigrationId
from shared.model.migration import STAYS, Kind, Migration, Phase, get_upload_order, is_newer, is_taken, without_pause
from shared.ports import Ports


async def taken_after(ports: Ports, migration: Migration) -> Migration | None:
    """Return the newest accepted export of this council that is newer than this one."""
    found = [
        other
        async for other in ports.ledger.migrations.list_all(migration.authority)
        if is_newer(other, migration) and is_taken(other)
    ]
    return max(found, key=get_upload_order, default=None)


async def supersede_older(ports: Ports, migration: Migration) -> None:
    """Take over what older exports have not started. May run any number of times.

    Older exports that were overwritten before they were read completely are taken over too, because they may have
    staged accounts. Finished ones are as well, because somebody may replay a failed account in them.
    """
    async for other in ports.ledger.migrations.list_all(migration.authority):
        replaced = other.kind is Kind.MIGRATE and (other.open or other.phase in {Phase.SUPERSEDED, Phase.DONE})
        if replaced and is_newer(migration, other):
            await ports.ledger.migrations.change(other.authority, other.id, lambda older: _leave_to(older, migration))


def _leave_to(older: Migration, to: Migration) -> Migration:
    older = replace(older, superseded_by=to.id)
    if older.phase in STAYS:
        return older
    older = without_pause(older)
    if older.phase is Phase.SUPERSEDED:
        return older
    return replace(older, phase=Phase.SUPERSEDED, reason="newer_upload")


async def restore_older(ports: Ports, migration: Migration) -> None:
    """Let older exports continue with what this export has not taken over, because it was never read completely.

    What an earlier export had taken over stays with that one.
    """
    found = [other async for other in ports.ledger.migrations.list_all(migration.authority)]
    for other in found:
        if other.superseded_by == migration.id and other.phase in STAYS:
            between = [
                each for each in found if _has_taken_over(each) and is_newer(migration, each) and is_newer(each, other)
            ]
            to = max(between, key=get_upload_order, default=None)
            given = partial(_take_back, never_read=migration.id, to=to.id if to else "")
            await ports.ledger.migrations.change(other.authority, other.id, given)


def _take_back(older: Migration, never_read: MigrationId, to: str) -> Migration:
    return replace(older, superseded_by=to) if older.superseded_by == never_read else older


def _has_taken_over(migration: Migration) -> bool:
    """Return True if it has taken over accounts of older exports.

    If it was stopped later, the older ones do not get them back.
    """
    begun = migration.phase in STAYS or (migration.phase is Phase.CANCELLED and migration.row > 0)
    with_council = not migration.apart or migration.stopped_half_way
    return migration.kind is Kind.MIGRATE and begun and with_council
