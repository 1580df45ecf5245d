"""The rate limiters: who may ask the directory or the message service, and when. All instances share one row for each.

Three facts apply to all instances, not only to the process that met them: the slots that were given away, a throttling,
and how full the directory says it is.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Final

from shared.errors import Throttled
from shared.model.account import Authority
from shared.model.messages import AccountMessage
from shared.model.pacing.rate_limit import (
    READ,
    WRITE,
    Limiter,
    Pace,
    apply_throttling,
    block_until,
    count_slots,
    make_idle_pace,
    measure_own_share,
    message_limiter,
    slow_down,
    take_slots,
)
from shared.model.step import Step
from shared.ports import Ports

HORIZON: Final = timedelta(seconds=60)
"""How far ahead slots are given away. Queues stay short, and a timer that misses an occurrence leaves no gap."""
DIRECTORY: Final = (WRITE, READ)
"""Throttled together: the directory does not say for long which of its limits it was."""


def find_rate_limit(step: Step, authority: Authority) -> Limiter:
    """Return the rate limiter for a step of this council."""
    match step:
        case Step.CLASSIFY:
            return READ
        case Step.PROVISION:
            return WRITE
        case Step.NOTIFY:
            return message_limiter(authority)


async def count_free_slots(ports: Ports, limiter: Limiter, most: int) -> int:
    """Return how many slots are free until the horizon, at most `most`. Takes none."""
    stored, now = await ports.ledger.rate_limits.get(limiter), ports.clock.now()
    pace = stored.record if stored else make_idle_pace(now)
    return count_slots(pace, ports.quotas.of(limiter), most, now, HORIZON)


async def reserve_slots(ports: Ports, limiter: Limiter, costs: Sequence[int]) -> list[datetime]:
    """Take slots for the first of these costs.

    They are saved before they are used, so that no slot is given away twice.
    """
    given: list[datetime] = []

    def change(pace: Pace, now: datetime) -> Pace:
        nonlocal given
        after, given = take_slots(pace, ports.quotas.of(limiter), costs, now, HORIZON)
        return after

    await _change_pace(ports, limiter, change)
    return given


async def record_throttling(ports: Ports, limiters: Sequence[Limiter], wait: timedelta | None) -> None:
    """Record a throttling.

    No slots are given and no requests are made with these rate limiters until the wait is over.
    """

    def change(limiter: Limiter) -> Callable[[Pace, datetime], Pace]:
        quota = ports.quotas.of(limiter)
        return lambda pace, now: block_until(pace, quota, now, now + (wait or apply_throttling(pace, quota, now)))

    for limiter in limiters:
        await _change_pace(ports, limiter, change(limiter))


def list_rate_limits(step: Step, authority: Authority) -> Sequence[Limiter]:
    """Return the rate limiters that stop when this step is throttled."""
    return [find_rate_limit(step, authority)] if step is Step.NOTIFY else DIRECTORY


async def check_rate_limit(ports: Ports, message: AccountMessage) -> None:
    """Check the shared pace before a step, and record what the directory last said about its load.

    Raises:
        Throttled: all instances wait.
    """
    step, now = Step(message.kind), ports.clock.now()
    pace = await ports.ledger.rate_limits.get_recent(find_rate_limit(step, message.authority), now)
    if pace is not None and now < pace.blocked_until:
        cause = "message_service_throttled" if step is Step.NOTIFY else "directory_throttled"
        raise Throttled(cause, pace.blocked_until - now, known=True)
    if step is not Step.NOTIFY and ports.directory.strain() > 0:
        await _slow_down(ports, ports.directory.strain(), now)


async def _slow_down(ports: Ports, strain: float, now: datetime) -> None:
    """Slow down if the directory is fuller than our own slots explain. Then another application uses the same quota."""
    write, read = [
        await ports.ledger.rate_limits.get_recent(limiter, now) or make_idle_pace(now) for limiter in DIRECTORY
    ]
    own, quota = measure_own_share(write, read, ports.quotas, now), ports.quotas.write
    if slow_down(write, quota, strain, own, now) != write:
        await _change_pace(ports, WRITE, lambda pace, at: slow_down(pace, quota, strain, own, at))


async def _change_pace(ports: Ports, limiter: Limiter, change: Callable[[Pace, datetime], Pace]) -> None:
    """Read, change and save the pace until no other process was faster. A change without effect writes nothing."""
    while True:
        stored, now = await ports.ledger.rate_limits.get(limiter), ports.clock.now()
        before = stored.record if stored else make_idle_pace(now)
        after = change(before, now)
        if after == before or await ports.ledger.rate_limits.save(limiter, stored, after):
            return
