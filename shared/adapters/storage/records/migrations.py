"""Migrations: one record for each upload."""

from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Final

from shared import names
from shared.adapters.storage.entities import MIGRATION
from shared.adapters.storage.recent import Recent
from shared.adapters.storage.store import Conflict, Query, Store, Verb, Write
from shared.model.account import REFUSED, Authority, MigrationId
from shared.model.migration import Migration
from shared.ports import Clock

MIGRATION_CACHE_TIME: Final = timedelta(seconds=1)
"""How old a migration's record may be in a guard. A pause must work within seconds in every process."""


class TableMigrations:
    """`MigrationRecords` over any `Store`."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._recent: Recent[tuple[Authority, MigrationId], Migration | None] = Recent(clock, MIGRATION_CACHE_TIME)

    async def get(self, authority: Authority, migration: MigrationId) -> Migration | None:
        """One migration."""
        entity = await self._store.get(names.MIGRATIONS, f"{authority}|m", migration)
        return MIGRATION.record(entity.values) if entity else None

    async def get_recent(self, authority: Authority, migration: MigrationId) -> Migration | None:
        """Return one migration, read at most once a second. Changes of this process show without delay."""
        return await self._recent.get((authority, migration), lambda: self.get(authority, migration))

    async def list_all(self, authority: Authority) -> AsyncIterator[Migration]:
        """All migrations of an authority, oldest first."""
        async for entity in self._store.query(names.MIGRATIONS, f"{authority}|m", Query()):
            yield MIGRATION.record(entity.values)

    async def list_refused(self) -> list[Migration]:
        """Uploads of councils that have no profile."""
        return [migration async for migration in self.list_all(REFUSED)]

    async def insert(self, migration: Migration) -> bool:
        """Insert a migration. Return False if it exists already."""
        write = Write(Verb.INSERT, migration.id, MIGRATION.values(migration))
        try:
            await self._store.write(names.MIGRATIONS, f"{migration.authority}|m", [write])
        except Conflict:
            return False
        finally:
            self._recent.forget()
        return True

    async def change(
        self, authority: Authority, migration: MigrationId, change: Callable[[Migration], Migration]
    ) -> Migration:
        """Read, change and save, until no other process was faster."""
        while True:
            entity = await self._store.get(names.MIGRATIONS, f"{authority}|m", migration)
            if entity is None:
                raise KeyError(migration)
            before = MIGRATION.record(entity.values)
            after = change(before)
            if after == before:
                return before
            write = Write(Verb.REPLACE, migration, MIGRATION.values(after), entity.etag)
            try:
                await self._store.write(names.MIGRATIONS, f"{authority}|m", [write])
            except Conflict:
                continue
            finally:
                # Also after an error: the write may have got through.
                self._recent.forget()
            return after

    def forget(self) -> None:
        """Forget the answer, because the table was changed from outside."""
        self._recent.forget()
