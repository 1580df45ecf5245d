"""How long a queue listener waits between empty answers."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

FIRST: Final = timedelta(milliseconds=100)
_SPREAD: Final = (0.8, 1.2)
_MOST_DOUBLINGS: Final = 30


def _choose_spread() -> float:
    return random.uniform(*_SPREAD)


@dataclass
class Backoff:
    """100 ms, then 100 ms more than a randomised doubling, up to the longest. From the start after a success."""

    longest: timedelta
    spread: Callable[[], float] = field(default=_choose_spread, repr=False)
    empty_in_a_row: int = 0

    def reset(self) -> None:
        """Something was found."""
        self.empty_in_a_row = 0

    def next(self) -> timedelta:
        """Nothing was found: the time to wait before asking again."""
        doublings = self.empty_in_a_row - 1
        self.empty_in_a_row = min(self.empty_in_a_row + 1, _MOST_DOUBLINGS)
        if doublings < 0:
            return min(FIRST, self.longest)
        return min(FIRST + FIRST * self.spread() * 2.0**doublings, self.longest)
