"""Waves: dated slices of a plan. Pure.

An account's wave follows from its id and its cohort alone. So nothing has to be written when a plan is made or its
dates change. Ids are evenly spread, because they come from an HMAC. A slice is a range of ids: 5 % of a council is 5 %
of every shard, and the feeder asks for a range of row keys.
"""

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from shared.model.account import AccountId, Cohort

POSITIONS: Final = 1 << 32
"""An account's position is a number below this: the eight hex digits after its shard."""


@dataclass(frozen=True, slots=True)
class Slice:
    """A part of the accounts without a cohort: a number of accounts, or a share of all."""

    number: int = 0
    percent: float = 0.0
    rest: bool = False

    @classmethod
    def read(cls, text: int | str) -> "Slice":
        """Read `50`, `"5%"` or `"rest"`.

        Raises:
            ValueError: the text is none of these.
        """
        if isinstance(text, int) and not isinstance(text, bool) and text > 0:
            return cls(number=text)
        if text == "rest":
            return cls(rest=True)
        share = str(text).removesuffix("%")
        try:
            percent = float(share)
        except ValueError:
            percent = 0.0
        if not str(text).endswith("%") or not 0 < percent <= 100:  # noqa: PLR2004 - a percentage
            raise ValueError(f'{text!r} should be a number of accounts, a share like "5%", or "rest"')
        return cls(percent=percent)

    def of(self, everybody: int) -> int:
        """Return how many accounts of a total.

        A share is rounded up, so that the pilot of a small council is never empty.
        """
        if self.rest:
            return everybody
        return min(self.number or -int(-everybody * self.percent // 100), everybody)


@dataclass(frozen=True, slots=True)
class Wave:
    """One wave of a plan."""

    number: int
    """From 1."""
    name: str
    cohort: Cohort
    """The cohort that the wave takes. Accounts in no cohort go by their position."""
    lower: int
    """The first position of the wave."""
    upper: int
    """The first position after the wave. Both positions are 0 for a cohort."""
    starts_at: datetime | None
    """None: the wave starts when the plan is approved."""
    accounts: int
    """The number of accounts when the plan was made."""

    @property
    def keys(self) -> tuple[str, str] | None:
        """Return the wave's range of digits after the shard, first included and last not.

        None for a cohort, or for all accounts.
        """
        if self.cohort is not Cohort.NONE or (self.lower == 0 and self.upper == POSITIONS):
            return None
        return f"{self.lower:08x}", f"{self.upper:08x}" if self.upper < POSITIONS else "g"


def compute_position(account: AccountId) -> int:
    """Return the position of an account among all accounts. Positions are evenly spread and never change."""
    return int(account[2:10], 16)


class Census:
    """Counts the accounts that a plan will move: four bytes each, however many."""

    def __init__(self) -> None:
        self._positions = array("I")
        self._bands = dict.fromkeys(Cohort, 0)
        self._sorted = True

    def add(self, account: AccountId, cohort: Cohort) -> None:
        """Count one account."""
        self._bands[cohort] += 1
        if cohort is Cohort.NONE:
            self._positions.append(compute_position(account))
            self._sorted = False

    def in_cohort(self, cohort: Cohort) -> int:
        """Return the number of accounts in a cohort."""
        return self._bands[cohort]

    def bounds(self, slices: Sequence[Slice]) -> list[tuple[int, int, int]]:
        """Return first position, first position beyond, and number of accounts of each slice.

        Together the slices hold all accounts.

        Two accounts with the same position go into one slice, which may then hold one account more than asked.
        """
        if not self._sorted:
            self._positions = array("I", sorted(self._positions))
            self._sorted = True
        everybody = len(self._positions)
        found: list[tuple[int, int, int]] = []
        lower = taken = 0
        for number, part in enumerate(slices, 1):
            wanted = everybody if number == len(slices) else min(taken + part.of(everybody), everybody)
            upper = (
                POSITIONS
                if wanted >= everybody and number == len(slices)
                else self._compute_upper_position(wanted, lower)
            )
            count = bisect_left(self._positions, upper) - taken
            found.append((lower, upper, count))
            lower, taken = upper, taken + count
        return found

    def _compute_upper_position(self, wanted: int, lower: int) -> int:
        """Return the position below which this number of accounts lie."""
        if wanted >= len(self._positions):
            return max(lower, self._positions[-1] + 1) if len(self._positions) else lower
        return max(lower, self._positions[wanted])


def find_wave(account: AccountId, cohort: Cohort, waves: Iterable[Wave]) -> Wave | None:
    """Return the wave of an account. An account whose cohort has no wave goes by its position."""
    known = tuple(waves)
    own = next((wave for wave in known if wave.cohort is cohort), None) if cohort is not Cohort.NONE else None
    if own is not None:
        return own
    here = compute_position(account)
    return next((wave for wave in known if wave.cohort is Cohort.NONE and wave.lower <= here < wave.upper), None)
