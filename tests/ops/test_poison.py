"""`ops poison` and `ops resume`: what is sent to the app, what is asked first, what is said afterwards."""

import pytest

from ops.__main__ import main
from tests.ops.conftest import Ops
from tests.ops.kit import ACCOUNT, AppStub, stuck

DONE = {"accounts": 3, "migrations": 0, "messages": 2}


def test_what_is_stuck_is_listed_by_cause_with_its_accounts(stub: AppStub, ops: Ops) -> None:
    found = [stuck("directory_refused"), stuck("directory_refused", "a" + "1" * 40), stuck("host_lost", "a" + "2" * 40)]
    queues = [{"queue": "provision-account", "messages": 0, "poison": 3}]
    stub.says("GET", "/api/poison", {"stuck": found, "queues": queues})
    result = ops("poison", "list", "--limit", "3")
    assert result.exit_code == 0
    assert stub.asked[0].path == "/api/poison?limit=3"
    assert "ops poison replay --cause directory_refused" in result.output
    assert "How to mend host_lost." in result.output
    assert ACCOUNT in result.output
    assert "These are the first 3; there may be more" in result.output
    assert "provision-account-poison holds 3 messages." in result.output


def test_nothing_stuck_is_said(stub: AppStub, ops: Ops) -> None:
    stub.says("GET", "/api/poison", {"stuck": [], "queues": []})
    assert "No account is stuck." in ops("poison", "list").output


@pytest.mark.parametrize(
    ("arguments", "sent"),
    [
        (["--account", ACCOUNT], {"account": ACCOUNT}),
        (["--cause", "host_lost"], {"cause": "host_lost"}),
        (["--all"], {"all": True}),
    ],
)
def test_a_replay_means_exactly_what_was_chosen(
    stub: AppStub, ops: Ops, arguments: list[str], sent: dict[str, object]
) -> None:
    stub.says("POST", "/api/poison/replay", DONE)
    result = ops("poison", "replay", *arguments, "--no-input")
    assert result.exit_code == 0
    assert stub.asked[0].body == sent
    assert "3 accounts replayed. 2 messages taken out of the poison queues." in result.output


def test_a_replay_that_meant_nothing_says_so(stub: AppStub, ops: Ops) -> None:
    stub.says("POST", "/api/poison/replay", {"accounts": 0, "migrations": 0, "messages": 0})
    assert (
        "Nothing is stuck that this means, so nothing was replayed." in ops("poison", "replay", "--cause", "x").output
    )


@pytest.mark.parametrize("arguments", [[], ["--all", "--cause", "host_lost"]])
@pytest.mark.parametrize("verb", ["replay", "discard"])
def test_a_choice_that_is_not_one_is_refused(
    verb: str, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["poison", verb, *arguments]) == 1
    assert "choose exactly one of them" in capsys.readouterr().err


def test_what_cannot_be_an_account_is_told_before_the_app_is_asked(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["poison", "replay", "--account", "C1"]) == 1
    assert "an account is `a` and 40 hex digits" in capsys.readouterr().err


def test_discarding_everything_wants_the_word_typed(stub: AppStub, ops: Ops) -> None:
    stub.says("POST", "/api/poison/discard", DONE)
    assert ops("poison", "discard", "--all", typed="yes\n").exit_code == 1
    assert stub.asked == []
    assert ops("poison", "discard", "--all", typed="discard\n").exit_code == 0
    assert stub.asked[0].body == {"all": True}


def test_discarding_one_asks_and_takes_no_for_an_answer(stub: AppStub, ops: Ops) -> None:
    result = ops("poison", "discard", "--account", ACCOUNT, typed="n\n")
    assert result.exit_code == 1
    assert "Nothing was done." in result.output
    assert stub.asked == []


def test_discarding_with_yes_does_not_ask(stub: AppStub, ops: Ops) -> None:
    stub.says("POST", "/api/poison/discard", DONE)
    result = ops("poison", "discard", "--all", "--yes")
    assert result.exit_code == 0
    assert "3 accounts discarded" in result.output


def test_discarding_never_waits_for_somebody_who_is_not_there(stub: AppStub, ops: Ops) -> None:
    result = ops("poison", "discard", "--all", "--no-input")
    assert result.exit_code == 1
    assert "needs --yes" in result.output
    assert stub.asked == []


def test_resume_says_that_it_goes_on(stub: AppStub, ops: Ops) -> None:
    answer = {"migration": "2026-03-02-portal-d7e3", "phase": "running", "paused": False}
    stub.says("POST", "/api/migrations/2026-03-02-portal-d7e3/resume", answer)
    result = ops("resume", "2026-03-02-portal-d7e3")
    assert result.exit_code == 0
    assert "2026-03-02-portal-d7e3 goes on: moving accounts." in result.output


def test_resuming_what_is_not_paused_says_what_it_is(stub: AppStub, ops: Ops) -> None:
    stub.says("POST", "/api/migrations/x/resume", {"migration": "x", "phase": "done", "paused": False})
    assert "x is not paused: it is done." in ops("resume", "x").output


def test_resuming_what_is_not_there_is_told_in_the_words_of_the_app(stub: AppStub, ops: Ops) -> None:
    stub.says("POST", "/api/migrations/x%2Fy/resume", {"error": "There is no migration `x/y`."}, status=404)
    result = ops("resume", "x/y")
    assert result.exit_code == 1
    assert "There is no migration `x/y`." in result.output
