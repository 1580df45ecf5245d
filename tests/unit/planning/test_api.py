"""What people ask of plans and of what runs over HTTP: whose name counts, and a sentence for every no."""

import json
from dataclasses import replace
from typing import Any

import azure.functions as func
import pytest

from shared.access import http
from shared.access.roles import APPROVERS, OPERATORS, READERS, Role
from shared.model.counts.summary import ShardSummary
from shared.model.lifecycle import State
from shared.model.migration import Gate, Phase
from shared.model.profile import PlannedWave
from shared.operations import api as operations_api
from shared.planning import api as plan_api
from tests.support.sign_in import CALLER, signed_in
from tests.support.signatures import assessed, wants_signatures
from tests.support.stories import settle
from tests.support.world import World, export, line


async def _ask(
    world: World,
    handler: http.Handler,
    body: object = None,
    allowed: frozenset[Role] = READERS,
    headers: dict[str, str] | None = None,
    migration: str = "",
) -> tuple[int, dict[str, Any]]:
    name = migration or (await world.migration()).id
    raw = b"" if body is None else json.dumps(body).encode()
    request = func.HttpRequest(method="POST", url="/api/x", headers=headers, route_params={"migration": name}, body=raw)
    answer = await http.answer_request(lambda: world.ports, handler, request, allowed)
    return answer.status_code, json.loads(answer.get_body())


@pytest.fixture
async def world() -> World:
    """A plan waits for two signatures."""
    world = World()
    wants_signatures(world)
    await assessed(world, export(line("C1"), line("C2")))
    return world


@pytest.fixture
def deployed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEBSITE_SITE_NAME", "app")
    monkeypatch.setenv("WEBSITE_AUTH_ENABLED", "true")


async def _says(world: World, **changes: object) -> dict[str, object]:
    plan = (await world.migration()).plan
    assert plan
    return {"as": "data-owner", "hash": plan.hash[:12], "rows": 2, **changes}


async def test_a_plan_is_shown_with_what_to_type(world: World) -> None:
    status, plan = await _ask(world, plan_api.show_plan)
    assert status == 200
    assert (plan["rows"], plan["outcomes"]["create"], plan["uploaded_by"]) == (2, 2, "")
    assert (plan["kind"], plan["wanted"]) == ("migrate", ["data-owner", "operations"])
    assert plan["commands"][1].endswith(f"--as operations --hash {plan['hash'][:12]} --rows ROWS")
    assert [wave["accounts"] for wave in plan["waves"]] == [2]


async def test_a_wave_that_waits_for_the_one_before_tells_so() -> None:
    world = World()
    wants_signatures(world, waves=(PlannedWave(name="few", takes=1), PlannedWave(name="all", takes="rest")))
    known, now = await assessed(world, export(line("C1"), line("C2"))), world.clock.now()
    _, plan = await _ask(world, plan_api.show_plan)
    assert [wave["held_back"] for wave in plan["waves"]] == ["", ""]
    running = replace(known, phase=Phase.RUNNING, gates=(Gate(1, opened_at=now),))
    await world.ledger.migrations.change(known.authority, known.id, lambda _: running)
    seen = ShardSummary("0", now, waves={1: {State.RELEASED: 1}})
    await world.ledger.summaries.put(known.authority, known.id, seen)
    _, plan = await _ask(world, plan_api.show_plan)
    why = "as soon as wave 1 is at rest: 1 of its accounts is still to be moved"
    assert [wave["held_back"] for wave in plan["waves"]] == ["", why]


async def test_on_a_laptop_two_people_sign_by_name_and_it_begins(world: World) -> None:
    assert (await _ask(world, plan_api.approve_plan, await _says(world, by="ann"), APPROVERS))[0] == 200
    status, plan = await _ask(
        world, plan_api.approve_plan, await _says(world, **{"as": "operations", "by": "bob"}), APPROVERS
    )
    assert (status, plan["phase"], plan["wanted"]) == (200, "adopting", [])
    await settle(world)
    assert len(world.told) == 2


