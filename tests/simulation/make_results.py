"""The results of whole migrations of the invented councils, kept as files: `python -m tests.simulation.make_results`.

The command writes `tests/simulation/results/`. `test_results.py` compares every later version of the app with these
files. Run the command again only where a change of behaviour is intended, and look at what `git diff` says.

Each run takes a seeded sample of `local/samples`, moves it in memory with a fake clock, and ends when all is at rest.
"""

import csv
import io
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from local.samples.generate import Order, generate_samples
from shared.model.account import DirectoryId
from shared.model.directory_user import DirectoryUser, Identity
from tests.simulation.test_faults import come_to_the_end, replay, stormy
from tests.support import timeless
from tests.support.stories import settle
from tests.support.world import World

FOLDER: Final = Path(__file__).parent / "results"
TABLE: Final = ("rows", "link", "create", "directory_only", "review", "reject", "duplicate", "unchanged")
"""What the demo's table of the three scenarios shows, from `assessment.json`."""
SPELLS: Final = 6
"""So often faults strike for a while after each upload; after each time, people replay what failed."""
ROUNDS_OF_A_SPELL: Final = 30

type Files = Mapping[str, bytes]
"""Name of a fixture -> its bytes."""


@dataclass(frozen=True)
class Case:
    """One sample and one script of faults; `weather` is the seed of the script, None: no faults."""

    name: str
    order: Order
    weather: int | None = None


DEMO: Final = Case("demo", Order({"south-norfolk": 1200}, seed=2019))
"""Exactly what `dev.py demo` moves."""
CALM: Final = (DEMO, Case("both-councils", Order({"south-norfolk": 300, "great-yarmouth": 200}, directory_users=600)))
FAULTY: Final = tuple(
    Case(f"faults-{seed}", Order({"south-norfolk": 120, "great-yarmouth": 100}, seed, directory_users=250), seed)
    for seed in range(1, 5)
)
CASES: Final = (*CALM, *FAULTY)


def results(case: Case) -> Files:
    """Each council's result.csv, and the counts of its assessment."""
    return timeless.run(_results(case))


def truth(case: Case) -> dict[str, list[dict[str, str]]]:
    """What must become of each row by the way in which it was made, by council."""
    with TemporaryDirectory() as name:
        generate_samples(case.order, Path(name))
        return {
            council: _lines((Path(name) / f"{council}.truth.csv").read_text(encoding="utf-8"))
            for council in case.order.rows
        }


async def _results(case: Case) -> Files:
    world = World() if case.weather is None else stormy(case.weather)
    found: dict[str, bytes] = {}
    with TemporaryDirectory() as name:
        folder = Path(name)
        generate_samples(case.order, folder)
        for user in json.loads((folder / "directory.json").read_text(encoding="utf-8"))["users"]:
            world.directory.add(_user(user))
        for council in case.order.rows:
            await _move(world, council, (folder / f"{council}.csv").read_bytes())
            migration = await world.migration()
            counts = await world.report("assessment.json", migration)
            found[f"{case.name}.{council}.csv"] = world.reports.files[f"{migration.folder}/result.csv"]
            found[f"{case.name}.{council}.json"] = _written({key: counts[key] for key in TABLE})
    return found


async def _move(world: World, council: str, export: bytes) -> None:
    """Upload, and wait for the end; the next council comes when the one before is at rest."""
    await world.upload(export, f"{council}/portal-export.csv")
    weather = getattr(world, "weather", None)
    if weather is None:
        await settle(world)
        return
    for _ in range(SPELLS):
        weather.bad = True
        for number in range(ROUNDS_OF_A_SPELL):
            await world.timers(number)
            await world.deliver()
            world.clock.tick(timedelta(seconds=20))
        weather.bad = False
        await replay(world)
    world.clock.tick(timedelta(minutes=10))
    await come_to_the_end(world)


def _user(user: Mapping[str, Any]) -> DirectoryUser:
    """A user of the sample's directory, from the JSON of Graph."""
    return DirectoryUser(
        DirectoryId(user["id"]),
        tuple(Identity(i["signInType"], i["issuer"], i["issuerAssignedId"]) for i in user["identities"]),
        tuple(user["otherMails"]),
        user["givenName"] or "",
        user["surname"] or "",
        user["displayName"] or "",
        user["accountEnabled"],
        datetime.fromisoformat(user["createdDateTime"]),
        datetime.fromisoformat(user["lastPasswordChangeDateTime"]),
    )


def _lines(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


def _written(counts: Mapping[str, int]) -> bytes:
    return (json.dumps(counts, indent=2) + "\n").encode()


def main() -> None:
    """Write every fixture anew."""
    FOLDER.mkdir(exist_ok=True)
    for kind in ("*.csv", "*.json"):
        for old in FOLDER.glob(kind):
            old.unlink()
    for case in CASES:
        for name, body in results(case).items():
            (FOLDER / name).write_bytes(body)
            sys.stdout.write(f"{name}: {len(body):,} bytes\n")


if __name__ == "__main__":
    main()
