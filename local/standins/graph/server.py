"""The directory over HTTP: Graph below ``/v1.0`` and ``/beta``, its controls, and a page for people."""

from collections.abc import AsyncIterator

from aiohttp import web

from local.standins.graph.calls import Call, Reply, split_address
from local.standins.graph.control import DIRECTORY, add_control
from local.standins.graph.gate import answer_call
from local.standins.graph.page import show_page
from local.standins.graph.people import run_people
from local.standins.graph.state import Directory

LONGEST_BODY = 4 * 1024 * 1024  # Graph's own limit for a request


def build_app(directory: Directory) -> web.Application:
    """The application for one directory. It closes the directory when it stops."""
    app = web.Application(client_max_size=LONGEST_BODY)
    app[DIRECTORY] = directory
    app.router.add_get("/", show_page)
    add_control(app)
    app.router.add_route("*", r"/{version:v1\.0|beta}/{rest:.*}", answer_graph)
    app.on_shutdown.append(_release_requests)
    app.cleanup_ctx.append(_close_directory)
    app.cleanup_ctx.append(_keep_people)
    return app


async def _release_requests(app: web.Application) -> None:
    """End hanging requests first, so that stopping does not wait for them."""
    app[DIRECTORY].faults.clear()


async def _close_directory(app: web.Application) -> AsyncIterator[None]:
    yield
    app[DIRECTORY].close()


async def _keep_people(app: web.Application) -> AsyncIterator[None]:
    async with run_people(app[DIRECTORY]):
        yield


async def answer_graph(request: web.Request) -> web.StreamResponse:
    """Any request to Graph."""
    reply = await answer_call(request.app[DIRECTORY], await _read_call(request))
    if reply.status == 0 and request.transport:
        request.transport.abort()
    response = _make_response(reply)
    response.headers["Date"] = request.app[DIRECTORY].date()
    return response


async def _read_call(request: web.Request) -> Call:
    (version, *segments), query = split_address(request.raw_path)
    return Call(
        method=request.method,
        segments=tuple(segments),
        query=query,
        headers={name.lower(): value for name, value in request.headers.items()},
        body=await request.read(),
        root=f"{request.scheme}://{request.host}/{version}",
        beta=version == "beta",
    )


def _make_response(reply: Reply) -> web.Response:
    status = reply.status or 500  # after an ended connection nobody reads it
    if reply.page is not None:
        return web.Response(status=status, headers=reply.headers, text=reply.page, content_type="text/html")
    if reply.body is None:
        return web.Response(status=status, headers=reply.headers)
    return web.json_response(reply.body, status=status, headers=reply.headers)
