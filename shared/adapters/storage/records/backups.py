"""Records as a nightly copy holds them: how they are read for a copy, and how they are put back."""

from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Sequence
from itertools import batched

from shared import names
from shared.adapters.storage.entities import (
    MIGRATION,
    nameless_migration,
    without_file_name,
    without_reference,
)
from shared.adapters.storage.records.accounts import account_values, append_history, stored_account
from shared.adapters.storage.records.writing import insert_missing
from shared.adapters.storage.store import TRANSACTION_LIMIT, Entity, Query, Store, Verb, Write
from shared.model.account import SHARDS, Authority
from shared.model.safeguards.backup import BackupRecord
from shared.ports import Mending


class TableBackups:
    """`BackupRecords` over any `Store`."""

    def __init__(self, store: Store, forget: Sequence[Callable[[], None]]) -> None:
        self._store = store
        self._forget = forget
        """Called after records were restored, because caches of the tables may be wrong then."""

    def list_partitions(self, authority: Authority) -> list[tuple[str, str]]:
        """All but what is counted again (summaries, pace) and what is personal (Rows)."""
        accounts = [f"{authority}|{part}{shard}" for shard in SHARDS for part in ("", "a|", "i|")]
        migrations = [f"{authority}|{part}" for part in ("canary", "first", "m")]
        return [(names.ACCOUNTS, each) for each in accounts] + [(names.MIGRATIONS, each) for each in migrations]

    async def list_records(self, table: str, partition_key: str) -> AsyncIterator[BackupRecord]:
        """In the order of their keys: accounts before their histories."""
        async for entity in self._store.query(table, partition_key, Query()):
            columns = entity.values
            if table == names.ACCOUNTS and entity.row_key.startswith("account|"):
                columns = without_reference(columns)
            if table == names.MIGRATIONS and partition_key.endswith("|m"):
                columns = without_file_name(columns)
            yield BackupRecord(table, partition_key, entity.row_key, columns)

    async def restore(self, records: Sequence[BackupRecord], mending: Mending) -> int:
        """An account and what the rebuild adds to its history go in together."""
        by_place: dict[tuple[str, str], list[list[Write]]] = defaultdict(list)
        for record in records:
            by_place[record.table, record.partition].append(_put_back(record, mending))
        count = 0
        for (table, partition_key), groups in by_place.items():
            for batch in batched(groups, TRANSACTION_LIMIT // 2, strict=False):
                count += await insert_missing(self._store, table, partition_key, list(batch))
        for forget in self._forget:
            forget()
        return count


def _put_back(record: BackupRecord, mending: Mending) -> list[Write]:
    """The writes of one record of a copy."""
    if record.table == names.ACCOUNTS and record.key.startswith("account|"):
        stored = stored_account(Entity(record.key, record.columns, ""))
        account, change = mending.account(stored.record)
        history = append_history(stored.history, change) if change else stored.history
        return [Write(Verb.INSERT, record.key, {**account_values(account), "history": history})]
    if record.table == names.MIGRATIONS and record.partition.endswith("|m"):
        migration = mending.migration(nameless_migration(record.columns))
        return [Write(Verb.INSERT, record.key, MIGRATION.values(migration))]
    return [Write(Verb.INSERT, record.key, record.columns)]
