"""Which crash points and seeds of the simulation a run takes: all of them in the deep lane, a part in the push lane.

The push lane takes the first and the last effect of each kind, and an eighth of the rest. The eighth moves on with
every commit, so that eight commits in a row take everything.
"""

import os
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

EIGHTHS: Final = 8
SETTING: Final = "SIMULATION_EIGHTH"
"""Environment: a number from 0 to 7, or `all`. pytest's workers inherit it from the process that starts them."""
ROOT: Final = Path(__file__).parents[2]


def choose_eighth(*, deep: bool) -> str:
    """Choose what this run takes, unless somebody has chosen already; returns it."""
    if deep:
        os.environ[SETTING] = "all"
    elif SETTING not in os.environ:
        os.environ[SETTING] = str(_count_commits() % EIGHTHS)
    return os.environ[SETTING]


def _count_commits() -> int:
    """How many commits led to this one; 0 where git cannot say."""
    command = ["git", "rev-list", "--count", "HEAD"]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()  # noqa: S603 - a fixed program
    return int(said) if said.isdecimal() else 0


def take_points(points: Iterable[int], effects: Sequence[str] = ()) -> Iterator[int]:
    """Those of the points that this run takes. A point is the number of an effect, counted from 1, or a seed."""
    chosen = os.environ.get(SETTING, "all")
    always = _find_ends(effects)
    for point in points:
        if chosen == "all" or point in always or point % EIGHTHS == int(chosen):
            yield point


def _find_ends(effects: Sequence[str]) -> set[int]:
    """The number of the first and of the last effect of each kind: a call, and the table of a write."""
    first: dict[str, int] = {}
    last: dict[str, int] = {}
    for number, effect in enumerate(effects, 1):
        kind = " ".join(effect.split()[:2])
        first.setdefault(kind, number)
        last[kind] = number
    return {*first.values(), *last.values()}
