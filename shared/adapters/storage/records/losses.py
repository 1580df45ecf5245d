"""The anchors that show whether a table was emptied, and the rebuild that is under way."""

import asyncio
from contextlib import suppress

from shared import names
from shared.adapters.storage.entities import REBUILD
from shared.adapters.storage.records.writing import insert_missing
from shared.adapters.storage.store import Conflict, Store, Verb, Write
from shared.model.account import Authority
from shared.model.safeguards.rebuild import Anchors, Rebuild


class TableLosses:
    """`LossRecords` over any `Store`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def get_anchors(self, authority: Authority) -> Anchors:
        """Three small reads."""
        partition = f"{authority}|anchor"
        *found, noted = await asyncio.gather(
            *(self._store.get(table, partition, "anchor") for table in names.TABLES),
            self._store.get(names.MIGRATIONS, partition, "rebuild"),
        )
        there = frozenset(table for table, anchor in zip(names.TABLES, found, strict=True) if anchor)
        return Anchors(there, frozenset(names.TABLES) - there, REBUILD.record(noted.values) if noted else None)

    async def leave_anchors(self, authority: Authority) -> None:
        """Insert what is missing, in Migrations last: a crash in between does not look like a loss."""
        for table in (names.ROWS, names.ACCOUNTS, names.MIGRATIONS):
            await insert_missing(
                self._store, table, f"{authority}|anchor", [[Write(Verb.INSERT, "anchor", {"kept": True})]]
            )

    async def begin_rebuild(self, authority: Authority, rebuild: Rebuild) -> Rebuild:
        """Insert the rebuild, or return the one that another process inserted."""
        write = Write(Verb.INSERT, "rebuild", REBUILD.values(rebuild))
        await insert_missing(self._store, names.MIGRATIONS, f"{authority}|anchor", [[write]])
        return (await self.get_anchors(authority)).rebuild or rebuild

    async def move_rebuild(self, authority: Authority, before: Rebuild, after: Rebuild) -> None:
        """Replace what is noted, if it is `before`."""
        partition = f"{authority}|anchor"
        entity = await self._store.get(names.MIGRATIONS, partition, "rebuild")
        if entity is None or REBUILD.record(entity.values) != before:
            return
        write = Write(Verb.REPLACE, "rebuild", REBUILD.values(after), entity.etag)
        with suppress(Conflict):
            await self._store.write(names.MIGRATIONS, partition, [write])

    async def end_rebuild(self, authority: Authority) -> None:
        """First the anchors: with neither anchor nor note an authority would look new."""
        await self.leave_anchors(authority)
        await self._store.write(names.MIGRATIONS, f"{authority}|anchor", [Write(Verb.DELETE, "rebuild")])
