"""Tables are emptied at any effect, with a copy and without: rebuilt, everything ends as if it had not happened."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random

import pytest

from shared import names
from shared.adapters.memory import Queued
from shared.integrity.backup_tables import backup_tables
from shared.model.lifecycle import State
from shared.model.migration import Phase
from shared.ports import Ports
from tests.support import timeless
from tests.support.losses import lose, make_again
from tests.support.rotation import take_points
from tests.support.stories import (
    LONG_AGO,
    NEWER,
    OLDER,
    Before,
    check_end,
    check_overtaken,
    populate,
    settle,
    small_export,
)
from tests.support.watched import is_effect, watched
from tests.support.world import HostDiedError, World, export, line

ALL = names.TABLES
EACH = [ALL, (names.MIGRATIONS,), (names.ROWS,), (names.ACCOUNTS,)]


@dataclass
class Loss:
    """These tables are emptied at effect number `at`, with the host in the middle of its work; 0: never."""

    tables: Sequence[str] = ALL
    at: int = 0
    effects: list[str] = field(default_factory=list)
    awaited: str = ""
    happened: bool = False

    async def before(self, call: str) -> None:
        if self.happened:
            return
        if is_effect(call):
            self.effects.append(call)
            # An insert of what is there already has no effect and no `after`; then it is the next one.
            if 0 < self.at <= len(self.effects):
                self.awaited = call

    async def after(self, call: str) -> None:
        if not self.happened and call == self.awaited:
            self.happened = True
            raise HostDiedError


class LosingWorld(World):
    """The host dies, and then the tables are empty."""

    loss: Loss
    emptied: bool = False

    async def timers(self, number: int = 0) -> None:
        await super().timers(number)
        self._lose()

    async def _deliver(self, queue: str, item: Queued) -> None:
        await super()._deliver(queue, item)
        self._lose()

    def _lose(self) -> None:
        if self.loss.happened and not self.emptied:
            self.emptied = True
            lose(self, *self.loss.tables)


def _world(loss: Loss) -> LosingWorld:
    world = LosingWorld()
    world.loss = loss

    def wrap(ports: Ports) -> Ports:
        return watched(ports, world.tables, loss)

    world.wrap = wrap
    return world


async def _copy(world: LosingWorld) -> None:
    """The nightly copy, while nothing is lost."""
    watching, world.wrap = world.wrap, lambda ports: ports
    assert await backup_tables(world.ports)
    world.wrap = watching


async def _rounds(world: LosingWorld, copied_in: int | None, rounds: int = 30) -> None:
    """Let the world go on until the loss has happened, or for so many rounds."""
    for number in range(rounds):
        if number == copied_in:
            await _copy(world)
        await world.timers(number)
        await world.deliver()
        world.clock.tick(timedelta(seconds=10))
        if world.emptied:
            return


async def _after(world: LosingWorld) -> None:
    """Nobody notices for a while; then somebody does, and everything goes on."""
    assert world.emptied == bool(world.loss.at)
    world.loss.happened = True
    # Before its first report a council is new, and nothing was lost.
    lost = world.emptied and bool(world.reports.files) and world.loss.tables == ALL
    effects = (world.directory.writes, len(world.notifier.sent))
    for number in range(3):
        await world.timers(number * 6)
        await world.deliver()
        world.clock.tick(timedelta(minutes=1))
    assert not lost or (world.directory.writes, len(world.notifier.sent)) == effects
    asked = await make_again(world)
    assert not lost or asked > 1
    await settle(world)


def _overtaken(rounds: int, copied_in: int | None) -> "Story":
    async def story(loss: Loss) -> None:
        world = _world(loss)
        before = populate(world)
        await world.upload(export(*OLDER), "south-norfolk/monday.csv")
        await _rounds(world, copied_in, rounds)
        if not world.emptied:
            await world.upload(export(*NEWER), "south-norfolk/tuesday.csv")
            await _rounds(world, copied_in - rounds if copied_in is not None else None)
            await _after(world)
        else:
            await _after(world)
            await world.upload(export(*NEWER), "south-norfolk/tuesday.csv")
            await settle(world)
        await check_overtaken(world, before)

    return story


def _one_export(copied_in: int | None) -> "Story":
    async def story(loss: Loss) -> None:
        world = _world(loss)
        before = populate(world)
        await world.upload(small_export())
        await _rounds(world, copied_in)
        await _after(world)
        await check_end(world, before)

    return story


type Story = Callable[[Loss], Coroutine[None, None, None]]


def _effects(story: Story) -> list[str]:
    loss = Loss()
    timeless.run(story(loss))
    return loss.effects


STORIES: dict[str, tuple[Story, int]] = {
    "no copy": (_one_export(None), 2),
    "copied when staged": (_one_export(1), 4),
    "copied when classified": (_one_export(2), 3),
    "copied when moving": (_one_export(3), 2),
    "overtaken when moving, no copy": (_overtaken(3, None), 8),
    "overtaken when moving, copied before": (_overtaken(3, 2), 8),
    "overtaken when told, copied after": (_overtaken(5, 6), 8),
}


@pytest.mark.parametrize("tables", EACH, ids=["all", "migrations", "rows", "accounts"])
@pytest.mark.parametrize("name", STORIES)
def test_tables_emptied_at_any_effect_and_made_again_come_to_the_same_end(name: str, tables: tuple[str, ...]) -> None:
    story, stride = STORIES[name]
    effects = _effects(story)
    # Each loss begins at another effect, so that together they meet all of them.
    step = stride if tables == ALL else 2 * stride
    for at in take_points(range(1 + EACH.index(tables) % stride, len(effects) + 1, step), effects):
        try:
            timeless.run(story(Loss(tables, at)))
        except AssertionError as error:
            pytest.fail(f"{name} effect {at} ({effects[at - 1]}) {tables} were emptied: {error}")


class Mortal:
    """The process that makes the tables again dies at its effect number `at`; 0: never."""

    def __init__(self, at: int, *, after: bool) -> None:
        self._at = at
        self._after = after
        self.effects = 0

    async def before(self, call: str) -> None:
        if is_effect(call):
            self.effects += 1
            self._die(now=not self._after)

    async def after(self, call: str) -> None:
        if is_effect(call):
            self._die(now=self._after)

    def _die(self, *, now: bool) -> None:
        if now and self.effects == self._at:
            raise HostDiedError


async def _moving(*, copied: bool) -> tuple[LosingWorld, Before]:
    """A world whose tables were emptied while some customers were told and some were not created yet."""
    world = _world(Loss(ALL, at=54))
    before = populate(world)
    await world.upload(small_export())
    await _rounds(world, 2 if copied else None)
    assert world.emptied
    return world, before


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("copied", [False, True], ids=["no copy", "copied"])
def test_a_rebuild_that_dies_at_any_effect_is_gone_on_with(*, copied: bool, after: bool) -> None:
    async def story(at: int) -> int:
        world, before = await _moving(copied=copied)
        mortal = Mortal(at, after=after)
        world.wrap = lambda ports: watched(ports, world.tables, mortal)
        with suppress(HostDiedError):
            await make_again(world)
        await world.timers()
        await world.deliver()
        world.wrap = lambda ports: ports
        await make_again(world)
        await settle(world)
        await check_end(world, before)
        return mortal.effects

    effects = timeless.run(story(0))
    for at in take_points(range(1, effects + 1)):
        timeless.run(story(at))


class Hesitant:
    """Lets the other go first, now and then: another order with every seed."""

    def __init__(self, random: Random) -> None:
        self._random = random

    async def before(self, call: str) -> None:
        del call
        for _ in range(self._random.choice((0, 0, 1, 3))):
            await asyncio.sleep(0)

    after = before


@pytest.mark.parametrize("copied", [False, True], ids=["no copy", "copied"])
def test_two_people_at_once_while_everything_goes_on(*, copied: bool) -> None:
    async def story(seed: int) -> None:
        world, before = await _moving(copied=copied)
        random = Random(seed)  # noqa: S311 - a seed must repeat the same run
        world.wrap = lambda ports: watched(ports, world.tables, Hesitant(random))
        await asyncio.gather(make_again(world), make_again(world), world.timers(), world.deliver(), world.timers())
        world.wrap = lambda ports: ports
        await make_again(world)
        await settle(world)
        await check_end(world, before)

    for seed in range(20):
        timeless.run(story(seed))


def test_a_second_loss_while_the_first_is_made_up_for() -> None:
    async def story(rounds: int) -> None:
        world, before = await _moving(copied=True)
        await make_again(world)
        await world.run(rounds)
        lose(world)
        await world.run(2)
        await make_again(world)
        await settle(world)
        await check_end(world, before)

    for rounds in range(1, 25, 3):
        timeless.run(story(rounds))


async def _as_it_ended(world: World) -> list[object]:
    """Everything that people outside see: result.csv of every export, the directory, the letters."""
    results = [await world.result_lines(m) for m in await world.migrations() if m.phase is Phase.DONE]
    rows = [
        {key: value for key, value in row.items() if key not in {"notified_at", "directory_id"}}
        for lines in results
        for row in sorted(lines, key=lambda row: int(row["row"]))
    ]
    users = sorted(
        (u.identities[0].assigned_id, sorted(u.owner_markers.items())) for u in world.directory.users.values()
    )
    return [rows, users, sorted(letter.reference for letter in world.notifier.sent)]


@pytest.mark.parametrize("tables", EACH, ids=["all", "migrations", "rows", "accounts"])
def test_an_older_export_that_is_done_and_a_newer_one_under_way_end_exactly_as_without_the_loss(
    tables: tuple[str, ...],
) -> None:
    async def story(lost_after: int) -> list[object]:
        world = World()
        populate(world)
        world.directory.local_user("x1@example.org", "Xena", "Mended", LONG_AGO)
        await world.upload(export(*OLDER, line("X1"), line("X1"), line("R1", "no")), "south-norfolk/monday.csv")
        await settle(world)
        world.clock.tick(timedelta(hours=17))
        mended = line("X1", given="Xena", surname="Mended")
        await world.upload(export(*NEWER, mended), "south-norfolk/tuesday.csv")
        assert await backup_tables(world.ports)
        await world.run(lost_after)
        if lost_after:
            lose(world, *tables)
            await world.run(2)
            await make_again(world)
        await settle(world)
        assert world.errors == []
        return await _as_it_ended(world)

    without = timeless.run(story(0))
    for lost_after in (1, 2, 3, 4, 6, 9):
        assert timeless.run(story(lost_after)) == without, lost_after


@pytest.mark.parametrize("file_there", [True, False], ids=["with the file", "without it"])
@pytest.mark.parametrize(
    "tables", [ALL, (names.ACCOUNTS,), (names.MIGRATIONS, names.ACCOUNTS)], ids=["all", "accounts", "both"]
)
def test_who_was_told_after_the_copy_is_not_told_again(tables: tuple[str, ...], *, file_there: bool) -> None:
    async def story() -> World:
        world = World()
        await world.upload(export(line("C1"), line("C2"), line("C3")))
        for number in range(40):
            await world.timers(number)
            await world.deliver_but(names.NOTIFY_CUSTOMER)
            world.clock.tick(timedelta(seconds=10))
        assert {account.state for account in await world.accounts()} == {State.PROVISIONED}
        assert await backup_tables(world.ports)
        await settle(world)
        assert len(world.notifier.sent) == 3
        if not file_there:
            world.exports.blobs.clear()
        lose(world, *tables)
        world.outbox.queues = {queue: [] for queue in world.outbox.queues}
        await make_again(world)
        await settle(world)
        await settle(world)  # what was done is looked at every ten minutes, and may be open again
        return world

    world = timeless.run(story())
    references = [letter.reference for letter in world.notifier.sent]
    assert len(references) == len(set(references)) == 3
    assert {account.state for account in timeless.run(world.accounts())} == {State.TOLD}
