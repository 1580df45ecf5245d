"""Slots within the limits of other services, one rate limiter for each, and the growing delay between tries. Pure.

A quota is a token bucket (`limit` per `window`). Its whole state is one time, the *theoretical arrival time* of the
generic cell rate algorithm. Any number of instances share it through one row with an ETag. The same row tells all
instances when one of them was throttled, or when another application uses the same quota.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final, NewType

from shared.model.account import Authority

Limiter = NewType("Limiter", str)
"""The name of a rate limiter, which is also the key of its row."""
WRITE: Final = Limiter("write")
"""Writes of the directory."""
READ: Final = Limiter("read")
"""Resource units of the directory that classification may use."""

FIRST_RETRY_DELAY: Final = timedelta(seconds=5)
MAX_RETRY_DELAY: Final = timedelta(minutes=2)
MAX_TRYING_TIME: Final = timedelta(hours=24)
UNCLEAR_LIMIT: Final = timedelta(minutes=15)
"""For this long, a user that was created but cannot be found may be the directory's delay. After that, a person looks.
"""
REASSESS_AFTER: Final = timedelta(minutes=15)
"""A classification older than this is made again before anything is written."""
MAX_ARRIVAL_DELAY: Final = timedelta(seconds=10)
"""How late after its slot a request may reach the directory and still count as ours."""
FIRST_REQUEST_DELAY: Final = timedelta(seconds=1)
"""How long after its slot the first request of an idle rate limiter arrives."""
COUNTING_ERROR_SHARE: Final = 0.02
"""How much more use than ours may be an error of counting."""
MAX_STRETCH: Final = 4.0
MIN_STRETCH_CHANGE: Final = 1.05
"""A stretch that grows by less than this factor is not saved."""
LOOK_UP_UNITS: Final = 2
"""Resource units of a classification: by sign-in name and by contact address, a filtered list each."""
REPEATED_LOOK_UP_UNITS: Final = 4
"""For an account that was compared or lost before. The app also looks for its owner marker and reads the users it
finds.
"""


def message_limiter(authority: Authority) -> Limiter:
    """Each council has its own key of the message service, so its own pace."""
    return Limiter(f"message-{authority}")


@dataclass(frozen=True, slots=True)
class Quota:
    """The limit of the other service, and our share of it."""

    limit: int = 3000
    window: timedelta = timedelta(seconds=150)
    share: float = 0.98
    at_once: int | None = None
    """How many requests may come at the same time. None: as many as the window holds."""

    @property
    def budget(self) -> float:
        """The number of requests per window that are ours."""
        return self.limit * self.share

    @property
    def interval(self) -> timedelta:
        """Between two requests at the steady rate."""
        return self.window / self.budget

    @property
    def burst(self) -> timedelta:
        """How far arrivals may run ahead of the steady rate: the free part of the window."""
        together = self.budget if self.at_once is None else min(self.at_once, self.budget)
        return self.interval * max(together - 1, 0)

    @property
    def spilt(self) -> timedelta:
        """What the bucket of an idle rate limiter does not gain, because it is full until the first request arrives."""
        return FIRST_REQUEST_DELAY if self.at_once is None else timedelta(0)


@dataclass(frozen=True, slots=True)
class Quotas:
    """The quota of every rate limiter."""

    write: Quota = field(default_factory=Quota)
    read: Quota = Quota(3500, timedelta(seconds=10), 0.5)
    """In resource units. The rest is for provisioning: a create (5), its read-back, a look before it (2)."""
    message: Quota = Quota(3000, timedelta(minutes=1), 0.5, at_once=50)
    """For messages that are released from the tables. The rest of the quota is for messages that provisioning sends
    directly.
    """

    def of(self, limiter: Limiter) -> Quota:
        """Return the quota of this rate limiter."""
        return {WRITE: self.write, READ: self.read}.get(limiter, self.message)


@dataclass(frozen=True, slots=True)
class Pace:
    """How much of a quota was given away, and what slows it down."""

    arrival: datetime
    """Theoretical arrival time of the next request."""
    blocked_until: datetime
    """No requests are made before this time, because the other service throttled us."""
    strikes: int = 0
    """How many times in a row we were throttled. See `apply_throttling`."""
    stretch: float = 1.0
    """The factor by which slots are further apart until `stretched_until`, because another application uses the same
    quota.
    """
    stretched_until: datetime | None = None
    window_began: datetime | None = None
    """When the current window of counting began. The fields that end in `_before` are of the window before it."""
    given: int = 0
    given_before: int = 0
    throttled: int = 0
    throttled_before: int = 0


def take_slots(
    pace: Pace, quota: Quota, costs: Sequence[int], now: datetime, horizon: timedelta
) -> tuple[Pace, list[datetime]]:
    """Return slots between now and the horizon for the first of these costs, and the pace afterwards."""
    start = max(now, pace.blocked_until)
    interval = quota.interval * _get_stretch(pace, start)
    arrival = max(pace.arrival, start + quota.spilt)
    slots: list[datetime] = []
    steady, burst = quota.interval, quota.burst
    for cost in costs:
        slot = max(start, arrival + steady * (cost - 1) - burst)
        if slot > now + horizon:
            break
        slots.append(slot)
        arrival += interval * cost
    if not slots:
        return pace, slots
    pace = _start_window(pace, quota, now)
    return replace(pace, arrival=arrival, given=pace.given + sum(costs[: len(slots)])), slots


def count_slots(pace: Pace, quota: Quota, most: int, now: datetime, horizon: timedelta) -> int:
    """Return how many slots for a cost of 1 there are until the horizon, at most `most`. Takes none.

    This is the number that `take_slots` would give, without making the slots.
    """
    start = max(now, pace.blocked_until)
    if start > now + horizon:
        return 0
    room = now + horizon + quota.burst - max(pace.arrival, start + quota.spilt)
    return min(max(room // (quota.interval * _get_stretch(pace, start)) + 1, 0), most)


def block_until(pace: Pace, quota: Quota, now: datetime, until: datetime) -> Pace:
    """Return the pace after the other service throttled us: no requests before `until`.

    The bucket then counts as empty, so that no burst follows.
    """
    pace = replace(_start_window(pace, quota, now), strikes=_count_strikes(pace, quota, now) + 1)
    return replace(
        pace,
        arrival=max(pace.arrival, until + quota.burst),
        blocked_until=max(pace.blocked_until, until),
        throttled=pace.throttled + 1,
    )


def apply_throttling(pace: Pace, quota: Quota, now: datetime) -> timedelta:
    """Return how long to wait if the other service does not say. The wait grows with each time in a row."""
    return compute_delay(_count_strikes(pace, quota, now), 1)


def _count_strikes(pace: Pace, quota: Quota, now: datetime) -> int:
    """Return how many times in a row we were throttled before. Several workers at the same time count once.

    A window without throttling ends the row.
    """
    if now < pace.blocked_until:
        return max(pace.strikes - 1, 0)
    return pace.strikes if now < pace.blocked_until + quota.window else 0


def measure_own_share(write: Pace, read: Pace, quotas: Quotas, now: datetime) -> float:
    """The highest share of the directory's limits that our own slots explain, of writes or of resource units."""
    writing = _measure_fill(write, quotas.write, now)
    reading = _measure_fill(read, quotas.read, now)
    units = quotas.read.share * reading + (1 - quotas.read.share) * writing
    return max(quotas.write.share * writing, units) + COUNTING_ERROR_SHARE


