"""How near the write quota allows: time to provision against the ideal, with 1, 2 and 4 host processes.

The export is a mixed one (see `bench.mixed`): some customers are linked, some set aside, and the directory answers in
more than one way. `--export plain` creates an account for every row, as the plain loops do.

As many plain accounts are also created by a plain loop with msgraph-sdk, one at a time and sixteen at once. The loop
uses the same stand-in with the same quota and latency. As Graph documents, the quota also counts refused requests. The
loop of sixteen is measured again with a directory that does not count them.
Everything is measured at the directory, from its first write to its last. A loop that does not come to its end, until
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

from bench import kit, mixed
from bench.baseline import create_all
from local.stack import get_json, send_json

REFUSED: Final = 429
PATIENCE: Final = 3
"""A plain loop is stopped after this many times the ideal."""


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
    """True if it was stopped before all accounts existed."""

    def row(self, limits: kit.Limits) -> list[str]:
        """Its line of the table."""
        ideal = limits.ideal(self.writes)
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


def measure_mixed(folder: Path, rows: int, limits: kit.Limits, hosts: int) -> Measured:
    """The app with a mixed export, and with customers who sign up while accounts are created."""
    sample = mixed.make_sample(folder / "sample", rows)
    with kit.run_bench_stack(folder, hosts=hosts, limits=limits, users=sample.users) as stack:
        mixed.turn_answers(stack)
        mixed.upload_sample(stack, sample)
        kit.wait_until(stack, lambda found: found["phase"] in {"running", "done"}, mixed.FILE)
        newcomers = mixed.sign_up(stack, sample)
        found = kit.wait_until_done(stack, mixed.FILE)
        predicted = _read_prediction(stack.storage.connection_string, found["reports"])
        wrong = mixed.count_wrong(stack, found, sample, newcomers)
        return _make_measured(f"this app, {hosts} host{'s' * (hosts > 1)}", stack.directory.url, wrong, predicted)


def measure_app(folder: Path, accounts: int, limits: kit.Limits, hosts: int) -> Measured:
    """The app with an export of new customers alone."""
    with kit.run_bench_stack(folder, hosts=hosts, limits=limits) as stack:
        kit.upload_export(stack, kit.make_export(range(accounts)))
        found = kit.wait_until_done(stack)
        predicted = _read_prediction(stack.storage.connection_string, found["reports"])
        wrong = accounts - found["states"].get("told", 0)
        return _make_measured(f"this app, {hosts} host{'s' * (hosts > 1)}", stack.directory.url, wrong, predicted)


@dataclass(frozen=True)
class Loop:
    """A plain loop with msgraph-sdk, with the retries of the library."""

    name: str
    at_once: int
    refused_count: bool = True


LOOPS: Final = (
    Loop("a loop, one at a time", 1),
    Loop("a loop, 16 at once", 16),
    Loop("the same, refused not counted", 16, refused_count=False),
)


def measure_loop(folder: Path, accounts: int, limits: kit.Limits, loop: Loop) -> Measured:
    """Measure a plain loop. It is stopped after `PATIENCE` times the ideal."""
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
    parser.add_argument("--export", choices=("mixed", "plain"), default="mixed", help="what is uploaded (mixed)")
    parser.add_argument("--accounts", type=int, default=900, help="rows of the export, and accounts of a loop (900)")
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
    began = time.monotonic()
    print(
        f"{options.accounts} {options.export} rows, {options.limit} writes in {options.window:g} s, {options.latency} "
        "ms an answer; the ideal counts every write, also a refused one\n",
        flush=True,
    )
    measure = measure_mixed if options.export == "mixed" else measure_app
    with tempfile.TemporaryDirectory() as folder:
        rows = [
            _describe_measured(measure(Path(folder, f"ours-{hosts}"), options.accounts, limits, int(hosts)), limits)
            for hosts in filter(None, options.hosts.split(","))
        ]
        rows += [
            _describe_measured(measure_loop(Path(folder, f"loop-{number}"), options.accounts, limits, loop), limits)
            for number, loop in enumerate(() if options.no_baseline else LOOPS)
        ]
    header = ("who", "time", "time / ideal", "429 of all requests", "429 of writes", "wrong", "predicted / measured")
    print("\n" + kit.format_table(header, rows))
    print(f"\nmeasured at the directory, first write to last; the whole run took {time.monotonic() - began:.0f} s")
    return 0


def _describe_measured(measured: Measured, limits: kit.Limits) -> list[str]:
    ideal = limits.ideal(measured.writes)
    print(
        f"  {measured.name}: {measured.writes} writes in {measured.seconds:.1f} s, {measured.seconds / ideal:.3f} of "
        f"the ideal {ideal:.1f} s",
        flush=True,
    )
    return measured.row(limits)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
