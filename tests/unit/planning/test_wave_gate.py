"""The gate before a wave, by table: open, not yet, or stopped and why."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.adapters.storage.entities import MIGRATION as MIGRATION_MAPPER
from shared.errors import ActionRefused
from shared.model.account import Authority, Cohort, MigrationId
from shared.model.migration import Gate, Migration, Phase
from shared.model.pacing.rate_limit import Quota
from shared.model.plan import Plan, SignedTemplate
from shared.model.profile import Columns, Export, GateLimits, Profile
from shared.model.profile import PlanSettings as Planned
from shared.model.wave import Wave
from shared.planning.rules.estimate import Effort, estimate_migration
from shared.planning.rules.wave_gate import (
    Facts,
    GateDecision,
    Said,
    count_calls,
    judge_wave,
    open_by_person,
    record_confirmation,
    record_gate_answer,
    record_switch,
)

NOW = datetime(2026, 12, 1, 10, tzinfo=UTC)
PILOT = Wave(1, "pilot", Cohort.PILOT, 0, 0, NOW - timedelta(days=7), 200)
SECOND = Wave(2, "second", Cohort.NONE, 0, 1 << 31, NOW, 4000)
LAST = Wave(3, "rest", Cohort.NONE, 1 << 31, 1 << 32, None, 8000)
TEMPLATE = SignedTemplate("set-your-password", "t1", 4)
PLAN = Plan("h", NOW, 12_200, 12_000, 200, (PILOT, SECOND, LAST), (TEMPLATE,), profile="p1")
MIGRATION = Migration(
    MigrationId("2026-12-01-portal-abcd"),
    Authority("south-norfolk"),
    "b",
    "e",
    1,
    NOW,
    NOW,
    Phase.RUNNING,
    assessed_at=NOW,
    plan=PLAN,
    gates=(Gate(1, opened_at=NOW - timedelta(days=7)),),
)
PLANNED = Planned(gate=GateLimits(failed_percent=1, review_percent=5, undelivered_percent=3))
TOLD = {"told": 200}


def _profile(**plan: Any) -> Profile:  # noqa: ANN401 - any key of the plan
    return Profile(
        authority=MIGRATION.authority,
        name="South Norfolk",
        export=Export(columns=Columns(source_id="a", email="b")),
        plan=PLANNED.model_copy(update=plan),
    )


def _facts(before: Mapping[str, int] = TOLD, profile: str = "p1", version: int = 4) -> Facts:
    return Facts(before, profile, {"set-your-password": ("t1", version)})


def test_a_wave_opens_when_its_time_has_come_and_nothing_is_in_its_way() -> None:
    assert judge_wave(SECOND, MIGRATION, _profile(), _facts(), NOW).answer is GateDecision.OPEN


def test_a_wave_without_a_date_opens_when_the_one_before_is_at_rest() -> None:
    assert judge_wave(LAST, MIGRATION, _profile(), _facts(), NOW).answer is GateDecision.OPEN


def test_before_its_time_a_wave_is_not_asked_what_is_confirmed_on_the_day() -> None:
    said = judge_wave(SECOND, MIGRATION, _profile(checklist=("sign-up closed",)), _facts(), NOW - timedelta(hours=1))
    assert (said.answer, said.at) == (GateDecision.NOT_YET, NOW)
    assert said.sentences == ("Wave 2 starts on 01 December 2026 at 10:00.",)


@pytest.mark.parametrize("word", ["staged", "classified", "released", "due"])
def test_a_wave_waits_while_anything_of_the_one_before_is_moving(word: str) -> None:
    said = judge_wave(SECOND, MIGRATION, _profile(), _facts({"told": 199, word: 1, "failed": 50}), NOW)
    assert (said.answer, said.sentences) == (GateDecision.NOT_YET, ("Wave 1 is not at rest yet.",))


def test_a_wave_waits_until_it_is_known_whom_the_one_before_reached() -> None:
    said = judge_wave(LAST, MIGRATION, _profile(), _facts({"told": 200, "just told": 3}), NOW)
    assert (said.answer, said.sentences) == (
        GateDecision.NOT_YET,
        ("It is not known yet whom the messages of wave 2 reached.",),
    )
    failed = judge_wave(LAST, MIGRATION, _profile(), _facts({"told": 100, "failed": 100, "just told": 3}), NOW)
    assert failed.answer is GateDecision.STOPPED


@pytest.mark.parametrize(
    ("before", "answer"),
    [
        ({"told": 198, "failed": 2}, GateDecision.OPEN),
        ({"told": 197, "failed": 3}, GateDecision.STOPPED),
        ({"told": 190, "review": 10}, GateDecision.OPEN),
        ({"told": 189, "review": 11}, GateDecision.STOPPED),
        ({"told": 95, "review": 55, "known": 50}, GateDecision.OPEN),
        ({"told": 94, "review": 56, "known": 50}, GateDecision.STOPPED),
        ({"told": 98, "failed": 2, "review": 900, "known": 900}, GateDecision.STOPPED),
        ({"review": 50, "known": 50}, GateDecision.OPEN),
        ({"told": 194, "held": 6, "undelivered": 6}, GateDecision.OPEN),
        ({"told": 193, "held": 7, "undelivered": 7}, GateDecision.STOPPED),
        ({"told": 199, "review": 1, "unowned": 1}, GateDecision.STOPPED),
        ({"told": 200}, GateDecision.OPEN),
        ({}, GateDecision.OPEN),
        ({"failed": 1}, GateDecision.STOPPED),
    ],
)
def test_what_the_wave_before_came_to_is_held_to_the_limits(before: Mapping[str, int], answer: GateDecision) -> None:
    assert judge_wave(SECOND, MIGRATION, _profile(), _facts(before), NOW).answer is answer


def test_a_stop_names_numbers_limit_and_remedy_before_the_day() -> None:
    said = judge_wave(SECOND, MIGRATION, _profile(), _facts({"told": 194, "failed": 6}), NOW - timedelta(days=3))
    assert said.answer is GateDecision.STOPPED
    assert said.sentences == (
        "Of 200 accounts of wave 1, 6 are stuck: 3.0 %, and plan.gate.failed_percent allows 1 %; replay (ops poison).",
        'Mend it, or open it all the same: ops wave open 2026-12-01-portal-abcd 2 --why "...".',
    )


def test_every_point_of_the_checklist_is_wanted_for_each_wave() -> None:
    profile = _profile(checklist=("sign-up closed", "help desks briefed"))
    half = record_confirmation(MIGRATION, profile, 2, "sign-up closed", "ada")
    said = judge_wave(SECOND, half, profile, _facts(), NOW)
    assert said.answer is GateDecision.STOPPED
    assert said.sentences[0].startswith('"help desks briefed" is not confirmed for wave 2')
    both = record_confirmation(half, profile, 2, "help desks briefed", "ben")
    assert judge_wave(SECOND, both, profile, _facts(), NOW).answer is GateDecision.OPEN
    assert both.gate(2).checked == {"sign-up closed": "ada", "help desks briefed": "ben"}


def test_more_calls_than_the_desk_takes_stop_a_wave() -> None:
    assert judge_wave(SECOND, MIGRATION, _profile(desk_calls_per_day=120), _facts(), NOW).answer is GateDecision.OPEN
    said = judge_wave(SECOND, MIGRATION, _profile(desk_calls_per_day=119), _facts(), NOW)
    assert said.sentences[0].startswith("Wave 2 has 4000 accounts: about 120 calls at 3 %, and the desk takes 119")


def test_a_wave_of_everybody_brings_the_calls_that_the_assessment_predicts() -> None:
    [said] = count_calls(replace(SECOND, accounts=1010), _profile(desk_calls_per_day=30, calls_percent=3.0))
    found = estimate_migration(1010, 0, 0, Quota(), Effort(review_minutes=10, calls_percent=3.0), NOW)
    assert (found.calls, "about 31 calls" in said) == (31, True)


@pytest.mark.parametrize(
    ("facts", "sentence"),
    [
        (_facts(profile="p2"), "The profile is not the one that was signed"),
        (_facts(version=5), "The text of set-your-password has changed: version 4 was signed, and it is version 5 now"),
        (Facts(TOLD, "p1", {}), "The text of set-your-password has changed: version 4 was signed, and it is not to be"),
    ],
)
def test_what_is_not_as_it_was_signed_stops_a_wave(facts: Facts, sentence: str) -> None:
    said = judge_wave(SECOND, MIGRATION, _profile(), facts, NOW)
    assert said.answer is GateDecision.STOPPED
    assert said.sentences[0].startswith(sentence)


def test_a_stop_is_noted_and_forgotten_when_it_is_mended() -> None:
    stop = judge_wave(SECOND, MIGRATION, _profile(), _facts({"told": 1, "failed": 1}), NOW)
    stopped = record_gate_answer(MIGRATION, 2, stop, NOW)
    assert stopped.gate(2).stopped == stop.sentences
    assert record_gate_answer(stopped, 2, stop, NOW + timedelta(minutes=1)) == stopped
    begun = record_gate_answer(stopped, 2, judge_wave(SECOND, stopped, _profile(), _facts(), NOW), NOW)
    assert begun.gate(2) == Gate(2, opened_at=NOW)
    assert record_gate_answer(begun, 2, stop, NOW) == begun
    assert begun.gate(1) == MIGRATION.gate(1)


def test_a_stop_is_known_since_its_beginning_whatever_else_comes_in_the_way() -> None:
    stop = judge_wave(SECOND, MIGRATION, _profile(), _facts({"failed": 1}), NOW)
    stopped = record_gate_answer(MIGRATION, 2, stop, NOW)
    other = judge_wave(SECOND, MIGRATION, _profile(), _facts({"review": 1}), NOW)
    again = record_gate_answer(stopped, 2, other, NOW + timedelta(hours=1))
    assert (again.gate(2).stopped, again.gate(2).stopped_at) == (other.sentences, NOW)
    mended = record_gate_answer(again, 2, Said(GateDecision.NOT_YET), NOW + timedelta(hours=2))
    assert mended.gate(2).stopped_at is None
    assert open_by_person(again, _profile(), 2, "ada", "known", NOW).gate(2).stopped_at is None


def test_a_gate_of_before_the_moment_of_a_stop_was_kept_is_read() -> None:
    stopped = record_gate_answer(
        MIGRATION, 2, judge_wave(SECOND, MIGRATION, _profile(), _facts({"failed": 1}), NOW), NOW
    )
    values = MIGRATION_MAPPER.values(stopped)
    assert MIGRATION_MAPPER.record(values) == stopped
    old = json.loads(str(values["gates"]))
    for gate in old:
        del gate["stopped_at"]
    assert MIGRATION_MAPPER.record({**values, "gates": json.dumps(old)}).gate(2).stopped_at is None


def test_a_person_opens_a_wave_against_what_stops_it() -> None:
    stopped = record_gate_answer(
        MIGRATION, 2, judge_wave(SECOND, MIGRATION, _profile(), _facts({"failed": 1}), NOW), NOW
    )
    gate = open_by_person(stopped, _profile(), 2, "ada", " the desk knows ", NOW).gate(2)
    assert gate == Gate(2, opened_at=NOW, opened_by="ada", why="the desk knows")


type Change = Callable[[], Migration]
AT_ONCE = _profile(switch="at-once", switch_at=datetime(2026, 12, 1, 10))  # noqa: DTZ001 - as in London


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda: open_by_person(MIGRATION, _profile(), 7, "ada", "x", NOW), "The plan has no wave 7. It has: 1, 2, 3."),
        (lambda: open_by_person(MIGRATION, _profile(), 1, "ada", "x", NOW), "Wave 1 is open already"),
        (
            lambda: record_switch(MIGRATION, AT_ONCE, "ada", NOW - timedelta(1)),
            "The portal switches on 01 December 2026 at 10:00",
        ),
        (lambda: open_by_person(MIGRATION, _profile(), 3, "ada", "x", NOW), "Wave 2 is not open yet"),
        (lambda: open_by_person(MIGRATION, _profile(), 2, "ada", " ", NOW), "Nobody said why"),
        (lambda: open_by_person(MIGRATION, _profile(), 2, "ada", "x" * 201, NOW), "That is too long for why"),
        (
            lambda: open_by_person(MIGRATION, _profile(), 2, "ada", "ask b@example.org", NOW),
            "No e-mail address may stand",
        ),
        (
            lambda: open_by_person(MIGRATION, _profile(), 2, "ada", "x", NOW - timedelta(1)),
            "Wave 2 starts on 01 December",
        ),
        (
            lambda: open_by_person(MIGRATION, _profile(approval="required"), 2, "a", "x", NOW),
            "Nothing of this migration may",
        ),
        (
            lambda: open_by_person(replace(MIGRATION, plan=None), _profile(), 1, "a", "x", NOW),
            "The plan has no wave 1.",
        ),
        (
            lambda: record_confirmation(MIGRATION, _profile(), 2, "sign-up closed", "ada"),
            "The profile's checklist has no such",
        ),
        (lambda: record_confirmation(MIGRATION, _profile(checklist=("x",)), 1, "x", "ada"), "Wave 1 is open already"),
        (lambda: record_confirmation(MIGRATION, _profile(checklist=("x",)), 9, "x", "ada"), "The plan has no wave 9."),
        (lambda: record_switch(MIGRATION, _profile(), "ada", NOW), "Nobody waits for the portal to switch"),
        (lambda: record_switch(replace(MIGRATION, switched_at=NOW), AT_ONCE, "ada", NOW), "It is confirmed already"),
        (
            lambda: record_switch(replace(MIGRATION, phase=Phase.ASSESSED), AT_ONCE, "a", NOW),
            "Nobody of this migration was",
        ),
    ],
)
def test_every_refusal_is_a_sentence(change: Change, sentence: str) -> None:
    with pytest.raises(ActionRefused, match=sentence.replace(".", r"\.").replace("(", r"\(")):
        change()


def test_a_point_that_is_confirmed_again_keeps_the_first_name() -> None:
    profile = _profile(checklist=("sign-up closed",))
    once = record_confirmation(MIGRATION, profile, 2, "sign-up closed", "ada")
    assert record_confirmation(once, profile, 2, "sign-up closed", "ben") == once
