"""The canary in memory: it passes, it fails with the right sentence, and leaves nothing behind either way."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from shared.errors import ActionRefused, AnswerLost, DirectoryRefused, Stop, Throttled, TryLater
from shared.model.account import Authority, DirectoryId
from shared.model.lifecycle import Outcome, State
from shared.model.safeguards.canary import (
    CANARY_REF,
    GIVEN_NAME,
    MAX_READ_LAG,
    RETIRED,
    SURNAME,
    Canary,
    CanaryStep,
    is_recent_pass,
)
from shared.operations.status import read_status
from shared.readiness.canary_steps import MOVES
from shared.readiness.rules.canary_texts import FAILURES, OK, QUESTIONS, WAITS, describe_step, explain_failure
from tests.support.canaries import ADDRESS, Story
from tests.support.world import SOUTH_NORFOLK, World, export, line

LONG_AGO = datetime(2018, 1, 1, tzinfo=UTC)
NOBODY = DirectoryId("00000000-0000-4000-8000-00000000dead")


def _refusal(*, setting: bool = False, attribute: bool = False, target: str = "") -> DirectoryRefused:
    return DirectoryRefused("Request_BadRequest", conflict=False, attribute=attribute, setting=setting, target=target)


def _values(canary: Canary) -> dict[str, str]:
    return {name: answer.value for name, answer in canary.answers.items()}


def _codes(canary: Canary) -> list[str]:
    return [each.failure for each in canary.failures]


def _forgetful(story: Story) -> Story:
    """The same directory, and tables in which nothing stands."""
    world = World(clock=story.world.clock)
    world.directory = story.world.directory
    return Story(world)


async def test_a_canary_passes_and_nothing_is_left() -> None:
    story = Story()
    canary = await story.run()
    assert canary.verdict == "passed"
    assert [each.step for each in canary.done] == list(CanaryStep)[:-1]
    assert story.world.directory.users == {}
    assert len(story.world.directory.bin) == 2


async def test_it_answers_the_open_questions_with_their_dates() -> None:
    canary = await Story().run()
    assert _values(canary) == {
        "force_change_accepted": "yes",
        "readable_after_seconds": "0.0",
        "visible_after_seconds": "0.0",
        "look_up_ignores_case": "yes",
        "conflict_property": "proxyAddresses",
        "change_visible_after_seconds": "0.0",
        "password_changed_moves_on_reset": "yes",
        "app_may_delete_users": "no",
        "deleted_user_blocks_address": "no",
    }
    assert all(canary.started_at <= answer.at for answer in canary.answers.values())


async def _created_but_hidden(story: Story) -> None:
    """Reads do not show the first user yet."""
    story.world.directory.fail = [TryLater("directory_unreachable")]
    await story.ask()
    story.world.directory.hidden = {DirectoryId("00000000-0000-4000-8000-000000000001")}


async def test_how_long_reads_lag_is_measured() -> None:
    story = Story()
    await _created_but_hidden(story)
    assert (await story.ask()).canary.step is CanaryStep.READ_BACK
    story.world.clock.tick(timedelta(seconds=30))
    story.world.directory.hidden.clear()
    canary = await story.run()
    assert _values(canary)["readable_after_seconds"] == _values(canary)["visible_after_seconds"] == "30.0"
    assert canary.verdict == "passed"


async def test_a_user_that_never_shows_fails_and_is_asked_to_be_deleted() -> None:
    story = Story()
    await _created_but_hidden(story)
    canary = await story.until(lambda canary: bool(canary.failures))
    assert _codes(canary) == ["not_visible"]
    story.world.directory.hidden.clear()


async def test_where_force_change_is_refused_it_fails_and_names_the_other_way() -> None:
    story = Story()
    story.world.directory.fail = [_refusal(setting=True, target="passwordProfile")]
    canary = await story.run()
    assert _codes(canary) == ["force_change_refused"]
    assert 'password_reset = "flag"' in explain_failure("force_change_refused").remedy
    assert _values(canary)["force_change_accepted"] == "no"
    assert story.world.directory.users == {}
    assert canary.made == ()


async def test_where_the_flag_survives_the_reset_it_fails_and_names_the_policy() -> None:
    story = Story()
    story.set_directory(password_reset="flag")
    story.people.clears = False
    canary = await story.run()
    assert _codes(canary) == ["flag_survives_reset"]
    assert "MustResetPassword = false" in explain_failure("flag_survives_reset").remedy
    assert _values(canary)["flag_cleared_by_reset"] == "no"
    assert story.world.directory.users == {}


async def test_where_the_reset_clears_the_flag_it_passes() -> None:
    story = Story()
    story.set_directory(password_reset="flag")
    canary = await story.run()
    assert canary.verdict == "passed"
    assert _values(canary)["flag_cleared_by_reset"] == "yes"
    assert "force_change_accepted" not in canary.answers


async def test_where_a_deleted_user_blocks_its_address_it_fails_and_says_to_purge() -> None:
    story = Story()
    story.world.directory.bin_holds_addresses = True
    canary = await story.run()
    assert _codes(canary) == ["deleted_user_blocks_address"]
    assert "Purge deleted users" in explain_failure("deleted_user_blocks_address").remedy
    assert _values(canary)["deleted_user_blocks_address"] == "yes"
    assert story.world.directory.users == {}


async def test_a_conflict_that_ends_within_a_minute_is_only_lag() -> None:
    story = Story()
    directory = story.world.directory
    directory.bin_holds_addresses = True
    await story.until(lambda canary: canary.step is CanaryStep.AGAIN)
    story.world.clock.tick(timedelta(seconds=20))
    directory.bin_holds_addresses = False
    canary = await story.run()
    assert canary.verdict == "passed"
    assert _values(canary)["deleted_user_blocks_address"] == "no"


async def test_an_address_that_somebody_has_is_refused_before_anything_is_written() -> None:
    story = Story()
    somebody = story.world.directory.local_user(ADDRESS, "Ada", "Larter", LONG_AGO)
    canary = await story.run()
    assert _codes(canary) == ["address_taken"]
    assert story.world.directory.users == {somebody.id: somebody}
    assert story.world.directory.writes == 0


async def test_a_mistyped_address_does_not_hold_a_wave_that_a_canary_has_let_go() -> None:
    story = Story()
    passed = await story.run()
    story.world.directory.local_user("customer@example.org", "Ada", "Larter", LONG_AGO)
    story.address = "customer@example.org"
    canary = await story.run()
    assert (canary.verdict, _codes(canary)) == ("failed", ["address_taken"])
    assert (canary.passed_at, canary.failed_at) == (passed.passed_at, None)
    assert is_recent_pass(canary, 14, story.world.clock.now(), by_flag=False)


async def test_somebody_who_signs_up_between_look_and_create_keeps_the_address() -> None:
    story = Story()
    story.world.directory.fail = [TryLater("directory_unreachable")]
    await story.ask()
    somebody = story.world.directory.local_user(ADDRESS, "Ada", "Larter", LONG_AGO)
    canary = await story.run()
    assert _codes(canary) == ["address_taken"]
    assert story.world.directory.users == {somebody.id: somebody}


async def test_an_address_that_nobody_shows_is_given_up_after_a_quarter_of_an_hour() -> None:
    story = Story()
    holder = story.world.directory.local_user(ADDRESS, "Ada", "Larter", LONG_AGO)
    story.world.directory.hidden = {holder.id}
    progress = await story.ask()
    assert progress.trouble == "address_held"
    canary = await story.run()
    assert _codes(canary) == ["address_held"]
    assert canary.finished_at is not None
    assert canary.finished_at - canary.started_at > timedelta(minutes=15)


async def test_before_anything_is_made_another_address_may_be_taken() -> None:
    story = Story()
    holder = story.world.directory.local_user(ADDRESS, "Ada", "Larter", LONG_AGO)
    story.world.directory.hidden = {holder.id}
    await story.ask()
    story.address = "wren@example.org"
    canary = await story.run()
    assert (canary.verdict, canary.run) == ("passed", 2)


async def test_two_users_at_one_address_are_a_failure_and_both_are_undone() -> None:
    story = Story()
    story.people.resets = False
    canary = await story.until(lambda canary: canary.step is CanaryStep.RESET)
    stored = await story.world.ledger.canaries.get(SOUTH_NORFOLK)
    assert stored is not None
    assert canary.user is not None
    # As if the directory had taken a second one, and the answer had been lost.
    await story.world.ledger.canaries.save(stored, replace(canary, step=CanaryStep.CONFLICT))
    story.world.directory.add(replace(story.world.directory.users[canary.user], id=NOBODY))
    ended = await story.run()
    assert _codes(ended) == ["address_not_unique"]
    assert story.world.directory.users == {}


async def test_a_lost_answer_to_the_create_is_looked_up() -> None:
    story = Story()
    story.world.directory.fail_after = [AnswerLost()]
    canary = await story.run()
    assert canary.verdict == "passed"
    assert len(story.world.directory.bin) == 2


@pytest.mark.parametrize("lost", range(8))
async def test_a_lost_answer_to_any_write_changes_nothing_in_the_end(lost: int) -> None:
    story = Story()

    class Losing(list[Exception]):
        """Loses the answer to one write of all."""

        writes = 0

        def __bool__(self) -> bool:
            self.writes += 1
            return self.writes == lost + 1

        def pop(self, index: object = -1) -> Exception:  # noqa: ARG002 - as a list's
            return AnswerLost()

    story.world.directory.fail_after = Losing()
    canary = await story.run()
    assert canary.verdict == "passed"
    assert story.world.directory.users == {}
    assert len(story.world.directory.bin) == 2


async def test_what_the_app_may_not_do_ends_the_canary_with_the_apps_own_reason() -> None:
    story = Story()
    story.world.directory.fail = [Stop("permission_missing", "Authorization_RequestDenied")]
    canary = await story.run()
    assert _codes(canary) == ["permission_missing"]
    assert "then run the canary again" in explain_failure("permission_missing").remedy


async def test_an_unknown_attribute_ends_the_canary() -> None:
    story = Story()
    story.world.directory.fail = [_refusal(attribute=True)]
    assert _codes(await story.run()) == ["attribute_unknown"]


async def test_a_wrong_issuer_is_not_taken_for_a_refused_password_change() -> None:
    story = Story()
    story.world.directory.fail = [_refusal(setting=True, target="issuer")]
    assert _codes(await story.run()) == ["setting_refused"]


async def test_a_directory_that_does_not_answer_is_asked_again() -> None:
    story = Story()
    story.world.directory.fail_reads = [Throttled("directory_throttled"), TryLater("directory_unreachable")]
    assert (await story.ask()).trouble == "directory_throttled"
    assert (await story.ask()).trouble == "directory_unreachable"
    assert (await story.run()).verdict == "passed"


async def test_a_date_that_does_not_move_is_learned_from_what_the_person_says() -> None:
    story = Story()
    story.people.moves = False
    await story.until(lambda canary: canary.step is CanaryStep.RESET)
    await story.ask(signed_in=True)
    canary = await story.run()
    assert canary.verdict == "passed"
    assert _values(canary)["password_changed_moves_on_reset"] == "no"
    assert _values(canary)["sign_in_after_reset"] == "yes"


async def test_a_sign_in_that_did_not_work_fails_the_canary() -> None:
    story = Story()
    story.people.resets = False
    await story.until(lambda canary: canary.step is CanaryStep.RESET)
    await story.ask(signed_in=False)
    canary = await story.run()
    assert _codes(canary) == ["sign_in_failed"]
    assert story.world.directory.users == {}


async def test_a_sign_in_that_did_not_work_counts_even_afterwards() -> None:
    story = Story()
    passed = await story.run()
    assert is_recent_pass(passed, 14, story.world.clock.now(), by_flag=False)
    canary = (await story.ask(signed_in=False)).canary
    assert canary.verdict == "failed"
    assert not is_recent_pass(canary, 14, story.world.clock.now(), by_flag=False)
    assert canary.run == passed.run


async def test_nobody_can_have_signed_in_before_the_user_is_there() -> None:
    with pytest.raises(ActionRefused, match="Nobody can have signed in yet"):
        await Story().ask(signed_in=True)


async def test_it_waits_for_the_customer_as_long_as_it_takes() -> None:
    story = Story()
    story.people.resets = False
    await story.until(lambda canary: canary.step is CanaryStep.RESET)
    story.world.clock.tick(timedelta(days=3))
    assert (await story.ask()).canary.step is CanaryStep.RESET
    story.people.resets = True
    assert (await story.run()).verdict == "passed"


async def test_it_waits_for_the_administrator_and_marks_are_off_by_then() -> None:
    story = Story()
    story.people.deletes = False
    canary = await story.until(lambda canary: canary.step is CanaryStep.GONE)
    user = story.world.directory.users[canary.living[0]]
    assert (user.display_name, dict(user.owner_markers), dict(user.customer_refs)) == (RETIRED, {}, {})


async def test_an_app_that_may_delete_does_so_and_the_right_is_reported() -> None:
    story = Story()
    story.people.deletes = False
    story.world.directory.may_delete = True
    canary = await story.run()
    assert canary.verdict == "passed"
    assert _values(canary)["app_may_delete_users"] == "yes"


async def test_an_undo_that_is_refused_is_tried_again_and_never_given_up() -> None:
    story = Story()
    story.people.deletes = False
    story.people.resets = False
    canary = await story.until(lambda canary: canary.step is CanaryStep.RESET)
    story.world.directory.fail = [Stop("permission_missing")]
    progress = await story.ask(undo=canary.user)
    assert (progress.trouble, progress.canary.step) == ("permission_missing", CanaryStep.UNDO)
    story.people.deletes = True
    assert (await story.run()).verdict == "cancelled"
    assert story.world.directory.users == {}


async def test_an_undo_ends_the_canary_wherever_it_is() -> None:
    story = Story()
    story.people.resets = False
    canary = await story.until(lambda canary: canary.step is CanaryStep.RESET)
    await story.ask(undo=canary.user)
    ended = await story.run()
    assert ended.verdict == "cancelled"
    assert ended.passed_at is None
    assert story.world.directory.users == {}
    assert (await story.ask(undo=canary.user)).canary == ended


async def test_an_undo_of_somebody_else_is_refused_and_changes_nothing() -> None:
    story = Story()
    somebody = story.world.directory.local_user("ada@example.org", "Ada", "Larter", LONG_AGO)
    with pytest.raises(ActionRefused, match="No test customer"):
        await story.ask(undo=somebody.id)
    assert story.world.directory.users == {somebody.id: somebody}


async def test_a_test_customer_that_nobody_remembers_is_known_by_its_mark() -> None:
    story = Story()
    story.people.resets = False
    canary = await story.until(lambda canary: canary.step is CanaryStep.RESET)
    forgetful = _forgetful(story)
    assert canary.user is not None
    await forgetful.ask(undo=canary.user)
    assert (await forgetful.run()).verdict == "cancelled"
    assert forgetful.world.directory.users == {}


async def test_what_an_earlier_canary_left_is_taken_back_first() -> None:
    story = Story()
    story.people.resets = False
    await story.until(lambda canary: canary.step is CanaryStep.RESET)
    forgetful = _forgetful(story)
    assert _codes(await forgetful.run()) == ["left_over"]
    assert forgetful.world.directory.users == {}
    assert (await forgetful.run()).verdict == "passed"


async def test_a_canary_under_way_is_not_mixed_with_another_address() -> None:
    story = Story()
    story.people.resets = False
    await story.until(lambda canary: canary.step is CanaryStep.RESET)
    story.address = "wren@example.org"
    with pytest.raises(ActionRefused, match="has another address"):
        await story.ask()


async def test_two_people_at_once_make_one_test_customer() -> None:
    story = Story()
    story.people.resets = False
    first, second = await asyncio.gather(story.ask(), story.ask())
    assert first.canary.made == second.canary.made
    canary = await story.until(lambda canary: canary.step is CanaryStep.RESET)
    assert list(story.world.directory.users) == [canary.user]


async def test_a_new_run_keeps_what_the_last_one_found_out_until_it_knows_better() -> None:
    story = Story()
    first = await story.run()
    story.people.resets = False
    second = await story.until(lambda canary: canary.step is CanaryStep.RESET)
    assert (second.run, second.passed_at) == (2, first.passed_at)
    assert second.answers["deleted_user_blocks_address"] == first.answers["deleted_user_blocks_address"]
    assert second.answers["readable_after_seconds"].at > first.answers["readable_after_seconds"].at


async def test_a_later_failure_outweighs_an_earlier_pass() -> None:
    story = Story()
    await story.run()
    story.world.directory.bin_holds_addresses = False
    story.world.directory.fail = [_refusal(setting=True, target="passwordProfile")]
    canary = await story.run()
    assert canary.passed_at is not None
    assert not is_recent_pass(canary, 14, story.world.clock.now(), by_flag=False)


async def test_the_record_holds_nothing_personal() -> None:
    story = Story()
    await story.run()
    for _, partition, row_key, values in story.world.tables.everything():
        assert ADDRESS not in f"{partition} {row_key} {values!r}".lower()
        assert "example.org" not in repr(values)


def test_a_test_customer_is_no_account_of_any_source_id() -> None:
    pseudonyms = World().ports.pseudonyms
    assert pseudonyms.canary(SOUTH_NORFOLK) != pseudonyms.account(SOUTH_NORFOLK, CANARY_REF)
    assert pseudonyms.canary(SOUTH_NORFOLK) != pseudonyms.canary(Authority("great-yarmouth"))


@pytest.mark.parametrize("retired", [False, True])
async def test_a_real_customer_is_never_joined_to_a_test_customer(*, retired: bool) -> None:
    story = Story()
    story.people.resets, story.people.deletes = retired, False
    await story.until(lambda canary: canary.step is (CanaryStep.GONE if retired else CanaryStep.RESET))
    await story.world.upload(export(line("canary", ADDRESS, GIVEN_NAME, SURNAME)))
    await story.world.run(rounds=20)
    accounts = await story.world.accounts()
    assert [(account.outcome, account.state) for account in accounts] == [(Outcome.REVIEW, State.REVIEW)]


async def test_where_no_canary_is_asked_for_nobody_waits() -> None:
    world = World()
    await world.upload(export(line("C1")))
    await world.run()
    assert len(world.told) == 1


async def test_where_a_canary_is_asked_for_and_missing_nobody_is_created() -> None:
    story = Story()
    story.set_directory(canary_within_days=14)
    world = story.world
    await world.upload(export(line("C1")))
    await world.run(rounds=30)
    assert world.directory.writes == 0
    assert [account.state for account in await world.accounts()] == [State.CLASSIFIED]
    found = (await read_status(world.ports)).migrations[0]
    assert found.next.startswith("Waits: No canary passed within 14 days")
    assert found.oldest_waiting_seconds is None
    assert (await story.run()).verdict == "passed"
    await world.run()
    assert len(world.told) == 1


async def test_a_canary_that_has_become_too_old_holds_up_what_has_not_begun() -> None:
    story = Story()
    story.set_directory(canary_within_days=14)
    world = story.world
    await story.run()
    world.clock.tick(timedelta(days=14))
    await world.upload(export(line("C1")))
    await world.run(rounds=30)
    assert world.told == []
    await story.run()
    await world.run()
    assert len(world.told) == 1


async def test_an_account_that_is_released_already_waits_as_well() -> None:
    story = Story()
    story.set_directory(canary_within_days=14)
    world = story.world
    await story.run()
    await world.upload(export(line("C1")))
    while not [a for a in await world.accounts() if a.state is State.RELEASED]:
        await world.timers(1)
        await world.deliver_but("provision-account")
        world.clock.tick(timedelta(seconds=10))
    world.clock.tick(timedelta(days=14))
    writes = world.directory.writes
    await world.timers(1)
    await world.run(rounds=20)
    assert world.directory.writes == writes
    await story.run()
    await world.run()
    assert len(world.told) == 1


def test_every_step_has_its_words_and_its_move() -> None:
    steps = set(CanaryStep) - {CanaryStep.END}
    assert set(MOVES) == set(OK) == set(WAITS) == steps


async def test_every_answer_is_to_a_known_question() -> None:
    story = Story()
    story.set_directory(password_reset="flag")
    flagged = await story.run()
    plain = await Story().run()
    assert set(flagged.answers) | set(plain.answers) <= set(QUESTIONS)


async def test_every_failure_says_what_to_change() -> None:
    assert all(why.sentence.endswith(".") and why.remedy.endswith(".") for why in FAILURES.values())
    story = Story()
    story.world.directory.fail = [Stop("directory_full", "Directory_QuotaExceeded")]
    canary = await story.run()
    assert "Directory_QuotaExceeded" in describe_step(canary.failures[0])


@pytest.mark.parametrize("seconds", [5, 300])
async def test_a_second_user_who_is_not_shown_yet_is_taken_back_when_it_is(seconds: int) -> None:
    story = Story()
    second = DirectoryId("00000000-0000-4000-8000-000000000002")
    story.world.directory.hidden = {second}
    canary = await story.until(lambda canary: second in canary.made)
    assert (canary.step, canary.verdict) == (CanaryStep.UNDO_AGAIN, "running")
    story.world.clock.tick(timedelta(seconds=seconds))
    assert (await story.ask(run=canary.run)).canary.step is CanaryStep.UNDO_AGAIN
    story.world.directory.hidden.clear()
    canary = await story.run()
    assert canary.verdict == "passed"
    assert canary.seen == canary.made
    assert story.world.directory.users == {}


async def test_a_user_that_is_never_shown_is_waited_for_no_longer_than_reads_may_lag() -> None:
    story = Story()
    await _created_but_hidden(story)
    await story.ask()
    [user] = story.world.directory.users
    await story.ask(undo=user)
    begun = story.world.clock.now()
    canary = await story.run()
    assert canary.verdict == "cancelled"
    assert MAX_READ_LAG <= story.world.clock.now() - begun < MAX_READ_LAG + timedelta(minutes=1)


async def test_a_profile_that_changes_its_way_under_a_canary_ends_it_and_asks_for_another() -> None:
    story = Story()
    passed = await story.run()
    story.people.resets = False
    await story.until(lambda canary: canary.step is CanaryStep.RESET)
    story.set_directory(password_reset="flag")
    canary = await story.run()
    assert (canary.verdict, _codes(canary)) == ("failed", ["profile_changed"])
    assert story.world.directory.users == {}
    assert (canary.passed_at, canary.failed_at) == (passed.passed_at, None)
    assert not is_recent_pass(canary, 14, story.world.clock.now(), by_flag=True)
    story.people.resets = True
    assert is_recent_pass(await story.run(), 14, story.world.clock.now(), by_flag=True)
