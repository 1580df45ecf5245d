"""The host dies at every effect, before it and after it: in the end everything is as if it had not."""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field

import pytest

from shared.ports import Ports
from tests.support import timeless
from tests.support.rotation import take_points
from tests.support.stories import NEWER, OLDER, check_end, check_overtaken, populate, settle, small_export
from tests.support.watched import is_effect, watched
from tests.support.world import HostDiedError, World, export

PARTS = 4


@dataclass
class Death:
    """The host dies at effect number `at`, counted over all its lives; 0: never."""

    at: int = 0
    after: bool = False
    effects: list[str] = field(default_factory=list)

    def life(self) -> "Life":
        return Life(self)


@dataclass
class Life:
    """One process. What is dead does nothing more, whatever it had begun at the same time."""

    death: Death
    dead: bool = False
    last: dict[str, int] = field(default_factory=dict)

    async def before(self, call: str) -> None:
        self._alive()
        if is_effect(call):
            self.death.effects.append(call)
            if len(self.death.effects) == self.death.at and not self.death.after:
                self._die()

    async def after(self, call: str) -> None:
        self._alive()
        if is_effect(call) and len(self.death.effects) == self.death.at and self.death.after:
            self._die()

    def _alive(self) -> None:
        if self.dead:
            raise HostDiedError

    def _die(self) -> None:
        self.dead = True
        raise HostDiedError


type Story = Callable[[Death], Coroutine[None, None, None]]


def _world(death: Death) -> World:
    world = World()

    def wrap(ports: Ports) -> Ports:
        return watched(ports, world.tables, death.life())

    world.wrap = wrap
    return world


async def _one_export(death: Death) -> None:
    world = _world(death)
    before = populate(world)
    await world.upload(small_export())
    await settle(world)
    assert world.errors == []
    await check_end(world, before)


def _overtaken(rounds: int) -> Story:
    async def story(death: Death) -> None:
        await _overtake(death, rounds)

    return story


async def _overtake(death: Death, rounds: int) -> None:
    world = _world(death)
    before = populate(world)
    await world.upload(export(*OLDER), "south-norfolk/monday.csv")
    await world.run(rounds)
    await world.upload(export(*NEWER), "south-norfolk/tuesday.csv")
    await settle(world)
    assert world.errors == []
    await check_overtaken(world, before)


def _effects(story: Story) -> list[str]:
    death = Death()
    timeless.run(story(death))
    return death.effects


STORIES: dict[str, tuple[Story, bool]] = {
    "one export, before": (_one_export, False),
    "one export, after": (_one_export, True),
    "overtaken when staged, before": (_overtaken(1), False),
    "overtaken when classified, before": (_overtaken(2), False),
    "overtaken when moving, before": (_overtaken(3), False),
    "overtaken when moving, after": (_overtaken(3), True),
}


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("name", STORIES)
def test_a_crash_at_any_effect_changes_nothing_in_the_end(name: str, part: int) -> None:
    story, after = STORIES[name]
    effects = _effects(story)
    for at in take_points(range(1 + part, len(effects) + 1, PARTS), effects):
        try:
            timeless.run(story(Death(at, after)))
        except AssertionError as error:
            pytest.fail(f"{name} effect {at} ({effects[at - 1]}) it died: {error}")
