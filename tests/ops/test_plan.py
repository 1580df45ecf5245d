"""`ops plan`, `ops pause`, `ops cancel`: what people read, what is asked of the app, and the exit status."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from ops import words
from tests.ops.conftest import Ops
from tests.ops.kit import AppStub, Json, a_migration, a_status

MIGRATION = "2026-03-02-portal-d7e3"
PATH = f"/api/migrations/{MIGRATION}"
COMMAND = f"ops plan approve {MIGRATION} --as operations --hash 3f2a91c07b55 --rows ROWS"


def a_plan(**changes: object) -> Json:
    """A plan that one person has signed."""
    return {
        "migration": MIGRATION,
        "authority": "south-norfolk",
        "council": "South Norfolk Council",
        "file": "south-norfolk/[red].csv",
        "phase": "assessed",
        "uploaded_at": "2026-03-02T09:00:00Z",
        "uploaded_by": "",
        "approval": "required",
        "hash": "3f2a91c07b55" + "0" * 52,
        "made_at": "2026-03-02T09:09:00Z",
        "rows": 1200,
        "outcomes": {"create": 800, "link": 0, "review": 60},
        "waves": [
            {
                "number": 1,
                "name": "pilot",
                "takes": "pilot",
                "starts_at": "2026-06-02T09:00:00Z",
                "accounts": 20,
                "opened_at": None,
            },
        ],
        "templates": [{"message": "set-your-password", "id": "0001", "version": 3}],
        "warnings": ["30 % fewer rows than the extract before."],
        "signatures": [{"part": "data-owner", "by": "ann", "at": "2026-03-02T10:00:00Z"}],
        "wanted": ["operations"],
        "approved_at": None,
        "rejected_by": "",
        "superseded_by": "",
        "commands": [COMMAND],
        **changes,
    }


def approved(**changes: object) -> Json:
    """The same when everybody has signed."""
    known = {"wanted": [], "commands": [], "phase": "adopting", "approved_at": "2026-03-02T11:00:00Z"}
    return a_plan(**known | changes)


def test_a_plan_is_shown_with_who_is_wanted_and_what_to_type(stub: AppStub, ops: Ops) -> None:
    stub.says("GET", f"{PATH}/plan", a_plan())
    result = ops("plan", "show", MIGRATION)
    assert result.exit_code == 2
    for said in (
        "south-norfolk/[red].csv",
        "3f2a91c07b55",
        "1,200 rows",
        "somebody (it is not known who)",
        "2 June 2026 10:00 London time",
        "set-your-password",
        "30 % fewer rows",
        "Signed as data-owner by ann",
        "the signature of operations",
        COMMAND,
        "take it from there, not from here",
    ):
        assert said in result.output


@pytest.mark.parametrize(
    ("plan", "says"),
    [
        (approved(), "Approved 2 March 2026 11:00 UTC"),
        (approved(rejected_by="dan"), "Rejected by dan"),
        (approved(superseded_by="newer"), "Gives way to newer"),
        (approved(superseded_by="newer", phase="done"), "Approved 2 March 2026 11:00 UTC"),
        (a_plan(wanted=[], commands=[], approval="automatic"), "approved automatically"),
        (a_plan(wanted=[], commands=[], kind="assess"), "only assesses: nothing is signed"),
        (a_plan(wanted=[], commands=[], phase="cancelled"), "Cancelled: nobody signs it any more"),
        ({**approved(), "phase": "cancelled"}, "Cancelled: nobody signs it any more"),
        (a_plan(wanted=[], commands=[], phase="running"), "No signature is wanted now: moving accounts."),
    ],
)
def test_a_plan_that_waits_for_nobody_is_no_finding(stub: AppStub, ops: Ops, plan: Json, says: str) -> None:
    stub.says("GET", f"{PATH}/plan", plan)
    result = ops("plan", "show", MIGRATION)
    assert result.exit_code == 0
    assert says in result.output


def test_programs_get_the_answer_word_for_word(stub: AppStub, ops: Ops) -> None:
    stub.says("GET", f"{PATH}/plan", a_plan())
    result = ops("plan", "show", MIGRATION, "--json")
    assert (json.loads(result.stdout), result.exit_code) == (a_plan(), 2)


def test_signing_sends_what_the_person_read(stub: AppStub, ops: Ops) -> None:
    stub.says("POST", f"{PATH}/plan/approve", approved())
    typed = ["--as", "operations", "--hash", "3F2A91C07B55", "--rows", "1200", "--accept-warnings", "--by", "Bob"]
    result = ops("plan", "approve", MIGRATION, *typed)
    assert result.exit_code == 0
    assert "Signed as operations." in result.output
    assert stub.asked[0].body == {
        "as": "operations",
        "hash": "3f2a91c07b55",
        "rows": 1200,
        "accept_warnings": True,
        "by": "Bob",
    }


@pytest.mark.parametrize("missing", ["--as", "--hash", "--rows"])
def test_nothing_of_a_signature_is_left_out(stub: AppStub, ops: Ops, missing: str) -> None:
    says = {"--as": "operations", "--hash": "3f2a91c07b55", "--rows": "1200"}
    del says[missing]
    result = ops("plan", "approve", MIGRATION, *[word for pair in says.items() for word in pair])
    assert result.exit_code != 0
    assert stub.asked == []


def test_a_signature_that_is_refused_is_told_as_the_app_says_it(stub: AppStub, ops: Ops) -> None:
    stub.says("POST", f"{PATH}/plan/approve", {"error": "You uploaded the export."}, status=409)
    result = ops("plan", "approve", MIGRATION, "--as", "operations", "--hash", "3f2a91c07b55", "--rows", "1200")
    assert result.exit_code == 1
    assert "You uploaded the export." in result.output


def test_a_plan_is_rejected_when_the_person_says_so(stub: AppStub, ops: Ops) -> None:
    stub.says("POST", f"{PATH}/plan/reject", a_plan(rejected_by="dan", wanted=[], commands=[]))
    assert ops("plan", "reject", MIGRATION, typed="n\n").exit_code == 1
    assert ops("plan", "reject", MIGRATION, "--no-input").exit_code == 1
    assert stub.asked == []
    assert "is rejected" in ops("plan", "reject", MIGRATION, typed="y\n").output
    assert ops("plan", "reject", MIGRATION, "--yes", "--by", "dan").exit_code == 0
    assert stub.asked[1].body == {"by": "dan"}


def test_a_migration_gives_way_to_a_newer_one(stub: AppStub, ops: Ops) -> None:
    left = {"migration": MIGRATION, "phase": "superseded", "superseded_by": "newer"}
    stub.says("POST", f"{PATH}/plan/supersede", left)
    assert "gives way to newer" in ops("plan", "supersede", MIGRATION).output
    ops("plan", "supersede", MIGRATION, "--by-migration", "newer")
    assert [asked.body for asked in stub.asked] == [{}, {"newer": "newer"}]


def after(phase: str = "running", *, paused: bool = False, reason: str = "") -> Json:
    """A migration after it was paused, resumed or cancelled."""
    return {"migration": MIGRATION, "phase": phase, "paused": paused, "reason": reason}


def test_a_pause_is_told_with_how_it_goes_on(stub: AppStub, ops: Ops) -> None:
    stub.says(
        "POST",
        f"{PATH}/pause",
        after(paused=True, reason="paused_by_person"),
        after(paused=True, reason="permission_missing"),
    )
    assert f"ops resume {MIGRATION}" in ops("pause", MIGRATION).output
    assert "paused already: permission_missing" in ops("pause", MIGRATION, "--by", "Ann").output
    assert stub.asked[1].body == {"by": "Ann"}


def test_cancelling_wants_the_name_typed(stub: AppStub, ops: Ops) -> None:
    stub.says("POST", f"{PATH}/cancel", after("cancelled"))
    assert ops("cancel", MIGRATION, typed="yes\n").exit_code == 1
    assert ops("cancel", MIGRATION, "--no-input").exit_code == 1
    assert stub.asked == []
    assert "is cancelled" in ops("cancel", MIGRATION, typed=f"{MIGRATION}\n").output
    assert ops("cancel", MIGRATION, "--yes").exit_code == 0
    printed = ops("cancel", MIGRATION, "--yes", "--json")
    assert json.loads(printed.stdout) == after("cancelled")


def test_a_wanted_signature_is_a_finding_and_a_date_is_none(stub: AppStub, ops: Ops) -> None:
    signature = {"what": "signature", "sentence": "The signature of operations is wanted.", "command": COMMAND}
    dated = {"what": "wave", "sentence": "Wave 2 begins 2 June 2026 10:00 London time.", "command": ""}
    stub.says("GET", "/api/status", a_status(a_migration(phase="assessed", waits=[signature])))
    result = ops("status")
    assert result.exit_code == 2
    assert COMMAND in result.output
    stub.says("GET", "/api/status", a_status(a_migration(phase="running", waits=[dated])))
    result = ops("status")
    assert result.exit_code == 0
    assert "Wave 2 begins 2 June 2026" in result.output


def test_pace_forecast_and_quota_are_told(stub: AppStub, ops: Ops) -> None:
    speed = {"per_minute": 1176.4, "ready_from": "2026-03-02T14:20:00Z", "ready_until": "2026-03-02T14:45:00Z"}
    going = a_migration(phase="running", speed=speed, done=600)
    stub.says("GET", "/api/status", {**a_status(going), "quota_used": 0.97, "throttled_share": 0.004})
    result = ops("status")
    ready = "what is due now is ready between 14:20 and 14:45 UTC"
    for said in ("1,176 a minute", ready, "Write quota used: 97%", "Throttled: 0.4%"):
        assert said in result.output


def test_a_range_over_midnight_names_both_days() -> None:
    late = datetime(2026, 3, 2, 23, 50, tzinfo=UTC)
    assert words.format_interval(late, late + timedelta(minutes=20)) == "between 2 March 23:50 and 3 March 00:10 UTC"
