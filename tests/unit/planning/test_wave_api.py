"""What people ask of waves over HTTP: every no is a sentence."""

import json
from datetime import timedelta
from typing import Any

import azure.functions as func
import pytest

from shared.access import http
from shared.model.lifecycle import State
from shared.planning import wave_api
from shared.review import api as review_api
from tests.support.signatures import assessed, signed, wants_signatures
from tests.support.world import World, export, line


@pytest.fixture
async def world() -> World:
    """A plan of one wave, signed."""
    world = World()
    wants_signatures(world, checklist=("help desks briefed",))
    await signed(world, await assessed(world, export(line("C1"))))
    return world


async def _ask(world: World, handler: http.Handler, body: object, wave: str = "1") -> tuple[int, dict[str, Any]]:
    route = {"migration": (await world.migration()).id, "wave": wave}
    request = func.HttpRequest(method="POST", url="/api/x", route_params=route, body=json.dumps(body).encode())
    answer = await http.answer_request(lambda: world.ports, handler, request)
    return answer.status_code, json.loads(answer.get_body())


async def test_what_is_confirmed_is_in_the_way_no_more_and_the_rest_is_told() -> None:
    world = World()
    wants_signatures(world, checklist=("sign-up closed", "help desks briefed"))
    await signed(world, await assessed(world, export(line("C1"))))
    for _ in range(30):
        await world.timers()
        await world.deliver()
        world.clock.tick(timedelta(seconds=10))
    assert len((await world.migration()).gate(1).stopped) == 3
    _, gate = await _ask(world, wave_api.check_a_point, {"point": "sign-up closed", "by": "ann"})
    assert [sentence.split(" is ")[0] for sentence in gate["stopped"][:-1]] == ['"help desks briefed"']
    assert gate["unconfirmed"] == ["help desks briefed"]
    _, gate = await _ask(world, wave_api.check_a_point, {"point": "help desks briefed", "by": "ann"})
    assert (gate["opened"], gate["stopped"], gate["unconfirmed"]) == (False, [], [])


async def test_a_point_is_confirmed_by_name(world: World) -> None:
    status, gate = await _ask(world, wave_api.check_a_point, {"point": "help desks briefed", "by": "ann"})
    assert (status, gate["checked"]) == (200, {"help desks briefed": "ann"})


@pytest.mark.parametrize(
    ("handler", "body"),
    [
        (wave_api.check_a_point, {"point": "nothing of the kind"}),
        (wave_api.confirm_portal_switch, {}),
        (review_api.assign_cases, {"which": "names_differ", "owner": "desk", "decide_by": "2030-01-31"}),
    ],
)
async def test_what_is_not_done_is_told_in_a_sentence(world: World, handler: http.Handler, body: object) -> None:
    status, said = await _ask(world, handler, body)
    assert status == 409
    assert said["error"].endswith(".")


@pytest.mark.parametrize("wave", ["0", "x", "-1", "1000000"])
async def test_a_wave_is_a_number(world: World, wave: str) -> None:
    status, said = await _ask(world, wave_api.open_a_wave, {"why": "because"}, wave)
    assert (status, said["error"]) == (404, "A wave is a number from 1; `ops plan show` lists them.")


@pytest.mark.parametrize("body", [{}, {"why": ""}, {"why": 5}, {"why": "x", "else": 1}])
async def test_a_wave_is_not_opened_without_a_reason(world: World, body: object) -> None:
    status, said = await _ask(world, wave_api.open_a_wave, body)
    assert (status, said["error"]) == (400, "Say why (`--why`), in 1 to 200 letters: it is kept with your name.")


async def test_review_cases_are_told_with_who_decides_them_and_nobodys_first() -> None:
    world = World()
    await world.upload(export(line("C1", "same@example.org"), line("C2", "same@example.org"), line("C3")))
    await world.run()
    first, second = sorted((a for a in await world.accounts() if a.state is State.REVIEW), key=lambda a: a.row)
    assign = {"which": first.id, "owner": "desk", "decide_by": "2026-03-31"}
    assert (await _ask(world, review_api.assign_cases, assign))[1]["cases"] == 1
    _, said = await _ask(world, review_api.list_review, {})
    assert (said["cases"], said["unowned"], said["without_account"]) == (2, 1, 0)
    assert [(case["account"], case["owner"], case["decide_by"]) for case in said["first"]] == [
        (second.id, "", ""),
        (first.id, "desk", "2026-03-31"),
    ]
    assert [(group["cases"], group["owner"]) for group in said["groups"]] == [(1, ""), (1, "desk")]
    assert "example.org" not in json.dumps(said)
