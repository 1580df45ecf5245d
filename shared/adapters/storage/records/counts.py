"""The counts and the progress of a migration."""

from shared import names
from shared.adapters.storage.entities import PROGRESS, summary_record, summary_values
from shared.adapters.storage.store import Query, Store, Verb, Write
from shared.model.account import Authority, MigrationId
from shared.model.counts.progress import Progress
from shared.model.counts.summary import ShardSummary


class TableSummaries:
    """`SummaryRecords` over any `Store`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def get(self, authority: Authority, migration: MigrationId, shard: str) -> ShardSummary | None:
        """Return the counts of the last sweep of a shard."""
        entity = await self._store.get(names.MIGRATIONS, f"{authority}|s", f"{migration}|{shard}")
        return summary_record(entity.values) if entity else None

    async def put(self, authority: Authority, migration: MigrationId, summary: ShardSummary) -> None:
        """Save the counts of a sweep. The latest sweep is right, whichever process made it."""
        write = Write(Verb.PUT, f"{migration}|{summary.shard}", summary_values(summary))
        await self._store.write(names.MIGRATIONS, f"{authority}|s", [write])

    async def list_all(self, authority: Authority, migration: MigrationId) -> list[ShardSummary]:
        """Return the counts of all shards of a migration."""
        found = self._store.query(names.MIGRATIONS, f"{authority}|s", Query(prefix=f"{migration}|"))
        return [summary_record(entity.values) async for entity in found]


class TableProgress:
    """`ProgressRecords` over any `Store`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def get(self, authority: Authority, migration: MigrationId) -> Progress | None:
        """Return the progress of a migration."""
        entity = await self._store.get(names.MIGRATIONS, f"{authority}|s", f"progress|{migration}")
        return PROGRESS.record(entity.values) if entity else None

    async def put(self, authority: Authority, migration: MigrationId, progress: Progress) -> None:
        """Beside the summaries, and like these not worth a copy: it is counted again."""
        write = Write(Verb.PUT, f"progress|{migration}", PROGRESS.values(progress))
        await self._store.write(names.MIGRATIONS, f"{authority}|s", [write])
