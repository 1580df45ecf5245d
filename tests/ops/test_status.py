"""`ops status`: what people read, and the exit status that programs read."""

import json

import pytest

from ops.__main__ import main
from tests.ops.conftest import Ops
from tests.ops.kit import AppStub, a_cause, a_migration, a_pause, a_refusal, a_status


def test_all_well_is_exit_status_0(stub: AppStub, ops: Ops) -> None:
    stub.says("GET", "/api/status", a_status(a_migration()))
    result = ops("status")
    assert result.exit_code == 0
    assert "Nothing is stuck, paused or refused." in result.output


def test_people_read_their_own_words(stub: AppStub, ops: Ops) -> None:
    stub.says("GET", "/api/status", a_status(a_migration()))
    output = ops("status").output
    assert "joined to an existing account" in output
    assert "new account, sets a password" in output
    assert "needs a person" in output
    assert "cannot be moved as it stands" in output
    assert "Next: Done. 60 need a person: see result.csv." in output


def test_a_pause_shows_reason_sentence_and_remedy_and_is_exit_status_2(stub: AppStub, ops: Ops) -> None:
    stub.says("GET", "/api/status", a_status(a_migration(phase="running", paused=a_pause())))
    result = ops("status")
    assert result.exit_code == 2
    assert "PAUSED since 2 March 2026 09:05 UTC: permission_missing" in result.output
    assert "What permission_missing is. (Authorization_RequestDenied)" in result.output
    assert "What to do: How to mend permission_missing." in result.output
    assert "ops resume 2026-03-02-portal-d7e3" in result.output


def test_stuck_accounts_are_shown_by_cause_with_what_to_do(stub: AppStub, ops: Ops) -> None:
    failures = [a_cause("directory_refused", 3), a_cause("unexpected_error", 2)]
    stub.says("GET", "/api/status", a_status(a_migration(failures=failures)))
    result = ops("status")
    assert result.exit_code == 2
    assert "How to mend directory_refused." in result.output
    assert "ops poison replay --cause unexpected_error" in result.output
    assert "South Norfolk Council: 5 accounts are stuck." in result.output


def test_a_refused_upload_shows_why_and_is_exit_status_2(stub: AppStub, ops: Ops) -> None:
    stub.says("GET", "/api/status", a_status(a_refusal()))
    result = ops("status")
    assert result.exit_code == 2
    assert "NOT TAKEN: missing_column" in result.output
    assert "What to do: How to mend missing_column." in result.output


def test_nothing_uploaded_says_what_to_do(stub: AppStub, ops: Ops) -> None:
    stub.says("GET", "/api/status", a_status())
    result = ops("status")
    assert result.exit_code == 0
    assert "Nothing was uploaded yet: put a file into exports/<council>/." in result.output


def test_messages_in_poison_are_a_finding(stub: AppStub, ops: Ops) -> None:
    stub.says("GET", "/api/status", a_status(a_migration(), poison=2))
    result = ops("status")
    assert result.exit_code == 2
    assert "2 messages in the poison queues" in result.output


def test_json_is_word_for_word_what_the_app_said(stub: AppStub, ops: Ops) -> None:
    said = {**a_status(a_migration(paused=a_pause())), "something": "new"}
    stub.says("GET", "/api/status", said)
    result = ops("status", "--json")
    assert json.loads(result.stdout) == said
    assert result.exit_code == 2


def test_one_council_is_asked_for_by_its_folder(stub: AppStub, ops: Ops) -> None:
    stub.says("GET", "/api/status", a_status())
    ops("status", "--authority", "south-norfolk")
    assert stub.asked[0].path == "/api/status?authority=south-norfolk"


def test_an_unknown_council_is_told_in_the_words_of_the_app(stub: AppStub, ops: Ops) -> None:
    stub.says("GET", "/api/status", {"error": "No council `x` has a profile."}, status=404)
    result = ops("status", "--authority", "x")
    assert result.exit_code == 1
    assert "No council `x` has a profile." in result.output


def test_watching_ends_when_nothing_moves_and_says_each_thing_once(stub: AppStub, ops: Ops) -> None:
    reading = a_status(a_migration(phase="staging", staged=600, states={}, outcomes={}, oldest_waiting_seconds=None))
    stub.says("GET", "/api/status", reading, reading, a_status(a_migration()))
    result = ops("status", "--watch", "--every", "0.1")
    assert result.exit_code == 0
    assert result.output.count("South Norfolk Council · reading rows · 600 of 1,200 (50 %)") == 1
    assert "Nothing is stuck, paused or refused." in result.output


def test_watching_waits_for_an_upload_that_is_still_in_its_queue(stub: AppStub, ops: Ops) -> None:
    stub.says("GET", "/api/status", a_status(messages=1), a_status(a_migration()))
    assert "South Norfolk Council · done" in ops("status", "--watch", "--every", "0.1").output


def test_a_wrong_command_line_is_not_taken_for_findings(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", "--watch", "--json"]) == 1
    assert main(["statos"]) == 1
    assert "No such command" in capsys.readouterr().err


def test_help_tells_the_exit_status_and_gives_examples(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", "--help"]) == 0
    said = capsys.readouterr().out
    assert "Exit status: 0 all is well" in said
    assert "ops status --authority south-norfolk --watch" in said


def test_without_arguments_it_explains_itself(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    assert "Watch migrations" in capsys.readouterr().out
