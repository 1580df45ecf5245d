"""The one gate, by table."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from shared.model.account import Account, AccountId, AddressKey, Authority, MigrationId
from shared.model.lifecycle import Outcome, State
from shared.model.migration import Migration, Phase
from shared.model.profile import Columns, Export, Messages, PlanSettings, Profile
from shared.model.step import Step, choose_message
from shared.scheduling.rules.gate import (
    MAX_CLOCK_DIFFERENCE,
    OVERDUE_AFTER,
    Due,
    find_due_step,
    is_message_open,
    is_overdue,
)

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
AUTHORITY = Authority("south-norfolk")
PROFILE = Profile(
    authority=AUTHORITY,
    name="South Norfolk",
    export=Export(columns=Columns(source_id="a", email="b")),
    messages=Messages(templates={"set-your-password": "t1"}),
)
ACCOUNT = Account(
    AccountId("a" + "0" * 40),
    AUTHORITY,
    MigrationId("m"),
    1,
    State.STAGED,
    NOW,
    "",
    AddressKey(""),
    NOW,
    release=3,
    due_at=NOW,
    outcome=Outcome.CREATE,
)
MIGRATION = Migration(MigrationId("m"), AUTHORITY, "b", "e", 1, NOW, NOW, Phase.RUNNING, assessed_at=NOW, moved_at=NOW)


def _due(
    state: State, migration: Migration = MIGRATION, profile: Profile = PROFILE, *, messages_on: bool = True
) -> Due:
    return find_due_step(replace(ACCOUNT, state=state), migration, profile, messages_on=messages_on)


@pytest.mark.parametrize(
    ("state", "step"),
    [
        (State.STAGED, Step.CLASSIFY),
        (State.CLASSIFIED, Step.PROVISION),
        (State.RELEASED, Step.PROVISION),
        (State.PROVISIONED, Step.NOTIFY),
        (State.TOLD, None),
        (State.COMPLETED, None),
        (State.REVIEW, None),
        (State.HELD, None),
        (State.FAILED, None),
        (State.UNDONE, None),
    ],
)
def test_what_is_due_in_each_state(state: State, step: Step | None) -> None:
    assert _due(state).step is step


@pytest.mark.parametrize("state", State)
def test_nothing_is_due_while_paused(state: State) -> None:
    answer = _due(state, replace(MIGRATION, paused_at=NOW, pause_reason="directory_full"))
    assert (answer.step, answer.waits_for) == (None, "paused: directory_full")


@pytest.mark.parametrize("state", State)
def test_a_superseded_export_begins_nothing_and_finishes_what_it_began(state: State) -> None:
    answer = _due(state, replace(MIGRATION, superseded_by="n"))
    assert answer.step is (Step.NOTIFY if state is State.PROVISIONED else None)


@pytest.mark.parametrize("phase", [Phase.STAGING, Phase.FAILED, Phase.SUPERSEDED])
def test_nothing_is_classified_before_the_last_row_is_staged(phase: Phase) -> None:
    assert _due(State.STAGED, replace(MIGRATION, phase=phase)).step is None


@pytest.mark.parametrize("phase", [Phase.CLASSIFYING, Phase.RUNNING, Phase.DONE])
def test_what_is_staged_whole_is_classified(phase: Phase) -> None:
    assert _due(State.STAGED, replace(MIGRATION, phase=phase)).step is Step.CLASSIFY


DAY = NOW + timedelta(days=9)
AT_ONCE = PlanSettings(switch="at-once", switch_at=datetime(2026, 4, 14, 10))  # noqa: DTZ001 - as in a profile


@pytest.mark.parametrize(
    ("announced_at", "day", "plan", "at"),
    [
        (NOW, DAY, PlanSettings(), DAY),
        (NOW, NOW - timedelta(days=1), PlanSettings(), NOW),
        (NOW, DAY, AT_ONCE, NOW),
        (None, DAY, PlanSettings(), NOW),
    ],
    ids=["told a later day", "told an earlier day", "only the switch changes anything", "perhaps not told yet"],
)
def test_nobody_is_moved_before_the_day_that_was_told(
    announced_at: datetime | None, day: datetime, plan: PlanSettings, at: datetime
) -> None:
    account = replace(ACCOUNT, state=State.CLASSIFIED, announced_at=announced_at, told_day=day)
    profile = PROFILE.model_copy(update={"plan": plan})
    assert find_due_step(account, MIGRATION, profile, messages_on=True) == Due(Step.PROVISION, at)


def test_nothing_is_provisioned_before_the_assessment() -> None:
    answer = _due(State.CLASSIFIED, replace(MIGRATION, assessed_at=None))
    assert (answer.step, answer.waits_for) == (None, "the assessment")


def test_nothing_is_provisioned_before_approval_where_it_is_required() -> None:
    answer = _due(State.CLASSIFIED, profile=PROFILE.model_copy(update={"plan": PlanSettings(approval="required")}))
    assert (answer.step, answer.waits_for) == (None, "approval")


@pytest.mark.parametrize("state", State)
def test_a_wave_that_waits_for_a_canary_compares_and_tells_and_moves_nobody(state: State) -> None:
    answer = _due(state, replace(MIGRATION, waits_for_canary=True))
    if state in {State.CLASSIFIED, State.RELEASED}:
        assert (answer.step, answer.waits_for) == (None, "a canary that passed")
    else:
        assert answer == _due(state)


def test_nobody_is_told_while_messages_are_off_or_have_no_template() -> None:
    assert _due(State.PROVISIONED, messages_on=False).step is None
    linked = replace(ACCOUNT, state=State.PROVISIONED, outcome=Outcome.LINK)
    assert find_due_step(linked, MIGRATION, PROFILE, messages_on=True).step is None


@pytest.mark.parametrize("outcome", [None, *Outcome])
def test_only_who_was_created_or_joined_gets_a_message(outcome: Outcome | None) -> None:
    templates = Messages(templates={"set-your-password": "t1", "now-one-account": "t2"})
    profile = PROFILE.model_copy(update={"messages": templates})
    expected = {Outcome.CREATE: "set-your-password", Outcome.LINK: "now-one-account"}
    name = expected.get(outcome) if outcome else None
    done = replace(ACCOUNT, state=State.PROVISIONED, outcome=outcome)
    assert choose_message(done, profile) == name
    assert choose_message(replace(done, state=State.CLASSIFIED), profile) is None


def test_what_waits_for_a_moment_may_have_one_when_it_is_time_to() -> None:
    later = NOW + timedelta(hours=1)
    waiting = replace(ACCOUNT, due_at=None, not_before=later)
    assert find_due_step(waiting, MIGRATION, PROFILE, messages_on=True).at == later


@pytest.mark.parametrize(
    ("release", "due_at", "step", "now", "is_open"),
    [
        (3, NOW, Step.CLASSIFY, NOW, True),
        (2, NOW, Step.CLASSIFY, NOW, False),
        (4, NOW, Step.CLASSIFY, NOW, False),
        (3, None, Step.CLASSIFY, NOW, False),
        (3, NOW, Step.PROVISION, NOW, False),
        (3, NOW, Step.CLASSIFY, NOW - MAX_CLOCK_DIFFERENCE, True),
        (3, NOW, Step.CLASSIFY, NOW - MAX_CLOCK_DIFFERENCE - timedelta(microseconds=1), False),
        (3, NOW, Step.CLASSIFY, NOW + timedelta(days=3), True),
    ],
)
def test_a_message_is_let_in_with_the_current_number_at_its_moment(
    release: int,
    due_at: datetime | None,
    step: Step,
    now: datetime,
    is_open: bool,  # noqa: FBT001
) -> None:
    account = replace(ACCOUNT, due_at=due_at)
    answer = find_due_step(account, MIGRATION, PROFILE, messages_on=True)
    assert is_message_open(step, release, account, answer, now, epoch=0) is is_open
    assert not is_message_open(step, release, account, answer, now, epoch=1)


@pytest.mark.parametrize(
    ("due_at", "late", "long_past"),
    [
        (NOW, OVERDUE_AFTER, False),
        (NOW, OVERDUE_AFTER + timedelta(seconds=1), True),
        (None, timedelta(days=1), False),
    ],
)
def test_what_is_long_past_its_moment_long_past(due_at: datetime | None, late: timedelta, long_past: bool) -> None:  # noqa: FBT001
    account = replace(ACCOUNT, due_at=due_at)
    answer = find_due_step(account, MIGRATION, PROFILE, messages_on=True)
    assert is_overdue(account, answer, NOW + late) is long_past


def test_nothing_long_past_for_which_nothing_is_due() -> None:
    assert not is_overdue(ACCOUNT, Due(None), NOW + timedelta(days=1))
