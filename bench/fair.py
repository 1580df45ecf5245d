"""Whether two councils that move at once get the same share of the write quota, whatever their size.

The smaller export comes when the larger one is being written, so that a full bucket is not all that is shared; the
directory has one write quota for both. Its journal tells by the mark in each write whose it was. In the time in which
both write, from the later first write to the earlier last one, each should have half of all. Exit status 1: the smaller
one had less than 0.40 or more than 0.60, or not everybody was told.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from bench import kit
from local.stack import Stack

REFUSED: Final = 429
FAIR: Final = (0.40, 0.60)
LARGER: Final = "SouthNorfolk"
SMALLER: Final = "GreatYarmouth"
"""Prefixes of the attributes, as the profiles say."""
FILES: Final = {LARGER: kit.FILE, SMALLER: "great-yarmouth/bench.csv"}
HEADER: Final = "AccountNo;E-mail;Forename;Surname;Verified;State;Opened;LastSeen;Postcode"


@dataclass(frozen=True)
class Measured:
    """One council's part of the run, in seconds on the directory's clock."""

    council: str
    accounts: int
    share: float
    """Of the writes that were taken in the shared time; 0 where there was none."""
    longest: float
    """The longest time in which it got nothing, from its first write to its last."""
    waited: float
    """From its upload to its first write."""
    wrong: int

    def row(self) -> list[str]:
        """Its line of the table."""
        times = [f"{self.waited:.1f} s", f"{self.longest:.1f} s"]
        return [self.council, str(self.accounts), f"{self.share:.2f}", *times, str(self.wrong)]


def great_yarmouth(numbers: Sequence[int]) -> bytes:
    """An export of Great Yarmouth with these people."""
    lines = [HEADER]
    for number in numbers:
        ref, address, given, surname = kit.person(number)
        lines.append(f"{ref};{address};{given};{surname};Yes;Open;2015-01-01;2019-01-01;NR30 1AA")
    return "\r\n".join([*lines, ""]).encode("cp1252")


def taken(entries: Sequence[Mapping[str, Any]]) -> dict[str, list[float]]:
    """When a write of each council was taken, in order.

    Raises:
        kit.BenchError: one of them has no write in the journal.
    """
    writes = [each for each in entries if each["kind"] == "write" and each["status"] < 300]  # noqa: PLR2004 - success
    found = {
        council: sorted(e["seconds"] for e in writes if any(m.endswith(f"_{council}Account") for m in e["marks"]))
        for council in FILES
    }
    if not all(found.values()):
        raise kit.BenchError("the directory's journal holds no write of one of the councils")
    return found


def shared_time(moments: Mapping[str, Sequence[float]]) -> tuple[float, float]:
    """From the later first write to the earlier last one; the end is before the start where they never met."""
    return max(each[0] for each in moments.values()), min(each[-1] for each in moments.values())


def measured(
    moments: Mapping[str, Sequence[float]], council: str, accounts: int, wrong: int, uploaded: float
) -> Measured:
    """What one council got."""
    start, end = shared_time(moments)
    within = {name: sum(start <= at <= end for at in each) for name, each in moments.items()}
    own = moments[council]
    longest = max((after - before for before, after in pairwise(own)), default=0.0)
    return Measured(
        council, accounts, within[council] / max(sum(within.values()), 1), longest, own[0] - uploaded, wrong
    )


def run(folder: Path, limits: kit.Limits, sizes: Mapping[str, int], hosts: int) -> tuple[list[Measured], list[str]]:
    """Both councils at once: each one's part, and the figures of the whole."""
    with kit.running(folder, hosts=hosts, limits=limits) as stack:
        first = sizes[LARGER]
        bodies = {LARGER: kit.export(range(first)), SMALLER: great_yarmouth(range(first, first + sizes[SMALLER]))}
        uploaded = {}
        for council, body in bodies.items():
            uploaded[council] = time.time()
            kit.upload(stack, body, FILES[council])
            _wait_for_a_write(stack)
        told = {council: kit.done(stack, file)["states"].get("told", 0) for council, file in FILES.items()}
        entries = kit.journal(stack)
        if len(entries) < kit.counters(stack)["requests"]:
            raise kit.BenchError("the journal forgot its first lines: take fewer accounts")
    moments = taken(entries)
    parts = [
        measured(moments, council, size, size - told[council], uploaded[council]) for council, size in sizes.items()
    ]
    return parts, _whole(entries, moments, limits.ideal(sum(sizes.values())))


def _wait_for_a_write(stack: Stack) -> None:
    deadline = time.monotonic() + kit.PATIENCE
    while not kit.counters(stack)["writes"]:
        if time.monotonic() > deadline:
            raise kit.BenchError("nothing was written")
        time.sleep(0.2)


def _whole(entries: Sequence[Mapping[str, Any]], moments: Mapping[str, Sequence[float]], ideal: float) -> list[str]:
    every = [at for each in moments.values() for at in each]
    seconds = max(every) - min(every)
    start, end = shared_time(moments)
    writes = [each for each in entries if each["kind"] == "write"]
    refused = sum(each["status"] == REFUSED for each in writes)
    ratio = f"{seconds / ideal:.3f}" if ideal else "-"
    share = f"{100 * refused / len(writes):.1f} %"
    return [f"{seconds:.1f} s", ratio, f"{max(end - start, 0):.1f} s", share]


def main(arguments: Sequence[str]) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.fair", description=__doc__)
    parser.add_argument("--larger", type=int, default=400, help="accounts of South Norfolk (400)")
    parser.add_argument("--smaller", type=int, default=200, help="accounts of Great Yarmouth (200)")
    parser.add_argument("--limit", type=int, default=150, help="writes that the directory allows in a window (150)")
    parser.add_argument("--window", type=float, default=15, help="the window in seconds (15)")
    parser.add_argument("--latency", type=int, default=40, help="milliseconds that each answer takes (40)")
    parser.add_argument("--hosts", type=int, default=1, help="how many host processes (1)")
    options = parser.parse_args(arguments)
    limits = kit.Limits(options.limit, options.window, options.latency)
    with tempfile.TemporaryDirectory() as folder:
        sizes = {LARGER: options.larger, SMALLER: options.smaller}
        parts, whole = run(Path(folder), limits, sizes, options.hosts)
    header = (
        "council",
        "accounts",
        "share of the shared time's writes",
        "upload to first write",
        "longest without one",
        "wrong",
    )
    print(kit.table(header, [part.row() for part in parts]) + "\n")
    print(kit.table(("time", "time / ideal", "shared time", "429 of writes"), [whole]))
    smaller = next(part for part in parts if part.council == SMALLER)
    return 0 if FAIR[0] <= smaller.share <= FAIR[1] and not any(part.wrong for part in parts) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
