"""publish-result: write result.csv, shard by shard, and publish it at once."""

from collections.abc import AsyncIterator
from itertools import batched
from typing import Final

from shared.domain import result_file
from shared.domain.account import SHARDS, Account
from shared.domain.migration import Migration
from shared.ports import Ports

LINES_AT_ONCE: Final = 1000


async def publish_result(ports: Ports, migration: Migration) -> None:
    """One line for every data row, as its account stands now."""
    blocks = [_header(), *(_block(ports, migration, shard) for shard in SHARDS)]
    await ports.reports.put_blocks(f"{migration.folder}/result.csv", blocks, "text/csv; charset=utf-8")


async def _header() -> AsyncIterator[bytes]:
    yield result_file.header()


async def _block(ports: Ports, migration: Migration, shard: str) -> AsyncIterator[bytes]:
    accounts: dict[str, Account] = {}
    async for stored in ports.ledger.accounts(migration.authority, shard):
        accounts[stored.record.id] = stored.record
    lines = [
        result_file.line_of(row, accounts.get(row.account or ""))
        async for row in ports.ledger.rows(migration.authority, shard, migration.id)
    ]
    for batch in batched(lines, LINES_AT_ONCE, strict=False):
        yield result_file.lines(batch)
