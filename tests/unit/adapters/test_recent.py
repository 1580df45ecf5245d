"""What is remembered is never older than it may be, and never survives a change of one's own."""

import asyncio
from datetime import timedelta

import pytest

from shared.adapters.memory import ManualClock
from shared.adapters.storage.recent import MAX_CACHED_ANSWERS, Recent

SECOND = timedelta(seconds=1)


class Source:
    """What is read: it tells how often."""

    def __init__(self) -> None:
        self.reads = 0
        self.going_on = asyncio.Event()
        self.going_on.set()
        self.begun = asyncio.Event()

    async def read(self) -> int:
        self.reads += 1
        answer = self.reads
        self.begun.set()
        await self.going_on.wait()
        return answer


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


async def test_an_answer_is_kept_for_its_age_and_not_longer(clock: ManualClock) -> None:
    recent, source = Recent[str, int](clock, SECOND), Source()
    assert [await recent.get("a", source.read) for _ in range(3)] == [1, 1, 1]
    clock.tick(SECOND - timedelta(microseconds=1))
    assert await recent.get("a", source.read) == 1
    clock.tick(timedelta(microseconds=1))
    assert await recent.get("a", source.read) == 2


async def test_each_key_has_its_own_answer(clock: ManualClock) -> None:
    recent, source = Recent[str, int](clock, SECOND), Source()
    assert [await recent.get(key, source.read) for key in ("a", "b", "a")] == [1, 2, 1]


async def test_those_who_ask_at_once_read_once(clock: ManualClock) -> None:
    recent, source = Recent[str, int](clock, SECOND), Source()
    assert await asyncio.gather(*(recent.get("a", source.read) for _ in range(5))) == [1] * 5


async def test_what_is_read_while_something_changes_is_not_kept(clock: ManualClock) -> None:
    recent, source = Recent[str, int](clock, SECOND), Source()
    source.going_on.clear()
    reading = asyncio.create_task(recent.get("a", source.read))
    await source.begun.wait()
    recent.forget()
    source.going_on.set()
    assert await reading == 1
    assert await recent.get("a", source.read) == 2


async def test_a_clock_that_is_set_back_makes_nothing_younger(clock: ManualClock) -> None:
    recent, source = Recent[str, int](clock, SECOND), Source()
    await recent.get("a", source.read)
    clock.tick(-SECOND)
    assert await recent.get("a", source.read) == 2


async def test_a_read_that_fails_is_not_kept(clock: ManualClock) -> None:
    recent, source = Recent[str, int](clock, SECOND), Source()

    async def fail() -> int:
        raise TimeoutError

    with pytest.raises(TimeoutError):
        await recent.get("a", fail)
    assert await recent.get("a", source.read) == 1


async def test_it_does_not_grow_without_end(clock: ManualClock) -> None:
    recent, source = Recent[str, int](clock, SECOND), Source()
    for number in range(MAX_CACHED_ANSWERS + 1):
        await recent.get(str(number), source.read)
    assert await recent.get("0", source.read) == MAX_CACHED_ANSWERS + 2
