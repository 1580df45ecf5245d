"""How several records of one table are written."""

import asyncio
from itertools import batched

from shared.adapters.storage.store import TRANSACTION_LIMIT, Conflict, Store, Write


async def insert_missing(store: Store, table: str, partition_key: str, groups: list[list[Write]]) -> int:
    """Insert the groups whose first record does not exist. Returns how many were inserted."""
    while groups:
        writes = {write.row_key: write for group in reversed(groups) for write in group}
        try:
            await store.write(table, partition_key, list(writes.values()))
        except Conflict:
            there = await asyncio.gather(*(store.get(table, partition_key, group[0].row_key) for group in groups))
            groups = [group for group, found in zip(groups, there, strict=True) if found is None]
        else:
            break
    return len(groups)


async def put_partitions(store: Store, table: str, by_partition: dict[str, list[Write]]) -> None:
    """Write to several partitions, as many records at a time as a transaction may hold."""
    for partition_key, writes in by_partition.items():
        for batch in batched(writes, TRANSACTION_LIMIT, strict=False):
            await store.write(table, partition_key, batch)
