"""What the app answers about canaries, to whom, and that no address ever comes back."""

import json
from typing import Any

import azure.functions as func
import pytest

from shared.access import http
from shared.access.roles import OPERATORS
from shared.readiness import canary_api
from tests.support.canaries import ADDRESS, Story
from tests.support.world import World

type Json = dict[str, Any]


async def _post(world: World, body: object) -> tuple[int, Json]:
    request = func.HttpRequest(method="POST", url="/api/canary", body=json.dumps(body).encode())
    answer = await http.answer_request(lambda: world.ports, canary_api.run_canary, request, OPERATORS)
    return answer.status_code, json.loads(answer.get_body())


async def _get(world: World, **params: str) -> tuple[int, Json]:
    request = func.HttpRequest(method="GET", url="/api/canary", params=params, body=b"")
    answer = await http.answer_request(lambda: world.ports, canary_api.show_canaries, request)
    return answer.status_code, json.loads(answer.get_body())


def _asked(**more: object) -> Json:
    return {"authority": "south-norfolk", "address": ADDRESS, **more}


async def test_the_first_answer_says_what_was_done_and_whose_turn_it_is() -> None:
    status, said = await _post(World(), _asked())
    assert status == 200
    assert [(step["step"], step["result"]) for step in said["steps"]] == [
        ("address-free", "ok"),
        ("create", "ok"),
        ("read-back", "ok"),
        ("look-up", "ok"),
        ("create-twice", "ok"),
        ("link", "ok"),
        ("reset-by-customer", "waits"),
    ]
    assert said["verdict"] == "running"
    assert said["next"][1] == 'Choose "Forgot your password?".'
    assert said["ask_again_seconds"] == 5


async def test_the_administrator_is_told_whom_to_delete() -> None:
    story = Story()
    story.people.deletes = False
    canary = await story.until(lambda canary: canary.step == "deleted")
    _, said = await _post(story.world, _asked())
    assert said["users"] == [canary.user]
    assert f'Delete the user "Canary, to be deleted" with the object id {canary.user}.' in said["next"]


async def test_a_failure_comes_with_what_to_change() -> None:
    story = Story()
    story.world.directory.bin_holds_addresses = True
    await story.run()
    _, said = await _get(story.world)
    assert [each["code"] for each in said["canaries"][0]["failures"]] == ["deleted_user_blocks_address"]
    assert "Purge deleted users" in said["canaries"][0]["failures"][0]["remedy"]


async def test_the_first_customer_stays_in_the_bin_and_the_second_need_not() -> None:
    story = Story()
    story.people.deletes = False
    await story.until(lambda canary: canary.step == "deleted")
    _, said = await _post(story.world, _asked())
    assert said["next"][-1].startswith("Do not delete it permanently yet")
    story.people.deletes = True
    await story.until(lambda canary: canary.step == "create-after-deletion" or len(canary.made) == 2)
    story.people.deletes = False
    _, said = await _post(story.world, _asked())
    assert said["next"][-1].startswith("Whatever canaries left")


async def test_what_people_should_know_is_said_although_nothing_failed() -> None:
    story = Story()
    story.people.moves = False
    story.world.directory.may_delete = True
    await story.until(lambda canary: canary.step == "reset-by-customer")
    await story.ask(signed_in=True)
    canary = await story.run()
    _, said = await _post(story.world, _asked(run=canary.run))
    assert [note.split(":")[0].split(" ")[0] for note in said["notes"]] == ["lastPasswordChangeDateTime", "This"]


async def test_a_sign_in_of_which_nobody_spoke_is_asked_for() -> None:
    story = Story()
    canary = await story.run()
    _, said = await _post(story.world, _asked(run=canary.run))
    assert [note[:40] for note in said["notes"]] == ["Nobody said whether the sign-in worked w"]
    _, said = await _post(story.world, _asked(signed_in=True))
    assert (said["notes"], said["verdict"], said["run"]) == ([], "passed", canary.run)


async def test_everybody_who_reads_sees_the_answers_with_their_dates() -> None:
    story = Story()
    await story.run()
    status, said = await _get(story.world, authority="south-norfolk")
    assert status == 200
    learned = {each["name"]: each for each in said["canaries"][0]["answers"]}
    assert learned["deleted_user_blocks_address"]["value"] == "no"
    assert learned["deleted_user_blocks_address"]["at"].startswith("2026-03-02T09:")
    assert learned["force_change_accepted"]["question"].endswith("?")


async def test_where_none_has_run_there_is_nothing_to_show() -> None:
    assert await _get(World()) == (200, {"canaries": []})


async def test_a_run_that_is_over_is_told_and_no_other_begun() -> None:
    story = Story()
    canary = await story.run()
    _, said = await _post(story.world, _asked(run=canary.run))
    assert (said["verdict"], said["run"]) == ("passed", canary.run)
    _, said = await _post(story.world, _asked())
    assert (said["verdict"], said["run"]) == ("running", canary.run + 1)


@pytest.mark.parametrize(
    "body",
    [
        [],
        {},
        {"authority": "south-norfolk"},
        {"authority": "south-norfolk", "address": "no address"},
        {"authority": "south-norfolk", "address": "röbin@example.org"},
        {"authority": "south-norfolk", "address": f"{'r' * 60}@example.org"},
        {"authority": "south-norfolk", "address": ADDRESS, "signed_in": "perhaps"},
        {"authority": "south-norfolk", "address": ADDRESS, "signed_in": "no"},
        {"authority": "south-norfolk", "address": ADDRESS, "signed_in": 1},
        {"authority": "south-norfolk", "address": ADDRESS, "run": "1"},
        {"authority": "south-norfolk", "address": ADDRESS, "undo": "../x"},
        {"authority": "south-norfolk", "address": ADDRESS, "password": "x"},
    ],
)
async def test_what_cannot_be_meant_is_refused_with_a_sentence(body: object) -> None:
    status, said = await _post(World(), body)
    assert status == 400
    assert said["error"].endswith(".")
    assert "example.org" not in said["error"]


async def test_a_council_without_a_profile_is_not_known() -> None:
    status, said = await _post(World(), {"authority": "south-norflok", "address": ADDRESS})
    assert (status, said["error"].endswith("did you mean `south-norfolk`?")) == (404, True)


async def test_what_cannot_be_asked_now_is_409() -> None:
    status, said = await _post(World(), _asked(signed_in=True))
    assert (status, "--signed-in" in said["error"]) == (409, True)


async def test_no_answer_ever_tells_the_address() -> None:
    story = Story()
    assert ADDRESS not in json.dumps(await _post(story.world, _asked()))
    await story.run()
    assert ADDRESS not in json.dumps(await _get(story.world))