@pytest.mark.usefixtures("deployed")
async def test_where_people_sign_in_the_name_is_theirs_and_none_else_is_taken(world: World) -> None:
    headers = signed_in("approver")
    status, said = await _ask(world, plan_api.approve_plan, await _says(world, by="ann"), APPROVERS, headers)
    assert status == 400
    assert "signed-in person's" in said["error"]
    status, plan = await _ask(world, plan_api.approve_plan, await _says(world), APPROVERS, headers)
    assert (status, plan["signatures"][0]["by"]) == (200, CALLER)
    status, said = await _ask(world, operations_api.answer_pause, {"by": "ann"}, OPERATORS, signed_in("operator"))
    assert status == 400
    await _ask(world, operations_api.answer_pause, None, OPERATORS, signed_in("operator"))
    assert (await world.migration()).pause_detail == CALLER


@pytest.mark.parametrize(("signed_in", "told"), [(True, ""), (False, "ann")])
async def test_who_uploaded_is_told_only_where_it_can_be_compared_with_a_signer(
    world: World, told: str, *, signed_in: bool
) -> None:
    before = await world.migration()
    assert before.plan
    mine = replace(before, plan=replace(before.plan, uploaded_by="ann"))
    await world.ledger.migrations.change(before.authority, before.id, lambda _: mine)
    world.wrap = lambda ports: replace(ports, signed_in=signed_in)
    assert (await _ask(world, plan_api.show_plan))[1]["uploaded_by"] == told


@pytest.mark.usefixtures("deployed")
async def test_operators_do_not_sign(world: World) -> None:
    status, _ = await _ask(world, plan_api.approve_plan, await _says(world), APPROVERS, signed_in("operator"))
    assert status == 403


@pytest.mark.parametrize(
    "wrong", [{"rows": "2"}, {"rows": None}, {"as": "boss"}, {"hash": 5}, {"else": 1}, {"accept_warnings": "yes"}]
)
async def test_a_body_that_says_something_else_signs_nothing(world: World, wrong: dict[str, object]) -> None:
    status, said = await _ask(world, plan_api.approve_plan, await _says(world, **wrong), APPROVERS)
    assert (status, said["error"]) == (400, plan_api.SEND)


async def test_the_control_total_is_never_left_out(world: World) -> None:
    says = await _says(world)
    del says["rows"]
    assert (await _ask(world, plan_api.approve_plan, says, APPROVERS))[0] == 400


async def test_a_signature_that_is_refused_is_a_sentence(world: World) -> None:
    status, said = await _ask(world, plan_api.approve_plan, await _says(world, rows=5), APPROVERS)
    assert status == 409
    assert "you expect 5 rows, the export has 2" in said["error"]


async def test_a_plan_is_rejected_or_left_to_a_newer_one_in_a_sentence(world: World) -> None:
    status, said = await _ask(world, plan_api.supersede_plan, None, OPERATORS)
    assert status == 409
    assert "no newer upload" in said["error"]
    status, plan = await _ask(world, plan_api.answer_rejection, {"by": "dan"}, APPROVERS)
    assert (status, plan["rejected_by"], plan["phase"]) == (200, "dan", "cancelled")
    status, _ = await _ask(world, operations_api.answer_cancel, None, OPERATORS)
    assert status == 200


async def test_a_migration_that_is_not_there_or_has_no_plan_is_told(world: World) -> None:
    for handler in (plan_api.show_plan, operations_api.answer_pause, operations_api.answer_cancel):
        status, said = await _ask(world, handler, migration="nothing")
        assert (status, said["error"]) == (404, "There is no migration `nothing`; `ops status` lists them.")
    young = World()
    await young.upload(export(line("C1")))
    await young.deliver()
    status, said = await _ask(young, plan_api.show_plan)
    assert status == 409
    assert "has no plan" in said["error"]


async def test_what_is_over_is_not_paused_in_a_sentence() -> None:
    world = World()
    await world.upload(export(line("C1")))
    await settle(world)
    status, said = await _ask(world, operations_api.answer_pause)
    assert status == 409
    assert "is done already" in said["error"]
