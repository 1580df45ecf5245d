"""What a newer plan leaves of an older one: whoever was moved is told, whoever was not begun is not begun any more."""

from dataclasses import replace
from datetime import timedelta

import pytest

from shared import names
from shared.errors import DirectoryRefused, TryLater
from shared.intake.supersede import supersede_older
from shared.model.lifecycle import State
from shared.model.migration import Migration, Phase
from shared.model.profile import PlanSettings, Profile
from shared.operations import control, poison
from shared.operations.status import read_status
from shared.ports import NewUser
from tests.support.plans import assessed, sign_all, signed
from tests.support.world import SOUTH_NORFOLK, World, export, line

ROUND = timedelta(seconds=10)


async def _planned(world: World, name: str, *lines: str) -> Migration:
    await world.upload(export(*lines), f"south-norfolk/{name}.csv")
    migration = await assessed(world)
    world.clock.tick(ROUND)
    return migration


async def _work(world: World, rounds: int = 30) -> None:
    for number in range(rounds):
        await world.timers(number)
        await world.deliver()
        world.clock.tick(ROUND)


async def _older(world: World) -> Migration:
    """The first migration as it is now."""
    return (await world.migrations())[0]


def _refuses(world: World, customer: str) -> None:
    """Let the directory refuse to create one customer, until `create` is deleted from it again."""
    account = world.ports.pseudonyms.account(SOUTH_NORFOLK, customer)
    create = world.directory.create

    async def refusing(profile: Profile, user: NewUser) -> object:
        if user.account == account:
            raise DirectoryRefused("Request_BadRequest", conflict=False, attribute=False, setting=False, target="")
        return await create(profile, user)

    world.directory.create = refusing  # type: ignore[assignment,method-assign]


async def _with_somebody_stuck(world: World) -> Migration:
    """A plan that is done, but for somebody whom the directory refused."""
    _refuses(world, "GONE")
    await sign_all(world, await _planned(world, "older", line("C1"), line("GONE")))
    await _work(world)
    del world.directory.create
    assert (await _older(world)).phase is Phase.DONE
    return await _older(world)


async def test_who_is_stuck_in_a_plan_that_is_done_and_left_the_newer_one_is_not_begun_by_a_replay() -> None:
    world = World()
    signed(world)
    older = await _with_somebody_stuck(world)
    newer = await _planned(world, "newer", line("C1"), line("C2"))
    assert await _older(world) == older  # nobody has signed the newer one
    await sign_all(world, newer)
    await _work(world)
    assert (await _older(world)).phase is Phase.DONE
    assert [each.next for each in (await read_status(world.ports)).migrations][-1].startswith("1 stuck")
    assert (await poison.replay_stuck(world.ports, poison.Choice(everything=True), "op")).accounts == 1
    await _work(world)
    gone = await world.ledger.accounts.get(SOUTH_NORFOLK, world.ports.pseudonyms.account(SOUTH_NORFOLK, "GONE"))
    assert gone is not None
    assert (gone.record.state, gone.record.reason) == (State.HELD, "superseded")
    assert (world.told, len(world.directory.users)) == (["c1@example.org", "c2@example.org"], 2)
    assert [migration.phase for migration in await world.migrations()] == [Phase.DONE, Phase.DONE]
    assert [each.next for each in (await read_status(world.ports)).migrations] == ["Done. Nothing to do."] * 2
    assert (await world.result(older))["GONE"]["reason"] == "superseded"


async def test_who_is_stuck_in_a_plan_that_is_done_goes_on_while_no_newer_one_is_signed() -> None:
    world = World()
    signed(world)
    await _with_somebody_stuck(world)
    await _planned(world, "newer", line("C1"), line("C2"))
    await poison.replay_stuck(world.ports, poison.Choice(everything=True), "op")
    await _work(world)
    assert world.told == ["c1@example.org", "gone@example.org"]


def _edit(world: World, name: str) -> None:
    """Change the council's profile."""
    world.profiles[SOUTH_NORFOLK] = world.profiles[SOUTH_NORFOLK].model_copy(update={"name": name})


async def _created_and_untold(world: World) -> Migration:
    """A signed plan that was paused because the profile changed when its people were created and not told yet."""
    signed(world)
    await sign_all(world, await _planned(world, "older", *(line(f"C{number}") for number in range(6))))
    world.notifier.fail = [TryLater("message_service_unreachable")] * 100
    while world.directory.writes < 6:
        await _work(world, 1)
    _edit(world, "Another Council")
    while not (await _older(world)).paused:
        await _work(world, 1)
    world.notifier.fail = []
    assert (world.told, (await _older(world)).pause_reason) == ([], "plan_changed")
    return await _older(world)


async def _signed_anew(world: World) -> Migration:
    newer = await _planned(world, "newer", *(line(f"C{number}") for number in range(6)), line("NEW"))
    assert (await _older(world)).paused
    await sign_all(world, newer)
    return newer


