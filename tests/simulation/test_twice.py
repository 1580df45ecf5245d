"""Every message comes twice, the second time late; two hosts work on the same message at the same time."""

import asyncio
from datetime import timedelta
from random import Random

import pytest

from shared import names
from shared.adapters.memory import MemoryOutbox, Queued
from shared.model.messages import Message
from shared.ports import Ports
from tests.support import timeless
from tests.support.rotation import take_points
from tests.support.stories import NEWER, OLDER, check_end, check_overtaken, populate, settle, small_export
from tests.support.watched import watched
from tests.support.world import LEASE, RETRY, RUNS, World, export

SEEDS = 60


class DoublingOutbox(MemoryOutbox):
    """Each message twice, the second one up to twenty minutes later."""

    random = Random(0)  # noqa: S311 - a seed must repeat the same run

    async def send(self, message: Message, delay: timedelta = timedelta(0)) -> None:
        await super().send(message, delay)
        await super().send(message, delay + timedelta(seconds=self.random.randrange(0, 1200)))


class Hesitant:
    """Lets others go first, now and then, before and after every call: another order with every seed."""

    def __init__(self, random: Random) -> None:
        self._random = random

    async def before(self, call: str) -> None:
        del call
        for _ in range(self._random.choice((0, 0, 1, 2, 5))):
            await asyncio.sleep(0)

    after = before


class TwoHosts(World):
    """Two hosts which both got every message, and whose timers both ran."""

    async def _deliver(self, queue: str, item: Queued) -> None:
        item.dequeued += 1
        item.visible_at = self.clock.now() + LEASE
        both = (RUNS[queue](self.ports, item.body, item.dequeued) for _ in range(2))
        for error in await asyncio.gather(*both, return_exceptions=True):
            if isinstance(error, Exception):
                self.errors.append(error)
                item.visible_at = self.clock.now() + RETRY
        if item.visible_at == self.clock.now() + LEASE:
            self.outbox.queues[queue].remove(item)

    async def timers(self, number: int = 0) -> None:
        await asyncio.gather(super().timers(number), super().timers(number))


@pytest.mark.parametrize("seed", range(5))
def test_every_message_delivered_twice_and_late_changes_nothing(seed: int) -> None:
    async def story() -> None:
        world = World()
        world.outbox = DoublingOutbox(world.clock)
        world.outbox.random = Random(seed)  # noqa: S311 - a seed must repeat the same run
        before = populate(world)
        await world.upload(small_export())
        await settle(world)
        assert world.errors == []
        await check_end(world, before)

    timeless.run(story())


def _two_hosts(seed: int) -> TwoHosts:
    world = TwoHosts()
    random = Random(seed)  # noqa: S311 - a seed must repeat the same run

    def wrap(ports: Ports) -> Ports:
        return watched(ports, world.tables, Hesitant(random))

    world.wrap = wrap
    return world


@pytest.mark.parametrize("part", range(4))
def test_two_hosts_at_every_message_in_any_order_change_nothing(part: int) -> None:
    async def story(seed: int) -> None:
        world = _two_hosts(seed)
        before = populate(world)
        await world.upload(small_export())
        await settle(world)
        assert world.errors == []
        await check_end(world, before)

    for seed in (turn * 4 + part for turn in take_points(range(SEEDS // 4))):
        try:
            timeless.run(story(seed))
        except AssertionError as error:
            pytest.fail(f"seed {seed}: {error}")


@pytest.mark.parametrize("part", range(4))
def test_two_hosts_and_a_newer_export_that_comes_at_the_same_time(part: int) -> None:
    async def story(seed: int) -> None:
        world = _two_hosts(seed)
        before = populate(world)
        await world.upload(export(*OLDER), "south-norfolk/monday.csv")
        await world.run(rounds=seed % 4)
        world.clock.tick(timedelta(seconds=1))
        await world.upload(export(*NEWER), "south-norfolk/tuesday.csv")
        await settle(world)
        assert world.errors == []
        await check_overtaken(world, before)

    for seed in (turn * 4 + part for turn in take_points(range(SEEDS // 4))):
        try:
            timeless.run(story(seed))
        except AssertionError as error:
            pytest.fail(f"seed {seed}: {error}")


@pytest.mark.parametrize("queue", [names.PROVISION_ACCOUNT, names.NOTIFY_CUSTOMER])
def test_two_deliveries_of_one_message_have_one_effect_in_any_order(queue: str) -> None:
    async def story(seed: int) -> None:
        world = World()
        before = populate(world)
        await world.upload(small_export())
        while not world.outbox.queues[queue]:
            await world.timers()
            await world.deliver_but(queue)
            world.clock.tick(timedelta(seconds=10))
        random = Random(seed)  # noqa: S311 - a seed must repeat the same run
        found = list(world.outbox.queues[queue])
        ports = [watched(world.ports, world.tables, Hesitant(random)) for _ in range(2)]
        await asyncio.gather(*(RUNS[queue](p, item.body, 1) for p in ports for item in found))
        await settle(world)
        await check_end(world, before)

    for seed in range(40):
        try:
            timeless.run(story(seed))
        except AssertionError as error:
            pytest.fail(f"seed {seed}: {error}")
