"""The end of a phase is noticed by one short question per shard, and by no sweep that comes too early."""

from dataclasses import replace

import pytest

from shared.model.account import SHARDS, apply_event
from shared.model.counts.summary import ShardSummary
from shared.model.lifecycle import Event
from shared.model.migration import Migration, Phase
from shared.reconciliation.completion import is_anything_finished, list_finished_shards
from shared.runtime.worker import repeat_timer
from tests.contract.records import a_change, a_migration, an_account
from tests.support.world import SOUTH_NORFOLK, World


@pytest.fixture
def world() -> World:
    return World()


def summaries(world: World, busy: str) -> dict[str, ShardSummary]:
    return {s: ShardSummary(s, world.clock.now(), counted=True, due=5 * (s in busy)) for s in SHARDS}


async def classifying(world: World) -> Migration:
    migration = replace(a_migration(), authority=SOUTH_NORFOLK, phase=Phase.CLASSIFYING)
    await world.ledger.migrations.insert(migration)
    return migration


async def test_a_migration_with_an_account_on_its_way_is_not_finished(world: World) -> None:
    migration = await classifying(world)
    account = an_account(1, "f")
    await world.ledger.accounts.insert([(account, a_change())])
    stored = await world.ledger.accounts.get(SOUTH_NORFOLK, account.id)
    assert stored
    assert await list_finished_shards(world.ports, migration, summaries(world, "3f")) == frozenset()
    await world.ledger.accounts.save(stored, *apply_event(stored.record, Event.CLASSIFY, world.clock.now()))
    assert await list_finished_shards(world.ports, migration, summaries(world, "3f")) == {"3", "f"}
    # What is classified keeps a migration busy as soon as it runs.
    running = replace(migration, phase=Phase.RUNNING)
    assert await list_finished_shards(world.ports, running, summaries(world, "3f")) == frozenset()


@pytest.mark.parametrize("change", [{"phase": Phase.DONE}, {"phase": Phase.STAGING}, {"pause": True}])
async def test_a_migration_that_does_not_move_is_not_asked_for(world: World, change: dict[str, object]) -> None:
    migration = await classifying(world)
    paused = {"paused_at": world.clock.now()} if change.pop("pause", False) else {}
    migration = replace(migration, **change, **paused)  # type: ignore[arg-type]  # the fields of the case
    assert await list_finished_shards(world.ports, migration, summaries(world, "3")) == frozenset()


async def test_what_the_summaries_know_to_be_at_rest_is_not_counted_again(world: World) -> None:
    migration = await classifying(world)
    assert await list_finished_shards(world.ports, migration, {}) == frozenset()
    assert await list_finished_shards(world.ports, migration, summaries(world, "")) == frozenset()


async def test_the_end_is_noticed_until_the_shards_are_counted(world: World) -> None:
    migration = await classifying(world)
    for summary in summaries(world, "a").values():
        await world.ledger.summaries.put(SOUTH_NORFOLK, migration.id, summary)
    assert await is_anything_finished(world.ports)
    for summary in summaries(world, "").values():
        await world.ledger.summaries.put(SOUTH_NORFOLK, migration.id, summary)
    assert not await is_anything_finished(world.ports)


@pytest.mark.parametrize(("needed", "runs"), [((), 1), ((True, True), 3), ((False, True), 2), ((False, False), 1)])
async def test_a_timer_runs_again_only_when_it_is_needed(world: World, needed: tuple[bool, ...], runs: int) -> None:
    answers, seen = iter(needed), []

    async def step(_: object) -> None:
        seen.append(1)

    async def is_needed(_: object) -> bool:
        return next(answers)

    await repeat_timer(world.ports, "some_timer", step, is_needed, wait_seconds=0, times=len(needed))
    assert len(seen) == runs