async def test_whom_a_paused_plan_created_is_told_when_the_new_plan_is_signed() -> None:
    world = World()
    await _created_and_untold(world)
    await _signed_anew(world)
    await _work(world, 60)
    assert sorted(world.told) == [*(f"c{number}@example.org" for number in range(6)), "new@example.org"]
    assert [(m.phase, m.paused) for m in await world.migrations()] == [(Phase.DONE, False)] * 2
    assert [each.next for each in (await read_status(world.ports)).migrations] == ["Done. Nothing to do."] * 2


async def test_nobody_of_an_older_plan_is_told_otherwise_than_either_was_signed() -> None:
    world = World()
    older = await _created_and_untold(world)
    await _signed_anew(world)
    _edit(world, "A Third Council")
    await _work(world)
    assert world.told == []
    assert (await _older(world)).pause_reason == "plan_changed"
    _edit(world, "Another Council")
    await _work(world)
    assert sorted(world.told) == [*(f"c{number}@example.org" for number in range(6)), "new@example.org"]
    assert ((await _older(world)).id, (await _older(world)).phase) == (older.id, Phase.DONE)


async def _left_and_untold(world: World) -> None:
    """Two signed plans of one profile; the older has created people whom it could not tell yet, and was not paused."""
    signed(world)
    await sign_all(world, await _planned(world, "older", *(line(f"C{number}") for number in range(6))))
    world.notifier.fail = [TryLater("message_service_unreachable")] * 1000
    while world.directory.writes < 6:
        await _work(world, 1)
    newer = await _planned(world, "newer", *(line(f"C{number}") for number in range(6)))
    await sign_all(world, newer)
    await _work(world, 12)


async def test_an_older_plan_is_held_to_what_was_signed_when_it_was_left_to_a_newer_one() -> None:
    world = World()
    await _left_and_untold(world)
    _edit(world, "Another Council")
    await _work(world, 12)
    world.notifier.fail = []
    await _work(world)
    assert (world.told, (await _older(world)).pause_reason) == ([], "plan_changed")
    await control.resume_by_person(world.ports, "", (await _older(world)).id, "ann")
    await _work(world)
    assert len(world.told) == 6
    assert (await _older(world)).phase is Phase.DONE


@pytest.mark.parametrize("reason", ["paused_by_person", "directory_settings", "key_changed"])
async def test_a_newer_plan_ends_no_pause_that_it_does_not_answer(reason: str) -> None:
    world = World()
    older = await _created_and_untold(world)
    await world.ledger.migrations.change(SOUTH_NORFOLK, older.id, lambda m: replace(m, pause_reason=reason))
    await _signed_anew(world)
    await _work(world)
    assert ((await _older(world)).paused, world.told) == (True, ["new@example.org"])


async def _wrong_file(world: World) -> Migration:
    """An upload that nobody signs is paused, because it has half of those that the one before had."""
    limits = PlanSettings.model_validate({"limits": {"rows_percent": 5}})
    world.profiles[SOUTH_NORFOLK] = world.profiles[SOUTH_NORFOLK].model_copy(update={"plan": limits})
    await _planned(world, "full", *(line(f"C{number}") for number in range(20)))
    await _work(world, 60)
    wrong = await _planned(world, "wrong", *(line(f"C{number}") for number in range(5)), line("W1"), line("W2"))
    await _work(world, 6)
    wrong = (await world.migrations())[-1]
    assert wrong.pause_reason == "extract_unlike_last"
    return wrong


async def _named(world: World, migration: Migration) -> Migration:
    found = await world.ledger.migrations.get(SOUTH_NORFOLK, migration.id)
    assert found is not None
    return found


async def test_a_wrong_file_comes_to_its_end_when_the_right_one_was_uploaded() -> None:
    world = World()
    wrong = await _wrong_file(world)
    right = await _planned(world, "right", *(line(f"C{number}") for number in range(21)), line("W2"))
    await control.resume_by_person(world.ports, "", right.id, "ann")
    await _work(world, 60)
    assert [(m.phase, m.paused) for m in await world.migrations()] == [(Phase.DONE, False)] * 3
    assert (await world.result(await _named(world, wrong)))["W1"]["reason"] == "superseded"
    assert sorted(world.told) == sorted([*(f"c{number}@example.org" for number in range(21)), "w2@example.org"])


async def test_a_wrong_file_stays_paused_when_the_next_one_is_never_read_whole() -> None:
    world = World()
    wrong = await _wrong_file(world)
    name = "south-norfolk/right.csv"
    await world.upload(export(line("C1")), name)
    await world.deliver_but(names.STAGE_ROWS)
    await supersede_older(world.ports, await world.migration())
    await world.timers()
    assert [m.paused for m in (await _named(world, wrong), await world.migration())] == [True, False]
    del world.exports.blobs[name]
    await _work(world, 60)
    assert (await world.migration()).reason == "overwritten"
    assert ((await _named(world, wrong)).superseded_by, (await _named(world, wrong)).paused) == ("", True)
    assert "w1@example.org" not in world.told
