"""`ops rebuild`: what people read, what is asked of the app, and the exit status."""

import json

import azure.functions as func
import pytest

from ops import answers, show
from ops.findings import list_findings
from ops.rebuild import Outlooks, Progress
from shared.access import http
from shared.integrity.backup_tables import backup_tables
from shared.operations import api as operations_api
from shared.recovery import api as recovery_api
from tests.ops.conftest import Ops
from tests.ops.kit import AppStub, Json, a_migration, a_status
from tests.support.losses import lose
from tests.support.stories import settle
from tests.support.world import World, export, line


def council(**changes: object) -> Json:
    """A council that lost nothing."""
    return {
        "authority": "south-norfolk",
        "council": "South Norfolk Council",
        "lost": [],
        "under_way_since": None,
        "night": "",
        "copy_records": 0,
        "read_again": [],
        "gone": [],
        "unexplained": None,
        **changes,
    }


def lost(**changes: object) -> Json:
    """All of whose tables were emptied."""
    return council(
        lost=["Accounts", "Migrations", "Rows"],
        night="2026-03-02",
        copy_records=1200,
        read_again=["2026-03-02-portal-d7e3"],
        **changes,
    )


def step(doing: str = "", *, finished: bool = False, done: int = 0, of: int = 0) -> Json:
    """What one request came to."""
    authority = "" if finished else "south-norfolk"
    return {"finished": finished, "authority": authority, "doing": doing, "done": done, "of": of}


def test_nothing_lost_is_said_and_nothing_is_asked_for(stub: AppStub, ops: Ops) -> None:
    stub.says("GET", "/api/rebuild", {"councils": [council()]})
    result = ops("rebuild")
    assert result.exit_code == 0
    assert "No tables are lost" in result.output
    assert [asked.method for asked in stub.asked] == ["GET"]
    assert "No tables of south-norfolk are lost" in ops("rebuild", "--authority", "south-norfolk").output


def test_a_dry_run_says_what_is_lost_and_changes_nothing(stub: AppStub, ops: Ops) -> None:
    stub.says("GET", "/api/rebuild", {"councils": [lost(gone=["2026-02-01-old-aaaa"]), council(council="Other")]})
    result = ops("rebuild", "--dry-run")
    assert result.exit_code == 2
    assert "Lost: Accounts, Migrations, Rows." in result.output
    assert "The copy of the night of 2026-03-02 holds 1,200 records of it." in result.output
    assert "Read once more: 2026-03-02-portal-d7e3." in result.output
    assert "only a copy knows whom they brought: 2026-02-01-old-aaaa." in result.output
    assert [asked.method for asked in stub.asked] == ["GET"]


def test_it_asks_the_app_again_until_it_is_finished(stub: AppStub, ops: Ops) -> None:
    stub.says("GET", "/api/rebuild", {"councils": [lost()]})
    stub.says("POST", "/api/rebuild", step("putting back", done=3, of=6), step("handed over"), step(finished=True))
    result = ops("rebuild", "--yes", "--from", "copy", "--authority", "south-norfolk")
    assert result.exit_code == 0
    assert "south-norfolk: putting back (3 of 6)" in result.output
    assert "`ops status --watch` shows how. Nothing else is needed." in " ".join(result.output.split())
    asked = [each.body for each in stub.asked if each.method == "POST"]
    assert asked == [{"authority": "south-norfolk", "source": "copy"}] * 3


def test_a_copy_is_left_aside_by_a_word_of_its_own(stub: AppStub, ops: Ops) -> None:
    stub.says("GET", "/api/rebuild", {"councils": [lost()]})
    stub.says("POST", "/api/rebuild", step(finished=True))
    ops("rebuild", "--yes", "--from", "export", "--without-copy")
    assert stub.asked[-1].body == {"source": "export", "without_copy": True}


@pytest.mark.parametrize(("typed", "status", "posts"), [("n\n", 1, 0), ("y\n", 0, 1)])
def test_it_shows_what_would_be_done_and_asks_first(
    stub: AppStub, ops: Ops, typed: str, status: int, posts: int
) -> None:
    stub.says("GET", "/api/rebuild", {"councils": [lost()]})
    stub.says("POST", "/api/rebuild", step(finished=True))
    result = ops("rebuild", typed=typed)
    assert result.exit_code == status
    assert "Read once more" in result.output
    assert [asked.body for asked in stub.asked if asked.method == "POST"] == [{}] * posts


def test_a_rebuild_that_somebody_left_is_gone_on_with(stub: AppStub, ops: Ops) -> None:
    stub.says("GET", "/api/rebuild", {"councils": [council(under_way_since="2026-03-02T10:00:00Z")]})
    stub.says("POST", "/api/rebuild", step(finished=True))
    assert ops("rebuild", "--yes").exit_code == 0
    assert "begun 2 March 2026 10:00 UTC" in ops("rebuild", "--dry-run").output


