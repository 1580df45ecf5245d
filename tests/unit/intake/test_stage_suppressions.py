"""A list of people to be left alone: read, kept, and nobody on it is moved or told."""

from datetime import timedelta

import pytest

from shared.model.lifecycle import State
from shared.model.messages import ReceiveExport
from shared.model.migration import Kind, Phase
from tests.support.plans import assessed, sign_all, signed
from tests.support.stories import settle
from tests.support.world import World, export, line

LIST = b"customer_ref,why\nC1,Deceased\nC2,safeguarding\n,objecting\n"


async def test_who_is_on_a_list_is_rejected_in_every_later_export(world: World) -> None:
    await world.upload(LIST, "south-norfolk/exclude/people.csv")
    await world.run()
    listed = await world.migration()
    assert (listed.kind, listed.phase) == (Kind.EXCLUDE, Phase.DONE)
    says = await world.report("excluded.json")
    assert says["left_alone"] == {"excluded_deceased": 1, "excluded_safeguarding": 1}
    assert [(each["row"], each["reason"]) for each in says["rejected"]] == [(3, "missing_source_id")]
    await world.upload(export(line("C1"), line("C2"), line("C3")))
    await settle(world)
    result = await world.result()
    assert {ref: (row["outcome"], row["state"], row["reason"]) for ref, row in result.items()} == {
        "C1": ("reject", "rejected", "excluded_deceased"),
        "C2": ("reject", "rejected", "excluded_safeguarding"),
        "C3": ("create", "told", ""),
    }
    assert world.told == ["c3@example.org"]
    assert world.errors == []


async def test_a_list_that_comes_while_a_plan_waits_counts(world: World) -> None:
    signed(world)
    await world.upload(export(line("C1"), line("C3")))
    migration = await assessed(world)
    await world.upload(LIST, "south-norfolk/exclude/people.csv")
    await world.run(rounds=8)
    await sign_all(world, migration)
    await settle(world)
    result = await world.result(migration)
    assert {ref: (row["outcome"], row["reason"]) for ref, row in result.items()} == {
        "C1": ("reject", "excluded_deceased"),
        "C3": ("create", ""),
    }
    assert world.told == ["c3@example.org"]


@pytest.mark.parametrize("waits", [True, False], ids=["a plan waits", "moved already"])
async def test_a_reference_that_no_extract_has_is_told(world: World, waits: bool) -> None:  # noqa: FBT001
    if waits:
        signed(world)
    await world.upload(export(line("C1"), line("C3")))
    await (assessed(world) if waits else settle(world))
    await world.upload(LIST, "south-norfolk/exclude/people.csv")
    await world.run(rounds=8)
    says = await world.report("excluded.json")
    assert says["in_no_extract"]["rows"] == [2]
    assert "mistyped" in says["in_no_extract"]["next"]
    assert sum(says["left_alone"].values()) == 2  # it counts for later extracts


async def test_a_list_that_is_uploaded_whole_again_wonders_at_nobody(world: World) -> None:
    await world.upload(LIST, "south-norfolk/exclude/people.csv")
    await world.run()
    await world.upload(export(line("C1"), line("C2"), line("C3")))
    await settle(world)
    world.clock.tick(timedelta(days=1))
    await world.upload(LIST + b"C9,deceased\n", "south-norfolk/exclude/people-2.csv")
    await world.run(rounds=8)
    assert (await world.report("excluded.json"))["in_no_extract"]["rows"] == [4]


async def test_who_is_taken_off_the_list_is_moved_again(world: World) -> None:
    await world.upload(LIST, "south-norfolk/exclude/people.csv")
    await world.run()
    await world.upload(export(line("C1")), "south-norfolk/first.csv")
    await settle(world)
    assert world.told == []
    await world.upload(b"customer_ref;why\nC1;none\n", "south-norfolk/exclude/again.csv")
    await world.run()
    await world.upload(export(line("C1")), "south-norfolk/second.csv")
    await settle(world)
    assert world.told == ["c1@example.org"]
    assert [account.state for account in await world.accounts()] == [State.TOLD]


async def test_an_older_list_that_is_read_later_takes_nobody_off(world: World) -> None:
    world.exports.upload("south-norfolk/exclude/older.csv", b"customer_ref,why\nC1,none\nC2,none\n")
    world.clock.tick(timedelta(minutes=1))
    await world.upload(b"customer_ref,why\nC1,deceased\n", "south-norfolk/exclude/newer.csv")
    await world.deliver()
    await world.outbox.send(ReceiveExport(blob="south-norfolk/exclude/older.csv"))
    await world.deliver()
    await world.upload(export(line("C1"), line("C2")))
    await settle(world)
    assert world.told == ["c2@example.org"]
