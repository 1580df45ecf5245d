"""The cost of the sweep for each account at two sizes: a sweep of all shards, and result.csv, whole and for one shard.

Each size runs in a separate process, on tables in memory, with notified accounts. The memory figure is what a sweep and
a publication add to the peak of the process, because the tables are there before. The command ends with status 1 if a
ratio exceeds the bar.
"""

import argparse
import asyncio
import gc
import json
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from bench import kit
from local.stack import ROOT
from shared.adapters.memory import MemoryReports
from shared.model.account import SHARDS, Account, AddressKey, Change, DirectoryId, MigrationId
from shared.model.lifecycle import Event, Outcome, State
from shared.model.migration import Layout, Migration, Phase
from shared.model.pseudonyms import Pseudonyms
from shared.model.row import Row
from shared.ports import Ports
from shared.reconciliation.reconcile import reconcile_authorities
from tests.support.world import SOUTH_NORFOLK, World

NOW: Final = datetime(2026, 11, 22, 10, tzinfo=UTC)
ID: Final = MigrationId("2026-11-22-bench-abcd")
BAR: Final = 1.3
AT_ONCE: Final = 5000


@dataclass
class SizedReports(MemoryReports):
    """Reports that keep no content, as storage would: only how much was written."""

    written: int = 0
    seconds: float = 0.0
    """Seconds of this process to read the content of blocks, and to make them."""

    async def stage(self, path: str, block: str, parts: Any) -> bool:  # noqa: ANN401 - as the port has it
        """Count, and keep one byte."""
        size, began = 0, time.process_time()
        async for part in parts:
            size += len(part)
        self.written, self.seconds = self.written + size, self.seconds + time.process_time() - began
        if size:
            self.staged.setdefault(path, {})[block] = b"."
        return size > 0


def _make_migration(rows: int) -> Migration:
    layout = Layout("utf-8", ",", (("source_id", 0), ("email", 1)), 2, 0, rows)
    return Migration(ID, SOUTH_NORFOLK, kit.FILE, "0x1", rows, NOW, NOW, Phase.RUNNING, layout=layout, assessed_at=NOW)


async def fill_world(world: World, rows: int) -> None:
    """Add this number of notified accounts, each with its row."""
    keys = Pseudonyms(b"k" * 32)
    await world.ledger.migrations.insert(_make_migration(rows))
    await world.ledger.losses.leave_anchors(SOUTH_NORFOLK)
    for start in range(0, rows, AT_ONCE):
        by_shard: dict[str, list[tuple[Account, Change]]] = {shard: [] for shard in SHARDS}
        staged: list[Row] = []
        for number in range(start + 1, min(start + AT_ONCE, rows) + 1):
            ref = f"B{number:07}"
            account = _make_account(keys, ref, number)
            by_shard[account.shard].append((account, Change(NOW, Event.STAGE, State.STAGED)))
            staged.append(Row(SOUTH_NORFOLK, ID, number, ref, account.id))
        for accounts in by_shard.values():
            await world.ledger.accounts.insert(accounts)
        await world.ledger.rows.put(staged)


def _make_account(keys: Pseudonyms, ref: str, number: int) -> Account:
    user = DirectoryId(f"00000000-0000-4000-8000-{number:012}")
    id_ = keys.account(SOUTH_NORFOLK, ref)
    return Account(
        *(id_, SOUTH_NORFOLK, ID, number, State.TOLD, NOW, "d" * 64, AddressKey("k" * 40), NOW),
        outcome=Outcome.CREATE,
        directory_id=user,
        provisioned_at=NOW,
        notified_at=NOW,
        notify_id=str(user),
    )


def _measure_peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


async def measure_sweep(rows: int) -> dict[str, float]:
    """Return microseconds per account for a sweep, for result.csv and for one shard of it, and their MB."""
    world, reports = World(), SizedReports()
    await fill_world(world, rows)
    ports = replace(world.ports, reports=reports)
    # The app keeps its tables elsewhere: the collector need not go through these.
    gc.collect()
    gc.freeze()
    before = _measure_peak()
    await reconcile_authorities(ports)
    whole, result = reports.written, reports.seconds
    world.clock.tick(timedelta(minutes=11))
    sweep = await _time_sweep(ports)
    unchanged = reports.written
    world.clock.tick(timedelta(minutes=11))
    stored = await anext(world.ledger.accounts.list_shard(SOUTH_NORFOLK, "0"))
    await world.ledger.accounts.save(stored, replace(stored.record, notify_id="another"), None)
    await reconcile_authorities(ports)
    if not rows < whole == unchanged < reports.written < whole * 1.2:
        raise kit.BenchError(f"not what had changed was written: {whole}, {unchanged}, {reports.written} bytes")
    micro = 1e6 / rows
    return {
        "sweep": sweep * micro,
        "result": result * micro,
        "shard": (reports.seconds - result) * micro * len(SHARDS),
        "memory": _measure_peak() - before,
    }


async def _time_sweep(ports: Ports) -> float:
    began = time.process_time()
    await reconcile_authorities(ports)
    return time.process_time() - began


def in_a_process(rows: int) -> dict[str, float]:
    """Run the same in a separate process."""
    command = [sys.executable, "-m", "bench.sweep", "--measure", str(rows)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(ended.stdout)
    return found


def main(arguments: Sequence[str]) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.sweep", description=__doc__)
    parser.add_argument("--few", type=int, default=20_000, help="the smaller council (20000)")
    parser.add_argument("--many", type=int, default=200_000, help="the larger one (200000)")
    parser.add_argument("--measure", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.measure is not None:
        print(json.dumps(asyncio.run(measure_sweep(options.measure))))
        return 0
    few, many = in_a_process(options.few), in_a_process(options.many)
    what = {
        "sweep": "a sweep of a shard",
        "result": "result.csv, written whole",
        "shard": "result.csv, when one shard changed",
    }
    rows = [
        (text, f"{few[key]:.1f} us", f"{many[key]:.1f} us", f"{many[key] / few[key]:.2f}") for key, text in what.items()
    ]
    header = ("for each account", f"{options.few:,} accounts", f"{options.many:,} accounts", "ratio")
    print(kit.format_table(header, rows))
    print(f"\nmemory beside the tables: {few['memory']:.0f} MB and {many['memory']:.0f} MB")
    beyond = [text for key, text in what.items() if many[key] / few[key] > BAR]
    print(f"bar: a ratio of {BAR}; beyond it: {', '.join(beyond) or 'none'}")
    return 1 if beyond else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
