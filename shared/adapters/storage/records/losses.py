"""What is left after a loss, and the way back."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from itertools import batched

from shared import names
from shared.adapters.storage.entities import (
    CHANGE,
    MIGRATION,
    REBUILD,
    nameless_migration,
    without_file_name,
    without_reference,
)
from shared.adapters.storage.records.accounts import account_values, history_key, stored_account
from shared.adapters.storage.records.addresses import Addresses
from shared.adapters.storage.records.migrations import Migrations
from shared.adapters.storage.store import TRANSACTION_LIMIT, Conflict, Entity, Query, Verb, Write
from shared.model.account import SHARDS, Authority
from shared.model.safeguards.backup import Record
from shared.model.safeguards.rebuild import Anchors, Rebuild
from shared.ports import Mending


class Losses(Migrations, Addresses):
    """The part of the `Ledger` that is copied, lost and put back; what others remember, it lets them forget."""

    async def anchors(self, authority: Authority) -> Anchors:
        """Three small reads."""
        place = f"{authority}|anchor"
        *found, noted = await asyncio.gather(
            *(self._store.get(table, place, "anchor") for table in names.TABLES),
            self._store.get(names.MIGRATIONS, place, "rebuild"),
        )
        there = frozenset(table for table, anchor in zip(names.TABLES, found, strict=True) if anchor)
        return Anchors(there, frozenset(names.TABLES) - there, REBUILD.record(noted.values) if noted else None)

    async def anchor(self, authority: Authority) -> None:
        """Insert what is missing, in Migrations last: a crash in between does not look like a loss."""
        for table in (names.ROWS, names.ACCOUNTS, names.MIGRATIONS):
            await self._insert_missing(table, f"{authority}|anchor", [[Write(Verb.INSERT, "anchor", {"kept": True})]])

    async def begin_rebuild(self, authority: Authority, rebuild: Rebuild) -> Rebuild:
        """Insert, or read what somebody else inserted."""
        write = Write(Verb.INSERT, "rebuild", REBUILD.values(rebuild))
        await self._insert_missing(names.MIGRATIONS, f"{authority}|anchor", [[write]])
        return (await self.anchors(authority)).rebuild or rebuild

    async def move_rebuild(self, authority: Authority, before: Rebuild, after: Rebuild) -> None:
        """Replace what is noted, if it is `before`."""
        place = f"{authority}|anchor"
        entity = await self._store.get(names.MIGRATIONS, place, "rebuild")
        if entity is None or REBUILD.record(entity.values) != before:
            return
        write = Write(Verb.REPLACE, "rebuild", REBUILD.values(after), entity.etag)
        with suppress(Conflict):
            await self._store.write(names.MIGRATIONS, place, [write])

    async def end_rebuild(self, authority: Authority) -> None:
        """First the anchors: with neither anchor nor note an authority would look new."""
        await self.anchor(authority)
        await self._store.write(names.MIGRATIONS, f"{authority}|anchor", [Write(Verb.DELETE, "rebuild")])

    def partitions(self, authority: Authority) -> list[tuple[str, str]]:
        """All but what is counted again (summaries, pace) and what is personal (Rows)."""
        accounts = [f"{authority}|{part}{shard}" for shard in SHARDS for part in ("", "a|", "i|")]
        migrations = [f"{authority}|{part}" for part in ("canary", "first", "m")]
        return [(names.ACCOUNTS, each) for each in accounts] + [(names.MIGRATIONS, each) for each in migrations]

    async def records(self, table: str, partition: str) -> AsyncIterator[Record]:
        """In the order of their keys: accounts before their histories."""
        async for entity in self._store.query(table, partition, Query()):
            columns = entity.values
            if table == names.ACCOUNTS and entity.row_key.startswith("account|"):
                columns = without_reference(columns)
            if table == names.MIGRATIONS and partition.endswith("|m"):
                columns = without_file_name(columns)
            yield Record(table, partition, entity.row_key, columns)

    async def put_back(self, records: Sequence[Record], mending: Mending) -> int:
        """An account and what the rebuild adds to its history go in together."""
        by_place: dict[tuple[str, str], list[list[Write]]] = defaultdict(list)
        for record in records:
            by_place[record.table, record.partition].append(_put_back(record, mending))
        count = 0
        for (table, partition), groups in by_place.items():
            for batch in batched(groups, TRANSACTION_LIMIT // 2, strict=False):
                count += await self._insert_missing(table, partition, list(batch))
        self._recent.forget()
        self._shared.forget()
        return count


def _put_back(record: Record, mending: Mending) -> list[Write]:
    """The writes of one record of a copy; the first of them inserts the record itself."""
    if record.table == names.ACCOUNTS and record.key.startswith("account|"):
        stored = stored_account(Entity(record.key, record.columns, ""))
        account, change = mending.account(stored.record)
        history = [Write(Verb.PUT, history_key(account), CHANGE.values(change))] if change else []
        return [Write(Verb.INSERT, record.key, account_values(account)), *history]
    if record.table == names.MIGRATIONS and record.partition.endswith("|m"):
        migration = mending.migration(nameless_migration(record.columns))
        return [Write(Verb.INSERT, record.key, MIGRATION.values(migration))]
    return [Write(Verb.INSERT, record.key, record.columns)]
