"""A list of people to be left alone comes while an export is staged: in whatever order, nobody on it is told."""

from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from shared import names
from shared.intake.apply_suppressions import hold_account
from shared.intake.stage_rows import stage_rows
from shared.model.counts.summary import add_up_shards
from shared.model.messages import StageRows
from shared.model.migration import Phase
from tests.support.stories import settle
from tests.support.watched import WRITE, watched
from tests.support.world import SOUTH_NORFOLK, HostDiedError, World, export, line

WHY = "excluded_deceased"
LATE = NEVER = 1000


@dataclass
class _List:
    """Before one write of the stage it is written, before another the accounts are held that are there by then."""

    world: World
    written_at: int
    held_at: int
    dies_at: int = NEVER
    writes: list[str] = field(default_factory=list)

    async def before(self, call: str) -> None:
        if not call.startswith(WRITE):
            return
        self.writes.append(call)
        await self.come(len(self.writes))
        if len(self.writes) >= self.dies_at:
            raise HostDiedError

    async def after(self, call: str) -> None:
        """What comes after a write comes before the next."""

    async def come(self, at: int) -> None:
        """What happens at this moment."""
        account = self.world.ports.pseudonyms.account(SOUTH_NORFOLK, "C1")
        if at == self.written_at:
            await self.world.ledger.suppressions.put(SOUTH_NORFOLK, {account: WHY}, self.world.clock.now())
        if at == self.held_at:
            await hold_account(self.world.ports, SOUTH_NORFOLK, account, WHY)


async def _story(written_at: int, held_at: int, dies_at: int = NEVER, *, older: bool = False) -> int:
    """Two customers are staged, one of whom comes on the list; returns how many writes that took."""
    world = World()
    if older:
        await world.upload(export(line("C1"), line("C2")), "south-norfolk/older.csv")
        await world.deliver()
        await world.deliver()
        world.clock.tick(timedelta(seconds=1))
    await world.upload(export(line("C1"), line("C2")))
    await world.deliver_but(names.STAGE_ROWS)
    migration = await world.migration()
    coming = _List(world, written_at, held_at, dies_at)
    with suppress(HostDiedError):
        message = StageRows(authority=SOUTH_NORFOLK, migration=migration.id, piece=0)
        await stage_rows(watched(world.ports, world.tables, coming), message)
    for late in sorted({written_at, held_at}):
        if late > len(coming.writes):
            await coming.come(late)
    await settle(world)
    rows = await world.result()
    assert world.told == ["c2@example.org"]
    assert (rows["C1"]["reason"], rows["C2"]["state"]) == (WHY, "told")
    assert (await world.migration()).phase is Phase.DONE
    assert add_up_shards(await world.ledger.summaries.list_all(SOUTH_NORFOLK, migration.id)).rows == migration.rows
    assert world.errors == []
    return len(coming.writes)


@pytest.mark.parametrize("older", [False, True], ids=["new", "brought before"])
async def test_whoever_comes_on_the_list_at_any_moment_of_staging_is_left_alone(older: bool) -> None:  # noqa: FBT001
    writes = await _story(LATE, LATE, older=older)
    for written_at in range(1, writes + 1):
        for held_at in (written_at, written_at + 1, LATE):
            await _story(written_at, held_at, older=older)


@pytest.mark.parametrize("older", [False, True], ids=["new", "brought before"])
async def test_the_same_where_the_host_dies_over_the_piece(older: bool) -> None:  # noqa: FBT001
    writes = await _story(LATE, LATE, older=older)
    for dies_at in range(1, writes + 1):
        for comes_at in (max(dies_at - 1, 1), LATE):
            await _story(comes_at, comes_at, dies_at, older=older)
