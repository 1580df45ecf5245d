"""Plans that people sign: drafts disturb nobody, each customer is announced to, moved and told exactly once."""

from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import replace
from datetime import datetime, timedelta
from random import Random

import pytest

from shared.model.lifecycle import State
from shared.model.migration import Migration, Phase
from shared.ports import Ports
from tests.simulation.test_crash import Death
from tests.simulation.test_twice import DoublingOutbox
from tests.support import timeless
from tests.support.plans import assessed, sign_all, signed, with_templates
from tests.support.rotation import take_points
from tests.support.stories import check_end, populate, settle, small_export
from tests.support.watched import watched
from tests.support.world import World, export, line

ANNOUNCEMENT = "template of account-is-changing"
PARTS = 4
BUSY = 20


async def _small(world: World) -> None:
    """The small migration, signed, with every outcome."""
    signed(world)
    before = populate(world)
    await world.upload(small_export())
    migration = await assessed(world)
    assert migration.phase is Phase.ASSESSED
    assert (world.directory.writes, world.told) == (0, [])
    await sign_all(world, migration)
    await settle(world)
    assert world.errors == []
    await check_end(world, before)


async def test_a_signed_plan_ends_as_an_automatic_one() -> None:
    await _small(World())


async def test_nothing_of_a_draft_is_among_the_councils_own_accounts() -> None:
    world = World()
    signed(world)
    populate(world)
    await world.upload(small_export())
    await assessed(world)
    assert await world.accounts() == []


def _effects(story: Callable[[World], Coroutine[None, None, None]]) -> list[str]:
    death = Death()
    timeless.run(_lived(story, death))
    return death.effects


async def _lived(story: Callable[[World], Coroutine[None, None, None]], death: Death) -> None:
    world = World()

    def wrap(ports: Ports) -> Ports:
        return watched(ports, world.tables, death.life())

    world.wrap = wrap
    await story(world)


async def _dying(world: World) -> None:
    """Like `_small`, but people sign again until their signature is there, whatever died."""
    signed(world)
    before = populate(world)
    await world.upload(small_export())
    for _ in range(20):
        migration = await assessed(world)
        if migration.phase is Phase.ASSESSED:
            break
    wrap, world.wrap = world.wrap, lambda ports: ports
    await sign_all(world, migration)
    world.wrap = wrap
    await settle(world)
    assert world.errors == []
    await check_end(world, before)


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("part", range(PARTS))
def test_a_crash_at_any_effect_of_a_signed_migration_changes_nothing(part: int, after: bool) -> None:  # noqa: FBT001
    effects = _effects(_dying)
    for at in take_points(range(1 + part, len(effects) + 1, PARTS), effects):
        try:
            timeless.run(_lived(_dying, Death(at, after)))
        except AssertionError as error:
            pytest.fail(f"effect {at}: {error}")


@pytest.mark.parametrize("seed", range(4))
def test_every_message_twice_and_late_changes_nothing(seed: int) -> None:
    async def story() -> None:
        world = World()
        world.outbox = DoublingOutbox(world.clock)
        world.outbox.random = Random(seed)  # noqa: S311 - a seed must repeat the same run
        await _small(world)

    timeless.run(story())


def _local(at: datetime) -> datetime:
    """A working hour on the day of `at`, as a profile writes it; the world's clock stands in winter time."""
    return at.replace(hour=10, minute=0, second=0, microsecond=0, tzinfo=None)


def _monday(world: World, weeks: int) -> datetime:
    day = world.clock.now() + timedelta(weeks=weeks)
    return _local(day - timedelta(days=day.weekday()))


def _planned(world: World) -> None:
    """A pilot on a Monday in six weeks, everybody else two days later; whoever joins late goes in the week after."""
    pilot = _monday(world, 6)
    signed(
        world,
        announce_days=14,
        pilot=("P1",),
        # These tests have so few people that one of them is a fifth of all.
        gate={"failed_percent": 100, "review_percent": 100, "undelivered_percent": 100},
        bank_holidays=True,
        waves=(
            {"name": "pilot", "takes": "pilot", "starts": pilot},
            {"name": "everybody", "takes": "rest", "starts": pilot + timedelta(days=2)},
            {"name": "catch-up", "takes": "late", "starts": pilot + timedelta(days=7)},
        ),
    )
    with_templates(world, "account-is-changing")


async def _live(world: World, days: float) -> None:
    """Let time go by: busy minutes, and quiet days between them."""
    ends = world.clock.now() + timedelta(days=days)
    while world.clock.now() < ends:
        for number in range(BUSY):
            await world.timers(number)
            await world.deliver()
            world.clock.tick(timedelta(seconds=20))
        world.clock.tick(timedelta(days=1) - BUSY * timedelta(seconds=20))


async def _uploaded_and_signed(world: World, name: str, *lines: str) -> Migration:
    await world.upload(export(*lines), f"south-norfolk/{name}.csv")
    migration = await assessed(world)
    assert migration.phase is Phase.ASSESSED
    await sign_all(world, migration)
    return migration


def _announced(world: World) -> Counter[str]:
    return Counter(letter.address for letter in world.notifier.sent if letter.template == ANNOUNCEMENT)


def _told(world: World) -> Counter[str]:
    return Counter(letter.address for letter in world.notifier.sent if letter.template != ANNOUNCEMENT)


