"""What people may ask of stuck accounts: a body that says something else than it should moves nobody."""

import json

import azure.functions as func
import pytest

from shared.access import http
from shared.operations import api as operations_api
from shared.recovery import api as recovery_api
from tests.support.sign_in import signed_in
from tests.support.world import World


async def _replayed(body: bytes) -> tuple[int, str]:
    request = func.HttpRequest(method="POST", url="/api/poison/replay", body=body)
    world = World()
    answer = await http.answer_request(lambda: world.ports, operations_api.replay_poison, request)
    return answer.status_code, json.loads(answer.get_body()).get("error", "")


@pytest.mark.parametrize(
    "body",
    [
        b'{"all": "true"}',
        b'{"all": "yes"}',
        b'{"all": 1}',
        b'{"all": null}',
        b'{"all": true, "cause": "directory_refused"}',
        b'{"cause": 5}',
        b'{"ALL": true}',
        b"{}",
        b"",
        b"[" * 100_000,
    ],
)
async def test_only_a_clear_choice_replays_anything(body: bytes) -> None:
    status, said = await _replayed(body)
    assert status == 400
    assert said.startswith("Choose exactly one")


async def test_all_is_said_by_true() -> None:
    assert await _replayed(b'{"all": true}') == (200, "")


@pytest.mark.parametrize(
    ("role", "marks", "status"), [("viewer", "", 200), ("viewer", "true", 403), ("operator", "true", 200)]
)
async def test_only_operators_have_the_whole_directory_read(
    monkeypatch: pytest.MonkeyPatch, role: str, marks: str, status: int
) -> None:
    monkeypatch.setenv("WEBSITE_SITE_NAME", "app")
    monkeypatch.setenv("WEBSITE_AUTH_ENABLED", "true")
    world = World()
    request = func.HttpRequest(
        method="GET", url="/api/rebuild", headers=signed_in(role), params={"marks": marks} if marks else {}, body=b""
    )
    answer = await http.answer_request(lambda: world.ports, recovery_api.show_rebuild, request)
    assert answer.status_code == status
