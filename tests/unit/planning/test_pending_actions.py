"""What a migration waits for, and what whoever is wanted types."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from shared.model.account import Authority, Cohort, MigrationId
from shared.model.counts.summary import Totals
from shared.model.counts.wave_counts import DUE, JUST_TOLD, UNOWNED
from shared.model.lifecycle import State
from shared.model.migration import Gate, Kind, Migration, Phase
from shared.model.plan import Part, Plan, Signature
from shared.model.profile import Profile, read_profiles
from shared.model.wave import POSITIONS, Wave
from shared.planning.rules.pending_actions import count_held_back, list_waits
from tests.support.world import ROOT, SOUTH_NORFOLK

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
WAVES = (
    Wave(1, "pilot", Cohort.PILOT, 0, 0, None, 20),
    Wave(2, "all", Cohort.NONE, 0, POSITIONS, datetime(2026, 6, 2, 9, tzinfo=UTC), 1200),
)
PLAN = Plan("3f2a91c07b55" + "0" * 52, NOW, 1220, 1000, 0, WAVES, ())
MIGRATION = Migration(
    id=MigrationId("2026-03-02-portal-d7e3"),
    authority=Authority(SOUTH_NORFOLK),
    blob="south-norfolk/portal.csv",
    blob_etag="1",
    blob_size=1,
    uploaded_at=NOW,
    received_at=NOW,
    phase=Phase.ASSESSED,
    plan=PLAN,
)
RUNNING = replace(MIGRATION, phase=Phase.RUNNING, gates=(Gate(1, opened_at=NOW),))


@pytest.fixture
def profile() -> Profile:
    """The sample council."""
    return read_profiles(ROOT / "authorities")[SOUTH_NORFOLK]


def totals(**states: int) -> Totals:
    """So many accounts in each state."""
    accounts = {("create", str(State(state)), ""): number for state, number in states.items()}
    return Totals(complete=True, settled={}, accounts=accounts, due=0, oldest=None, shards={}, plan="")


def test_each_part_that_is_wanted_is_told_with_what_to_type(profile: Profile) -> None:
    found = list_waits(MIGRATION, profile, totals(), NOW)
    assert [wait.sentence for wait in found] == [
        "The signature of data-owner is wanted.",
        "The signature of operations is wanted.",
    ]
    says = "ops plan approve 2026-03-02-portal-d7e3 --as data-owner --hash 3f2a91c07b55 --rows ROWS"
    assert found[0].command == says
    signed = replace(PLAN, signatures=(Signature(Part.DATA_OWNER, "ann", NOW, PLAN.hash),))
    assert len(list_waits(replace(MIGRATION, plan=signed), profile, totals(), NOW)) == 1


def test_what_is_only_assessed_waits_for_nobody(profile: Profile) -> None:
    assert list_waits(replace(MIGRATION, kind=Kind.ASSESS), profile, totals(), NOW) == []


def test_what_is_paused_or_over_waits_for_nothing_else(profile: Profile) -> None:
    assert list_waits(replace(MIGRATION, paused_at=NOW), profile, totals(), NOW) == []
    assert list_waits(replace(MIGRATION, phase=Phase.CANCELLED), profile, totals(), NOW) == []


def test_a_wave_with_a_date_comes_by_itself_and_is_told_as_a_clock_in_london_shows_it(profile: Profile) -> None:
    (wait,) = list_waits(RUNNING, profile, totals(), NOW)
    assert (wait.what, wait.command) == ("wave", "")
    assert wait.sentence == "Wave 2 (all, 1,200 accounts) begins 2 June 2026 10:00 London time."


LATER = datetime(2026, 6, 2, 12, tzinfo=UTC)
"""The day of the second wave has come."""


@pytest.mark.parametrize(
    ("before", "begins"),
    [
        (
            {State.RELEASED: 1, State.CLASSIFIED: 2, State.TOLD: 7, DUE: 2},
            "wave 1 is at rest: 3 of its accounts are still to be",
        ),
        ({State.PROVISIONED: 1, DUE: 1}, "wave 1 is at rest: 1 of its accounts is still to be told"),
        ({State.TOLD: 9, JUST_TOLD: 2}, "it is known whom the messages of wave 1 reached"),
    ],
)
def test_a_wave_whose_day_has_come_tells_what_it_waits_for(
    profile: Profile, before: dict[str, int], begins: str
) -> None:
    counted = replace(totals(), waves={1: before})
    (wait,) = list_waits(RUNNING, profile, counted, LATER)
    assert wait.sentence.startswith(f"Wave 2 (all, 1,200 accounts) begins as soon as {begins}")
    assert count_held_back(RUNNING, WAVES[1], counted, LATER).startswith(f"as soon as {begins}")
    assert count_held_back(RUNNING, WAVES[1], counted, NOW) == ""
    assert count_held_back(replace(RUNNING, paused_at=NOW), WAVES[1], counted, LATER) == ""


def test_no_wave_begins_in_the_past(profile: Profile) -> None:
    (wait,) = list_waits(RUNNING, profile, totals(), LATER)
    assert wait.sentence == "Wave 2 (all, 1,200 accounts) begins when nothing is in its way."


def test_before_the_portal_switches_nobody_is_asked_to_confirm_it(profile: Profile) -> None:
    planned = profile.plan.model_copy(update={"switch": "at-once", "switch_at": datetime(2026, 6, 2, 10)})  # noqa: DTZ001
    profile = profile.model_copy(update={"plan": planned})
    running = replace(RUNNING, plan=None)
    (early,) = list_waits(running, profile, totals(provisioned=2), NOW)
    assert (early.what, early.command) == ("switch", "")
    assert early.sentence.startswith("The portal switches on 2 June 2026 10:00 London time. Customers are told when")
    (wait,) = list_waits(running, profile, totals(provisioned=2), datetime(2026, 6, 2, 9, tzinfo=UTC))
    assert wait.command == "ops switch confirm 2026-03-02-portal-d7e3"


def test_a_stopped_gate_tells_why_and_what_opens_it(profile: Profile) -> None:
    gates = (*RUNNING.gates, Gate(2, stopped=("7 % failed, 1 % may.",)))
    (wait,) = list_waits(replace(RUNNING, gates=gates), profile, totals(), NOW)
    assert wait.sentence == "Wave 2 (all, 1,200 accounts) is stopped: 7 % failed, 1 % may."
    assert wait.command == "ops wave open 2026-03-02-portal-d7e3 2 --why REASON"


@pytest.mark.parametrize(
    "over",
    [{"phase": Phase.DONE}, {"phase": Phase.CANCELLED}, {"phase": Phase.SUPERSEDED}, {"superseded_by": "newer"}],
)
def test_no_wave_of_what_is_over_is_stopped(profile: Profile, over: dict[str, object]) -> None:
    stopped = replace(RUNNING, gates=(*RUNNING.gates, Gate(2, stopped=("7 % failed, 1 % may.",))))
    assert stopped.stops(2) == ("7 % failed, 1 % may.",)
    gone = replace(stopped, **over)  # type: ignore[arg-type]  # a phase or a name
    assert gone.stops(2) == ()
    assert list_waits(gone, profile, totals(), NOW) == []


@pytest.mark.parametrize(
    ("unowned", "says"), [(1, "1 review case has no owner"), (12, "12 review cases have no owner")]
)
def test_review_cases_that_the_next_gate_wants_in_somebodys_hands(profile: Profile, unowned: int, says: str) -> None:
    counted = replace(totals(), waves={1: {State.REVIEW: 20, UNOWNED: unowned}, 2: {UNOWNED: 5}})
    review, wave = list_waits(RUNNING, profile, counted, NOW)
    assert (review.what, wave.what) == ("review", "wave")
    assert review.sentence.startswith(says)
    assert review.command == "ops review assign 2026-03-02-portal-d7e3 REASON --owner TEAM --by-day DATE"
    both = replace(RUNNING, gates=(*RUNNING.gates, Gate(2, opened_at=NOW)))
    assert list_waits(both, profile, counted, NOW) == []


def test_a_canary_and_the_switch_are_waited_for_where_they_hold_somebody(profile: Profile) -> None:
    planned = profile.plan.model_copy(update={"switch": "at-once"})
    profile = profile.model_copy(update={"plan": planned})
    waiting = replace(RUNNING, waits_for_canary=True, plan=None)
    found = list_waits(waiting, profile, totals(classified=3, provisioned=2), NOW)
    assert [wait.what for wait in found] == ["canary", "switch"]
    assert list_waits(waiting, profile, totals(told=3), NOW) == []
