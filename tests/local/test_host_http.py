"""HTTP functions of the local host; they need no storage."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from tests.local.host_kit import App, host, write_app

HTTP = """
def answer(name, req):
    facts = {
        "function": name,
        "method": req.method,
        "url": req.url,
        "route": dict(req.route_params),
        "query": dict(req.params),
        "headers": dict(req.headers),
        "body": req.get_body().decode(),
    }
    return func.HttpResponse(json.dumps(facts), mimetype="application/json")


@app.route("accounts/{id:int}", methods=["GET", "POST"])
async def by_number(req: func.HttpRequest) -> func.HttpResponse:
    return answer("by_number", req)


@app.route("accounts/{name}")
def by_name(req: func.HttpRequest) -> func.HttpResponse:
    return answer("by_name", req)


@app.route("files/{*rest}")
async def files(req: func.HttpRequest) -> func.HttpResponse:
    return answer("files", req)


@app.route()
async def text(req: func.HttpRequest) -> str:
    return "grüß"


@app.route()
async def teapot(req: func.HttpRequest) -> func.HttpResponse:
    response = func.HttpResponse(b"\\x00\\x01", status_code=418, mimetype="application/octet-stream")
    response.headers.add("X-Kind", "pot")
    response.headers.add("Set-Cookie", "a=b; HttpOnly; Path=/")
    return response


@app.route()
async def broken(req: func.HttpRequest) -> func.HttpResponse:
    raise ValueError("as the request asked")


@app.route()
async def spanned(req: func.HttpRequest) -> str:
    from opentelemetry import trace

    with trace.get_tracer("test").start_as_current_span("work", attributes={"id": 7}) as span:
        span.add_event("noticed", {"what": "it"})
    return "done"
"""


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> App:
    return write_app(tmp_path_factory.mktemp("http") / "app", HTTP)


@pytest.fixture
async def client(app: App) -> AsyncIterator[aiohttp.ClientSession]:
    with host(app) as running:
        async with aiohttp.ClientSession(running.url) as session:
            yield session


async def test_a_function_sees_the_request_as_the_real_host_sends_it(client: aiohttp.ClientSession) -> None:
    async with client.post("/api/accounts/42?q=1&q=2", data=b"hi", headers={"X-Some": "Thing"}) as response:
        facts = await response.json()
    assert facts["function"] == "by_number"
    assert facts["method"] == "POST"
    assert facts["url"].endswith("/api/accounts/42?q=1&q=2")
    assert facts["route"] == {"id": "42"}
    assert facts["query"] == {"q": "1,2"}
    assert facts["headers"]["x-some"] == "Thing"
    assert facts["body"] == "hi"


async def test_routes_and_answers(client: aiohttp.ClientSession) -> None:
    async with client.get("/api/accounts/a%20b") as response:
        assert (await response.json())["route"] == {"name": "a b"}
    async with client.get("/api/files/a/b.csv") as response:
        assert (await response.json())["route"] == {"rest": "a/b.csv"}
    async with client.put("/api/accounts/42") as response:
        # The constrained route does not take PUT; the free one has no opinion on methods.
        assert (await response.json())["function"] == "by_name"
    async with client.get("/api/nothing") as response:
        assert response.status == 404
    async with client.get("/api/text") as response:
        assert response.content_type == "text/plain"
        assert await response.text() == "grüß"
    async with client.get("/api/teapot") as response:
        assert response.status == 418
        assert response.headers["X-Kind"] == "pot"
        assert response.cookies["a"].value == "b"
        assert await response.read() == b"\x00\x01"
    async with client.get("/api/broken") as response:
        assert response.status == 500
        assert await response.read() == b""
    async with client.get("/") as response:
        page = await response.text()
        assert "by_number" in page
        assert "accounts/{id:int}" in page


async def test_spans_are_written_to_the_trace_file(app: App, tmp_path: Path) -> None:
    spans = tmp_path / "spans"
    with host(app, "--trace-file", str(spans)) as running:
        async with aiohttp.ClientSession(running.url) as session, session.get("/api/spanned") as response:
            assert response.status == 200
    [span] = [json.loads(line) for line in spans.read_text().splitlines()]
    assert span["name"] == "work"
    assert span["attributes"] == {"id": 7}
    assert span["events"] == [{"name": "noticed", "attributes": {"what": "it"}}]
    assert span["status"]["code"] == "UNSET"
