"""For people: the canary, a test customer who goes the whole way through the real directory first."""

import azure.functions as func

from shared import canaries, operations, wiring
from shared.people import OPERATORS

blueprint = func.Blueprint()


@blueprint.route(route="canary", methods=["POST"], auth_level=func.AuthLevel.ANONYMOUS, trigger_arg_name="request")
async def canary_run(request: func.HttpRequest) -> func.HttpResponse:
    """Start a canary, or go on with the one that is under way."""
    return await operations.answer(wiring.ports, canaries.run_canary, request, OPERATORS)


@blueprint.route(route="canary", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS, trigger_arg_name="request")
async def canary_show(request: func.HttpRequest) -> func.HttpResponse:
    """What canaries have found out, with dates."""
    return await operations.answer(wiring.ports, canaries.show_canaries, request)
