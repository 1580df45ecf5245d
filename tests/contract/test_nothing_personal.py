"""What the adapters of the outside world let out: no address, name or reference in an exception, a log line, a span."""

import json
import logging
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import pytest
from aiohttp import web
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from shared.adapters.graph.directory import GraphDirectory
from shared.adapters.memory import ManualClock
from shared.errors import MigrationError
from shared.ports import Directory, Letter, NewUser, Notifier
from shared.runtime import wiring
from tests.contract.notify import SET_PASSWORD, notifying_at
from tests.contract.records import SOUTH, account_id
from tests.contract.standin import NOBODY, SOUTH_NORFOLK, Handler, asking, served, standing_in
from tests.contract.test_graph_directory import Credential
from tests.support.telemetry import collecting

PERSONAL = ("privata", "secretperson", "ref-private-77", "%40example", "@example")
SOMEBODY = NewUser("privata.o'x+y@example.org", "Privata", "Secretperson", account_id(1), "REF-PRIVATE-77")
LETTER = Letter(SET_PASSWORD, SOMEBODY.address, SOMEBODY.given_name, SOMEBODY.surname, "m" + "0" * 40)
SPANS = InMemorySpanExporter()
REQUESTS: dict[str, Callable[[Directory], Awaitable[object]]] = {
    "with_address": lambda directory: directory.with_address(SOMEBODY.address),
    "with_owner_marker": lambda directory: directory.with_owner_marker(SOUTH, account_id(1)),
    "get": lambda directory: directory.get(NOBODY),
    "count_users": lambda directory: directory.count_users(SOUTH),
    "create": lambda directory: directory.create(SOUTH_NORFOLK, SOMEBODY),
    "link": lambda directory: directory.link(SOUTH_NORFOLK, NOBODY, account_id(1), SOMEBODY.customer_ref),
}
LETTERS: dict[str, Callable[[Notifier], Awaitable[object]]] = {
    "send": lambda notifier: notifier.send(SOUTH_NORFOLK, LETTER),
    "find": lambda notifier: notifier.find(SOUTH_NORFOLK, LETTER.reference),
    "preview": lambda notifier: notifier.preview(SOUTH_NORFOLK, "set-your-password", "Ada", "Example"),
}


@pytest.fixture(scope="module")
def _exported() -> Iterator[None]:
    """As in the cloud, where a distribution of OpenTelemetry sets the provider of the whole process."""
    with collecting():
        provider = trace.get_tracer_provider()
        assert isinstance(provider, TracerProvider)
        provider.add_span_processor(SimpleSpanProcessor(SPANS))
        yield


@pytest.fixture(autouse=True)
def _overheard(_exported: None, caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    levels = {name: logging.getLogger(name).level for name in ("httpx", "httpcore", "azure", "urllib3", "kiota_http")}
    wiring.quieten_libraries()
    caplog.set_level(logging.INFO)
    caplog.set_level(logging.DEBUG, logger="shared")
    SPANS.clear()
    yield
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


def said(error: BaseException | None) -> str:
    """All that a careless reporter could print of an error, and of those it came from."""
    told = ""
    while error is not None:
        told += "".join(traceback.format_exception(error, chain=False)) + repr(error.args) + repr(vars(error))
        error = error.__cause__ or error.__context__
    return told


def let_out(caplog: pytest.LogCaptureFixture, error: BaseException | None) -> list[str]:
    """The personal words of exceptions, log records and spans."""
    records = [record.getMessage() + repr(vars(record)) for record in caplog.records if record.name != "aiohttp.server"]
    spans = [span.to_json() for span in SPANS.get_finished_spans()]
    everything = " ".join([said(error), *records, *spans]).lower()
    return [word for word in PERSONAL if word in everything]


async def outcome(request: Awaitable[object]) -> MigrationError | None:
    try:
        await request
    except MigrationError as error:
        return error
    return None


def quoting(status: int, kind: str) -> web.Application:
    """Answers whatever is asked with an error that quotes the whole question."""

    async def answer(request: web.Request) -> web.Response:
        question = f"{request.method} {request.raw_path} {request.path_qs} {await request.text()}"
        if kind == "html":
            return web.Response(status=status, text=f"<p>{question}", content_type="text/html")
        if kind == "notify":
            body: object = {"status_code": status, "errors": [{"error": "ValidationError", "message": question}]}
        else:
            detail = {"code": "ObjectConflict", "message": question, "target": question}
            body = {"error": {"code": "Request_BadRequest", "message": question, "details": [detail]}}
        return web.Response(status=status, text=json.dumps(body), content_type="application/json")

    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", answer)
    return app


@pytest.fixture
async def directory(clock: ManualClock) -> AsyncIterator[GraphDirectory]:
    async with standing_in(clock) as standin:
        yield standin.graph


def test_a_span_of_anybody_else_is_seen_here() -> None:
    with trace.get_tracer("a library").start_as_current_span("a request of privata"):
        pass
    assert "privata" in (SPANS.get_finished_spans()[0].to_json())


@pytest.mark.parametrize("name", REQUESTS)
async def test_a_request_that_succeeds_says_nothing(
    directory: GraphDirectory, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    assert await outcome(REQUESTS[name](directory)) is None
    assert SPANS.get_finished_spans() == ()
    assert let_out(caplog, None) == []


@pytest.mark.parametrize("name", REQUESTS)
@pytest.mark.parametrize("kind", ["json", "html"])
@pytest.mark.parametrize("status", [200, 302, 400, 401, 403, 409, 429, 500, 503])
async def test_an_answer_that_quotes_what_was_asked_is_not_passed_on(
    clock: ManualClock, caplog: pytest.LogCaptureFixture, name: str, kind: str, status: int
) -> None:
    async with served(quoting(status, kind)) as address, asking(address, clock) as graph:
        error = await outcome(REQUESTS[name](graph))
    assert error is not None or (status, kind) == (200, "json")
    assert SPANS.get_finished_spans() == ()
    assert let_out(caplog, error) == []


async def test_a_dropped_connection_tells_nobody_what_was_asked(
    clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    @web.middleware
    async def drop(request: web.Request, handler: Handler) -> web.StreamResponse:  # noqa: ARG001 - it is a middleware
        if request.transport:
            request.transport.abort()
        return web.Response()

    app = quoting(200, "json")
    app.middlewares.append(drop)
    async with served(app) as address, asking(address, clock) as graph:
        errors = [await outcome(request(graph)) for request in REQUESTS.values()]
    assert [let_out(caplog, error) for error in errors] == [[]] * len(REQUESTS)
    assert None not in errors


async def test_the_spans_of_signing_in_say_nothing_of_what_is_asked(
    clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    async with (
        standing_in(clock, require_token=True) as standin,
        asking(standin.address, clock, credential=Credential()) as graph,
    ):
        for request in REQUESTS.values():
            assert await outcome(request(graph)) is None
    assert {span.name for span in SPANS.get_finished_spans()} <= {"get_authorization_token"}
    assert let_out(caplog, None) == []


@pytest.mark.parametrize("name", LETTERS)
@pytest.mark.parametrize(
    ("status", "kind"),
    [(200, "html"), *((status, kind) for status in (400, 403, 404, 429, 500, 503) for kind in ("notify", "html"))],
)
async def test_what_the_message_service_quotes_is_not_passed_on(
    clock: ManualClock, caplog: pytest.LogCaptureFixture, name: str, kind: str, status: int
) -> None:
    async with served(quoting(status, kind)) as address:
        with notifying_at(address, clock) as notifier:
            error = await outcome(LETTERS[name](notifier))
    assert error is not None
    assert let_out(caplog, error) == []
