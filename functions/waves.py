"""For people: open a wave, confirm a point of its checklist or the switch of the portal, give a case an owner."""

import azure.functions as func

from shared.access import http
from shared.access.roles import OPERATORS
from shared.planning import wave_api
from shared.review import api as review_api
from shared.runtime import wiring

blueprint = func.Blueprint()


@blueprint.route(
    route="migrations/{migration}/waves/{wave}/open",
    methods=["POST"],
    auth_level=func.AuthLevel.ANONYMOUS,
    trigger_arg_name="request",
)
async def wave_open(request: func.HttpRequest) -> func.HttpResponse:
    """Open a wave against what stops it."""
    return await http.answer_request(wiring.get_ports, wave_api.open_a_wave, request, OPERATORS)


@blueprint.route(
    route="migrations/{migration}/waves/{wave}/check",
    methods=["POST"],
    auth_level=func.AuthLevel.ANONYMOUS,
    trigger_arg_name="request",
)
async def wave_check(request: func.HttpRequest) -> func.HttpResponse:
    """Confirm one point of a wave's checklist."""
    return await http.answer_request(wiring.get_ports, wave_api.check_a_point, request, OPERATORS)


@blueprint.route(
    route="migrations/{migration}/switch",
    methods=["POST"],
    auth_level=func.AuthLevel.ANONYMOUS,
    trigger_arg_name="request",
)
async def switch_confirm(request: func.HttpRequest) -> func.HttpResponse:
    """Confirm that the portal has switched."""
    return await http.answer_request(wiring.get_ports, wave_api.confirm_portal_switch, request, OPERATORS)


@blueprint.route(
    route="migrations/{migration}/review",
    methods=["GET"],
    auth_level=func.AuthLevel.ANONYMOUS,
    trigger_arg_name="request",
)
async def review_list(request: func.HttpRequest) -> func.HttpResponse:
    """List who decides which review cases, and until when."""
    return await http.answer_request(wiring.get_ports, review_api.list_review, request)


@blueprint.route(
    route="migrations/{migration}/review",
    methods=["POST"],
    auth_level=func.AuthLevel.ANONYMOUS,
    trigger_arg_name="request",
)
async def review_assign(request: func.HttpRequest) -> func.HttpResponse:
    """Give review cases an owner and a day."""
    return await http.answer_request(wiring.get_ports, review_api.assign_cases, request, OPERATORS)
