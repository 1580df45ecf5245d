"""result.csv is written in blocks: only what changed, over as many rounds as it takes, and published whole."""

from dataclasses import dataclass, field, replace
from datetime import timedelta

from shared.adapters.memory import ManualClock, MemoryReports
from shared.model.account import SHARDS
from shared.model.migration import Phase
from shared.reconciliation.reconcile import MAX_ROUND_TIME
from tests.support.stories import settle
from tests.support.world import SOUTH_NORFOLK, World, export, line

PEOPLE = 60
"""Enough to be in every shard."""


@dataclass
class SlowReports(MemoryReports):
    """Reports of which every block takes so long."""

    clock: ManualClock = field(default_factory=ManualClock)
    takes: timedelta = timedelta(0)
    written: list[str] = field(default_factory=list)

    async def stage(self, path, block, parts):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201 - as the port has it
        """Write it down, and let time pass."""
        self.clock.tick(self.takes)
        found = await super().stage(path, block, parts)
        self.written.append(block)
        return found


def a_world(takes: timedelta = timedelta(0)) -> tuple[World, SlowReports]:
    clock = ManualClock()
    reports = SlowReports(clock=clock, takes=takes)
    return World(clock=clock, reports=reports), reports


async def test_a_long_result_is_written_over_several_rounds_and_seen_whole() -> None:
    world, reports = a_world(takes=MAX_ROUND_TIME)
    await world.upload(export(*(line(f"C{number}") for number in range(PEOPLE))))
    rounds = 0
    while not any(path.endswith("result.csv") for path in reports.files):
        before = len(reports.written)
        await world.run(rounds=1)
        rounds += len(reports.written) > before
        assert len(reports.written) - before <= 2, "the header and one block"
    assert rounds == len(SHARDS)
    assert len(await world.result_lines()) == PEOPLE
    await settle(world)
    assert (await world.migration()).phase is Phase.DONE


async def test_a_migration_is_done_when_its_result_is_published() -> None:
    world, reports = a_world(takes=MAX_ROUND_TIME)
    await world.upload(export(*(line(f"C{number}") for number in range(PEOPLE))))
    while len(reports.written) < len(SHARDS) // 2:
        await world.run(rounds=1)
    assert (await world.migration()).phase is Phase.RUNNING


async def test_only_the_block_of_the_shard_that_changed_is_written_again() -> None:
    world, reports = a_world()
    await world.upload(export(*(line(f"C{number}") for number in range(PEOPLE))))
    await settle(world)
    reports.written.clear()
    [account, *_] = await world.accounts(SOUTH_NORFOLK)
    stored = await world.ledger.accounts.get(SOUTH_NORFOLK, account.id)
    assert stored is not None
    await world.ledger.accounts.save(stored, replace(account, reason="discarded"), None)
    world.clock.tick(timedelta(minutes=11))
    await world.timers()
    assert [block.split()[1] for block in reports.written] == [account.shard]
    assert [row["reason"] for row in await world.result_lines()].count("discarded") == 1


async def test_what_was_staged_and_forgotten_by_storage_is_staged_again() -> None:
    world, reports = a_world(takes=MAX_ROUND_TIME)
    await world.upload(export(*(line(f"C{number}") for number in range(PEOPLE))))
    while len(reports.written) < len(SHARDS) // 2:
        await world.run(rounds=1)
    reports.staged.clear()
    await settle(world)
    assert len(await world.result_lines()) == PEOPLE
