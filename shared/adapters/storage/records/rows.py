"""The rows of the exports: the one place for what is personal."""

from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from typing import Final

from shared import names
from shared.adapters.storage.entities import ROW
from shared.adapters.storage.records.writing import put_partitions
from shared.adapters.storage.store import Query, Store, Verb, Write
from shared.model.account import Account, Authority, MigrationId
from shared.model.row import Row

PERSONAL_FREE: Final = (
    "authority",
    "migration",
    "number",
    "source_id",
    "account",
    "outcome",
    "reason",
    "duplicate_of",
)


class TableRows:
    """`RowRecords` over any `Store`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def put(self, rows: Sequence[Row]) -> None:
        """Write rows. Writing a row again changes nothing."""
        by_partition: dict[str, list[Write]] = defaultdict(list)
        for row in rows:
            by_partition[f"{row.authority}|{row.shard}"].append(
                Write(Verb.PUT, _row_key(row.migration, row.number), ROW.values(row))
            )
        await put_partitions(self._store, names.ROWS, by_partition)

    async def get(self, account: Account) -> Row | None:
        """The row which staged an account, with what is personal."""
        key = _row_key(account.migration, account.row)
        entity = await self._store.get(names.ROWS, f"{account.authority}|{account.shard}", key)
        return ROW.record(entity.values) if entity else None

    async def list_shard(self, authority: Authority, shard: str, migration: MigrationId) -> AsyncIterator[Row]:
        """The rows of one shard of one export without what is personal, in the order of their numbers."""
        query = Query(prefix=f"{migration}|", select=PERSONAL_FREE)
        async for entity in self._store.query(names.ROWS, f"{authority}|{shard}", query):
            yield ROW.record(entity.values)

    async def list_with_people(self, authority: Authority, shard: str, migration: MigrationId) -> AsyncIterator[Row]:
        """Yield the same rows with their personal data. Only for personal lists."""
        async for entity in self._store.query(names.ROWS, f"{authority}|{shard}", Query(prefix=f"{migration}|")):
            yield ROW.record(entity.values)


def _row_key(migration: MigrationId, number: int) -> str:
    return f"{migration}|{number:09d}"
