"""For people: the doctor, which checks every prerequisite and says what is missing or too much."""

import azure.functions as func

from shared.access import http
from shared.access.roles import OPERATORS
from shared.readiness import doctor_api
from shared.runtime import wiring

blueprint = func.Blueprint()


@blueprint.route(route="doctor", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS, trigger_arg_name="request")
async def doctor(request: func.HttpRequest) -> func.HttpResponse:
    """Look at everything that has to be in place, and say how to mend what is not."""
    return await http.answer_request(
        wiring.get_ports, doctor_api.make_doctor_handler(wiring.open_inspectors), request, OPERATORS
    )
