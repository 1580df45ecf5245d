"""To which export of a council an older one is left."""

from dataclasses import replace
from datetime import timedelta

import pytest

from shared.intake.supersede import restore_older, supersede_older
from shared.model.account import Authority, MigrationId
from shared.model.migration import Layout, Migration, Phase
from tests.support.world import SOUTH_NORFOLK, World

LAYOUT = Layout("utf-8", ",", (), 0, 0, rows=9)


@pytest.fixture
def world() -> World:
    return World()


async def _migration(world: World, name: str, phase: Phase, **known: object) -> Migration:
    """One that was uploaded a minute after the one before."""
    world.clock.tick(timedelta(minutes=1))
    now = world.clock.now()
    made = Migration(MigrationId(name), Authority(SOUTH_NORFOLK), name, "e", 1, now, now, phase, layout=LAYOUT, row=9)
    made = replace(made, **known)  # type: ignore[arg-type]
    assert await world.ledger.migrations.insert(made)
    return made


async def _now(world: World, migration: Migration) -> Migration:
    found = await world.ledger.migrations.get(migration.authority, migration.id)
    assert found is not None
    return found


@pytest.mark.parametrize("phase", [Phase.RUNNING, Phase.DONE])
async def test_what_runs_or_is_done_is_left_to_a_newer_one_and_stays_as_it_is(world: World, phase: Phase) -> None:
    older = await _migration(world, "older", phase)
    newer = await _migration(world, "newer", Phase.ADOPTING)
    for _ in range(2):
        await supersede_older(world.ports, newer)
        assert await _now(world, older) == replace(older, superseded_by=newer.id)
    assert await _now(world, newer) == newer


@pytest.mark.parametrize("phase", [Phase.RUNNING, Phase.DONE])
async def test_what_was_left_to_one_that_was_never_read_whole_is_left_to_the_one_before(
    world: World, phase: Phase
) -> None:
    older = await _migration(world, "older", phase)
    between = await _migration(world, "between", Phase.RUNNING)
    await supersede_older(world.ports, between)
    newest = await _migration(world, "newest", Phase.STAGING, row=0)
    await supersede_older(world.ports, newest)
    for _ in range(2):
        await restore_older(world.ports, newest)
        assert await _now(world, older) == replace(older, superseded_by=between.id)
        assert await _now(world, between) == between


@pytest.mark.parametrize(
    ("between", "to"),
    [
        ({"phase": Phase.CANCELLED}, "between"),
        ({"phase": Phase.CANCELLED, "row": 0}, ""),
        ({"phase": Phase.CANCELLED, "drafted": True}, ""),
        ({"phase": Phase.ASSESSED, "drafted": True}, ""),
    ],
)
async def test_only_one_that_had_begun_keeps_what_was_left_to_it(
    world: World, between: dict[str, object], to: str
) -> None:
    older = await _migration(world, "older", Phase.RUNNING)
    await _migration(world, "between", **between)  # type: ignore[arg-type]
    newest = await _migration(world, "newest", Phase.STAGING, row=0)
    await supersede_older(world.ports, newest)
    await restore_older(world.ports, newest)
    assert (await _now(world, older)).superseded_by == to


async def test_what_was_left_to_another_one_meanwhile_is_not_given_back(world: World) -> None:
    older = await _migration(world, "older", Phase.RUNNING)
    overwritten = await _migration(world, "overwritten", Phase.SUPERSEDED)
    newest = await _migration(world, "newest", Phase.STAGING)
    await supersede_older(world.ports, newest)
    await restore_older(world.ports, overwritten)
    assert (await _now(world, older)).superseded_by == newest.id
