"""The HTTP trigger: routes requests to functions, and their answers back."""

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from aiohttp import web
from azure_functions_runtime.bindings.datumdef import Datum
from multidict import CIMultiDict, MultiMapping

from local.host.bindings import HttpTrigger
from local.host.routes import Route, compile_route
from local.host.runtime import Function, make_text_datum

log: Final = logging.getLogger("host.http")

_LARGEST_REQUEST: Final = 100 * 1024 * 1024  # the real host's limit

type Answer = Callable[[Function, Datum], Awaitable[web.Response]]
"""Calls a function with a request and makes a response of what it returns."""


@dataclass(frozen=True)
class Endpoint:
    """An HTTP function and its route."""

    function: Function
    route: Route
    methods: frozenset[str]


def list_endpoints(functions: Sequence[Function], prefix: str) -> list[Endpoint]:
    """The HTTP functions, in the order in which their routes are tried."""
    found = [
        Endpoint(function, compile_route(f"{prefix}/{trigger.route}"), trigger.methods)
        for function in functions
        if not function.disabled and isinstance(trigger := function.bindings.trigger, HttpTrigger)
    ]
    return sorted(found, key=lambda endpoint: endpoint.route.rank)


def make_application(
    found: Sequence[Endpoint],
    answer: Answer,
    show_page: Callable[[], Awaitable[web.Response]],
    run_now: Callable[[str], Awaitable[web.Response]],
) -> web.Application:
    """A web application that serves them all, the page at `/` and `POST /admin/functions/<name>`.

    What fits no route is 404, a wrong method too, as in the real host.
    """

    async def handle(request: web.Request) -> web.Response:
        for endpoint in found:
            parameters = endpoint.route.match(request.rel_url.raw_path)
            if parameters is not None and (not endpoint.methods or request.method in endpoint.methods):
                return await answer(endpoint.function, await _make_datum(request, parameters))
        return web.Response(status=404)

    async def root(_: web.Request) -> web.Response:
        return await show_page()

    async def admin(request: web.Request) -> web.Response:
        return await run_now(request.match_info["name"])

    app = web.Application(client_max_size=_LARGEST_REQUEST)
    app.router.add_get("/", root)
    app.router.add_post("/admin/functions/{name}", admin)
    app.router.add_route("*", "/{path:.*}", handle)
    return app


def make_response(returned: Datum | None) -> web.Response:
    """Return the HTTP answer for what a function returned."""
    if returned is None or returned.type is None:
        return web.Response(status=204)
    if returned.type != "http":
        return web.Response(body=_read_bytes(returned), content_type="text/plain", charset="utf-8")
    value: Mapping[str, Any] = returned.value
    headers = CIMultiDict((name, each.value) for name, each in value["headers"].items())
    for cookie in value.get("cookies") or ():
        for morsel in cookie.values():
            headers.add("Set-Cookie", morsel.OutputString())
    return web.Response(status=int(value["status_code"].value), headers=headers, body=_read_bytes(value["body"]))


async def _make_datum(request: web.Request, parameters: Mapping[str, str]) -> Datum:
    """The request as the host sends it: header names in lower case, the body as bytes."""
    value = {
        "method": make_text_datum(request.method),
        "url": make_text_datum(str(request.url)),
        "headers": {name.lower(): make_text_datum(joined) for name, joined in _join_values(request.headers).items()},
        "query": {name: make_text_datum(joined) for name, joined in _join_values(request.query).items()},
        "params": {name: make_text_datum(each) for name, each in parameters.items()},
        "body": Datum(await request.read(), "bytes"),
    }
    return Datum(value, "http")


def _join_values(values: MultiMapping[str]) -> dict[str, str]:
    """Join several values of one header with commas, as .NET does."""
    return {name: ",".join(values.getall(name)) for name in values}


def _read_bytes(datum: Datum) -> bytes:
    return datum.value if isinstance(datum.value, bytes) else str(datum.value).encode()
