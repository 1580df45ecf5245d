"""For people: the canary, a test customer who passes through all steps in the real directory first."""

import azure.functions as func

from shared.access import http
from shared.access.roles import OPERATORS
from shared.readiness import canary_api
from shared.runtime import wiring

blueprint = func.Blueprint()


@blueprint.route(route="canary", methods=["POST"], auth_level=func.AuthLevel.ANONYMOUS, trigger_arg_name="request")
async def canary_run(request: func.HttpRequest) -> func.HttpResponse:
    """Start a canary, or continue the current one."""
    return await http.answer_request(wiring.get_ports, canary_api.run_canary, request, OPERATORS)


@blueprint.route(route="canary", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS, trigger_arg_name="request")
async def canary_show(request: func.HttpRequest) -> func.HttpResponse:
    """Show what canaries have found out, with dates."""
    return await http.answer_request(wiring.get_ports, canary_api.show_canaries, request)
