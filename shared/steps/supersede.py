"""One export of a council at work: the newest. What older ones have not begun, they will not begin any more."""

from dataclasses import replace
from datetime import datetime
from typing import Final

from shared.domain.migration import Kind, Migration, Phase, going
from shared.ports import Ports

TAKEN: Final = frozenset(
    {
        Phase.STAGING,
        Phase.CLASSIFYING,
        Phase.ASSESSED,
        Phase.ADOPTING,
        Phase.RUNNING,
        Phase.DONE,
        Phase.FAILED,
    }
)


async def taken_after(ports: Ports, migration: Migration) -> Migration | None:
    """The newest export of this council that was taken and is newer than this one."""
    found = [
        other
        async for other in ports.ledger.migrations(migration.authority)
        if newer(other, migration) and taken(other)
    ]
    return max(found, key=age, default=None)


def taken(migration: Migration) -> bool:
    """Whether it is an export to be moved that was taken; what is only assessed is in nobody's way."""
    return migration.kind is Kind.MIGRATE and migration.phase in TAKEN and migration.layout is not None


async def supersede_older(ports: Ports, migration: Migration) -> None:
    """Leave to this export what older ones have not begun. May be done any number of times.

    Older ones that were overwritten before they were read whole are left to it too: they may have staged accounts.
    """
    async for other in ports.ledger.migrations(migration.authority):
        replaced = other.kind is Kind.MIGRATE and (other.open or other.phase is Phase.SUPERSEDED)
        if replaced and newer(migration, other):
            await ports.ledger.change_migration(other.authority, other.id, lambda older: _left_to(older, migration))


def newer(other: Migration, than: Migration) -> bool:
    """Whether `other` was uploaded after `than`."""
    return other.id != than.id and age(other) > age(than)


def age(migration: Migration) -> tuple[datetime, datetime, str]:
    """What exports of one council are ordered by, oldest first."""
    # Storage tells the moment of an upload in whole seconds; what is overwritten within one is received later.
    return migration.uploaded_at, migration.received_at, migration.id


def _left_to(older: Migration, to: Migration) -> Migration:
    older = replace(older, superseded_by=to.id)
    if older.phase is Phase.RUNNING:
        return older
    older = going(older)
    if older.phase is Phase.SUPERSEDED:
        return older
    return replace(older, phase=Phase.SUPERSEDED, reason="newer_upload")


async def leave_to_nobody(ports: Ports, migration: Migration) -> None:
    """This export was never read whole: older ones that run go on with what it has not taken over."""
    async for other in ports.ledger.migrations(migration.authority):
        if other.superseded_by == migration.id and other.phase is Phase.RUNNING:
            await ports.ledger.change_migration(other.authority, other.id, lambda m: replace(m, superseded_by=""))
