"""What was counted of a migration, and how far it is."""

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
        """What the last visit learned of a shard."""
        entity = await self._store.get(names.MIGRATIONS, f"{authority}|s", f"{migration}|{shard}")
        return summary_record(entity.values) if entity else None

    async def put(self, authority: Authority, migration: MigrationId, summary: ShardSummary) -> None:
        """Keep what a visit learned. The latest visit is right, whoever made it."""
        write = Write(Verb.PUT, f"{migration}|{summary.shard}", summary_values(summary))
        await self._store.write(names.MIGRATIONS, f"{authority}|s", [write])

    async def list_all(self, authority: Authority, migration: MigrationId) -> list[ShardSummary]:
        """What is known of all shards of a migration."""
        found = self._store.query(names.MIGRATIONS, f"{authority}|s", Query(prefix=f"{migration}|"))
        return [summary_record(entity.values) async for entity in found]


class TableProgress:
    """`ProgressRecords` over any `Store`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def get(self, authority: Authority, migration: MigrationId) -> Progress | None:
        """How far a migration was when."""
        entity = await self._store.get(names.MIGRATIONS, f"{authority}|s", f"progress|{migration}")
        return PROGRESS.record(entity.values) if entity else None

    async def put(self, authority: Authority, migration: MigrationId, progress: Progress) -> None:
        """Beside the summaries, and like these not worth a copy: it is counted again."""
        write = Write(Verb.PUT, f"progress|{migration}", PROGRESS.values(progress))
        await self._store.write(names.MIGRATIONS, f"{authority}|s", [write])