def test_what_the_app_refuses_is_told_in_its_own_words(stub: AppStub, ops: Ops) -> None:
    stub.says("GET", "/api/rebuild", {"councils": [lost()]})
    stub.says("POST", "/api/rebuild", {"error": "PSEUDONYM_KEY is not the key."}, status=409)
    result = ops("rebuild", "--yes")
    assert result.exit_code == 1
    assert "PSEUDONYM_KEY is not the key." in result.output


@pytest.mark.parametrize(
    ("unexplained", "status", "says"),
    [(0, 0, "every mark in the directory belongs"), (3, 2, "3 users in the directory have our mark"), (None, 0, "ask")],
)
def test_marks_that_nothing_explains_are_a_finding(
    stub: AppStub, ops: Ops, unexplained: int | None, status: int, says: str
) -> None:
    stub.says("GET", "/api/rebuild", {"councils": [council(unexplained=unexplained)]})
    result = ops("rebuild", "--marks")
    assert result.exit_code == status
    assert says in " ".join(result.output.split())


def test_json_is_what_the_app_said(stub: AppStub, ops: Ops) -> None:
    stub.says("GET", "/api/rebuild", {"councils": [council()]})
    assert json.loads(ops("rebuild", "--json").output) == {"councils": [council()]}


def test_help_says_when_to_use_it_and_that_nothing_else_is_needed(ops: Ops) -> None:
    says = " ".join(ops("rebuild", "--help").output.split())
    assert "Use this command when `ops status` says TABLES LOST." in says
    assert "Nothing else is needed afterwards." in says


def test_status_says_that_tables_are_lost_and_what_to_do(stub: AppStub, ops: Ops) -> None:
    one = {
        "authority": "south-norfolk",
        "council": "South Norfolk Council",
        "tables": ["Accounts"],
        "sentence": "Tables of the app were emptied.",
        "next": "Run `ops rebuild`.",
    }
    stub.says("GET", "/api/status", {**a_status(), "lost": [one], "copied_at": "2026-03-02T02:10:00Z"})
    result = ops("status")
    assert result.exit_code == 2
    assert "TABLES LOST: South Norfolk Council (Accounts)" in result.output
    assert "What to do: Run `ops rebuild`." in result.output
    assert "The tables were copied 7 h 0 min ago." in result.output
    assert "Nothing was uploaded yet" not in result.output


def test_status_of_an_app_that_knows_no_copies_reads_as_before(stub: AppStub, ops: Ops) -> None:
    stub.says("GET", "/api/status", a_status(a_migration()))
    assert ops("status").exit_code == 0


async def _ask(world: World, handler: http.Handler, body: Json | None = None, **params: str) -> bytes:
    request = func.HttpRequest(method="POST", url="/api/rebuild", body=json.dumps(body or {}).encode(), params=params)
    answer = await http.answer_request(lambda: world.ports, handler, request)
    assert answer.status_code == 200, answer.get_body()
    found: bytes = answer.get_body()
    return found


async def test_the_app_and_the_command_line_agree() -> None:
    world = World()
    await world.upload(export(line("C1")))
    await settle(world)
    await backup_tables(world.ports)
    lose(world)
    status = answers.Status.model_validate_json(await _ask(world, operations_api.show_status))
    assert list_findings(status) == ["South Norfolk Council: tables of the app were emptied. Run `ops rebuild`."]
    assert show.make_overview(status)
    found = Outlooks.model_validate_json(await _ask(world, recovery_api.show_rebuild, authority="south-norfolk"))
    [council] = found.councils
    assert (council.lost, council.night) == (["Accounts", "Migrations", "Rows"], "2026-03-02")
    for _ in range(20):
        said = Progress.model_validate_json(await _ask(world, recovery_api.run_rebuild, {"source": "copy"}))
        if said.finished:
            break
    assert said.finished
    await settle(world)
    found = Outlooks.model_validate_json(await _ask(world, recovery_api.show_rebuild, marks="true"))
    assert {council.authority: council.unexplained for council in found.councils} == {
        "south-norfolk": 0,
        "great-yarmouth": 0,
    }
    assert world.told == ["c1@example.org"]


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        (b'{"source": "tape"}', 400, "Send"),
        (b'{"source": "export", "without_copy": "yes"}', 400, "Send"),
        (b"nonsense", 400, "Send"),
        (b'{"authority": "broadland"}', 404, "No council `broadland`"),
    ],
)
async def test_a_request_that_makes_no_sense_is_refused_with_a_sentence(body: bytes, status: int, says: str) -> None:
    request = func.HttpRequest(method="POST", url="/api/rebuild", body=body)
    answer = await http.answer_request(lambda: World().ports, recovery_api.run_rebuild, request)
    assert answer.status_code == status
    assert says in json.loads(answer.get_body())["error"]
