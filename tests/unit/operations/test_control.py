"""A person pauses, resumes and cancels: what stops at once, what stays, and what a later export makes of the rest."""

from dataclasses import replace
from datetime import timedelta

import pytest

from shared import names
from shared.errors import ActionRefused
from shared.model.lifecycle import State
from shared.model.migration import Migration, Phase
from shared.model.pacing.rate_limit import Quota, Quotas
from shared.operations import control
from tests.support.stories import settle
from tests.support.world import SOUTH_NORFOLK, World, export, line

SLOW = Quota(limit=2, window=timedelta(seconds=60), share=1.0)
ROWS = [line(f"C{number}") for number in range(8)]


@pytest.fixture
async def under_way(world: World) -> Migration:
    """Some of eight customers are moved, the others wait for their slots."""
    world.quotas = Quotas(write=SLOW)
    await world.upload(export(*ROWS))
    for number in range(60):
        await world.timers(number)
        await world.deliver()
        if world.directory.writes > 2:
            break
        world.clock.tick(timedelta(seconds=5))
    return await world.migration()


async def test_nothing_is_written_or_told_after_a_pause_and_resume_finishes(world: World, under_way: Migration) -> None:
    await control.pause_by_person(world.ports, "", under_way.id, "ann")
    before = world.directory.writes, world.told
    await world.run(rounds=30)
    assert (world.directory.writes, world.told) == before
    paused = await world.migration()
    assert (paused.pause_reason, paused.pause_detail, paused.epoch) == ("paused_by_person", "ann", under_way.epoch + 1)
    after = await control.resume_by_person(world.ports, "", under_way.id, "bob")
    assert after
    assert (after.paused, after.resumed_by) == (False, "bob")
    await settle(world)
    assert (world.directory.writes, len(world.told), world.errors) == (8, 8, [])


async def test_what_was_paused_while_it_was_read_goes_on_at_once(world: World) -> None:
    await world.upload(export(*ROWS))
    await world.deliver_but(names.STAGE_ROWS)
    migration = await world.migration()
    await control.pause_by_person(world.ports, "", migration.id, "ann")
    await world.deliver()
    assert (await world.migration()).phase is Phase.STAGING
    await control.resume_by_person(world.ports, "", migration.id, "ann")
    await world.deliver()
    assert (await world.migration()).phase is Phase.CLASSIFYING
    await control.resume_by_person(world.ports, "", migration.id, "ann")
    assert world.outbox.queues[names.STAGE_ROWS] == []


async def test_what_is_paused_keeps_its_first_reason(world: World, under_way: Migration) -> None:
    first = await control.pause_by_person(world.ports, "", under_way.id, "ann")
    assert await control.pause_by_person(world.ports, "", under_way.id, "bob") == first


async def test_a_message_of_an_old_slot_has_no_effect_after_a_resume(world: World, under_way: Migration) -> None:
    old = [replace(item) for items in world.outbox.queues.values() for item in items]
    await control.pause_by_person(world.ports, "", under_way.id, "ann")
    await control.resume_by_person(world.ports, "", under_way.id, "ann")
    before = world.directory.writes
    for item in old:
        item.visible_at = world.clock.now()
    await world.deliver()
    assert world.directory.writes == before
    await settle(world)
    assert (world.directory.writes, len(world.told)) == (8, 8)


async def test_cancel_leaves_what_is_finished_and_holds_the_rest(world: World, under_way: Migration) -> None:
    over = await control.cancel_by_person(world.ports, "", under_way.id, "ann")
    assert over
    assert (over.phase, over.reason, over.cancelled_by) == (Phase.CANCELLED, "cancelled", "ann")
    assert await control.cancel_by_person(world.ports, "", under_way.id, "bob") == over
    before = world.directory.writes, world.told
    await settle(world)
    assert (world.directory.writes, world.told) == before
    lines = (await world.result()).values()
    assert {(row["state"], row["reason"]) for row in lines} <= {("told", ""), ("held", "cancelled")}
    assert sum(row["state"] == "held" for row in lines) >= 8 - before[0]
    assert (await world.migration()).phase is Phase.CANCELLED
    assert world.errors == []


async def test_a_later_export_begins_with_whoever_was_left(world: World, under_way: Migration) -> None:
    await control.cancel_by_person(world.ports, "", under_way.id, "ann")
    await settle(world)
    await world.upload(export(*ROWS), "south-norfolk/again.csv")
    await settle(world)
    assert {row["state"] for row in (await world.result()).values()} == {"told"}
    assert (len(world.told), len(set(world.told)), world.directory.writes, world.errors) == (8, 8, 8, [])


async def test_whoever_was_created_and_not_told_is_told_by_a_later_export(world: World) -> None:
    await world.upload(export(line("C1")))
    for number in range(30):
        await world.timers(number)
        await world.deliver_but("notify-customer")
        world.clock.tick(timedelta(seconds=5))
        if world.directory.writes:
            break
    await control.cancel_by_person(world.ports, SOUTH_NORFOLK, (await world.migration()).id, "ann")
    await settle(world)
    account = (await world.accounts())[0]
    assert (account.state, account.reason, account.done, world.told) == (State.HELD, "cancelled", True, [])
    await world.upload(export(line("C1")), "south-norfolk/again.csv")
    await settle(world)
    assert (world.told, world.directory.writes) == (["c1@example.org"], 1)


async def test_a_cancelled_upload_that_is_half_read_is_read_no_further(world: World) -> None:
    await world.upload(export(*ROWS))
    await world.deliver()
    migration = await world.migration()
    await control.cancel_by_person(world.ports, "", migration.id, "ann")
    await settle(world)
    assert {account.reason for account in await world.accounts()} <= {"cancelled"}
    assert (world.directory.writes, world.told) == (0, [])


@pytest.mark.parametrize("work", [control.pause_by_person, control.cancel_by_person])
async def test_what_is_done_is_neither_paused_nor_cancelled(world: World, work: control.Work) -> None:
    await world.upload(export(line("C1")))
    await settle(world)
    migration = await world.migration()
    with pytest.raises(ActionRefused, match="is done already"):
        await work(world.ports, "", migration.id, "ann")
    assert await world.migration() == migration


@pytest.mark.parametrize("work", [control.pause_by_person, control.resume_by_person, control.cancel_by_person])
async def test_there_is_nothing_of_another_name_or_council(
    world: World, under_way: Migration, work: control.Work
) -> None:
    assert await work(world.ports, "", "nothing", "ann") is None
    assert await work(world.ports, "great-yarmouth", under_way.id, "ann") is None


async def test_what_was_cancelled_is_not_resumed(world: World, under_way: Migration) -> None:
    await control.cancel_by_person(world.ports, "", under_way.id, "ada")
    with pytest.raises(ActionRefused, match="nothing to resume"):
        await control.resume_by_person(world.ports, "", under_way.id, "ada")
