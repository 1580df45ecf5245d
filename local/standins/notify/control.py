"""The stand-in's own controls, under /_standin: what was accepted and requested, and how to cause faults."""

from dataclasses import asdict
from typing import Any, Final

from aiohttp import web
from pydantic import TypeAdapter, ValidationError

from local.standins.notify.faults import FaultOrder
from local.standins.notify.outbox import Message, Search, format_time
from local.standins.notify.state import NOTIFY, Notify

routes = web.RouteTableDef()
_CHANGES: Final = TypeAdapter(dict[str, object])


@routes.get("/_standin/health")
async def show_health(request: web.Request) -> web.Response:
    """Ready, and how much there is."""
    notify = request.app[NOTIFY]
    return web.json_response({"status": "ok", "notifications": notify.outbox.count(Search(), notify.clock())})


@routes.get("/_standin/notifications")
async def show_notifications(request: web.Request) -> web.Response:
    """Every kept message, oldest first; `service`, `reference` and `q` narrow."""
    notify = request.app[NOTIFY]
    search = Search(
        service=request.query.get("service"),
        reference=request.query.get("reference"),
        words=request.query.get("q", ""),
    )
    found = notify.outbox.find(search, notify.clock())
    return web.json_response([_as_json(notify, message) for message in reversed(found)])


@routes.get("/_standin/journal")
async def show_journal(request: web.Request) -> web.Response:
    """Every request to the API, oldest first, with the fault that struck it. Status null means: no answer."""
    calls = request.app[NOTIFY].outbox.journal()
    return web.json_response([{**asdict(call), "at": format_time(call.at)} for call in calls])


@routes.get("/_standin/faults")
async def list_faults(request: web.Request) -> web.Response:
    """The faults in force."""
    return _make_fault_list(request.app[NOTIFY])


@routes.post("/_standin/faults")
async def order_fault(request: web.Request) -> web.Response:
    """Put a fault in force. Answers all that are."""
    notify = request.app[NOTIFY]
    try:
        order = FaultOrder.model_validate_json(await request.read())
    except ValidationError as error:
        return _make_refusal(error)
    notify.faults.add(order, notify.steady())
    return _make_fault_list(notify)


@routes.delete("/_standin/faults")
async def clear_faults(request: web.Request) -> web.Response:
    """End all faults."""
    request.app[NOTIFY].faults.clear()
    return _make_fault_list(request.app[NOTIFY])


@routes.get("/_standin/rules")
async def get_rules(request: web.Request) -> web.Response:
    """The rules in force."""
    return web.json_response(request.app[NOTIFY].rules.model_dump(mode="json"))


@routes.patch("/_standin/rules")
async def change_rules(request: web.Request) -> web.Response:
    """Change some rules. Answers all of them. They outlive a restart when there is a data folder."""
    notify = request.app[NOTIFY]
    try:
        changes = _CHANGES.validate_json(await request.read())
        notify.change_rules(notify.rules.changed(changes))
    except ValidationError as error:
        return _make_refusal(error)
    return web.json_response(notify.rules.model_dump(mode="json"))


def _as_json(notify: Notify, message: Message) -> dict[str, Any]:
    return {
        "id": message.id,
        "service": message.service,
        "key_type": message.key_type,
        "reference": message.reference,
        "email_address": message.email_address,
        "template_id": message.template_id,
        "template": next(
            (each.name for each in notify.templates.of(message.service) if str(each.id) == message.template_id),
            "",
        ),
        "subject": message.subject,
        "body": message.body,
        "created_at": format_time(message.created_at),
        "status": message.status(notify.clock()),
    }


def _make_fault_list(notify: Notify) -> web.Response:
    return web.json_response({"faults": notify.faults.listed(notify.steady())})


def _make_refusal(error: ValidationError) -> web.Response:
    problems = [f"{'.'.join(str(part) for part in each['loc'])}: {each['msg']}" for each in error.errors()]
    return web.json_response({"errors": problems}, status=400)
