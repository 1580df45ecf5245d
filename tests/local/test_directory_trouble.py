"""Throttling, batches and faults of the stand-in directory, as the real SDK meets them."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio
from kiota_abstractions.api_error import APIError
from kiota_abstractions.method import Method
from kiota_abstractions.request_information import RequestInformation
from msgraph.generated.models.o_data_errors.o_data_error import ODataError
from msgraph.graph_service_client import GraphServiceClient

from tests.local.conftest_directory import REFERENCE, Served, by_identity, headers_of, payload, person, serve

pytestmark = pytest.mark.enable_socket


@pytest_asyncio.fixture
async def standin() -> AsyncIterator[Served]:
    async with serve() as served:
        yield served


async def counters(standin: Served) -> dict[str, int]:
    found: dict[str, int] = (await standin.http.get("/_standin/journal")).json()["counters"]
    return found


# 7. Throttling


async def test_writes_above_the_limit_wait_for_the_bucket() -> None:
    async with serve(write_limit=3, write_window_seconds=30, refused_requests_count=False) as standin:
        for n in range(3):
            await standin.create(person(f"p{n}@example.org"))

        with pytest.raises(ODataError) as caught:
            await standin.create(person("late@example.org"))
        standin.clock.passes(10)
        await standin.create(person("late@example.org"))

        headers = headers_of(caught.value)
        assert caught.value.response_status_code == 429
        assert caught.value.error
        assert caught.value.error.code == "TooManyRequests"
        assert headers["retry-after"] == "10"
        assert headers["x-ms-throttle-information"] == "WriteLimitExceeded"
        assert headers["x-ms-throttle-scope"].startswith("Tenant_Application/ReadWrite/")
        assert len(await standin.raw()) == 4


async def test_the_default_bucket_holds_3000_writes_and_fills_by_20_a_second(standin: Served) -> None:
    standin.turn(units_limit=-1)
    address = "/v1.0/users/nobody"
    bucket = standin.directory.quota.writes
    bucket.add(2999, 3000)
    bucket.at = standin.clock()

    answers = [(await standin.http.patch(address, json={})).status_code for _ in range(2)]
    standin.clock.passes(1)
    answers += [(await standin.http.patch(address, json={})).status_code for _ in range(20)]

    assert answers == [404, 429] + [404] * 19 + [429]


async def test_reads_take_nothing_from_the_write_bucket() -> None:
    async with serve(write_limit=1) as standin:
        assert [(await standin.http.get("/v1.0/users")).status_code for _ in range(3)] == [200] * 3


async def test_requests_made_while_throttled_lengthen_the_wait() -> None:
    async with serve(write_limit=10, write_window_seconds=100) as standin:
        waits = [(await standin.post({})).headers.get("retry-after") for _ in range(13)]

        assert waits == [None] * 10 + ["10", "20", "30"]


@pytest.mark.parametrize(
    ("method", "address", "units"),
    [
        ("POST", "/users", 5),
        ("GET", "/users", 2),
        ("GET", "/users?$select=id", 1),
        ("GET", "/users?$top=5", 1),
        ("GET", "/users?$top=5&$select=id", 1),
        ("GET", "/users/x", 1),
        ("PATCH", "/users/x", 1),
        ("DELETE", "/users/x", 1),
    ],
)
async def test_each_request_costs_the_documented_units(standin: Served, method: str, address: str, units: int) -> None:
    answer = await standin.http.request(method, f"/v1.0{address}")

    assert answer.headers["x-ms-resource-unit"] == str(units)


async def test_resource_units_run_out_within_ten_seconds() -> None:
    async with serve(units_limit=10) as standin:
        answers = [await standin.http.get("/v1.0/users") for _ in range(6)]
        standin.clock.passes(10)
        later = await standin.http.get("/v1.0/users")

        assert [each.status_code for each in answers] == [200] * 5 + [429]
        assert [each.headers.get("x-ms-throttle-limit-percentage") for each in answers] == [*[None] * 4, "1.00", "1.20"]
        assert answers[-1].headers["x-ms-throttle-information"] == "ResourceUnitLimitExceeded"
        assert later.status_code == 200


@pytest.mark.parametrize(
    ("switch", "value", "seen"), [("retry_after_sent", False, None), ("retry_after_seconds", 200, "200")]
)
async def test_how_a_429_names_the_wait_is_a_switch(standin: Served, switch: str, value: object, seen: str) -> None:
    standin.turn(write_limit=1, **{switch: value})
    await standin.create()

    assert (await standin.post(payload())).headers.get("retry-after") == seen


async def test_a_wait_of_180_seconds_or_more_stops_the_sdks_own_retry() -> None:
    async with serve(retries=3) as standin:
        await standin.fault(kind="throttle-storm", retry_after=180)

        with pytest.raises(ODataError) as caught:
            await standin.create()

        assert headers_of(caught.value)["retry-after"] == "180"
        assert (await counters(standin))["status_429"] == 1


async def test_a_storm_ends_by_itself(standin: Served) -> None:
    await standin.fault(kind="throttle-storm", seconds=30, retry_after=None)

    during = await standin.post(payload())
    standin.clock.passes(30)
    after = await standin.post(payload())

    assert (during.status_code, "retry-after" in during.headers, after.status_code) == (429, False, 201)


# 7. Batches


def asked(n: int, **more: object) -> dict[str, Any]:
    headers = {"Content-Type": "application/json"}
    return {"id": str(n), "method": "POST", "url": "/users", "headers": headers, "body": payload(f"p{n}@x.org")} | more


async def batch(graph: GraphServiceClient, parts: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """As it works with this SDK: its own batch is not usable."""
    adapter = graph.request_adapter
    request = RequestInformation()
    request.http_method = Method.POST
    request.url = f"{adapter.base_url}/$batch"
    request.headers.add("Accept", "application/json")
    request.set_stream_content(json.dumps({"requests": parts}).encode(), "application/json")
    raw: Any = await adapter.send_primitive_async(request, "bytes", {"XXX": ODataError})
    return {each["id"]: each for each in json.loads(raw)["responses"]}


async def test_each_part_of_a_batch_is_answered_alone(standin: Served) -> None:
    read = {"id": "r", "method": "get", "url": f"/users?$filter={by_identity('p1@x.org')}&$select=identities"}

    answers = await batch(standin.graph, [asked(1), asked(2), asked(1, id="again"), read])

    assert {key: each["status"] for key, each in answers.items()} == {"1": 201, "2": 201, "again": 400, "r": 200}
    assert answers["again"]["body"]["error"]["details"][0]["code"] == "ObjectConflict"
    assert len(answers["r"]["body"]["value"]) == 1
    assert len(await standin.raw()) == 2


async def test_answers_of_a_batch_come_in_another_order(standin: Served) -> None:
    answer = await standin.http.post("/v1.0/$batch", json={"requests": [asked(1), asked(2)]})

    assert [each["id"] for each in answer.json()["responses"]] == ["2", "1"]


async def test_parts_of_a_batch_are_throttled_one_by_one() -> None:
    async with serve(write_limit=2) as standin:
        answers = await batch(standin.graph, [asked(n) for n in range(4)])

        assert [answers[str(n)]["status"] for n in range(4)] == [201, 201, 429, 429]
        assert int(answers["2"]["headers"]["Retry-After"]) > 0
        assert answers["2"]["body"]["error"]["code"] == "TooManyRequests"
        assert len(await standin.raw()) == 2


async def test_what_depends_on_a_failed_part_is_not_tried(standin: Served) -> None:
    broken = asked(1, body=payload(displayName=None))

    answers = await batch(standin.graph, [broken, asked(2, dependsOn=["1"]), asked(3, dependsOn=["2"]), asked(4)])

    assert [answers[str(n)]["status"] for n in range(1, 5)] == [400, 424, 424, 201]
    assert len(await standin.raw()) == 1


@pytest.mark.parametrize(
    "parts",
    [
        [asked(n) for n in range(21)],
        [asked(1, id="a"), asked(2, id="A")],
        [asked(1, id=1)],
        [asked(1, dependsOn=["2"]), asked(2)],
        [{"id": "1"}],
        [],
    ],
)
async def test_a_batch_that_cannot_be_read_does_nothing(standin: Served, parts: list[dict[str, Any]]) -> None:
    with pytest.raises(ODataError) as caught:
        await batch(standin.graph, parts)

    assert caught.value.response_status_code == 400
    assert await standin.raw() == []


async def test_an_absolute_address_or_a_body_without_its_type_fails_alone(standin: Served) -> None:
    absolute = asked(1, url=f"{standin.address}/v1.0/users")

    answers = await batch(standin.graph, [absolute, asked(2, headers={}), asked(3)])

    assert [answers[str(n)]["status"] for n in (1, 2, 3)] == [400, 400, 201]


# 8. Stored, but not answered


@pytest.mark.parametrize(("kind", "status"), [("unavailable-after-store", 503), ("gateway-timeout-after-store", 504)])
async def test_an_answer_can_be_lost_after_the_user_was_stored(standin: Served, kind: str, status: int) -> None:
    await standin.fault(kind=kind, count=1, methods=["POST"])

    with pytest.raises(ODataError) as caught:
        await standin.create(person(**{REFERENCE: "mine"}))

    assert caught.value.response_status_code == status
    assert [each[REFERENCE] for each in await standin.raw()] == ["mine"]
    (line,) = (await standin.http.get("/_standin/journal")).json()["entries"]
    assert (line["fault"], line["target"]) == (kind, (await standin.raw())[0]["id"])


async def test_the_sdks_own_retry_meets_its_own_user_as_a_conflict() -> None:
    async with serve(retries=1) as standin:
        await standin.fault(kind="unavailable-after-store", count=1)

        with pytest.raises(ODataError) as caught:
            await standin.create()

        assert caught.value.error
        assert [each.code for each in caught.value.error.details or []] == ["ObjectConflict"]
        assert [line["retry_attempt"] for line in standin.directory.journal.as_json()["entries"]] == [0, 1]
        assert len(await standin.raw()) == 1


@pytest.mark.parametrize(("kind", "stored"), [("drop-after-store", 1), ("drop-before-store", 0)])
async def test_a_connection_can_end_before_or_after_the_store(standin: Served, kind: str, stored: int) -> None:
    await standin.fault(kind=kind, count=1)

    with pytest.raises(httpx.TransportError):
        await standin.create()

    assert len(await standin.raw()) == stored
    assert (await counters(standin))["status_0"] == 1


async def test_a_batch_whose_part_is_dropped_is_dropped_whole(standin: Served) -> None:
    await standin.fault(kind="drop-after-store", count=1)

    with pytest.raises(httpx.TransportError):
        await batch(standin.graph, [asked(1), asked(2)])

    assert len(await standin.raw()) == 1


async def test_a_patch_is_stored_before_its_answer_is_lost(standin: Served) -> None:
    created = await standin.create()
    await standin.fault(kind="unavailable-after-store", count=1)

    answer = await standin.patch(created.id, {REFERENCE: "x"})

    assert (answer.status_code, (await standin.raw())[0][REFERENCE]) == (503, "x")


# 12. Answers that are not Graph's


@pytest.mark.parametrize(("kind", "status"), [("html-502", 502), ("empty-500", 500)])
async def test_an_answer_without_json_is_a_plain_api_error(standin: Served, kind: str, status: int) -> None:
    await standin.fault(kind=kind, count=1)

    with pytest.raises(APIError) as caught:
        await standin.create()

    assert (type(caught.value), caught.value.response_status_code) == (APIError, status)
    assert await standin.raw() == []


async def test_unavailable_before_the_store_stores_nothing(standin: Served) -> None:
    await standin.fault(kind="unavailable-before-store", count=1)

    assert (await standin.post(payload())).status_code == 503
    assert await standin.raw() == []


async def test_an_expired_token_is_401(standin: Served) -> None:
    await standin.fault(kind="unauthorized", count=1, methods=["get"])

    assert (await standin.http.get("/v1.0/users")).status_code == 401


async def test_a_hanging_request_times_out_and_ends_with_the_fault(standin: Served) -> None:
    await standin.fault(kind="hang", methods=["POST"])

    with pytest.raises(httpx.ReadTimeout):
        await standin.http.post("/v1.0/users", json=payload(), timeout=0.1)
    hanging = asyncio.create_task(standin.post(payload()))
    await asyncio.sleep(0.05)
    assert not hanging.done()
    await standin.http.delete("/_standin/faults")

    with pytest.raises(httpx.TransportError):
        await hanging
    assert await standin.raw() == []


# Setting faults


async def test_every_k_hits_each_kth_matching_request(standin: Served) -> None:
    await standin.fault(kind="unavailable-before-store", every=3, methods=["POST"])

    answers = []
    for n in range(6):
        await standin.http.get("/v1.0/users")
        answers.append((await standin.post(payload(f"p{n}@example.org"))).status_code)

    assert answers == [201, 201, 503, 201, 201, 503]


async def test_several_faults_run_side_by_side_until_cleared(standin: Served) -> None:
    await standin.fault(kind="empty-500", methods=["GET"])
    await standin.fault(kind="throttle-storm", methods=["POST"], retry_after=5)

    assert (await standin.http.get("/v1.0/users")).status_code == 500
    assert (await standin.post(payload())).status_code == 429
    assert len((await standin.http.get("/_standin/faults")).json()) == 2
    await standin.http.delete("/_standin/faults")
    assert (await standin.post(payload())).status_code == 201


@pytest.mark.parametrize(
    "fault",
    [
        {},
        "hang",
        {"kind": "earthquake"},
        {"kind": "hang", "second": 5},
        {"kind": "hang", "seconds": "5"},
        {"kind": "hang", "methods": "POST"},
    ],
)
async def test_a_fault_described_wrongly_is_refused_with_a_sentence(standin: Served, fault: object) -> None:
    answer = await standin.http.post("/_standin/faults", json=fault)

    assert (answer.status_code, len(answer.json()["error"]) > 20) == (400, True)


async def test_latency_delays_every_answer(standin: Served) -> None:
    standin.turn(latency_ms=60)
    loop = asyncio.get_running_loop()
    begun = loop.time()

    await standin.http.get("/v1.0/users")

    assert loop.time() - begun >= 0.055
