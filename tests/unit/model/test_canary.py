"""The canary's rules: what follows on what, how young is young, and what a profile may ask for."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from shared.errors import BadSetting
from shared.model.account import AddressKey, Authority, DirectoryId
from shared.model.profile import read_profile
from shared.model.safeguards.canary import (
    FOR_A_PERSON,
    ORDER,
    TELLS_NOTHING,
    Canary,
    CanaryStep,
    Done,
    cancel_run,
    fail_step,
    finish_run,
    is_recent_pass,
    pass_step,
    record_answers,
    record_created,
    record_deleted,
    record_sign_in,
    start_run,
)
from shared.readiness.rules.canary_texts import describe_next_action, describe_step

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
LATER = NOW + timedelta(minutes=1)
AUTHORITY = Authority("south-norfolk")
USER = DirectoryId("00000000-0000-4000-8000-000000000001")
FRESH = start_run(None, AUTHORITY, AddressKey("k"), "somebody", NOW, by_flag=False)
MADE = replace(record_created(FRESH, USER), user=USER, step=CanaryStep.RESET)
PROFILE = """
name = "South Norfolk Council"
[export.columns]
source_id = "customer_ref"
email = "email"
[directory]
canary_within_days = {}
"""


def _all_steps() -> Canary:
    canary = FRESH
    for _ in ORDER[:-1]:
        canary = pass_step(canary, LATER)
    return canary


def test_steps_follow_one_another_to_the_end() -> None:
    canary = _all_steps()
    assert (canary.step, canary.verdict) == (CanaryStep.END, "passed")
    assert [done.step for done in canary.done] == list(ORDER[:-1])
    assert canary.passed_at == canary.finished_at == LATER


def test_a_failure_with_nobody_made_is_the_end() -> None:
    canary = fail_step(FRESH, "force_change_refused", LATER)
    assert (canary.step, canary.verdict, canary.failed_at) == (CanaryStep.END, "failed", LATER)


@pytest.mark.parametrize("failure", sorted(TELLS_NOTHING))
def test_a_failure_that_says_nothing_of_the_directory_leaves_an_earlier_canary_young(failure: str) -> None:
    again = start_run(_all_steps(), AUTHORITY, AddressKey("mistyped"), "somebody", LATER, by_flag=False)
    canary = fail_step(again, failure, LATER)
    assert (canary.verdict, canary.passed_at, canary.failed_at) == ("failed", LATER, None)
    assert is_recent_pass(canary, 14, LATER, by_flag=False)
    assert "a canary that passed before still counts" in describe_step(canary.done[-1])


def test_beside_one_that_says_something_it_is_a_failure() -> None:
    at_again = replace(
        _all_steps(), step=CanaryStep.AGAIN, done=(Done(CanaryStep.RESET, NOW, "sign_in_failed"),), living=()
    )
    assert fail_step(at_again, "address_taken", LATER).failed_at == LATER


def test_a_failure_with_somebody_made_is_undone_first() -> None:
    canary = fail_step(MADE, "not_visible", LATER)
    assert (canary.step, canary.verdict) == (CanaryStep.UNDO, "running")
    ended = record_deleted(replace(canary, living=(), step=CanaryStep.GONE), LATER)
    assert (ended.step, ended.verdict) == (CanaryStep.END, "failed")


@pytest.mark.parametrize("step", [step for step in CanaryStep if step is not CanaryStep.END])
def test_a_canary_can_be_ended_at_every_step(step: CanaryStep) -> None:
    canary = cancel_run(replace(MADE, step=step), USER, LATER)
    undoing = {CanaryStep.UNDO, CanaryStep.GONE, CanaryStep.UNDO_AGAIN, CanaryStep.GONE_AGAIN}
    assert canary.step is (step if step in undoing else CanaryStep.UNDO)
    assert record_deleted(replace(canary, living=(), step=CanaryStep.GONE), LATER).verdict == "cancelled"


@pytest.mark.parametrize("step", sorted(FOR_A_PERSON))
def test_where_a_person_is_waited_for_the_person_is_told_what_to_do(step: CanaryStep) -> None:
    assert len(describe_next_action(replace(MADE, step=step))) >= 3


@pytest.mark.parametrize("step", [CanaryStep.CREATE, CanaryStep.LOOK_UP, CanaryStep.AGAIN, CanaryStep.END])
def test_where_the_app_goes_on_by_itself_nobody_has_anything_to_do(step: CanaryStep) -> None:
    assert describe_next_action(replace(MADE, step=step)) == []


def test_a_no_to_the_sign_in_takes_the_place_of_the_yes_that_was_seen() -> None:
    passed = _all_steps()
    canary = record_sign_in(passed, LATER, worked=False)
    assert [done.failure for done in canary.done if done.step is CanaryStep.RESET] == ["sign_in_failed"]
    assert canary.failed_at == LATER
    assert record_sign_in(canary, LATER, worked=False) == canary


def test_a_new_run_starts_afresh_and_keeps_what_is_known() -> None:
    passed = record_answers(_all_steps(), LATER, conflict_property="proxyAddresses")
    fresh = start_run(passed, AUTHORITY, AddressKey("other"), "somebody", LATER, by_flag=True)
    assert (fresh.run, fresh.step, fresh.done, fresh.finished_at) == (2, CanaryStep.FREE, (), None)
    assert (fresh.answers, fresh.passed_at) == (passed.answers, LATER)


@pytest.mark.parametrize(
    ("passed", "failed", "is_young"),
    [
        (None, None, False),
        (None, NOW, False),
        (NOW, None, True),
        (NOW - timedelta(days=13, hours=23), None, True),
        (NOW - timedelta(days=14), None, False),
        (NOW - timedelta(days=1), NOW, False),
        (NOW, NOW - timedelta(days=1), True),
        (NOW, NOW, False),
    ],
)
def test_a_young_canary_passed_lately_and_none_failed_since(
    passed: datetime | None, failed: datetime | None, *, is_young: bool
) -> None:
    assert is_recent_pass(replace(FRESH, passed_at=passed, failed_at=failed), 14, NOW, by_flag=False) is is_young


def test_without_a_canary_none_is_young() -> None:
    assert not is_recent_pass(None, 14, NOW, by_flag=False)


def test_a_profile_may_ask_for_a_canary(tmp_path: Path) -> None:
    path = tmp_path / "south-norfolk.toml"
    path.write_text(PROFILE.format(14))
    assert read_profile(path).directory.canary_within_days == 14
    path.write_text(PROFILE.format(14).replace("canary_within_days = 14", ""))
    assert read_profile(path).directory.canary_within_days == 0


@pytest.mark.parametrize("days", ["-1", "366", '"soon"'])
def test_a_wrong_number_of_days_is_refused_by_name(tmp_path: Path, days: str) -> None:
    path = tmp_path / "south-norfolk.toml"
    path.write_text(PROFILE.format(days))
    with pytest.raises(BadSetting, match=r"south-norfolk\.toml: directory\.canary_within_days: "):
        read_profile(path)


def test_a_canary_that_passed_one_way_says_nothing_of_the_other() -> None:
    by_flag = start_run(None, AUTHORITY, AddressKey("k"), "somebody", NOW, by_flag=True)
    passed = finish_run(replace(by_flag, step=CanaryStep.END), NOW)
    assert is_recent_pass(passed, 14, NOW, by_flag=True)
    assert not is_recent_pass(passed, 14, NOW, by_flag=False)
    again = start_run(passed, AUTHORITY, AddressKey("k"), "somebody", NOW, by_flag=False)
    assert is_recent_pass(again, 14, NOW, by_flag=True)
