"""publish-result: write the blocks of result.csv that have changed, shard by shard, and publish them in one step.

The name of a block stands for its content. So a block that was written is kept over rounds and crashes, and is not
written again.

`Rows` are deleted when their retention time is over. If the rows of a whole shard are gone, the file stays as it is,
because a new one would lose what it says. Single rows are deleted to erase one person, and their lines are removed.
"""

import hashlib
from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from typing import Final

from shared.intake.rules.resubmission import is_in_export
from shared.model.account import AccountId
from shared.model.counts.summary import Totals
from shared.model.migration import Migration
from shared.model.outcome import find_outcome
from shared.ports import Ports
from shared.reporting.rules import result_file
from shared.reporting.rules.result_file import Line, ResultFields, add_to_fingerprint, make_line, read_told

LINES_AT_ONCE: Final = 1000
HEADER: Final = f"{result_file.FORMAT} header"


class RowsMissing(Exception):
    """The rows of a whole shard are gone. Nothing was published."""


class CountedAnew(Exception):
    """Accounts have changed since their shard was counted. The shard is swept again first."""


async def publish_result(
    ports: Ports, migration: Migration, totals: Totals, says: Mapping[str, str], until: datetime
) -> bool:
    """Write one line for every data row, with the present state of its account.

    `says` changes with the lines of a shard.

    Return False if time ran out. The blocks that were written wait, and the next call continues.

    Raises:
        RowsMissing: the file stays as it is.
        CountedAnew: the same, for now.
    """
    path = f"{migration.folder}/result.csv"
    blocks = {shard: f"{result_file.FORMAT} {shard} {said}" for shard, said in says.items()}
    kept = await ports.reports.kept(path, [HEADER, *blocks.values()])
    if HEADER not in kept:
        await ports.reports.stage(path, HEADER, _stream_header())
    written, late = [HEADER], False
    for shard, block in blocks.items():
        if block not in kept:
            if late:
                return False
            lines = _stream_lines(ports, migration, shard, totals.shards[shard])
            if not await ports.reports.stage(path, block, lines):
                continue
            late = ports.clock.now() >= until
        written.append(block)
    if totals.rows and written == [HEADER]:
        raise RowsMissing
    await ports.reports.publish(path, written, "text/csv; charset=utf-8")
    return True


async def _stream_header() -> AsyncIterator[bytes]:
    yield result_file.write_header()


async def _stream_lines(ports: Ports, migration: Migration, shard: str, counted: str) -> AsyncIterator[bytes]:
    """Yield the lines of a shard.

    Only the columns that lines need are held, because there may be many thousands of accounts.
    """
    told: dict[str, ResultFields] | None = None
    lines: list[Line] = []
    async for row in ports.ledger.rows.list_shard(migration.authority, shard, migration.id):
        if told is None:
            told = await _read_told(ports, migration, shard, counted)
        lines.append(make_line(row, told.get(row.account or "")))
        if len(lines) == LINES_AT_ONCE:
            yield result_file.write_lines(lines)
            lines = []
    if told is None and counted != result_file.NO_ACCOUNTS:
        raise RowsMissing
    yield result_file.write_lines(lines)


async def _read_told(ports: Ports, migration: Migration, shard: str, counted: str) -> dict[str, ResultFields]:
    """Return the lines' data of the accounts of a shard, if the accounts of this migration are as they were counted."""
    told: dict[str, ResultFields] = {}
    fingerprint = hashlib.sha256()
    with_council: set[AccountId] = set()
    if migration.partition != migration.authority:
        # It never left its draft, or not whole: whoever was moved before is with the council.
        async for account in ports.ledger.accounts.list_projections(migration.authority, shard):
            told[account.id] = read_told(account)
            if migration.stopped_half_way and is_in_export(account, migration.id):
                with_council.add(account.id)
                if account.migration == migration.id:
                    add_to_fingerprint(account, find_outcome(account), fingerprint)
    async for account in ports.ledger.accounts.list_projections(migration.partition, shard):
        if account.settled or account.id in with_council:
            continue
        told[account.id] = read_told(account)
        if account.migration == migration.id:
            add_to_fingerprint(account, find_outcome(account), fingerprint)
    if fingerprint.hexdigest() != counted:
        raise CountedAnew
    return told
