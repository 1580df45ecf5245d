"""Controls of the stand-in for tests and people, below ``/_standin/``. Graph has none of them.

These requests are never delayed, throttled, disturbed or recorded in the journal.
"""

import json
from collections.abc import Mapping
from typing import Any, Final

from aiohttp import web

from local.standins.graph.faults import FaultError, read_fault
from local.standins.graph.rules import RuleError, list_switches
from local.standins.graph.state import Directory
from local.standins.graph.store import Entry
from local.standins.graph.writing import reset_password

DIRECTORY: Final = web.AppKey("directory", Directory)
RESET_LENGTH: Final = 14


def add_control(app: web.Application) -> None:
    """Add the control endpoints."""
    app.router.add_get("/_standin/health", show_health)
    app.router.add_get("/_standin/users", show_users)
    app.router.add_post("/_standin/users", sign_up)
    app.router.add_post("/_standin/users/{id}/reset-password", reset)
    app.router.add_get("/_standin/journal", show_journal)
    app.router.add_delete("/_standin/journal", clear_journal)
    app.router.add_get("/_standin/faults", show_faults)
    app.router.add_post("/_standin/faults", add_faults)
    app.router.add_delete("/_standin/faults", clear_faults)
    app.router.add_get("/_standin/rules", show_rules)
    app.router.add_patch("/_standin/rules", turn_rules)


async def show_health(request: web.Request) -> web.Response:
    """Return that it answers, and how many users it holds."""
    directory = request.app[DIRECTORY]
    deleted = directory.store.deleted
    held = {"users": len(directory.store) - deleted, "deleted": deleted}
    return web.json_response({"status": "ok", "tenant": directory.rules.tenant, **held})


async def show_users(request: web.Request) -> web.Response:
    """Return every user as stored, whatever lists show now. Users in the recycle bin have a deletedDateTime."""
    return web.json_response([_make_raw_user(entry) for entry in request.app[DIRECTORY].store])


async def sign_up(request: web.Request) -> web.Response:
    """People who sign up by themselves, as in a seed file. Graph has no part in it, so no quota counts them."""
    wanted = await _read_json(request)
    users = wanted.get("users") if isinstance(wanted, dict) else None
    if not isinstance(users, list) or not all(isinstance(user, dict) and "id" in user for user in users):
        return _make_error('the body is not {"users": [{"id": …}, …]}')
    return web.json_response({"users": request.app[DIRECTORY].add(users)}, status=201)


def _make_raw_user(entry: Entry) -> dict[str, Any]:
    inner = {"forceChangePasswordNextSignIn": entry.force_change, "passwordLength": entry.password_length}
    return {**entry.properties, **inner}


async def reset(request: web.Request) -> web.Response:
    """A customer's own password reset. The body may override what the switches say."""
    directory = request.app[DIRECTORY]
    entry = directory.store.get(request.match_info["id"])
    if entry is None or entry.deleted:
        return _make_error("no such user", 404)
    wanted = await _read_json(request) if request.can_read_body else {}
    if not isinstance(wanted, dict):
        return _make_error("the body is empty or an object")
    changed = reset_password(
        directory,
        entry,
        moves=bool(wanted.get("moves_last_password_change", directory.rules.reset_moves_last_password_change)),
        clears=bool(wanted.get("clears_must_reset", directory.rules.reset_clears_must_reset)),
        length=int(wanted.get("password_length", RESET_LENGTH)),
    )
    return web.json_response(_make_raw_user(changed))


async def show_journal(request: web.Request) -> web.Response:
    """The latest requests to Graph, oldest first, and counters over all."""
    return web.json_response(request.app[DIRECTORY].journal.as_json())


async def clear_journal(request: web.Request) -> web.Response:
    """Begin to count again."""
    request.app[DIRECTORY].journal.clear()
    return web.Response(status=204)


async def show_faults(request: web.Request) -> web.Response:
    """The faults now set."""
    directory = request.app[DIRECTORY]
    now = directory.now()
    return web.json_response([each.as_json(now) for each in directory.faults.active(now)])


async def add_faults(request: web.Request) -> web.Response:
    """Set one fault, or a list of them: all or, when one is wrong, none."""
    directory = request.app[DIRECTORY]
    wanted = await _read_json(request)
    try:
        found = [read_fault(each) for each in (wanted if isinstance(wanted, list) else [wanted])]
    except FaultError as error:
        return _make_error(str(error))
    for fault in found:
        directory.faults.add(fault, directory.now())
    return await show_faults(request)


async def clear_faults(request: web.Request) -> web.Response:
    """End all faults. Hanging requests are released."""
    request.app[DIRECTORY].faults.clear()
    return web.Response(status=204)


async def show_rules(request: web.Request) -> web.Response:
    """Every switch as it stands. With ``?why`` also the reason for each."""
    shown = request.app[DIRECTORY].rules.as_json()
    if "why" in request.query:
        return web.json_response({each.name: {"value": shown[each.name], "why": each.why} for each in list_switches()})
    return web.json_response(shown)


async def turn_rules(request: web.Request) -> web.Response:
    """Turn switches: all of those named or, when one is wrong, none."""
    wanted = await _read_json(request)
    if not isinstance(wanted, Mapping):
        return _make_error('the body is an object such as {"latency_ms": 50}')
    try:
        request.app[DIRECTORY].turn(wanted)
    except RuleError as error:
        return _make_error(str(error))
    return await show_rules(request)


async def _read_json(request: web.Request) -> object:
    """Return the body, or None if it is not JSON. The caller says what it should have been."""
    try:
        return json.loads(await request.read())
    except ValueError:
        return None


def _make_error(message: str, status: int = 400) -> web.Response:
    return web.json_response({"error": message}, status=status)
