"""The lanes: who asks the directory or the message service when. All instances share them through one row each.

Three things hold everybody, and not only the process that met them: the slots that are given away, a throttling, and
what the directory says of how full it is.
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
    Lane,
    Pace,
    apply_throttling,
    block_until,
    make_idle_pace,
    measure_own_share,
    message_lane,
    slow_down,
    take_slots,
)
from shared.model.step import Step
from shared.ports import Ports

HORIZON: Final = timedelta(seconds=60)
"""So far ahead slots are given away: queues stay shallow, and no feeder's missed occurrence leaves a hole."""
DIRECTORY: Final = (WRITE, READ)
"""Throttled together: the directory does not say for long which of its limits it was."""


def find_rate_limit(step: Step, authority: Authority) -> Lane:
    """The lane in which a step of this council goes."""
    match step:
        case Step.CLASSIFY:
            return READ
        case Step.PROVISION:
            return WRITE
        case Step.NOTIFY:
            return message_lane(authority)


async def count_free_slots(ports: Ports, lane: Lane, most: int) -> int:
    """How many slots there are until the horizon, at most so many. Takes none."""
    stored, now = await ports.ledger.rate_limits.get(lane), ports.clock.now()
    _, slots = take_slots(
        stored.record if stored else make_idle_pace(now), ports.quotas.of(lane), [1] * most, now, HORIZON
    )
    return len(slots)


async def reserve_slots(ports: Ports, lane: Lane, costs: Sequence[int]) -> list[datetime]:
    """Slots for the first of those who cost so much; saved before they are used: no two feeders give the same away."""
    given: list[datetime] = []

    def change(pace: Pace, now: datetime) -> Pace:
        nonlocal given
        after, given = take_slots(pace, ports.quotas.of(lane), costs, now, HORIZON)
        return after

    await _change_pace(ports, lane, change)
    return given


async def record_throttling(ports: Ports, lanes: Sequence[Lane], wait: timedelta | None) -> None:
    """We were throttled: nobody gets a slot in these lanes, and nobody asks, before the wait is over."""

    def change(lane: Lane) -> Callable[[Pace, datetime], Pace]:
        quota = ports.quotas.of(lane)
        return lambda pace, now: block_until(pace, quota, now, now + (wait or apply_throttling(pace, quota, now)))

    for lane in lanes:
        await _change_pace(ports, lane, change(lane))


def list_rate_limits(step: Step, authority: Authority) -> Sequence[Lane]:
    """The lanes that stand still when this step is throttled."""
    return [find_rate_limit(step, authority)] if step is Step.NOTIFY else DIRECTORY


async def check_rate_limit(ports: Ports, message: AccountMessage) -> None:
    """Before a step: see what all others know of the lane, and pass on what the directory last said here.

    Raises:
        Throttled: everybody waits.
    """
    step, now = Step(message.kind), ports.clock.now()
    pace = await ports.ledger.rate_limits.get_recent(find_rate_limit(step, message.authority), now)
    if pace is not None and now < pace.blocked_until:
        cause = "message_service_throttled" if step is Step.NOTIFY else "directory_throttled"
        raise Throttled(cause, pace.blocked_until - now, known=True)
    if step is not Step.NOTIFY and ports.directory.strain() > 0:
        await _slow_down(ports, ports.directory.strain(), now)


async def _slow_down(ports: Ports, strain: float, now: datetime) -> None:
    """Slow down where the directory is fuller than our own slots explain: somebody else uses the same quota."""
    write, read = [await ports.ledger.rate_limits.get_recent(lane, now) or make_idle_pace(now) for lane in DIRECTORY]
    own, quota = measure_own_share(write, read, ports.quotas, now), ports.quotas.write
    if slow_down(write, quota, strain, own, now) != write:
        await _change_pace(ports, WRITE, lambda pace, at: slow_down(pace, quota, strain, own, at))


async def _change_pace(ports: Ports, lane: Lane, change: Callable[[Pace, datetime], Pace]) -> None:
    """Read, change, save, until nobody else was faster; what changes nothing writes nothing."""
    while True:
        stored, now = await ports.ledger.rate_limits.get(lane), ports.clock.now()
        before = stored.record if stored else make_idle_pace(now)
        after = change(before, now)
        if after == before or await ports.ledger.rate_limits.save(lane, stored, after):
            return
