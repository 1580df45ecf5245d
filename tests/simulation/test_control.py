"""The host dies at every effect while people pause, resume and cancel: nothing is done twice, or after a stop."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from shared.model.migration import Phase
from shared.model.pacing.rate_limit import Quota, Quotas
from shared.operations import control
from shared.ports import Ports
from tests.simulation.test_crash import PARTS, Death
from tests.support import timeless
from tests.support.rotation import take_points
from tests.support.stories import check_effects, populate, settle
from tests.support.watched import watched
from tests.support.world import HostDiedError, World, export, line

ROWS = (*(line(f"C{number}") for number in range(3)), line("L1", given="Lena", surname="Linked"))
SLOW = Quota(limit=2, window=timedelta(seconds=40), share=1.0)

type Ask = Callable[[], Awaitable[object]]


def _world(death: Death) -> World:
    world = World(quotas=Quotas(write=SLOW))

    def wrap(ports: Ports) -> Ports:
        return watched(ports, world.tables, death.life())

    world.wrap = wrap
    return world


async def _insist(ask: Ask) -> None:
    """A person asks again when nobody answered."""
    try:
        await ask()
    except HostDiedError:
        await ask()


async def _until_some_are_moved(world: World) -> None:
    for number in range(100):
        await world.timers(number)
        await world.deliver()
        if world.directory.writes > 1:
            return
        world.clock.tick(timedelta(seconds=10))


async def _paused_and_resumed(death: Death) -> None:
    world = _world(death)
    before = populate(world)
    await world.upload(export(*ROWS))
    await _until_some_are_moved(world)
    migration = (await world.migration()).id
    await _insist(lambda: control.pause_by_person(world.ports, "", migration, "ann"))
    done = world.directory.writes, list(world.told)
    await world.run(rounds=20)
    assert (world.directory.writes, world.told) == done, "something was done during the pause"
    await _insist(lambda: control.resume_by_person(world.ports, "", migration, "ann"))
    await settle(world)
    check_effects(world, before)
    assert {row["state"] for row in await world.result_lines()} == {"told"}
    assert len(world.told) == len(ROWS)
    assert world.errors == []


async def _cancelled(death: Death) -> None:
    world = _world(death)
    before = populate(world)
    await world.upload(export(*ROWS))
    await _until_some_are_moved(world)
    migration = (await world.migration()).id
    await _insist(lambda: control.cancel_by_person(world.ports, "", migration, "ann"))
    done = world.directory.writes, list(world.told)
    await settle(world)
    assert (world.directory.writes, world.told) == done, "something was done after it was cancelled"
    ends = {(row["state"], row["reason"]) for row in await world.result_lines()}
    assert ends <= {("told", ""), ("held", "cancelled")}
    assert (await world.migration()).phase is Phase.CANCELLED
    await world.upload(export(*ROWS), "south-norfolk/again.csv")
    await settle(world)
    check_effects(world, before)
    assert {row["state"] for row in await world.result_lines()} == {"told"}
    assert len(world.told) == len(ROWS)
    assert world.errors == []


STORIES = {"paused and resumed": _paused_and_resumed, "cancelled and uploaded again": _cancelled}


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("name", STORIES)
def test_a_crash_at_any_effect_around_a_stop_does_nothing_twice(name: str, *, after: bool, part: int) -> None:
    story = STORIES[name]
    whole = Death()
    timeless.run(story(whole))
    for at in take_points(range(1 + part, len(whole.effects) + 1, PARTS), whole.effects):
        try:
            timeless.run(story(Death(at, after)))
        except AssertionError as error:
            pytest.fail(f"{name} effect {at} ({whole.effects[at - 1]}) it died: {error}")
