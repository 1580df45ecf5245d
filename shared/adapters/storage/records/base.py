"""What every part of the ledger writes with."""

import asyncio
from itertools import batched

from shared.adapters.storage.store import TRANSACTION_LIMIT, Conflict, Store, Write
from shared.ports import Clock


class OnTables:
    """A part of the `Ledger` over any `Store`."""

    def __init__(self, store: Store, clock: Clock) -> None:  # noqa: ARG002 - for the parts that remember for a while
        self._store = store

    async def _insert_missing(self, table: str, partition: str, groups: list[list[Write]]) -> int:
        """Insert the groups whose first record is not there; returns how many."""
        while groups:
            writes = {write.row_key: write for group in reversed(groups) for write in group}
            try:
                await self._store.write(table, partition, list(writes.values()))
            except Conflict:
                there = await asyncio.gather(*(self._store.get(table, partition, g[0].row_key) for g in groups))
                groups = [group for group, found in zip(groups, there, strict=True) if found is None]
            else:
                break
        return len(groups)

    async def _put(self, table: str, by_partition: dict[str, list[Write]]) -> None:
        for partition, writes in by_partition.items():
            for batch in batched(writes, TRANSACTION_LIMIT, strict=False):
                await self._store.write(table, partition, batch)
