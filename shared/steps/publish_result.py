"""publish-result: write result.csv, shard by shard, and publish it at once.

`Rows` are forgotten when their time is over: whole shards of them, and then the file stays as it was, because one
without them would take back what it once told. Single rows are deleted to erase somebody, and their lines go.
"""

from collections.abc import AsyncIterator
from itertools import batched
from typing import Final

from shared.domain import result_file
from shared.domain.account import SHARDS, Account
from shared.domain.migration import Migration
from shared.ports import Ports

LINES_AT_ONCE: Final = 1000


class RowsMissing(Exception):
    """The rows of a whole shard are gone. Nothing was published."""


class _Counted:
    """How many rows have been read."""

    rows = 0


async def publish_result(ports: Ports, migration: Migration, expected: int) -> None:
    """One line for every data row, as its account stands now; `expected` rows were counted.

    Raises:
        RowsMissing: the file stays as it is.
    """
    counted = _Counted()
    blocks = [_header(), *(_block(ports, migration, shard, counted) for shard in SHARDS), _end(expected, counted)]
    await ports.reports.put_blocks(f"{migration.folder}/result.csv", blocks, "text/csv; charset=utf-8")


async def _end(expected: int, counted: _Counted) -> AsyncIterator[bytes]:
    """Nothing. What is written before it is not published when it raises."""
    if expected and not counted.rows:
        raise RowsMissing
    yield b""


async def _header() -> AsyncIterator[bytes]:
    yield result_file.header()


async def _block(ports: Ports, migration: Migration, shard: str, counted: _Counted) -> AsyncIterator[bytes]:
    accounts: dict[str, Account] = {}
    async for stored in ports.ledger.accounts(migration.authority, shard):
        accounts[stored.record.id] = stored.record
    lines = [
        result_file.line_of(row, accounts.get(row.account or ""))
        async for row in ports.ledger.rows(migration.authority, shard, migration.id)
    ]
    if not lines and any(account.migration == migration.id for account in accounts.values()):
        raise RowsMissing
    counted.rows += len(lines)
    for batch in batched(lines, LINES_AT_ONCE, strict=False):
        yield result_file.lines(batch)
