"""The cost of size: memory from 10,000 to 1,000,000 rows, and storage requests per row on Azurite.

Memory: each size is received and staged in a separate process. The export is made while it is read, and the ledger
keeps one digest of all its input. The peaks of the processes are compared. Requests: a real host stages exports of two
sizes on Azurite, and its table and queue requests are counted.
"""

import argparse
import asyncio
import hashlib
import json
import resource
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from bench import kit
from local.stack import ROOT
from shared.adapters.memory import ManualClock, MemoryTables
from shared.adapters.storage.records.accounts import TableAccounts
from shared.adapters.storage.records.addresses import TableAddresses
from shared.adapters.storage.records.rows import TableRows
from shared.adapters.storage.store import Store
from shared.adapters.storage.table_ledger import open_ledger
from shared.intake.receive_export import receive_export
from shared.intake.stage_rows import stage_rows
from shared.model.account import Account, AccountId, AddressKey, Change, Partition
from shared.model.messages import ReceiveExport, StageRows
from shared.model.row import Row
from shared.ports import Blob, Clock
from shared.runtime.worker import run_piece_step
from tests.support.world import World

BLOCK: Final = 20_000
"""How many rows are made at the same time."""
UPLOADED: Final = datetime(2026, 11, 22, 10, tzinfo=UTC)


class MadeExport:
    """An export that is never whole anywhere: every read makes it again."""

    def __init__(self, rows: int) -> None:
        self._rows = rows
        size = sum(len(chunk) for chunk in self._make_chunks())
        self._blob = Blob(kit.FILE, "0x1", size, UPLOADED)

    def _make_chunks(self) -> Iterable[bytes]:
        header, _, _ = kit.make_export([]).partition(b"\r\n")
        yield header + b"\r\n"
        for start in range(0, self._rows, BLOCK):
            yield kit.make_export(range(start, min(start + BLOCK, self._rows))).partition(b"\r\n")[2]

    async def all(self) -> AsyncIterator[Blob]:
        """The one upload."""
        yield self._blob

    async def find(self, name: str) -> Blob | None:
        """The one upload."""
        return self._blob if name == self._blob.name else None

    async def read(self, name: str, etag: str, start: int = 0) -> AsyncIterator[bytes]:  # noqa: ARG002 - one blob
        """From `start`."""
        passed = 0
        for chunk in self._make_chunks():
            if passed + len(chunk) > start:
                yield chunk[max(start - passed, 0) :]
            passed += len(chunk)


class DigestAccounts(TableAccounts):
    """Accounts of which one digest is kept: what they cost is what the app costs."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self._digest = hashlib.sha256()

    async def insert(self, accounts: Sequence[tuple[Account, Change]]) -> list[AccountId]:
        """All of them are new."""
        for account, _ in accounts:
            self._digest.update(account.id.encode())
        return []


class DigestRows(TableRows):
    """Rows that are counted and digested."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self._digest = hashlib.sha256()
        self.rows_seen = 0

    async def put(self, rows: Sequence[Row]) -> None:
        """Counted."""
        self.rows_seen += len(rows)
        for row in rows:
            self._digest.update(str(row.number).encode())


class DigestAddresses(TableAddresses):
    """Addresses that are digested."""

    def __init__(self, store: Store, clock: Clock) -> None:
        super().__init__(store, clock)
        self._digest = hashlib.sha256()

    async def put(self, partition: Partition, pairs: Iterable[tuple[AddressKey, AccountId]]) -> None:
        """Digested."""
        for key, _ in pairs:
            self._digest.update(f"{partition}{key}".encode())


async def stage_made_rows(rows: int) -> int:
    """Receive and stage this number of rows. Returns how many arrived."""
    world, tables, clock = World(), MemoryTables(), ManualClock()
    rows_kept = DigestRows(tables)
    addresses = DigestAddresses(tables, clock)
    ledger = replace(open_ledger(tables, clock), accounts=DigestAccounts(tables), rows=rows_kept, addresses=addresses)
    ports = replace(world.ports, exports=MadeExport(rows), ledger=ledger)
    await receive_export(ports, ReceiveExport(blob=kit.FILE))
    queue = world.outbox.queues["stage-rows"]
    while queue:
        await run_piece_step(ports, stage_rows, StageRows, queue.pop(0).body, attempt=1)
    return rows_kept.rows_seen


def measure_peak(rows: int) -> float:
    """Return the peak memory in MB of a separate process for this number of rows."""
    ended = subprocess.run(
        [sys.executable, "-m", "bench.size", "--stage", str(rows)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    said: dict[str, Any] = json.loads(ended.stdout)
    if said["rows"] != rows:
        raise kit.BenchError(f"{said['rows']} of {rows} rows arrived")
    return float(said["kilobytes"]) / 1024


def requests_a_row(folder: Path, rows: int) -> float:
    """Storage requests of a host for one row, from upload to staged."""
    log = folder / "azurite.log"
    folder.mkdir(parents=True)
    with kit.run_bench_stack(folder / "run", hosts=1, storage_log=log) as stack:
        before = sum(1 for _ in kit.read_requests(log))
        kit.upload_export(stack, kit.make_export(range(rows)))
        kit.wait_until(stack, lambda found: found["phase"] != "staging" and found["staged"] == rows)
        stack.hosts[0].kill()
        told = list(kit.read_requests(log))[before:]
    return sum("$batch" in target or "/Rows" in target or "/stage-rows" in target for _, target, _ in told) / rows


def main(arguments: Sequence[str]) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.size", description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000, help="the larger export (1000000)")
    parser.add_argument("--azurite-rows", type=int, default=100_000, help="the larger export on Azurite (100000)")
    parser.add_argument("--stage", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.stage is not None:
        arrived = asyncio.run(stage_made_rows(options.stage))
        print(json.dumps({"rows": arrived, "kilobytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss}))
        return 0
    small, large = measure_peak(10_000), measure_peak(options.rows)
    print(
        f"peak memory: {small:.0f} MB for 10,000 rows, {large:.0f} MB for {options.rows:,}; "
        f"growth {large - small:.0f} MB"
    )
    with tempfile.TemporaryDirectory() as folder:
        few = requests_a_row(Path(folder, "few"), options.azurite_rows // 10)
        many = requests_a_row(Path(folder, "many"), options.azurite_rows)
    print(
        f"storage requests a row while staging: {few:.3f} for {options.azurite_rows // 10:,} rows, "
        f"{many:.3f} for {options.azurite_rows:,}; ratio {many / few:.2f}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
