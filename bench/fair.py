"""The share of the write quota that each of two councils gets if both move at the same time, whatever their size.

Both exports are compared with the directory first. The council that is ready is paused, and when both are, both are
resumed. From then on they want the same write quota. The owner marker in each write in the journal of the directory
shows whose write it was. From the first write of both until one of them has nine tenths of its writes, each should have
half of all. (If slots are given away just between the two resumes, the first council has the full bucket for itself. An
account that was refused once comes last, and would stretch the time to the end of the other council.) Exit status 1:
the smaller council had less than 0.40 or more than 0.60, or a customer was not notified.
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
from local.stack import Stack, send_json

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
    """The share of the accepted writes in the shared time."""
    longest: float
    """The longest time in which it got nothing, from the resume to its last write."""
    wrong: int

    def row(self) -> list[str]:
        """Its line of the table."""
        return [self.council, str(self.accounts), f"{self.share:.2f}", f"{self.longest:.1f} s", str(self.wrong)]


def great_yarmouth(numbers: Sequence[int]) -> bytes:
    """An export of Great Yarmouth with these people."""
    lines = [HEADER]
    for number in numbers:
        ref, address, given, surname = kit.make_person(number)
        lines.append(f"{ref};{address};{given};{surname};Yes;Open;2015-01-01;2019-01-01;NR30 1AA")
    return "\r\n".join([*lines, ""]).encode("cp1252")


def list_write_times(entries: Sequence[Mapping[str, Any]]) -> dict[str, list[float]]:
    """Return when each write of a council was accepted, in order.

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


def measure_council(
    times: Mapping[str, Sequence[float]], council: str, accounts: int, wrong: int, resumed: float
) -> Measured:
    """Return what one council got after the resume."""
    begin = max(min((at for at in each if at >= resumed), default=resumed) for each in times.values())
    end = _nearly_done(times)
    within = {name: sum(begin <= at <= end for at in each) for name, each in times.items()}
    if not sum(within.values()):
        raise kit.BenchError("one council was done before both were resumed: take more accounts")
    own = [resumed, *(at for at in times[council] if at > resumed)]
    longest = max((after - before for before, after in pairwise(own)), default=0.0)
    return Measured(council, accounts, within[council] / sum(within.values()), longest, wrong)


def run_both(
    folder: Path, limits: kit.Limits, sizes: Mapping[str, int], hosts: int
) -> tuple[list[Measured], list[str]]:
    """Run both councils at the same time. Returns the part of each, and the figures of the whole."""
    with kit.run_bench_stack(folder, hosts=hosts, limits=limits) as stack:
        first = sizes[LARGER]
        bodies = {LARGER: kit.make_export(range(first)), SMALLER: great_yarmouth(range(first, first + sizes[SMALLER]))}
        for council, body in bodies.items():
            kit.upload_export(stack, body, FILES[council])
        _hold_both(stack)
        resumed = time.time()
        for file in FILES.values():
            _ask_app(stack, file, "resume")
        told = {council: kit.wait_until_done(stack, file)["states"].get("told", 0) for council, file in FILES.items()}
        entries = kit.read_journal(stack)
        if len(entries) < kit.read_counters(stack)["requests"]:
            raise kit.BenchError("the journal forgot its first lines: take fewer accounts")
    times = list_write_times(entries)
    parts = [measure_council(times, council, size, size - told[council], resumed) for council, size in sizes.items()]
    return parts, _describe_whole(entries, times, limits, resumed)


def _nearly_done(times: Mapping[str, Sequence[float]]) -> float:
    """Return when the first council had nine tenths of its writes."""
    return min(each[len(each) * 9 // 10 - 1] for each in times.values())


def _hold_both(stack: Stack) -> None:
    """Pause each as soon as everything of it is compared. Returns when both are paused."""
    deadline = time.monotonic() + kit.PATIENCE
    held: set[str] = set()
    while held != set(FILES.values()):
        if time.monotonic() > deadline:
            raise kit.BenchError("not both were compared")
        for file in set(FILES.values()) - held:
            found = kit.read_migration(stack, file)
            if found is not None and found["phase"] == "running":
                _ask_app(stack, file, "pause")
                held.add(file)
        time.sleep(0.2)


def _ask_app(stack: Stack, file: str, verb: str) -> None:
    found = kit.read_migration(stack, file)
    if found is None:
        raise kit.BenchError(f"{file} is not there")
    send_json(f"{stack.hosts[0].url}/api/migrations/{found['migration']}/{verb}", {"by": "bench"})


def _describe_whole(
    entries: Sequence[Mapping[str, Any]], times: Mapping[str, Sequence[float]], limits: kit.Limits, resumed: float
) -> list[str]:
    after = sorted(at for each in times.values() for at in each if at >= resumed)
    seconds, ideal = after[-1] - after[0], limits.ideal(len(after))
    writes = [each for each in entries if each["kind"] == "write"]
    refused = sum(each["status"] == REFUSED for each in writes)
    ratio = f"{seconds / ideal:.3f}" if ideal else "-"
    end = _nearly_done(times)
    return [
        str(len(after)),
        f"{seconds:.1f} s",
        ratio,
        f"{end - resumed:.1f} s",
        f"{100 * refused / len(writes):.1f} %",
    ]


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
        parts, whole = run_both(Path(folder), limits, sizes, options.hosts)
    header = ("council", "accounts", "share of writes while both move", "longest without one", "wrong")
    print(kit.format_table(header, [part.row() for part in parts]) + "\n")
    print(
        kit.format_table(
            ("writes after the resume", "time", "time / ideal", "both moved for", "429 of writes"), [whole]
        )
    )
    smaller = next(part for part in parts if part.council == SMALLER)
    return 0 if FAIR[0] <= smaller.share <= FAIR[1] and not any(part.wrong for part in parts) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
