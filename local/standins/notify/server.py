"""The web application, and how it is started and stopped."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from email.utils import formatdate
from pathlib import Path
from typing import Final

from aiohttp import web

from local.standins.notify import api, control, pages
from local.standins.notify.errors import (
    NotifyError,
    clock_wrong,
    daily_limit_reached,
    internal_error,
    rate_limited,
    service_suspended,
)
from local.standins.notify.faults import AFTER_STORE, Kind, Target
from local.standins.notify.outbox import Call, Outbox
from local.standins.notify.rules import Rules
from local.standins.notify.services import KeyType
from local.standins.notify.state import FAULT, NOTIFY, REFERENCE, Notify
from local.standins.notify.templates import BUILT_IN_FILE, Templates

HOST: Final = "127.0.0.1"
_LARGEST_BODY: Final = 8_000_000
_HANG_SECONDS: Final = 3600
_logger: Final = logging.getLogger(__name__)

type Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class _Dropped(Exception):
    """The caller gets no answer."""


def make_application(notify: Notify) -> web.Application:
    """Notify as a web application."""
    app = web.Application(middlewares=[_write_journal, _answer_errors, _make_trouble], client_max_size=_LARGEST_BODY)
    app[NOTIFY] = notify
    app.on_response_prepare.append(_set_date)
    for routes in (api.routes, control.routes, pages.routes):
        app.add_routes(routes)
    return app


def open_notify(data: Path | None = None, templates: Path = BUILT_IN_FILE, rules: Rules | None = None) -> Notify:
    """A Notify with what the data folder remembers. Given rules go before remembered ones."""
    outbox = Outbox(data)
    try:
        saved = outbox.saved_rules()
        remembered = Rules.model_validate_json(saved) if saved else Rules()
        given = rules.model_dump(exclude_unset=True) if rules else {}
        return Notify(outbox, Templates.read(templates), remembered.changed(given))
    except Exception:
        outbox.close()
        raise


@asynccontextmanager
async def serve_notify(notify: Notify, port: int = 0) -> AsyncIterator[str]:
    """Serve on this port of the loopback (0: a free one). Raises `OSError` when it is taken."""
    # Cancelled when the caller goes away, so that requests hung on order do not pile up.
    runner = web.AppRunner(make_application(notify), access_log=None, handler_cancellation=True, shutdown_timeout=1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, HOST, port)
        await site.start()
        yield f"http://{HOST}:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
        notify.outbox.close()


async def _set_date(request: web.Request, response: web.StreamResponse) -> None:
    """The Date header, by the clock that this Notify has."""
    response.headers["Date"] = formatdate(request.app[NOTIFY].told_time(), usegmt=True)


@web.middleware
async def _write_journal(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Write down every request to the API, also those that get no answer."""
    if not request.path.startswith("/v2/"):
        return await handler(request)
    status: int | None = None
    try:
        response = await handler(request)
        status = response.status
    except _Dropped:
        _cut_connection(request)
        return web.Response(status=500)
    else:
        return response
    finally:
        notify = request.app[NOTIFY]
        known = request.get(REFERENCE), status, request.get(FAULT)
        notify.outbox.record(Call(notify.clock(), request.method, request.path, *known))


@web.middleware
async def _answer_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except NotifyError as error:
        return error.response()
    except web.HTTPException as error:
        return NotifyError(error.status, "HTTPError", error.reason).response()
    except _Dropped:
        raise
    except Exception:
        _logger.exception("The stand-in failed")
        return internal_error().response()


@web.middleware
async def _make_trouble(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Be slow, and let the faults on order happen, before or after the request is really handled."""
    target = _find_target(request)
    if target is None:
        return await handler(request)
    notify = request.app[NOTIFY]
    if notify.rules.latency_ms:
        await asyncio.sleep(notify.rules.latency_ms / 1000)
    kind = notify.faults.draw(target, notify.steady())
    if kind is None:
        return await handler(request)
    request[FAULT] = kind.value
    if kind in AFTER_STORE:
        await handler(request)
    return await _strike_request(kind, notify.rules)


async def _strike_request(kind: Kind, rules: Rules) -> web.StreamResponse:
    match kind:
        case Kind.ERROR_500_BEFORE_STORE | Kind.ERROR_500_AFTER_STORE:
            raise internal_error()
        case Kind.DROP_BEFORE_STORE | Kind.DROP_AFTER_STORE:
            raise _Dropped
        case Kind.RATE_LIMITED:
            raise rate_limited(KeyType.LIVE, rules.rate_limit)
        case Kind.DAILY_LIMIT:
            raise daily_limit_reached(rules.daily_limit)
        case Kind.SUSPENDED:
            raise service_suspended()
        case Kind.CLOCK_WRONG:
            raise clock_wrong()
        case Kind.BAD_GATEWAY:
            # What stands before the API answers with a page, not with its JSON.
            return web.Response(status=502, text="<html><h1>502 Bad Gateway</h1></html>", content_type="text/html")
        case Kind.HANG | Kind.HANG_AFTER_STORE:
            await asyncio.sleep(_HANG_SECONDS)
            raise _Dropped


def _find_target(request: web.Request) -> Target | None:
    if request.path.startswith("/v2/template"):
        return "template"
    if request.path.startswith("/v2/notifications"):
        return "send" if request.method == "POST" else "lookup"
    return None


def _cut_connection(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.abort()
