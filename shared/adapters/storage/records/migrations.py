"""Migrations, what was counted of them, and how far they are."""

from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Final

from shared import names
from shared.adapters.storage.entities import MIGRATION, PROGRESS, summary_record, summary_values
from shared.adapters.storage.recent import Recent
from shared.adapters.storage.records.base import OnTables
from shared.adapters.storage.store import Conflict, Query, Store, Verb, Write
from shared.model.account import REFUSED, Authority, MigrationId
from shared.model.counts.progress import Progress
from shared.model.counts.summary import ShardSummary
from shared.model.migration import Migration
from shared.ports import Clock

A_MOMENT: Final = timedelta(seconds=1)
"""So old a migration's record may be at a guard: a pause must bite within seconds in every process."""


class Migrations(OnTables):
    """The part of the `Ledger` that knows the uploads."""

    def __init__(self, store: Store, clock: Clock) -> None:
        super().__init__(store, clock)
        self._recent: Recent[tuple[Authority, MigrationId], Migration | None] = Recent(clock, A_MOMENT)

    async def migration(self, authority: Authority, migration: MigrationId) -> Migration | None:
        """One migration."""
        entity = await self._store.get(names.MIGRATIONS, f"{authority}|m", migration)
        return MIGRATION.record(entity.values) if entity else None

    async def recent_migration(self, authority: Authority, migration: MigrationId) -> Migration | None:
        """One migration, read once a second; this process's own changes are seen at once."""
        return await self._recent.get((authority, migration), lambda: self.migration(authority, migration))

    async def migrations(self, authority: Authority) -> AsyncIterator[Migration]:
        """All migrations of an authority, oldest first."""
        async for entity in self._store.query(names.MIGRATIONS, f"{authority}|m", Query()):
            yield MIGRATION.record(entity.values)

    async def refusals(self) -> list[Migration]:
        """Uploads of councils that have no profile."""
        return [migration async for migration in self.migrations(REFUSED)]

    async def open_migration(self, migration: Migration) -> bool:
        """Insert; False when it is there already."""
        write = Write(Verb.INSERT, migration.id, MIGRATION.values(migration))
        try:
            await self._store.write(names.MIGRATIONS, f"{migration.authority}|m", [write])
        except Conflict:
            return False
        finally:
            self._recent.forget()
        return True

    async def change_migration(
        self, authority: Authority, migration: MigrationId, change: Callable[[Migration], Migration]
    ) -> Migration:
        """Read, change, save, until nobody else was faster."""
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

    async def summary(self, authority: Authority, migration: MigrationId, shard: str) -> ShardSummary | None:
        """What the last visit learned of a shard."""
        entity = await self._store.get(names.MIGRATIONS, f"{authority}|s", f"{migration}|{shard}")
        return summary_record(entity.values) if entity else None

    async def put_summary(self, authority: Authority, migration: MigrationId, summary: ShardSummary) -> None:
        """Keep what a visit learned. The latest visit is right, whoever made it."""
        write = Write(Verb.PUT, f"{migration}|{summary.shard}", summary_values(summary))
        await self._store.write(names.MIGRATIONS, f"{authority}|s", [write])

    async def summaries(self, authority: Authority, migration: MigrationId) -> list[ShardSummary]:
        """What is known of all shards of a migration."""
        found = self._store.query(names.MIGRATIONS, f"{authority}|s", Query(prefix=f"{migration}|"))
        return [summary_record(entity.values) async for entity in found]

    async def progress(self, authority: Authority, migration: MigrationId) -> Progress | None:
        """How far a migration was when."""
        entity = await self._store.get(names.MIGRATIONS, f"{authority}|s", f"progress|{migration}")
        return PROGRESS.record(entity.values) if entity else None

    async def put_progress(self, authority: Authority, migration: MigrationId, progress: Progress) -> None:
        """Beside the summaries, and like these not worth a copy: it is counted again."""
        write = Write(Verb.PUT, f"progress|{migration}", PROGRESS.values(progress))
        await self._store.write(names.MIGRATIONS, f"{authority}|s", [write])
