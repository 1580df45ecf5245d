"""`ops doctor`: what the app says is shown with its mends, and where no app is, a process here looks."""

import json
import socket

import pytest

from ops.answers_doctor import Report
from ops.doctor import For
from ops.show_doctor import AREAS, MARKS, PURPOSES
from shared.readiness.rules.report import Area, CheckStatus, Purpose
from tests.ops.conftest import Ops
from tests.ops.kit import AppStub, Json


def a_check(**changes: object) -> Json:
    return {
        "area": "storage",
        "name": "queues",
        "status": "ok",
        "found": "10 there",
        "mend": "",
        "anchor": "",
        **changes,
    }


MISSING = a_check(
    status="missing", found="not there: [stage-rows]", mend="Make it.", anchor="docs/runbook.md#doctor-queue-missing"
)


def a_report(*checks: Json) -> Json:
    counts = {status: sum(check["status"] == status for check in checks) for status in MARKS}
    return {
        "purpose": "wave",
        "authority": "",
        "at": "2026-03-02T09:00:00Z",
        "by": "app",
        "findings": counts["missing"] + counts["too_much"],
        "counts": counts,
        "checks": list(checks),
    }


def test_all_well_is_exit_status_0(stub: AppStub, ops: Ops) -> None:
    stub.says("GET", "/api/doctor", a_report(a_check()))
    result = ops("doctor", "--for", "wave")
    assert result.exit_code == 0
    assert "✓ ok" in result.output
    assert "Nothing to mend." in result.output
    assert stub.asked[0].path == "/api/doctor?for=wave"


def test_a_finding_is_exit_status_2_and_shows_its_mend_and_where_to_read_on(stub: AppStub, ops: Ops) -> None:
    skipped = a_check(area="directory", name="sign-in", status="not_checked", found="see above")
    stub.says("GET", "/api/doctor", a_report(MISSING, skipped))
    result = ops("doctor", "--for", "wave", "--authority", "south-norfolk")
    assert result.exit_code == 2
    for words in ("✗ missing", "not there: [stage-rows]", "Mend: Make it.", "#doctor-queue-missing", "- not checked"):
        assert words in result.output
    assert "1 finding: mend what is marked ✗, then look again. 1 thing was not checked." in result.output
    assert stub.asked[0].path == "/api/doctor?for=wave&authority=south-norfolk"


def test_json_is_what_the_app_said(stub: AppStub, ops: Ops) -> None:
    said = a_report({**MISSING, "code": "queue_missing"})
    stub.says("GET", "/api/doctor", said)
    result = ops("doctor", "--for", "wave", "--json")
    assert result.exit_code == 2
    assert json.loads(result.stdout) == said


def test_a_refusal_of_the_app_is_told_and_nobody_looks_elsewhere(stub: AppStub, ops: Ops) -> None:
    stub.says("GET", "/api/doctor", {"error": "This needs the app role `operator`."}, status=403)
    result = ops("doctor", "--for", "wave")
    assert result.exit_code == 1
    assert "This needs the app role `operator`." in result.output
    assert "process" not in result.output


def test_what_it_is_for_has_to_be_said(ops: Ops) -> None:
    assert ops("doctor").exit_code != 0
    assert ops("doctor", "--for", "everything").exit_code != 0


@pytest.fixture
def _bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """A shell in which nothing is set."""
    for name in ("DIRECTORY_KIND", "MigrationStorage", "NOTIFY_PROVIDER", "PSEUDONYM_KEY", "AUTHORITIES_FOLDER"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.usefixtures("_bare")
def test_where_no_app_answers_a_process_here_tells_each_missing_setting(ops: Ops) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        result = ops("doctor", "--for", "assess", "--json", url=url)
    assert result.exit_code == 2
    assert f"No app answers at {url}: the same checks run here" in result.stderr
    report = Report.model_validate_json(result.stdout)
    assert report.by == "process"
    missing = {check.name for check in report.checks if check.status == "missing"}
    assert {"DIRECTORY_KIND", "MigrationStorage", "NOTIFY_PROVIDER", "PSEUDONYM_KEY"} <= missing


@pytest.mark.usefixtures("_bare")
def test_a_council_that_nobody_knows_is_an_error_and_no_finding(ops: Ops) -> None:
    result = ops("doctor", "--for", "assess", "--here", "--authority", "norwich")
    assert result.exit_code == 1
    assert "No council `norwich` has a profile. Known are: great-yarmouth, south-norfolk." in result.stderr


def test_an_app_elsewhere_that_does_not_answer_is_an_error(ops: Ops) -> None:
    result = ops("doctor", "--for", "wave", url="http://app.invalid")
    assert result.exit_code == 1
    assert "No app answers at http://app.invalid" in result.output


def test_the_command_line_has_a_word_for_everything_that_the_app_may_say() -> None:
    assert set(AREAS) == set(Area)
    assert set(MARKS) == set(CheckStatus)
    assert set(PURPOSES) == {each.value for each in For} == set(Purpose)
