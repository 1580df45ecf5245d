"""`ops wave`, `ops switch`, `ops review`: what people read, what is asked of the app, and the exit status."""

from tests.ops.conftest import Ops
from tests.ops.kit import ACCOUNT, AppStub, Json
from tests.ops.test_plan import MIGRATION, PATH, a_plan


def a_wave(**changes: object) -> Json:
    """A wave that is open."""
    return {
        "number": 1,
        "name": "pilot",
        "takes": "pilot",
        "starts_at": "2026-06-02T09:00:00Z",
        "accounts": 20,
        "opened_at": "2026-06-02T09:00:05Z",
        "stopped": [],
        **changes,
    }


def a_gate(**changes: object) -> Json:
    """A wave that waits."""
    return {"migration": MIGRATION, "wave": 2, "opened": False, "checked": {}, "stopped": [], **changes}


def test_a_stopped_wave_is_a_finding_with_the_reason(stub: AppStub, ops: Ops) -> None:
    second = a_wave(number=2, name="all", opened_at=None, stopped=["7 % failed, 1 % may."])
    stub.says("GET", f"{PATH}/plan", a_plan(waves=[a_wave(), second]), a_plan(waves=[a_wave()]))
    result = ops("wave", "list", MIGRATION)
    assert result.exit_code == 2
    for said in ("2 June 2026 10:00 London time", "open since 2 June 2026 09:00 UTC", "stopped: 7 % failed, 1 % may."):
        assert said in result.output
    assert ops("wave", "list", MIGRATION).exit_code == 0


def test_a_wave_whose_day_has_come_tells_what_it_waits_for(stub: AppStub, ops: Ops) -> None:
    why = "as soon as wave 1 is at rest: 3 of its accounts are still to be moved"
    second = a_wave(number=2, name="all", opened_at=None, held_back=why)
    stub.says("GET", f"{PATH}/plan", a_plan(waves=[a_wave(), second]))
    result = ops("wave", "list", MIGRATION)
    assert result.exit_code == 0
    assert f"opens {why}" in " ".join(result.output.split())


def test_a_wave_is_opened_with_a_reason(stub: AppStub, ops: Ops) -> None:
    stub.says("POST", f"{PATH}/waves/2/open", a_gate(opened=True))
    assert ops("wave", "open", MIGRATION, "2").exit_code != 0
    assert stub.asked == []
    assert "is open" in ops("wave", "open", MIGRATION, "2", "--why", "one closed domain", "--by", "Ann").output
    assert stub.asked[0].body == {"why": "one closed domain", "by": "Ann"}


def test_a_point_is_confirmed(stub: AppStub, ops: Ops) -> None:
    gate = a_gate(checked={"help desks briefed": "ann"}, stopped=["The page is not published."])
    stub.says("POST", f"{PATH}/waves/2/check", gate)
    result = ops("wave", "check", MIGRATION, "2", "help desks briefed")
    assert stub.asked[0].body == {"point": "help desks briefed"}
    for said in ("is not open yet", "Confirmed: help desks briefed, by ann.", "The page is not published."):
        assert said in result.output


def test_what_is_still_to_be_confirmed_is_told_once(stub: AppStub, ops: Ops) -> None:
    stopped = ['"page published" is not confirmed for wave 2.']
    gate = a_gate(stopped=stopped, unconfirmed=["page published", "desks told"])
    stub.says("POST", f"{PATH}/waves/2/check", gate, a_gate(checked={"desks told": "ann"}, unconfirmed=[]))
    said = ops("wave", "check", MIGRATION, "2", "help desks briefed").output
    assert said.count("page published") == 1
    assert "Still to confirm: desks told." in said
    assert "It opens by itself" in ops("wave", "check", MIGRATION, "2", "desks told").output


def test_the_switch_is_confirmed(stub: AppStub, ops: Ops) -> None:
    stub.says("POST", f"{PATH}/switch", {"migration": MIGRATION, "switched": True})
    assert "are told now" in ops("switch", "confirm", MIGRATION).output


def a_case(**changes: object) -> Json:
    """A case that nobody decides yet."""
    return {"account": ACCOUNT, "row": 7, "reason": "names_differ", "owner": "", "decide_by": "", **changes}


def some_cases(*groups: Json, unowned: int = 0, rows: int = 0, listed: int = 1) -> Json:
    """The review cases of a migration."""
    return {
        "migration": MIGRATION,
        "cases": sum(group["cases"] for group in groups),
        "unowned": unowned,
        "groups": list(groups),
        "first": [a_case()] * listed,
        "without_account": rows,
    }


def test_review_cases_are_listed_with_who_decides_them(stub: AppStub, ops: Ops) -> None:
    owned = {"cases": 59, "reason": "shared_address", "owner": "desk", "decide_by": "2026-03-31"}
    nobodys = {"cases": 1, "reason": "names_differ", "owner": "", "decide_by": ""}
    stub.says("GET", f"{PATH}/review", some_cases(nobodys, owned, unowned=1, rows=2), some_cases(owned, listed=59))
    result = ops("review", "list", MIGRATION)
    assert result.exit_code == 2
    assert "60 cases in review, 1 without an owner or a day." in result.output
    for said in ("nobody", "desk", "2026-03-31", ACCOUNT, "These are the first 1", "2 rows without an account need"):
        assert said in result.output
    assert f"ops review assign {MIGRATION} REASON --owner TEAM --by-day DATE" in result.output
    result = ops("review", "list", MIGRATION, "--limit", "1000")
    assert result.exit_code == 0
    assert "ops review assign" not in result.output
    assert stub.asked[-1].path == f"{PATH}/review?limit=1000"


def test_review_cases_are_given_to_somebody(stub: AppStub, ops: Ops) -> None:
    stub.says("POST", f"{PATH}/review", {"migration": MIGRATION, "cases": 60})
    result = ops("review", "assign", MIGRATION, "names_differ", "--owner", "desk", "--by-day", "2026-03-31")
    assert "60 cases are for desk to decide until 2026-03-31." in result.output
    assert stub.asked[-1].body == {"which": "names_differ", "owner": "desk", "decide_by": "2026-03-31"}


def test_where_nothing_is_in_review_that_is_said(stub: AppStub, ops: Ops) -> None:
    stub.says("GET", f"{PATH}/review", some_cases(listed=0))
    result = ops("review", "list", MIGRATION)
    assert (result.exit_code, "No case is in review." in result.output) == (0, True)
    assert ops("review", "list", "nothing").exit_code == 1
