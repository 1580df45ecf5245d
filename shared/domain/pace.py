"""Slots of the directory's write quota, and the growing delay between tries. Pure.

The quota is a token bucket (`limit` writes per `window`). Its whole state is one moment, the *theoretical arrival time*
of the generic cell rate algorithm: any number of instances share it through one row with an ETag.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

FIRST_DELAY: Final = timedelta(seconds=5)
LONGEST_DELAY: Final = timedelta(minutes=2)
GIVE_UP: Final = timedelta(hours=24)
UNCLEAR_LIMIT: Final = timedelta(minutes=15)
"""So long "taken, but nobody is there" may be the directory's lag; then a person looks."""
REASSESS_AFTER: Final = timedelta(minutes=15)
"""A classification older than this is made again before anything is written."""


@dataclass(frozen=True, slots=True)
class Quota:
    """What the directory allows, and the part of it that is ours."""

    limit: int = 3000
    window: timedelta = timedelta(seconds=150)
    share: float = 0.98

    @property
    def interval(self) -> timedelta:
        """Between two writes at the steady rate."""
        return self.window / (self.limit * self.share)

    @property
    def burst(self) -> timedelta:
        """How far the arrivals may run ahead of the steady rate: the window's free part."""
        return self.interval * max(self.limit * self.share - 1, 0)


@dataclass(frozen=True, slots=True)
class Pace:
    """How much of the quota is given away."""

    arrival: datetime
    """Theoretical arrival time of the next write."""
    blocked_until: datetime
    """Nobody writes before this moment: the directory throttled us."""


def take(pace: Pace, quota: Quota, count: int, now: datetime, horizon: timedelta) -> tuple[Pace, list[datetime]]:
    """Up to `count` slots between now and the horizon, and the pace afterwards."""
    start = max(now, pace.blocked_until)
    arrival = max(pace.arrival, start)
    slots: list[datetime] = []
    while len(slots) < count:
        moment = max(start, arrival - quota.burst)
        if moment > now + horizon:
            break
        slots.append(moment)
        arrival += quota.interval
    return (replace(pace, arrival=arrival) if slots else pace), slots


def blocked(pace: Pace, quota: Quota, until: datetime) -> Pace:
    """The pace after the directory throttled us: nobody writes before `until`.

    The bucket is then taken to be empty, so that nobody bursts into it again.
    """
    return Pace(max(pace.arrival, until + quota.burst), max(pace.blocked_until, until))


def delay(tries: int, jitter: float) -> timedelta:
    """How long to wait after the `tries`-th failure in a row, doubled each time; `jitter` between 0 and 1."""
    full = min(FIRST_DELAY * (1 << min(tries, 16)), LONGEST_DELAY)
    return full * (0.75 + 0.25 * jitter)
