"""`ops canary`: what people read while it goes on, the exit status, and what is sent to the app."""

import json
from typing import Any

import pytest
from typer.testing import CliRunner

from ops.__main__ import main
from ops.canary import Canaries, Canary
from ops.commands import commands
from shared.readiness import canary_api
from tests.ops.conftest import Ops
from tests.ops.kit import AppStub

type Json = dict[str, Any]

ADDRESS = "robin@example.org"
ASK = ("canary", "--authority", "south-norfolk", "--address", ADDRESS)
USER = "7c5c0d3e-0000-4000-8000-000000000000"
AT = "2026-03-02T09:00:00Z"


def _step(step: str, result: str = "ok", sentence: str = "") -> Json:
    return {"step": step, "result": result, "sentence": sentence or f"About {step}.", "at": AT}


def a_canary(**changes: object) -> Json:
    """A canary that passed."""
    return {
        "authority": "south-norfolk",
        "council": "South Norfolk Council",
        "run": 3,
        "verdict": "passed",
        "started_at": AT,
        "finished_at": AT,
        "passed_at": AT,
        "failed_at": None,
        "asked_within_days": 14,
        "steps": [_step("address-free"), _step("create")],
        "next": [],
        "failures": [],
        "notes": [],
        "answers": [{"name": "conflict_property", "question": "Which property?", "value": "proxyAddresses", "at": AT}],
        "users": [],
        "ask_again_seconds": 0,
        **changes,
    }


def waiting(**changes: object) -> Json:
    """One that waits for a person."""
    steps = [_step("create"), _step("reset-by-customer", "waits")]
    to_do = ["Open the page.", "Set a password."]
    return a_canary(verdict="running", finished_at=None, steps=steps, next=to_do, **changes)


def failed() -> Json:
    """One that failed."""
    failure = {"code": "flag_survives_reset", "sentence": "The flag is still true.", "remedy": "Change the policy."}
    return a_canary(verdict="failed", failures=[failure], steps=[_step("reset-by-customer", "failed")])


def test_a_canary_that_passes_is_exit_status_0(stub: AppStub, ops: Ops) -> None:
    stub.says("POST", "/api/canary", a_canary())
    result = ops(*ASK)
    assert result.exit_code == 0
    assert "PASSED: the directory does what a wave needs of it." in result.output
    assert "Which property?" in result.output
    assert "2 March 2026 09:00 UTC" in result.output


def test_it_waits_says_what_to_do_and_each_thing_once(stub: AppStub, ops: Ops) -> None:
    stub.says("POST", "/api/canary", waiting(), waiting(), waiting(), a_canary())
    result = ops(*ASK)
    assert result.exit_code == 0
    assert result.output.count("1. Open the page.") == 1
    assert result.output.count("About create.") == 1
    assert result.output.count("About address-free.") == 1


def test_a_failure_says_what_to_change_and_is_exit_status_2(stub: AppStub, ops: Ops) -> None:
    stub.says("POST", "/api/canary", failed())
    result = ops(*ASK)
    assert result.exit_code == 2
    assert "flag_survives_reset: The flag is still true." in result.output
    assert "What to change: Change the policy." in result.output


def test_what_people_should_know_is_said_although_nothing_failed(stub: AppStub, ops: Ops) -> None:
    stub.says("POST", "/api/canary", a_canary(notes=["Nobody said whether the sign-in worked."]))
    result = ops(*ASK)
    assert result.exit_code == 0
    assert "Note: Nobody said whether the sign-in worked." in result.output


def test_the_address_goes_in_the_body_alone(stub: AppStub, ops: Ops) -> None:
    stub.says("POST", "/api/canary", waiting(), a_canary())
    ops(*ASK)
    assert [asked.path for asked in stub.asked] == ["/api/canary"] * 2
    assert stub.asked[0].body == {"authority": "south-norfolk", "address": ADDRESS, "undo": ""}
    assert stub.asked[1].body == {"authority": "south-norfolk", "address": ADDRESS, "undo": "", "run": 3}


