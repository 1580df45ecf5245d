"""A plan is frozen under a hash that knows every row, date, profile value and text; a wrong extract shows."""

from collections.abc import Callable
from typing import Any

import pytest

from shared.errors import ActionRefused
from shared.model.account import Cohort
from shared.model.migration import Migration, Phase
from shared.model.plan import Part
from shared.operations.control import resume_by_person
from shared.planning.approve_plan import Signing, add_approval, reject_migration
from tests.support.plans import assessed, sign_all, signed
from tests.support.world import SOUTH_NORFOLK, World, export, line

WAVES = (
    {"name": "pilot", "takes": "pilot", "starts": "2026-04-13T10:00"},
    {"name": "everybody", "takes": "rest", "starts": "2026-04-15T10:00"},
)


async def _plan(*lines: str, prepare: Callable[[World], None] = lambda _: None, **plan: Any) -> Migration:  # noqa: ANN401
    world = World()
    signed(world, **plan)
    prepare(world)
    await world.upload(export(*(lines or (line("C1"), line("C2")))))
    return await assessed(world)


async def _hash(*lines: str, prepare: Callable[[World], None] = lambda _: None, **plan: Any) -> str:  # noqa: ANN401
    found = (await _plan(*lines, prepare=prepare, **plan)).plan
    assert found is not None
    return found.hash


async def test_the_same_facts_give_the_same_hash() -> None:
    assert await _hash(waves=WAVES, pilot=("C1",)) == await _hash(waves=WAVES, pilot=("C1",))


@pytest.mark.parametrize(
    "lines",
    [
        (line("C1"),),
        (line("C1"), line("C3")),
        (line("C1"), line("C2", surname="Another")),
        (line("C1"), line("C2").replace("NR15 1AA", "NR15 1AB")),
        (line("C1"), line("C2"), line("C2")),
        (line("C1"), line("C2"), line("R1", email="no-address")),
    ],
)
async def test_another_row_is_another_plan(lines: tuple[str, ...]) -> None:
    assert await _hash(*lines) != await _hash()


@pytest.mark.parametrize(
    "plan",
    [
        {"waves": (WAVES[0], {**WAVES[1], "starts": "2026-04-16T10:00"})},
        {"waves": ({**WAVES[0], "name": "first"}, WAVES[1])},
        {"waves": WAVES, "announce_days": 10},
        {"waves": WAVES, "gate": {"failed_percent": 2}},
        {"waves": WAVES, "pilot": ("C1",)},
        {"waves": WAVES, "checklist": ("page published",)},
    ],
)
async def test_another_date_or_value_of_the_profile_is_another_plan(plan: dict[str, Any]) -> None:
    assert await _hash(**plan) != await _hash(waves=WAVES)


async def test_another_text_is_another_plan() -> None:
    def mended(world: World) -> None:
        template = world.profiles[SOUTH_NORFOLK].messages.templates["set-your-password"]
        world.notifier.versions[template] = 2

    assert await _hash(prepare=mended) != await _hash()


async def test_everybody_is_in_one_wave_and_bands_apart() -> None:
    lines = [line(f"C{n}") for n in range(40)]
    found = (await _plan(*lines, waves=WAVES, pilot=("C1", "C2", "nobody"))).plan
    assert found is not None
    assert [(wave.cohort, wave.accounts) for wave in found.waves] == [(Cohort.PILOT, 2), (Cohort.NONE, 38)]
    assert (found.creates, found.links, found.rows) == (40, 0, 40)


async def test_a_pilot_of_people_whom_the_extract_does_not_have_is_told_to_whoever_signs() -> None:
    lines = (line("C1"), line("C2", email="no-address"), line("C3"))
    wrong = (await _plan(*lines, waves=WAVES, pilot=("C1", "C2", "c3"))).plan
    assert wrong
    assert wrong.warnings == ("plan.pilot names 3 customers, and 2 of them are not in this extract or are rejected.",)
    right = (await _plan(*lines, waves=WAVES, pilot=("C1", "C3", "C1"))).plan
    assert right
    assert right.warnings == ()


async def test_a_plan_says_who_uploaded() -> None:
    world = World()
    signed(world)
    world.exports.upload("south-norfolk/portal.csv", export(line("C1")), by="ann")
    await world.outbox.send(_received())
    migration = await assessed(world)
    assert migration.plan is not None
    mine = Signing(Part.DATA_OWNER, "ann", migration.plan.hash, 1)
    with pytest.raises(ActionRefused, match="whoever uploads does not approve"):
        await add_approval(world.ports, migration.authority, migration.id, mine)


