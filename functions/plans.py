"""For people: read, sign or reject a plan, or let a newer plan supersede it."""

import azure.functions as func

from shared.access import http
from shared.access.roles import APPROVERS, OPERATORS
from shared.planning import api as plan_api
from shared.runtime import wiring

blueprint = func.Blueprint()


@blueprint.route(
    route="migrations/{migration}/plan",
    methods=["GET"],
    auth_level=func.AuthLevel.ANONYMOUS,
    trigger_arg_name="request",
)
async def plan_show(request: func.HttpRequest) -> func.HttpResponse:
    """Show what is planned, who has signed, and which signatures are missing."""
    return await http.answer_request(wiring.get_ports, plan_api.show_plan, request)


@blueprint.route(
    route="migrations/{migration}/plan/approve",
    methods=["POST"],
    auth_level=func.AuthLevel.ANONYMOUS,
    trigger_arg_name="request",
)
async def plan_approve(request: func.HttpRequest) -> func.HttpResponse:
    """Sign a plan for one part."""
    return await http.answer_request(wiring.get_ports, plan_api.approve_plan, request, APPROVERS)


@blueprint.route(
    route="migrations/{migration}/plan/reject",
    methods=["POST"],
    auth_level=func.AuthLevel.ANONYMOUS,
    trigger_arg_name="request",
)
async def plan_reject(request: func.HttpRequest) -> func.HttpResponse:
    """Say no to a plan."""
    return await http.answer_request(wiring.get_ports, plan_api.answer_rejection, request, APPROVERS)


@blueprint.route(
    route="migrations/{migration}/plan/supersede",
    methods=["POST"],
    auth_level=func.AuthLevel.ANONYMOUS,
    trigger_arg_name="request",
)
async def plan_supersede(request: func.HttpRequest) -> func.HttpResponse:
    """Leave a migration to a newer one."""
    return await http.answer_request(wiring.get_ports, plan_api.supersede_plan, request, OPERATORS)
