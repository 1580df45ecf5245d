"""Waves from the announcement to the last message: nobody before the day, nobody twice, whoever fails or dies."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from shared.errors import ActionRefused, DirectoryRefused, Hold
from shared.model.account import Account, MigrationId
from shared.model.lifecycle import Outcome, State
from shared.model.migration import Migration, Phase
from shared.model.pacing.rate_limit import Quota, Quotas
from shared.model.profile import PlannedWave, Profile
from shared.operations.control import resume_by_person
from shared.operations.status import read_status
from shared.planning.open_waves import confirm_point, confirm_switch, open_wave
from shared.ports import Ports
from shared.review.cases import assign_review
from shared.scheduling.pause import pause_migration
from shared.scheduling.rules.gate import find_account_wave
from tests.simulation.test_crash import PARTS, Death
from tests.support import timeless
from tests.support.plans import assessed, sign_all
from tests.support.rotation import take_points
from tests.support.stories import populate
from tests.support.watched import watched
from tests.support.world import SOUTH_NORFOLK, World, export, line

ANNOUNCE = {"account-is-changing": "t-changing", "accounts-become-one": "t-one"}
"""The clock of a world begins then: a Monday."""
PEOPLE = [f"P{number}" for number in range(24)]
MINUTE = timedelta(minutes=1)


def planned(world: World, *waves: PlannedWave, **plan: object) -> None:
    """Give South Norfolk these waves, and messages before them."""
    profile = world.profiles[SOUTH_NORFOLK]
    mine = profile.plan.model_copy(update={"waves": waves, "announce_days": 1, **plan})
    messages = profile.messages.model_copy(update={"templates": {**profile.messages.templates, **ANNOUNCE}})
    world.profiles[SOUTH_NORFOLK] = profile.model_copy(update={"plan": mine, "messages": messages})


def wave(name: str, takes: int | str, starts: datetime | None = None) -> PlannedWave:
    return PlannedWave(name=name, takes=takes, starts=starts)


def day(number: int, hour: int = 10) -> datetime:
    return datetime(2026, 3, number, hour)  # noqa: DTZ001 - as a clock in London shows it


async def until(world: World, local: datetime, step: timedelta = timedelta(minutes=20)) -> None:
    """Let the world work until a moment (London has no summer time in March's first weeks)."""
    number = 0
    while world.clock.now() < local.replace(tzinfo=UTC):
        await world.timers(number)
        await world.deliver()
        world.clock.tick(min(step, local.replace(tzinfo=UTC) - world.clock.now()))
        number += 1


async def work(world: World, minutes: int = 45) -> None:
    await until(world, (world.clock.now() + minutes * MINUTE).replace(tzinfo=None), MINUTE)


def letters(world: World, *, announcing: bool) -> Counter[str]:
    names = set(ANNOUNCE.values())
    return Counter(letter.address for letter in world.notifier.sent if (letter.template in names) is announcing)


async def waves_of(world: World) -> dict[int, list[Account]]:
    migration = await world.migration()
    found: dict[int, list[Account]] = {}
    for account in await world.accounts():
        mine = find_account_wave(account, migration)
        found.setdefault(mine.number if mine else 0, []).append(account)
    return found


async def states(world: World, number: int) -> Counter[State]:
    return Counter(account.state for account in (await waves_of(world))[number])


def profile_of(world: World) -> Profile:
    return world.profiles[SOUTH_NORFOLK]


async def three_waves(world: World, **plan: object) -> None:
    """A pilot of eight on the 4th, eight on the 10th, the rest on the 11th."""
    slices = (wave("pilot", 8, day(4)), wave("second", 8, day(10)), wave("rest", "rest", day(11)))
    planned(world, *slices, **plan)
    await world.upload(export(*(line(ref) for ref in PEOPLE)))
    await until(world, day(2, 12))


async def test_three_waves_each_on_its_day_and_everybody_told_once() -> None:
    world = World()
    await three_waves(world)
    assert world.notifier.sent == []
    await until(world, day(3, 12))
    assert sum(letters(world, announcing=True).values()) == 8
    assert {letter.change_date for letter in world.notifier.sent} == {"Wednesday 4 March 2026"}
    assert world.directory.writes == 0
    await until(world, day(4, 12))
    assert await states(world, 1) == {State.TOLD: 8}
    assert await states(world, 2) == {State.CLASSIFIED: 8}
    assert {letter.change_date for letter in world.notifier.sent[8:]} == {""}
    await until(world, day(11, 12))
    await work(world)
    assert letters(world, announcing=True) == letters(world, announcing=False)
    assert set(letters(world, announcing=True).values()) == {1}
    assert len(letters(world, announcing=True)) == len(PEOPLE)
    assert (await world.migration()).phase is Phase.DONE
    assert world.errors == []


async def test_a_pilot_that_fails_stops_the_next_wave_until_a_person_opens_it() -> None:
    world = World()
    await three_waves(world)
    await until(world, day(4, 10))
    world.directory.fail = [DirectoryRefused("x", conflict=False, attribute=False, setting=False) for _ in range(2)]
    await until(world, day(10, 12))
    assert await states(world, 1) == {State.TOLD: 6, State.FAILED: 2}
    migration = await world.migration()
    assert migration.gate(2).opened_at is None
    assert migration.gate(2).stopped[0].startswith("Of 8 accounts of wave 1, 2 are stuck: 25.0 %")
    assert await states(world, 2) == {State.CLASSIFIED: 8}
    await pause_migration(world.ports, SOUTH_NORFOLK, migration.id, "asked_to")
    await open_wave(world.ports, SOUTH_NORFOLK, migration.id, 2, "ada", "both are known")
    await work(world)
    assert await states(world, 2) == {State.CLASSIFIED: 8}
    await resume_by_person(world.ports, SOUTH_NORFOLK, migration.id, "ada")
    await until(world, day(11, 12))
    await work(world)
    assert await states(world, 2) == {State.TOLD: 8}
    assert await states(world, 3) == {State.TOLD: 8}
    gate = (await world.migration()).gate(2)
    assert (gate.opened_by, gate.why, gate.stopped) == ("ada", "both are known", ())
    assert set(letters(world, announcing=True).values()) == {1}
    assert set(letters(world, announcing=False).values()) == {1}
    assert len(letters(world, announcing=True)) == 24
    assert len(letters(world, announcing=False)) == 22


async def test_a_wave_waits_for_what_is_to_be_confirmed_for_it() -> None:
    world = World()
    planned(world, wave("all", "rest"), checklist=("sign-up closed",))
    await world.upload(export(line("A")))
    await work(world)
    migration = await world.migration()
    assert migration.gate(1).stopped[0].startswith('"sign-up closed" is not confirmed for wave 1')
    assert world.directory.writes == 0
    await confirm_point(world.ports, SOUTH_NORFOLK, migration.id, 1, "sign-up closed", "ada")
    await work(world)
    assert world.told == ["a@example.org"]
    with pytest.raises(ActionRefused, match="no such migration"):
        await confirm_point(world.ports, SOUTH_NORFOLK, MigrationId("x"), 1, "sign-up closed", "ada")


async def test_a_text_that_changed_since_it_was_signed_stops_the_wave() -> None:
    world = World()
    planned(world, wave("first", 1), wave("rest", "rest", day(4)))
    await world.upload(export(line("A"), line("B")))
    await work(world)
    world.notifier.versions[profile_of(world).messages.templates["set-your-password"]] = 2
    await until(world, day(4, 12))
    assert "version 1 was signed, and it is version 2 now" in (await world.migration()).gate(2).stopped[0]
    assert len(letters(world, announcing=False)) == 1


async def _signed_and_running(world: World) -> Migration:
    """One customer at once, another on the 4th, who has been told so."""
    planned(world, wave("first", 1), wave("rest", "rest", day(4)), approval="required")
    await world.upload(export(line("A"), line("B")))
    await sign_all(world, await assessed(world))
    await work(world)
    await until(world, day(3, 12))
    assert (len(letters(world, announcing=False)), len(letters(world, announcing=True))) == (1, 1)
    return await world.migration()


async def test_a_profile_that_changed_since_it_was_signed_stops_the_wave_until_it_is_put_back() -> None:
    world = World()
    migration = await _signed_and_running(world)
    was = profile_of(world)
    world.profiles[SOUTH_NORFOLK] = was.model_copy(update={"name": "Another Council"})
    await until(world, day(4, 12))
    gate = (await world.migration()).gate(2)
    assert (gate.opened_at, gate.stopped_at is None) == (None, False)
    assert gate.stopped == (
        "The profile is not the one that was signed; put it back, or upload again and sign the new plan.",
        f'Mend it, or open it all the same: ops wave open {migration.id} 2 --why "...".',
    )
    assert len(letters(world, announcing=False)) == 1
    world.profiles[SOUTH_NORFOLK] = was
    await work(world)
    assert len(letters(world, announcing=False)) == 2


async def test_a_text_that_changed_after_the_signatures_stops_the_next_wave() -> None:
    world = World()
    await _signed_and_running(world)
    world.notifier.versions[profile_of(world).messages.templates["set-your-password"]] = 2
    await until(world, day(4, 12))
    gate = (await world.migration()).gate(2)
    assert gate.opened_at is None
    assert "version 1 was signed, and it is version 2 now; upload again and sign the new plan." in gate.stopped[0]
    assert len(letters(world, announcing=False)) == 1


async def _signed_and_to_be_announced(world: World) -> Migration:
    """Nobody is moved before the 4th, or told of it before the 3rd."""
    planned(world, wave("everybody", "rest", day(4)), approval="required")
    await world.upload(export(line("A"), line("B")))
    await sign_all(world, await assessed(world))
    await work(world)
    return await world.migration()


async def test_nobody_is_told_by_a_text_that_was_not_signed() -> None:
    world = World()
    await _signed_and_to_be_announced(world)
    template = profile_of(world).messages.templates["account-is-changing"]
    world.notifier.versions[template] = 2
    await until(world, day(3, 12))
    migration = await world.migration()
    assert migration.pause_reason == "plan_changed"
    assert migration.pause_detail.startswith("The text of account-is-changing has changed: version 1 was signed")
    assert world.notifier.sent == []
    world.notifier.versions[template] = 1
    await resume_by_person(world.ports, "", migration.id, "ann")
    await until(world, day(4, 12))
    assert (len(letters(world, announcing=True)), len(letters(world, announcing=False))) == (2, 2)


async def test_who_resumes_lets_this_difference_be_and_no_other() -> None:
    world = World()
    await _signed_and_to_be_announced(world)
    world.profiles[SOUTH_NORFOLK] = profile_of(world).model_copy(update={"name": "Another Council"})
    await until(world, day(3, 12))
    migration = await world.migration()
    assert migration.pause_detail.startswith("The profile is not the one that was signed")
    assert world.notifier.sent == []
    await resume_by_person(world.ports, "", migration.id, "ann")
    await until(world, day(3, 14))
    assert (len(letters(world, announcing=True)), (await world.migration()).paused) == (2, False)
    # The wave itself is still for its gate, and another difference is another pause.
    await until(world, day(4, 12))
    assert (await world.migration()).gate(1).stopped[0].startswith("The profile is not the one that was signed")
    await open_wave(world.ports, SOUTH_NORFOLK, migration.id, 1, "ann", "only the name is another")
    world.notifier.versions[profile_of(world).messages.templates["set-your-password"]] = 2
    await work(world)
    assert "version 2 now" in (await world.migration()).pause_detail
    assert world.directory.writes == 0


async def test_a_second_edit_of_the_profile_is_another_difference() -> None:
    world = World()
    await _signed_and_to_be_announced(world)
    world.profiles[SOUTH_NORFOLK] = profile_of(world).model_copy(update={"name": "Another Council"})
    await until(world, day(3, 12))
    first = await world.migration()
    world.profiles[SOUTH_NORFOLK] = profile_of(world).model_copy(update={"name": "A Third Council"})
    await resume_by_person(world.ports, "", first.id, "ann")
    await work(world)
    second = await world.migration()
    assert (second.pause_reason, second.pause_detail) == ("plan_changed", first.pause_detail)
    assert world.notifier.sent == []
    await resume_by_person(world.ports, "", second.id, "ann")
    await until(world, day(3, 14))
    assert ((await world.migration()).paused, len(letters(world, announcing=True))) == (False, 2)


async def test_a_text_that_changes_beyond_what_a_pause_can_say_is_another_difference() -> None:
    world = World()
    await _signed_and_to_be_announced(world)
    templates = profile_of(world).messages.templates
    world.notifier.versions.update(dict.fromkeys(templates.values(), 2))
    await until(world, day(3, 12))
    first = await world.migration()
    assert first.plan is not None
    told = first.pause_detail.count("The text of")
    assert 1 < told < len(first.plan.templates)
    assert first.pause_detail.endswith(f" And {len(first.plan.templates) - told} more.")
    await resume_by_person(world.ports, "", first.id, "ann")
    world.notifier.versions[list(templates.values())[-1]] = 3
    await work(world)
    second = await world.migration()
    assert (second.pause_reason, second.pause_detail) == ("plan_changed", first.pause_detail)
    assert world.notifier.sent == []


async def test_texts_that_nobody_signed_are_not_sent_when_messages_are_switched_on() -> None:
    world = World()
    planned(world, wave("everybody", "rest", day(5)), approval="required", council_tells_customers=True)
    on = False
    world.wrap = lambda ports: ports if on else replace(ports, notifier=None)
    await world.upload(export(line("A"), line("B")))
    await sign_all(world, await assessed(world))
    await until(world, day(3))
    on = True
    await until(world, day(6))
    migration = await world.migration()
    assert migration.pause_reason == "plan_changed"
    assert "was not signed, and it would be sent now" in migration.pause_detail
    assert (world.notifier.sent, world.directory.writes) == ([], 0)
    on = False
    await resume_by_person(world.ports, "", migration.id, "ann")
    await until(world, day(6, 12))
    assert (world.notifier.sent, world.directory.writes) == ([], 2)


async def test_a_wave_that_a_person_opened_all_the_same_goes_on() -> None:
    world = World()
    migration = await _signed_and_running(world)
    world.profiles[SOUTH_NORFOLK] = profile_of(world).model_copy(update={"name": "Another Council"})
    await until(world, day(4, 12))
    await open_wave(world.ports, SOUTH_NORFOLK, migration.id, 2, "ann", "only the name is another")
    await work(world)
    assert len(letters(world, announcing=False)) == 2


async def test_a_text_that_changed_while_the_plan_waited_for_signatures_stops_even_the_first_wave() -> None:
    world = World()
    planned(world, wave("everybody", "rest"), approval="required")
    await world.upload(export(line("A")))
    migration = await assessed(world)
    world.notifier.versions[profile_of(world).messages.templates["set-your-password"]] = 2
    await sign_all(world, migration)
    await work(world)
    assert "it is version 2 now" in (await world.migration()).gate(1).stopped[0]
    assert (world.directory.writes, world.notifier.sent) == (0, [])


async def test_a_profile_that_changed_while_the_plan_was_taken_over_stops_even_the_first_wave() -> None:
    world = World()
    planned(world, wave("everybody", "rest"), approval="required")
    await world.upload(export(line("A")))
    await sign_all(world, await assessed(world))
    world.profiles[SOUTH_NORFOLK] = profile_of(world).model_copy(update={"name": "Another Council"})
    await work(world)
    assert (await world.migration()).gate(1).stopped[0].startswith("The profile is not the one that was signed")
    assert (world.directory.writes, world.notifier.sent) == (0, [])


async def test_who_is_not_reached_before_the_change_is_not_moved() -> None:
    world = World()
    planned(world, wave("all", "rest", day(4)))
    await world.upload(export(line("A"), line("B"), line("C")))
    world.notifier.unreachable = {"b@example.org"}
    await until(world, day(4, 12))
    ended = {account.reason: account for account in await world.accounts()}
    assert (ended["address_undelivered"].state, ended["address_undelivered"].done) == (State.HELD, False)
    assert ended["address_undelivered"].announced_at is None
    assert world.directory.writes == 2
    assert letters(world, announcing=False) == {"a@example.org": 1, "c@example.org": 1}


async def test_an_address_that_is_refused_at_the_announcement_is_held_before_anything_is_created() -> None:
    world = World()
    planned(world, wave("all", "rest", day(4)))
    await world.upload(export(line("A")))
    world.notifier.fail = [Hold("address_refused")]
    await until(world, day(4, 12))
    [account] = await world.accounts()
    assert (account.state, account.reason) == (State.HELD, "address_refused")
    assert world.directory.writes == 0


async def test_who_was_told_and_not_reached_is_shown_to_people_afterwards() -> None:
    world = World()
    await world.upload(export(line("A"), line("B")))
    await work(world)
    assert (await world.migration()).phase is Phase.DONE
    world.notifier.unreachable = {"b@example.org"}
    await work(world)
    rows = await world.result()
    assert (rows["B"]["state"], rows["B"]["reason"]) == ("held", "address_undelivered")
    assert rows["A"]["state"] == "told"
    assert len(world.told) == 2


async def test_whom_no_announcement_is_for_stands_in_nobodys_way() -> None:
    world = World()
    planned(world, wave("all", "rest", day(4)))
    messages = profile_of(world).messages
    some = {name: id_ for name, id_ in messages.templates.items() if name != "accounts-become-one"}
    changed = {"messages": messages.model_copy(update={"templates": some})}
    world.profiles[SOUTH_NORFOLK] = profile_of(world).model_copy(update=changed)
    world.quotas = Quotas(message=Quota(1, MINUTE, 1.0, at_once=1))
    joined = [f"J{number}" for number in range(40)]
    for ref in joined:
        world.directory.local_user(f"{ref.lower()}@example.org", "Ada", "Example", datetime(2015, 1, 1, tzinfo=UTC))
    created = PEOPLE[:8]
    await world.upload(export(*(line(ref) for ref in (*joined, *created))))
    await until(world, day(4, 9))
    assert Counter(a.outcome for a in await world.accounts()) == {Outcome.LINK: 40, Outcome.CREATE: 8}
    assert len(letters(world, announcing=True)) == len(created)


async def test_a_wave_without_a_date_waits_for_the_receipts_of_the_one_before() -> None:
    world = World()
    planned(world, wave("pilot", 8), wave("rest", "rest"))
    await world.upload(export(*(line(ref) for ref in PEOPLE)))
    step = timedelta(seconds=10)
    while len(world.told) < 8:
        await until(world, (world.clock.now() + step).replace(tzinfo=None), step)
    await until(world, (world.clock.now() + 2 * step).replace(tzinfo=None), step)
    # What could not be delivered comes back a little later.
    world.notifier.unreachable = set(world.told)
    await work(world)
    assert "8 are not reached" in (await world.migration()).gate(2).stopped[0]
    assert world.directory.writes == 8


async def test_nobody_is_told_before_a_person_confirmed_that_the_portal_has_switched() -> None:
    world = World()
    planned(world, wave("all", "rest"), switch="at-once", switch_at=day(4), announce_days=0)
    await world.upload(export(line("A"), line("B")))
    await until(world, day(4, 14))
    migration = await world.migration()
    assert {account.state for account in await world.accounts()} == {State.PROVISIONED}
    assert letters(world, announcing=False) == Counter()
    assert migration.phase is Phase.RUNNING
    await confirm_switch(world.ports, SOUTH_NORFOLK, migration.id, "ada")
    await work(world)
    assert letters(world, announcing=False) == {"a@example.org": 1, "b@example.org": 1}
    assert (await world.migration()).phase is Phase.DONE


async def test_a_switch_that_is_confirmed_tells_those_too_whom_an_older_plan_moved() -> None:
    world = World()
    planned(world, wave("all", "rest", day(3)), approval="required", switch="at-once", switch_at=day(4))
    await world.upload(export(line("A")))
    await sign_all(world, await assessed(world))
    await until(world, day(3, 12))
    await world.upload(export(line("A"), line("B")), "south-norfolk/second.csv")
    await sign_all(world, await assessed(world))
    await until(world, day(4, 10))
    older, newer = await world.migrations()
    waits = [each.waits for each in (await read_status(world.ports)).migrations if each.migration == older.id]
    assert [wait.command for wait in waits[0]] == [f"ops switch confirm {older.id}"]
    assert letters(world, announcing=False) == Counter()
    await confirm_switch(world.ports, SOUTH_NORFOLK, newer.id, "ada")
    await work(world)
    assert letters(world, announcing=False) == {"a@example.org": 1, "b@example.org": 1}
    assert {migration.phase for migration in await world.migrations()} == {Phase.DONE}


async def test_a_newer_plan_moves_nobody_before_the_day_that_was_told() -> None:
    world = World()
    await three_waves(world, approval="required", announce_days=9)
    await sign_all(world, await world.migration())
    await until(world, day(5))
    told = {letter.address: letter.change_date for letter in world.notifier.sent if letter.change_date}
    await world.upload(export(*(line(ref) for ref in [*PEOPLE, "NEW"])), "south-norfolk/second.csv")
    await sign_all(world, await assessed(world))
    await until(world, day(6))
    moved = Counter(told.get(address, "nobody told") for address in letters(world, announcing=False))
    assert moved == {"Wednesday 4 March 2026": 8, "nobody told": 1}
    mine = [letter.change_date for letter in world.notifier.sent if letter.address == "new@example.org"]
    assert mine == ["Thursday 5 March 2026", ""]  # the day of its wave was over
    await until(world, day(11, 12))
    await work(world)
    assert set(letters(world, announcing=False).values()) == set(letters(world, announcing=True).values()) == {1}
    assert len(letters(world, announcing=False)) == len(PEOPLE) + 1


@pytest.mark.parametrize("approval", ["required", "automatic"])
async def test_a_newer_plan_with_earlier_dates_moves_nobody_before_the_day_that_was_told(approval: str) -> None:
    world = World()
    planned(world, wave("some", 1, day(10)), wave("rest", "rest", day(11)), approval=approval, announce_days=9)
    await world.upload(export(line("A"), line("B")))
    await _signed(world, approval)
    await until(world, day(3))
    told = {letter.address: letter.change_date for letter in world.notifier.sent}
    assert sorted(told.values()) == ["Tuesday 10 March 2026", "Wednesday 11 March 2026"]
    planned(world, wave("some", 2, day(4)), wave("rest", "rest", day(5)), approval=approval, announce_days=9)
    await world.upload(export(line("A"), line("B"), line("NEW")), "south-norfolk/second.csv")
    await _signed(world, approval)
    for last, moved in ((10, 0), (11, 1), (12, 2)):
        await until(world, day(last, 9))
        assert sum(letters(world, announcing=False)[who] for who in told) == moved
    assert letters(world, announcing=False) == letters(world, announcing=True)
    assert letters(world, announcing=False) == Counter({f"{who}@example.org": 1 for who in ("a", "b", "new")})


async def _signed(world: World, approval: str) -> None:
    if approval == "required":
        await sign_all(world, await assessed(world))


async def test_with_a_switch_at_once_the_day_that_is_told_is_the_day_of_the_switch() -> None:
    world = World()
    planned(world, wave("some", 1, day(3)), wave("rest", "rest", day(4)), switch="at-once", switch_at=day(10))
    await world.upload(export(line("A"), line("B")))
    await until(world, day(4, 14))
    assert {letter.change_date for letter in world.notifier.sent} == {"Tuesday 10 March 2026"}
    assert letters(world, announcing=True) == {"a@example.org": 1, "b@example.org": 1}
    assert {account.state for account in await world.accounts()} == {State.PROVISIONED}


async def test_customers_are_told_at_once_when_the_switch_is_confirmed_soon_after_they_were_moved() -> None:
    world = World()
    planned(world, wave("all", "rest"), switch="at-once", switch_at=datetime(2026, 2, 24, 10), announce_days=0)  # noqa: DTZ001
    await world.upload(export(line("A"), line("B")))
    while world.directory.writes < 2:
        await _a_minute(world)
    assert letters(world, announcing=False) == Counter()
    await confirm_switch(world.ports, SOUTH_NORFOLK, (await world.migration()).id, "ada")
    await _a_minute(world)
    assert letters(world, announcing=False) == {"a@example.org": 1, "b@example.org": 1}
    assert {account.unacknowledged_sends for account in await world.accounts()} == {0}


async def _a_minute(world: World) -> None:
    await until(world, (world.clock.now() + MINUTE).replace(tzinfo=None), timedelta(seconds=10))


async def test_a_wave_waits_until_every_review_case_has_an_owner_and_a_date() -> None:
    world = World()
    populate(world)
    await _with_a_case(world)
    await until(world, day(4, 12))
    migration = await world.migration()
    assert migration.gate(2).stopped[0].startswith("1 review cases of wave 1 have no owner or no date")
    assign = ("names_differ", "helpdesk", "2026-03-06", "ada")
    assert await assign_review(world.ports, SOUTH_NORFOLK, migration.id, *assign) == 1
    await work(world)
    assert (await world.migration()).gate(2).opened_at is not None
    [case] = [account for account in await world.accounts() if account.state is State.REVIEW]
    assert (case.owner, case.decide_by, case.reason) == ("helpdesk", "2026-03-06", "names_differ")
    assert (await world.ledger.accounts.list_history(SOUTH_NORFOLK, case.id))[-1].by == "ada"


async def _with_a_case(world: World) -> None:
    """One wave for the one on the list, whose name differs from the directory's; the rest on the 4th."""
    planned(world, wave("pilot", "pilot"), wave("rest", "rest", day(4)), pilot=("V1",))
    await world.upload(export(line("V1", given="Vera", surname="Reviewed"), line("A")))


@pytest.mark.parametrize(
    ("which", "owner", "decide_by", "sentence"),
    [
        ("names_differ", "b@example.org", "2026-03-06", "No e-mail address"),
        ("names_differ", "", "2026-03-06", "Nobody said the owner"),
        ("names_differ", "desk", "6 March", "should be written like"),
        ("names_differ", "desk", "2026-03-01", "That day is over"),
        ("names_missing", "desk", "2026-03-06", "No case in review"),
    ],
)
async def test_a_case_is_not_given_to_nobody(which: str, owner: str, decide_by: str, sentence: str) -> None:
    world = World()
    populate(world)
    await _with_a_case(world)
    await work(world)
    migration = await world.migration()
    with pytest.raises(ActionRefused, match=sentence):
        await assign_review(world.ports, SOUTH_NORFOLK, migration.id, which, owner, decide_by, "ada")


# the host dies


async def _two_waves(death: Death) -> None:
    world = World()
    planned(world, wave("pilot", 1, day(3)), wave("rest", "rest", day(3, 11)))

    def wrap(ports: Ports) -> Ports:
        return watched(ports, world.tables, death.life())

    world.wrap = wrap
    populate(world)
    await world.upload(export(line("A"), line("L1", given="Lena", surname="Linked")))
    await until(world, day(2, 12), 10 * MINUTE)
    world.clock.tick(timedelta(hours=21, minutes=50))
    await until(world, day(3, 13), 10 * MINUTE)
    assert world.errors == []
    assert letters(world, announcing=True) == {"a@example.org": 1, "l1@example.org": 1}
    assert letters(world, announcing=False) == {"a@example.org": 1, "l1@example.org": 1}
    assert {account.state for account in await world.accounts()} == {State.TOLD}


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_the_host_dies_at_an_effect_and_everybody_is_announced_to_and_told_once(
    after: bool,  # noqa: FBT001 - a parameter of the table
    part: int,
) -> None:
    death = Death()
    timeless.run(_two_waves(death))
    assert death.effects.count("notifier.send") == 4
    for at in take_points(range(1 + part, len(death.effects) + 1, PARTS), death.effects):
        timeless.run(_two_waves(Death(at, after=after)))
