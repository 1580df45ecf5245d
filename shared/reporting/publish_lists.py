"""publish-lists: write the lists of customers whom a person may want to check, in one pass over the rows.

The lists are in the folder `personal/` of the reports.

All lists are written while the rows are read once. The reader waits for the slowest writer, so that only a few blocks
of each list are in memory, however many rows there are.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Final

from shared.model.account import SHARDS
from shared.model.lifecycle import Outcome
from shared.model.migration import Migration
from shared.model.row import Row
from shared.ports import Ports
from shared.reporting.rules.encoding_check import LetterCheck, Letters
from shared.reporting.rules.personal_lists import (
    FOLDER,
    LISTS,
    NAMES,
    Fate,
    find_account_fate,
    find_fate,
    names_to_check,
)

LINES_AT_ONCE: Final = 1000
PARTS_WAITING: Final = 2
CSV: Final = "text/csv; charset=utf-8"

type Parts = asyncio.Queue[bytes | None]
"""Parts of one list on their way to storage. None ends the list."""


async def publish_lists(ports: Ports, migration: Migration) -> Letters:
    """Write one list for each outcome, and the names to check. Returns the letters in the names.

    If a list cannot be written, the error of storage is raised. The other lists may then be old or new, but each is
    complete.
    """
    queues: dict[Outcome, Parts] = {outcome: asyncio.Queue(PARTS_WAITING) for outcome in LISTS}
    folder = f"{migration.folder}/{FOLDER}"
    try:
        async with asyncio.TaskGroup() as tasks:
            for outcome, queue in queues.items():
                tasks.create_task(
                    ports.reports.put_blocks(f"{folder}/{outcome}.csv", [_stream_list(outcome, queue)], CSV)
                )
            check = await _read_rows(ports, migration, queues)
    except BaseExceptionGroup as group:
        # The first trouble tells enough, and only what it is by itself is understood by whoever called.
        raise group.exceptions[0] from None
    await ports.reports.put(f"{folder}/{NAMES}", names_to_check(check.first()), CSV)
    return check.total()


async def _stream_list(outcome: Outcome, queue: Parts) -> AsyncIterator[bytes]:
    yield LISTS[outcome].header()
    while (part := await queue.get()) is not None:
        yield part


async def _read_rows(ports: Ports, migration: Migration, queues: Mapping[Outcome, Parts]) -> LetterCheck:
    check = LetterCheck()
    waiting: dict[Outcome, list[tuple[Row, Fate]]] = {outcome: [] for outcome in queues}
    for shard in SHARDS:
        fates = await _read_fates(ports, migration, shard)
        async for row in ports.ledger.rows.list_with_people(migration.authority, shard, migration.id):
            check.add(row)
            fate = find_fate(row, fates)
            if fate.outcome in LISTS:
                outcome = Outcome(fate.outcome)
                waiting[outcome].append((row, fate))
                if len(waiting[outcome]) == LINES_AT_ONCE:
                    await _pass_on(outcome, waiting[outcome], queues[outcome])
    for outcome, queue in queues.items():
        await _pass_on(outcome, waiting[outcome], queue)
        await queue.put(None)
    return check


async def _read_fates(ports: Ports, migration: Migration, shard: str) -> dict[str, Fate]:
    """The fate of every account of a shard: all that is kept of it while the rows are read."""
    found = ports.ledger.accounts.list_shard(migration.partition, shard)
    return {stored.record.id: find_account_fate(stored.record) async for stored in found}


async def _pass_on(outcome: Outcome, waiting: list[tuple[Row, Fate]], queue: Parts) -> None:
    await queue.put(LISTS[outcome].lines(waiting))
    waiting.clear()
