"""The host dies at any effect while slots change hands between two councils: nothing is done twice, nobody is lost."""

from contextlib import suppress
from datetime import timedelta

import pytest

from shared.model.lifecycle import State
from shared.model.pacing.rate_limit import Quota, Quotas
from shared.ports import Ports
from shared.scheduling.release_accounts import release_accounts
from tests.simulation.test_crash import Death
from tests.support import timeless
from tests.support.rotation import take_points
from tests.support.stories import settle
from tests.support.watched import watched
from tests.support.world import GREAT_YARMOUTH, SOUTH_NORFOLK, HostDiedError, World, export, line
from tests.unit.scheduling.test_rate_limiter import YARMOUTH

MANY, FEW = 8, 3


async def _a_newcomer(death: Death) -> tuple[World, range]:
    """The world at its end, and which effects there were in the round in which slots changed hands."""
    world = World(quotas=Quotas(write=Quota(limit=2, window=timedelta(seconds=8), share=1.0)))

    def wrap(ports: Ports) -> Ports:
        return watched(ports, world.tables, death.life())

    world.wrap = wrap
    await world.upload(export(*(line(f"C{n}") for n in range(MANY))))
    while world.directory.writes == 0:
        await world.timers()
        await world.deliver()
        world.clock.tick(timedelta(seconds=1))
    rows = [YARMOUTH, *(f"Y{n};y{n}@example.org;Ada;Example;Yes;Open;;;" for n in range(FEW))]
    await world.upload("\r\n".join(rows).encode(), "great-yarmouth/a.csv")
    changed_hands = range(0)
    for _ in range(20):
        held = {a.id: a.release for a in await world.accounts() if a.state is State.RELEASED}
        before = len(death.effects)
        with suppress(HostDiedError):
            await release_accounts(world.ports)
        if not changed_hands and any(a.release > held.get(a.id, a.release) for a in await world.accounts()):
            changed_hands = range(before + 1, len(death.effects) + 1)
        await world.timers()
        await world.deliver()
        world.clock.tick(timedelta(seconds=1))
    await settle(world)
    return world, changed_hands


@pytest.mark.parametrize("after", [False, True])
def test_a_crash_while_slots_change_hands_does_nothing_twice(*, after: bool) -> None:
    whole = Death()
    changed_hands = timeless.run(_check(whole))
    assert len(changed_hands) > FEW
    for at in take_points(changed_hands):
        try:
            timeless.run(_check(Death(at, after)))
        except AssertionError as error:
            pytest.fail(f"effect {at} ({whole.effects[at - 1]}) it died: {error}")


async def _check(death: Death) -> range:
    world, changed_hands = await _a_newcomer(death)
    for authority, number in ((SOUTH_NORFOLK, MANY), (GREAT_YARMOUTH, FEW)):
        assert [a.state for a in await world.accounts(authority)] == [State.TOLD] * number
    assert len(world.told) == len(set(world.told)) == MANY + FEW
    assert len(world.directory.users) == MANY + FEW
    assert world.errors == []
    return changed_hands
