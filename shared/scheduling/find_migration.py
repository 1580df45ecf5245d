"""Finds the migration that a person names."""

from shared.model.account import MigrationId
from shared.model.migration import Migration
from shared.ports import Ports


async def find_migration(ports: Ports, authority: str, migration: str) -> Migration | None:
    """Return the migration with this name, of this council or of any. None if there is none."""
    for known in ports.profiles:
        if authority in {"", known}:
            found = await ports.ledger.migrations.get(known, MigrationId(migration))
            if found is not None:
                return found
    return None
