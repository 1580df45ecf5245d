"""What staff are told, by what a migration has come to."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from shared.messaging.rules.staff_notices import list_notices
from shared.model.account import Authority, MigrationId
from shared.model.migration import Gate, Kind, Migration, Phase
from shared.model.plan import Part, Plan, Signature
from shared.model.profile import PlanSettings as Planning
from shared.model.profile import Profile
from tests.support.world import SOUTH_NORFOLK, World

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
PLAN = Plan("h" * 64, NOW, 12, 7, 2, (), ())
SIGNED = replace(PLAN, signatures=(Signature(Part.DATA_OWNER, "x", NOW, "h" * 64),))
UPLOAD = Migration(
    MigrationId("2026-03-02-portal-d7e3"),
    Authority("south-norfolk"),
    "south-norfolk/ada.larter.csv",
    "e",
    1,
    NOW,
    NOW,
    Phase.STAGING,
    moved_at=NOW,
)
ASSESSED = replace(UPLOAD, phase=Phase.ASSESSED, assessed_at=NOW, plan=PLAN)
STOPPED = Gate(2, stopped=("3 % failed.",))
RUNNING = replace(ASSESSED, phase=Phase.RUNNING, approved_at=NOW)


def _profile() -> Profile:
    profile = World().profiles[SOUTH_NORFOLK]
    return profile.model_copy(update={"plan": Planning(approval="required")})


@pytest.mark.parametrize(
    ("migration", "keys"),
    [
        (UPLOAD, []),
        (replace(UPLOAD, phase=Phase.CLASSIFYING), []),
        (replace(UPLOAD, phase=Phase.REFUSED, reason="empty"), ["refused"]),
        (replace(UPLOAD, paused_at=NOW, pause_reason="directory_full", epoch=3), ["paused:directory_full:3"]),
        (ASSESSED, ["assessed", "signature:data-owner", "signature:operations", "signature:directory-owner"]),
        (replace(ASSESSED, plan=SIGNED), ["assessed", "signature:operations", "signature:directory-owner"]),
        (replace(ASSESSED, plan=replace(SIGNED, links=0)), ["assessed", "signature:operations"]),
        (replace(ASSESSED, plan=replace(PLAN, rejected_by="x")), ["assessed"]),
        (replace(ASSESSED, kind=Kind.ASSESS), ["assessed"]),
        (replace(ASSESSED, phase=Phase.CANCELLED), []),
        (RUNNING, ["assessed"]),
        (replace(RUNNING, gates=(Gate(1), STOPPED)), ["assessed", "gate:2"]),
        (replace(RUNNING, gates=(replace(STOPPED, opened_at=NOW),)), ["assessed"]),
        (replace(RUNNING, gates=(STOPPED,), superseded_by="newer"), ["assessed"]),
        (replace(RUNNING, phase=Phase.DONE, done_at=NOW), ["assessed", "done"]),
        (replace(UPLOAD, phase=Phase.DONE, kind=Kind.EXCLUDE), ["done"]),
    ],
)
def test_each_state_has_its_news_for_a_day(migration: Migration, keys: list[str]) -> None:
    found = list_notices(migration, _profile(), NOW + timedelta(hours=23))
    assert [notice.key for notice in found] == keys
    assert list_notices(migration, _profile(), NOW + timedelta(days=1)) == []
    for notice in found:
        assert notice.subject.startswith("South Norfolk Council: ")
        assert migration.id in notice.text
        assert "larter" not in notice.text
        assert "](" not in notice.text


def test_a_gate_that_stops_long_after_the_start_is_news_and_again_when_it_stops_anew() -> None:
    later = NOW + timedelta(days=9)
    stopped = replace(RUNNING, gates=(replace(STOPPED, stopped_at=later),))
    assert [notice.key for notice in list_notices(stopped, _profile(), later)] == ["gate:2:2026-03-11"]
    assert list_notices(stopped, _profile(), later + timedelta(days=1)) == []
    anew = replace(RUNNING, gates=(replace(STOPPED, stopped_at=later + timedelta(days=2)),))
    assert [notice.key for notice in list_notices(anew, _profile(), later + timedelta(days=2))] == ["gate:2:2026-03-13"]


def test_who_is_done_because_of_a_newer_one_names_it_and_tells_no_number_that_was_only_planned() -> None:
    done = replace(RUNNING, phase=Phase.DONE, done_at=NOW)
    left = replace(done, superseded_by="newer-b3c4")
    [told] = [each for each in list_notices(left, _profile(), NOW) if each.key == "done"]
    assert told.subject == "South Norfolk Council: a migration has given way to a newer one"
    assert "It has given way to newer-b3c4" in told.text
    assert "result.csv" in told.text
    assert not any(said in told.text for said in ("New accounts", "Joined", "Waves:", "every one"))
    [whole] = [each for each in list_notices(done, _profile(), NOW) if each.key == "done"]
    assert whole.subject == "South Norfolk Council: the migration is done"
    assert "What was planned: New accounts: 7." in whole.text


def test_who_signs_is_told_what_to_run() -> None:
    found = {notice.key: notice.text for notice in list_notices(ASSESSED, _profile(), NOW)}
    assert f"ops plan show {ASSESSED.id}" in found["signature:operations"]
    assert f"reports/{ASSESSED.folder}/assessment.html" in found["assessed"]