async def test_three_extracts_announce_to_move_and_tell_each_customer_exactly_once() -> None:
    world = World()
    _planned(world)
    await _uploaded_and_signed(world, "t6", line("P1"), line("A1"), line("A2"), line("G1"), line("M1"))
    await _live(world, 29)
    assert _announced(world)["p1@example.org"] == 1
    assert (world.directory.writes, sum(_told(world).values())) == (0, 0)
    # G1 has gone, N1 has joined, M1 has another address.
    mended = line("M1", email="m1-new@example.org")
    await _uploaded_and_signed(world, "t2", line("P1"), line("A1"), line("A2"), mended, line("N1"))
    await _live(world, 14.5)
    assert _told(world)["p1@example.org"] == 1
    # On the morning of the big wave: the pilot is moved, N2 has joined.
    await _uploaded_and_signed(world, "t0", line("P1"), line("A1"), line("A2"), mended, line("N1"), line("N2"))
    await _live(world, 14)
    everybody = Counter({f"{who}@example.org": 1 for who in ("p1", "a1", "a2", "m1-new", "n1", "n2")})
    assert _told(world) == everybody
    assert world.directory.writes == len(everybody)
    by_account = Counter(letter.reference for letter in world.notifier.sent)
    assert set(by_account.values()) == {1}
    announced = _announced(world)
    assert set(announced.values()) == {1}
    assert set(announced) >= {"p1@example.org", "a1@example.org", "a2@example.org", "n1@example.org", "n2@example.org"}
    assert "m1@example.org" in announced or "m1-new@example.org" in announced
    assert world.errors == []
    states = Counter(account.state for account in await world.accounts())
    assert states == {State.TOLD: 6, State.HELD: 1}


async def test_nobody_is_moved_before_the_day_of_which_they_were_told() -> None:
    """A plan made between two waves divides those who are left anew, and its first wave has begun already."""
    world = World()
    first = _monday(world, 2)
    dates = [first + timedelta(days=day) for day in (0, 3, 8)]
    takes = ("25%", "25%", "rest")
    waves = [
        {"name": f"w{n}", "takes": part, "starts": at} for n, (part, at) in enumerate(zip(takes, dates, strict=True))
    ]
    signed(world, announce_days=14, bank_holidays=True, waves=tuple(waves))
    with_templates(world, "account-is-changing")
    rows = [line(f"A{number}") for number in range(16)]
    await _uploaded_and_signed(world, "t2", *rows)
    while world.clock.now().replace(tzinfo=None) < first + timedelta(days=1):
        await _live(world, 1)
    days = {letter.address: letter.change_date for letter in world.notifier.sent if letter.change_date}
    moved = set(_told(world))
    await _uploaded_and_signed(world, "t0", *rows)
    await _live(world, 1)
    assert moved
    assert set(_told(world)) == moved
    await _live(world, 12)
    assert _told(world) == Counter(dict.fromkeys(days, 1))
    assert set(_announced(world).values()) == {1}


async def test_a_draft_leaves_the_older_plan_at_work_until_it_is_signed() -> None:
    world = World()
    _planned(world)
    older = await _uploaded_and_signed(world, "older", line("P1"), line("A1"))
    await world.upload(export(line("P1"), line("A1"), line("N1")), "south-norfolk/newer.csv")
    newer = await assessed(world)
    await _live(world, 45)
    assert _told(world) == Counter({"p1@example.org": 1, "a1@example.org": 1})
    # Signed only now: what the older plan has done is not done again.
    await sign_all(world, newer)
    await _live(world, 12)
    assert _told(world) == Counter({"p1@example.org": 1, "a1@example.org": 1, "n1@example.org": 1})
    result = await world.result()
    assert {ref: row["outcome"] for ref, row in result.items()} == {
        "P1": "unchanged",
        "A1": "unchanged",
        "N1": "create",
    }
    assert {m.id for m in await world.migrations()} == {older.id, newer.id}


async def test_what_changed_since_the_plan_goes_to_a_person() -> None:
    world = World()
    signed(world)
    before = populate(world)
    await world.upload(small_export())
    migration = await assessed(world)
    world.directory.local_user("c1@example.org", "Ada", "Example", world.clock.now())
    disabled = before.linked[0]
    world.directory.users[disabled.id] = replace(disabled, enabled=False)
    world.clock.tick(timedelta(days=3))
    await sign_all(world, migration)
    await settle(world)
    reasons = {row["source_id"]: row["reason"] for row in await world.result_lines() if row["outcome"] == "review"}
    assert reasons == {
        "C1": "changed_since_assessment",
        "L1": "changed_since_assessment",
        "V1": "names_differ",
    }
    assert set(world.told) == {"c2@example.org", "l2@example.org"}


async def test_what_is_only_assessed_never_goes_on() -> None:
    world = World()
    populate(world)
    await world.upload(small_export(), "south-norfolk/assess/t6.csv")
    await _live(world, 2)
    migration = await world.migration()
    assert (migration.phase, migration.open) == (Phase.ASSESSED, False)
    assert (world.directory.writes, world.told, await world.accounts()) == (0, [], [])
    picture = await world.report("assessment.json")
    assert [picture[key] for key in ("rows", "create", "link", "review", "reject", "duplicate")] == [7, 2, 2, 1, 1, 1]
    # And it is in nobody's way.
    await world.upload(small_export(), "south-norfolk/real.csv")
    await settle(world)
    assert len(world.told) == 4
    assert not any(account.drafted for account in await world.accounts())