def _received() -> Any:  # noqa: ANN401 - the message of an upload
    from shared.model.messages import ReceiveExport  # noqa: PLC0415

    return ReceiveExport(blob="south-norfolk/portal.csv")


async def _second(limits: dict[str, float], *lines: str, approval: str = "required") -> tuple[World, Migration]:
    world = World()
    signed(world, limits=limits, approval=approval)
    await world.upload(export(*(line(f"C{n}") for n in range(20))), "south-norfolk/first.csv")
    first = await assessed(world)
    if first.phase is Phase.ASSESSED:
        await sign_all(world, first)
    await world.run()
    await world.upload(export(*lines), "south-norfolk/second.csv")
    return world, await assessed(world)


CUT = tuple(line(f"C{n}") for n in range(10))
JOINED = tuple(line(f"C{n}") for n in range(26))


@pytest.mark.parametrize("approval", ["required", "automatic"])
@pytest.mark.parametrize(
    ("limits", "lines", "says"),
    [
        ({"rows_percent": 20}, CUT, "a difference of 50.0 %"),
        ({"missing_percent": 20}, CUT, "10 of 20 customers of the extract before are missing"),
        ({"new_percent": 20}, JOINED, "6 of 20 customers, counted against the extract before, are new"),
        ({"rows_percent": 60, "missing_percent": 60, "new_percent": 60}, CUT, ""),
    ],
)
async def test_an_extract_unlike_the_one_before_is_told(
    limits: dict[str, float], lines: tuple[str, ...], says: str, approval: str
) -> None:
    world, migration = await _second(limits, *lines, approval=approval)
    assert migration.plan is not None
    assert [says in sentence for sentence in migration.plan.warnings] == ([True] if says else [])
    if says and approval == "automatic":
        assert (migration.paused, migration.pause_reason) == (True, "extract_unlike_last")
    picture = await world.report("assessment.json")
    assert (picture["new"], picture["missing"]) == (max(len(lines) - 20, 0), max(20 - len(lines), 0))


@pytest.mark.parametrize("turned_down", [True, False], ids=["rejected", "only uploaded again"])
@pytest.mark.parametrize("folder", ["south-norfolk", "south-norfolk/assess"])
async def test_a_cut_file_does_not_pass_the_second_time(turned_down: bool, folder: str) -> None:  # noqa: FBT001
    world, cut = await _second({"missing_percent": 20}, *CUT)
    if turned_down:
        await reject_migration(world.ports, SOUTH_NORFOLK, cut.id, "ann")
    await world.upload(export(*CUT), f"{folder}/third.csv")
    again = await assessed(world)
    assert again.plan is not None
    assert len(again.plan.warnings) == 1
    await world.upload(export(*(line(f"C{n}") for n in range(20))), "south-norfolk/fourth.csv")
    right = await assessed(world)
    assert right.plan is not None
    assert right.plan.warnings == ()
    picture = await world.report("assessment.json", right)
    assert (picture["new"], picture["missing"]) == (10, 0)  # beside the extract before, whatever became of it


@pytest.mark.parametrize("approval", ["required", "automatic"])
async def test_what_somebody_accepted_is_what_the_next_is_held_against(approval: str) -> None:
    world, cut = await _second({"missing_percent": 20, "new_percent": 20}, *CUT, approval=approval)
    if approval == "required":
        await sign_all(world, cut)
    else:
        await resume_by_person(world.ports, SOUTH_NORFOLK, cut.id, "ann")
    await world.run()
    await world.upload(export(*CUT), "south-norfolk/third.csv")
    again = await assessed(world)
    assert again.plan is not None
    assert again.plan.warnings == ()


async def test_whoever_signs_accepts_what_is_beyond_the_limits() -> None:
    world, migration = await _second({"missing_percent": 20}, *CUT)
    assert migration.plan is not None
    mine = Signing(Part.DATA_OWNER, "ann", migration.plan.hash, migration.rows)
    with pytest.raises(ActionRefused, match="--accept-warnings"):
        await add_approval(world.ports, migration.authority, migration.id, mine)


async def test_a_plan_that_nobody_would_tell_of_is_not_signed() -> None:
    world = World()
    signed(world)
    world.wrap = _silent
    await world.upload(export(line("C1")))
    migration = await assessed(world)
    assert migration.plan is not None
    mine = Signing(Part.DATA_OWNER, "ann", migration.plan.hash, 1)
    with pytest.raises(ActionRefused, match="council_tells_customers"):
        await add_approval(world.ports, migration.authority, migration.id, mine)


def _silent(ports: Any) -> Any:  # noqa: ANN401 - ports
    from dataclasses import replace  # noqa: PLC0415

    return replace(ports, notifier=None)
