"""The app and its command line agree: on words, and on what is answered. Only here the app itself is looked at."""

import io
from collections.abc import Mapping
from typing import Any

import azure.functions as func
import pytest
from pydantic import BaseModel
from rich.console import Console

from ops import answers, show, words
from ops.findings import list_findings
from shared import names
from shared.access import http
from shared.errors import Cannot, Stop
from shared.model.lifecycle import Outcome, RowState, State
from shared.model.migration import Phase
from shared.operations import api as operations_api
from tests.support.world import World, export, line


def test_there_is_a_word_for_everything_the_app_counts() -> None:
    assert set(words.OUTCOMES) == set(Outcome)
    assert set(words.STATES) == {*State, *RowState}
    assert set(words.PHASES) == set(Phase)
    assert set(words.QUEUES) == set(names.QUEUES)


async def _ask[T: BaseModel](
    world: World, handler: http.Handler, kind: type[T], body: bytes = b"", route: Mapping[str, str] | None = None
) -> T:
    request = func.HttpRequest(method="GET", url="/api/x", body=body, route_params=dict(route or {}))
    answer = await http.answer_request(lambda: world.ports, handler, request)
    assert answer.status_code == 200, answer.get_body()
    return kind.model_validate_json(answer.get_body())


def _text(page: Any) -> str:  # noqa: ANN401 - anything that rich can print
    out = io.StringIO()
    Console(file=out, width=160, highlight=False).print(page)
    return out.getvalue()


async def test_a_finished_migration_reads_well() -> None:
    world = World()
    await world.upload(export(line("C1"), line("C2", status="closed")))
    await world.run()
    status = await _ask(world, operations_api.show_status, answers.Status)
    assert list_findings(status) == []
    assert "new account, sets a password" in _text(show.make_overview(status))


async def test_an_upload_to_no_council_is_told_with_the_folder() -> None:
    world = World()
    await world.upload(export(line("C1")), "south_norfolk/portal.csv")
    await world.run(rounds=3)
    status = await _ask(world, operations_api.show_status, answers.Status)
    assert list_findings(status) == [
        "south_norfolk: the file south_norfolk/portal.csv was not taken: unknown_authority.",
    ]
    assert "did you mean `south-norfolk`?" in _text(show.make_overview(status))


async def test_a_stuck_account_is_listed_replayed_and_gone() -> None:
    world = World()
    world.directory.fail.append(Cannot("directory_refused"))
    await world.upload(export(line("C1")))
    await world.run()
    listed = await _ask(world, operations_api.list_poison, answers.Poison)
    assert [each.reason for each in listed.stuck] == ["directory_refused"]
    assert "ops poison replay --cause directory_refused" in _text(show.make_poison_page(listed, 100))
    done = await _ask(world, operations_api.replay_poison, answers.Settled, b'{"cause": "directory_refused"}')
    assert done.accounts == 1
    await world.run()
    assert list_findings(await _ask(world, operations_api.show_status, answers.Status)) == []


@pytest.mark.parametrize("reason", ["permission_missing", "message_service_refused"])
async def test_a_pause_is_shown_and_resumed(reason: str) -> None:
    world = World()
    world.directory.fail.append(Stop(reason, "a detail"))
    await world.upload(export(line("C1")))
    await world.run()
    status = await _ask(world, operations_api.show_status, answers.Status)
    assert list_findings(status) == [f"South Norfolk Council is paused: {reason}."]
    assert "(a detail)" in _text(show.make_overview(status))
    migration = status.migrations[0].migration
    resumed = await _ask(world, operations_api.resume_migration, answers.Resumed, route={"migration": migration})
    assert "goes on" in show.describe_resumed(resumed)
