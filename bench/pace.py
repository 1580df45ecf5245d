"""How near the write quota allows: time to provision against the ideal, with 1, 2 and 4 host processes.

The same accounts are also created by a plain loop with msgraph-sdk, one at a time and sixteen at once, against the same
stand-in with the same quota and latency: what somebody would write in an afternoon. As Graph documents, what is refused
counts against the quota too; sixteen at once are measured a second time against a kinder directory, where it does not.
Everything is measured at the directory, from its first write to its last; a loop that does not come to its end, until
it is ended.
"""

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from azure.storage.blob import BlobServiceClient

from bench import kit
from bench.baseline import create_all
from local.stack import get_json, send_json

REFUSED: Final = 429
PATIENCE: Final = 3
"""So many times the ideal a plain loop may take before it is given up."""


@dataclass(frozen=True)
class Measured:
    """One way of doing it."""

    name: str
    seconds: float
    writes: int
    refused: int
    requests: int
    wrong: int
    predicted_minutes: float | None = None
    ended: bool = False
    """Whether it was given up before everybody was there."""

    def row(self, ideal: float) -> list[str]:
        """Its line of the table."""
        predicted = f"{self.predicted_minutes * 60 / self.seconds:.2f}" if self.predicted_minutes else "-"
        return [
            self.name,
            f"{self.seconds:.1f} s{', ended' if self.ended else ''}",
            f"{self.seconds / ideal:.3f}",
            f"{100 * self.refused / max(self.requests, 1):.2f} %",
            f"{100 * self.refused / max(self.writes, 1):.1f} %",
            str(self.wrong),
            predicted,
        ]


def measure_app(folder: Path, accounts: int, limits: kit.Limits, hosts: int) -> Measured:
    """The app itself, with so many host processes."""
    with kit.run_bench_stack(folder, hosts=hosts, limits=limits) as stack:
        kit.upload_export(stack, kit.make_export(range(accounts)))
        found = kit.wait_until_done(stack)
        predicted = _read_prediction(stack.storage.connection_string, found["reports"])
        wrong = accounts - found["states"].get("told", 0)
        return _make_measured(f"this app, {hosts} host{'s' * (hosts > 1)}", stack.directory.url, wrong, predicted)


@dataclass(frozen=True)
class Loop:
    """A plain loop with msgraph-sdk; its own retries are on, as they come."""

    name: str
    at_once: int
    refused_count: bool = True


LOOPS: Final = (
    Loop("a loop, one at a time", 1),
    Loop("a loop, 16 at once", 16),
    Loop("the same, refused not counted", 16, refused_count=False),
)


def measure_loop(folder: Path, accounts: int, limits: kit.Limits, loop: Loop) -> Measured:
    """What a loop comes to; it is ended after `PATIENCE` times the ideal."""
    with kit.run_bench_stack(folder, hosts=0, limits=limits) as stack:
        send_json(f"{stack.directory.url}/_standin/rules", {"refused_requests_count": loop.refused_count}, "PATCH")
        patience = PATIENCE * max(limits.ideal(accounts), limits.window)
        began = time.monotonic()
        wrong = asyncio.run(create_all(f"{stack.directory.url}/v1.0", range(accounts), loop.at_once, patience))
        measured = _make_measured(loop.name, stack.directory.url, wrong, None)
        # Its last write would be flattering where many are still to come.
        return replace(measured, seconds=time.monotonic() - began, ended=True) if wrong else measured


def _make_measured(name: str, directory: str, wrong: int, predicted: float | None) -> Measured:
    found = get_json(f"{directory}/_standin/journal")
    writes = [entry for entry in found["entries"] if entry["kind"] == "write"]
    taken = [entry["seconds"] for entry in writes if entry["status"] < 300]  # noqa: PLR2004 - success
    return Measured(
        name=name,
        seconds=max(taken) - min(taken),
        writes=len(writes),
        refused=sum(entry["status"] == REFUSED for entry in writes),
        requests=found["counters"]["requests"],
        wrong=wrong,
        predicted_minutes=predicted,
    )


def _read_prediction(connection: str, reports: str) -> float:
    with BlobServiceClient.from_connection_string(connection) as service:
        path = reports.removeprefix("reports/") + "assessment.json"
        body = service.get_blob_client("reports", path).download_blob().readall()
    return float(json.loads(body)["predicted_minutes"])


def main(arguments: Sequence[str]) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.pace", description=__doc__)
    parser.add_argument("--accounts", type=int, default=750, help="how many are created (750)")
    parser.add_argument("--limit", type=int, default=150, help="writes that the directory allows in a window (150)")
    parser.add_argument("--window", type=float, default=15, help="the window in seconds (15)")
    parser.add_argument("--latency", type=int, default=40, help="milliseconds that each answer takes (40)")
    parser.add_argument("--hosts", default="1,2,4", help="how many host processes, each in a run of its own (1,2,4)")
    parser.add_argument("--no-baseline", action="store_true", help="leave out the plain loops")
    parser.add_argument("--full", action="store_true", help="12,000 accounts against 3,000 writes in 150 s, one host")
    options = parser.parse_args(arguments)
    if options.full:
        options.accounts, options.limit, options.window, options.hosts = 12_000, 3000, 150.0, "1"
    limits = kit.Limits(options.limit, options.window, options.latency)
    ideal = limits.ideal(options.accounts)
    began = time.monotonic()
    print(
        f"{options.accounts} accounts, {options.limit} writes in {options.window:g} s, {options.latency} ms an answer:"
        f" ideal {ideal:.1f} s\n",
        flush=True,
    )
    with tempfile.TemporaryDirectory() as folder:
        rows = [
            _describe_measured(measure_app(Path(folder, f"ours-{hosts}"), options.accounts, limits, int(hosts)), ideal)
            for hosts in filter(None, options.hosts.split(","))
        ]
        rows += [
            _describe_measured(measure_loop(Path(folder, f"loop-{number}"), options.accounts, limits, loop), ideal)
            for number, loop in enumerate(() if options.no_baseline else LOOPS)
        ]
    header = ("who", "time", "time / ideal", "429 of all requests", "429 of writes", "wrong", "predicted / measured")
    print("\n" + kit.format_table(header, rows))
    print(f"\nmeasured at the directory, first write to last; the whole run took {time.monotonic() - began:.0f} s")
    return 0


def _describe_measured(measured: Measured, ideal: float) -> list[str]:
    print(f"  {measured.name}: {measured.seconds:.1f} s, {measured.seconds / ideal:.3f} of ideal", flush=True)
    return measured.row(ideal)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
