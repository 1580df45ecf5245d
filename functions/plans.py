"""For people: a plan is read, signed, rejected, or left to a newer one."""

import azure.functions as func

from shared import operations, plans, wiring
from shared.people import APPROVERS, OPERATORS

blueprint = func.Blueprint()


@blueprint.route(
    route="migrations/{migration}/plan",
    methods=["GET"],
    auth_level=func.AuthLevel.ANONYMOUS,
    trigger_arg_name="request",
)
async def plan_show(request: func.HttpRequest) -> func.HttpResponse:
    """What is planned, who has signed, whose signature is wanted."""
    return await operations.answer(wiring.ports, plans.show_plan, request)


@blueprint.route(
    route="migrations/{migration}/plan/approve",
    methods=["POST"],
    auth_level=func.AuthLevel.ANONYMOUS,
    trigger_arg_name="request",
)
async def plan_approve(request: func.HttpRequest) -> func.HttpResponse:
    """Sign a plan for one part."""
    return await operations.answer(wiring.ports, plans.approve_plan, request, APPROVERS)


@blueprint.route(
    route="migrations/{migration}/plan/reject",
    methods=["POST"],
    auth_level=func.AuthLevel.ANONYMOUS,
    trigger_arg_name="request",
)
async def plan_reject(request: func.HttpRequest) -> func.HttpResponse:
    """Say no to a plan."""
    return await operations.answer(wiring.ports, plans.reject_plan, request, APPROVERS)


@blueprint.route(
    route="migrations/{migration}/plan/supersede",
    methods=["POST"],
    auth_level=func.AuthLevel.ANONYMOUS,
    trigger_arg_name="request",
)
async def plan_supersede(request: func.HttpRequest) -> func.HttpResponse:
    """Leave a migration to a newer one."""
    return await operations.answer(wiring.ports, plans.supersede_plan, request, OPERATORS)