@pytest.mark.parametrize(("said", "sent"), [("yes", True), ("no", False)])
def test_what_the_person_says_of_the_sign_in_is_sent_once(stub: AppStub, ops: Ops, said: str, *, sent: bool) -> None:
    stub.says("POST", "/api/canary", waiting(), a_canary())
    ops(*ASK, "--signed-in", said)
    assert stub.asked[0].body["signed_in"] is sent
    assert "signed_in" not in stub.asked[1].body


def test_once_does_not_wait(stub: AppStub, ops: Ops) -> None:
    stub.says("POST", "/api/canary", waiting())
    result = ops(*ASK, "--once")
    assert result.exit_code == 0
    assert "Under way. The same command goes on with it." in result.output
    assert len(stub.asked) == 1


def test_an_undo_needs_no_address_and_is_exit_status_0(stub: AppStub, ops: Ops) -> None:
    stub.says("POST", "/api/canary", a_canary(verdict="cancelled"))
    result = ops("canary", "--authority", "south-norfolk", "--undo", USER)
    assert result.exit_code == 0
    assert stub.asked[0].body["undo"] == USER


def test_a_canary_that_somebody_else_ended_is_no_pass(stub: AppStub, ops: Ops) -> None:
    stub.says("POST", "/api/canary", a_canary(verdict="cancelled"))
    assert ops(*ASK).exit_code == 2


def test_json_is_what_the_app_said_at_the_end_and_nothing_else(stub: AppStub, ops: Ops) -> None:
    stub.says("POST", "/api/canary", waiting(), {**a_canary(), "something": "new"})
    result = ops(*ASK, "--json")
    assert json.loads(result.stdout) == {**a_canary(), "something": "new"}
    assert "1. Open the page." in result.stderr


def test_what_the_app_refuses_is_told_in_its_words(stub: AppStub, ops: Ops) -> None:
    stub.says("POST", "/api/canary", {"error": "The canary has another address."}, status=409)
    result = ops(*ASK)
    assert result.exit_code == 1
    assert "The canary has another address." in result.output


def test_show_only_shows(stub: AppStub, ops: Ops) -> None:
    stub.says("GET", "/api/canary", {"canaries": [a_canary()]})
    result = ops("canary", "--show", "--authority", "south-norfolk")
    assert result.exit_code == 0
    assert "South Norfolk Council (south-norfolk)" in result.output
    assert "asked for within 14 days of a wave" in result.output
    assert [asked.path for asked in stub.asked] == ["/api/canary?authority=south-norfolk"]


def test_a_shown_failure_is_exit_status_2(stub: AppStub, ops: Ops) -> None:
    stub.says("GET", "/api/canary", {"canaries": [a_canary(), failed()]})
    assert ops("canary", "--show").exit_code == 2


def test_where_none_has_run_it_says_how(stub: AppStub, ops: Ops) -> None:
    stub.says("GET", "/api/canary", {"canaries": []})
    result = ops("canary", "--show")
    assert result.exit_code == 0
    assert "No canary has run yet: ops canary --authority" in result.output


@pytest.mark.parametrize("arguments", [(), ("--authority", "south-norfolk"), ("--address", ADDRESS)])
def test_a_council_and_a_mailbox_must_be_named(arguments: tuple[str, ...]) -> None:
    result = CliRunner().invoke(commands, ["canary", *arguments])
    assert result.exit_code != 0
    assert "name the council and a mailbox" in result.output


def test_an_undo_of_what_is_no_id_says_where_it_stands(ops: Ops) -> None:
    done = ops("canary", "--authority", "south-norfolk", "--undo", "notanid")
    assert done.exit_code == 2
    assert "ops canary --show" in " ".join(done.stderr.replace("\u2502", " ").split())


def test_help_teaches(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["canary", "--help"]) == 0
    said = capsys.readouterr().out
    assert "ops canary --authority south-norfolk --address canary@example.org" in said
    assert "Exit status: 0 it passed" in said


def test_the_command_line_reads_what_the_app_says() -> None:
    assert set(Canary.model_fields) <= set(canary_api.CanaryAnswer.model_fields)
    assert set(Canaries.model_fields) == set(canary_api.Canaries.model_fields)
