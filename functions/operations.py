"""For people: status, poison, pause, resume, cancel.

The command line `ops` calls these functions, and holds no key itself.
"""

import azure.functions as func

from shared.access import http
from shared.access.roles import OPERATORS
from shared.operations import api as operations_api
from shared.runtime import wiring

blueprint = func.Blueprint()


@blueprint.route(route="status", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS, trigger_arg_name="request")
async def status(request: func.HttpRequest) -> func.HttpResponse:
    """Show the state of everything, and what to do next."""
    return await http.answer_request(wiring.get_ports, operations_api.show_status, request)


@blueprint.route(route="poison", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS, trigger_arg_name="request")
async def poison_list(request: func.HttpRequest) -> func.HttpResponse:
    """List what failed, and why."""
    return await http.answer_request(wiring.get_ports, operations_api.list_poison, request)


@blueprint.route(
    route="poison/replay", methods=["POST"], auth_level=func.AuthLevel.ANONYMOUS, trigger_arg_name="request"
)
async def poison_replay(request: func.HttpRequest) -> func.HttpResponse:
    """Bring stuck accounts back."""
    return await http.answer_request(wiring.get_ports, operations_api.replay_poison, request, OPERATORS)


@blueprint.route(
    route="poison/discard", methods=["POST"], auth_level=func.AuthLevel.ANONYMOUS, trigger_arg_name="request"
)
async def poison_discard(request: func.HttpRequest) -> func.HttpResponse:
    """Leave stuck accounts as they are."""
    return await http.answer_request(wiring.get_ports, operations_api.discard_poison, request, OPERATORS)


@blueprint.route(
    route="migrations/{migration}/pause",
    methods=["POST"],
    auth_level=func.AuthLevel.ANONYMOUS,
    trigger_arg_name="request",
)
async def pause(request: func.HttpRequest) -> func.HttpResponse:
    """Let no new effect of a migration start."""
    return await http.answer_request(wiring.get_ports, operations_api.answer_pause, request, OPERATORS)


@blueprint.route(
    route="migrations/{migration}/cancel",
    methods=["POST"],
    auth_level=func.AuthLevel.ANONYMOUS,
    trigger_arg_name="request",
)
async def cancel(request: func.HttpRequest) -> func.HttpResponse:
    """Stop a migration for good."""
    return await http.answer_request(wiring.get_ports, operations_api.answer_cancel, request, OPERATORS)


@blueprint.route(
    route="migrations/{migration}/resume",
    methods=["POST"],
    auth_level=func.AuthLevel.ANONYMOUS,
    trigger_arg_name="request",
)
async def resume(request: func.HttpRequest) -> func.HttpResponse:
    """Resume a paused migration."""
    return await http.answer_request(wiring.get_ports, operations_api.resume_migration, request, OPERATORS)


@blueprint.route(route="health", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS, trigger_arg_name="request")
async def health(request: func.HttpRequest) -> func.HttpResponse:  # noqa: ARG001 - the binding wants it
    """The app is indexed and its settings are read."""
    return func.HttpResponse("ok", mimetype="text/plain")
