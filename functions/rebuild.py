"""For people: make the tables again after they were emptied."""

import azure.functions as func

from shared.access import http
from shared.access.roles import OPERATORS
from shared.recovery import api as recovery_api
from shared.runtime import wiring

blueprint = func.Blueprint()


@blueprint.route(route="rebuild", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS, trigger_arg_name="request")
async def rebuild_show(request: func.HttpRequest) -> func.HttpResponse:
    """Show what was lost, and from what it would be made again."""
    return await http.answer_request(wiring.get_ports, recovery_api.show_rebuild, request)


@blueprint.route(route="rebuild", methods=["POST"], auth_level=func.AuthLevel.ANONYMOUS, trigger_arg_name="request")
async def rebuild_run(request: func.HttpRequest) -> func.HttpResponse:
    """The next piece of work. Ask again until it is finished."""
    return await http.answer_request(wiring.get_ports, recovery_api.run_rebuild, request, OPERATORS)