def slow_down(pace: Pace, quota: Quota, strain: float, own: float, now: datetime) -> Pace:
    """The pace for the next window where the directory is fuller (`strain`) than what is our `own` explains."""
    if strain <= own:
        return pace
    stretch = min(strain / own, MAX_STRETCH)
    if stretch < _get_stretch(pace, now) * MIN_STRETCH_CHANGE:
        return pace
    return replace(pace, stretch=stretch, stretched_until=now + quota.window)


def measure_use(pace: Pace, quota: Quota, now: datetime) -> float:
    """Return the used share of our part of the quota over the last window, 0 to 1."""
    given, _ = _count_window(pace, quota, now)
    return min(given / quota.budget, 1.0)


def throttled_share(pace: Pace, quota: Quota, now: datetime) -> float:
    """Throttlings to what was given away over the last window, 0 to 1."""
    given, throttled = _count_window(pace, quota, now)
    return throttled / max(given, throttled) if throttled else 0.0


def make_idle_pace(now: datetime) -> Pace:
    """Return the pace of a rate limiter that has given nothing away."""
    long_ago = now - timedelta(days=365)
    return Pace(long_ago, long_ago)


def compute_delay(tries: int, jitter: float) -> timedelta:
    """Return the wait after this number of failures in a row. It doubles each time. `jitter` is between 0 and 1."""
    full = min(FIRST_RETRY_DELAY * (1 << min(tries, 16)), MAX_RETRY_DELAY)
    return full * (0.75 + 0.25 * jitter)


def _get_stretch(pace: Pace, at: datetime) -> float:
    return pace.stretch if pace.stretched_until is not None and at < pace.stretched_until else 1.0


def _measure_fill(pace: Pace, quota: Quota, now: datetime) -> float:
    """Return the highest share of our part of the bucket that our slots can fill, 0 to 1."""
    ahead = pace.arrival - (now - MAX_ARRIVAL_DELAY)
    return min(max(ahead / quota.window, 0.0), 1.0)


def _start_window(pace: Pace, quota: Quota, now: datetime) -> Pace:
    """The pace with its counts moved to the window of now."""
    began = pace.window_began
    if began is not None and now < began + quota.window:
        return pace
    if began is not None and now < began + 2 * quota.window:
        began, given, throttled = began + quota.window, pace.given, pace.throttled
    else:
        began, given, throttled = now, 0, 0
    return replace(pace, window_began=began, given=0, throttled=0, given_before=given, throttled_before=throttled)


def _count_window(pace: Pace, quota: Quota, now: datetime) -> tuple[float, float]:
    """Return slots and throttlings of the last window. The window before counts only with the part that is not over."""
    pace = _start_window(pace, quota, now)
    passed = (now - pace.window_began) / quota.window if pace.window_began else 1.0
    left = min(max(1 - passed, 0.0), 1.0)
    return pace.given + pace.given_before * left, pace.throttled + pace.throttled_before * left
