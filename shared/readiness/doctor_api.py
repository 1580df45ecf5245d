"""GET /api/doctor: the app examines itself, with its own identity and credentials."""

from typing import TYPE_CHECKING, Final

import azure.functions as func

from shared.access.http import Handler, Refused
from shared.ports import Ports
from shared.readiness.rules.report import Purpose, Report

if TYPE_CHECKING:
    from shared.readiness.run_doctor import Opened

PURPOSES: Final = ", ".join(Purpose)


def make_doctor_handler(inspectors: "Opened") -> Handler:
    """The handler of GET /api/doctor?for=assess|wave|closed[&authority=]."""

    async def examine(ports: Ports, request: func.HttpRequest) -> Report:
        from shared.readiness.run_doctor import UnknownAuthority, run_doctor  # noqa: PLC0415 - seldom asked, and slow to import

        wanted = request.params.get("for", "")
        if wanted not in list(Purpose):
            raise Refused(400, f"`for` should be one of {PURPOSES}.")
        try:
            return await run_doctor(
                Purpose(wanted), request.params.get("authority") or "", "app", inspectors, ports.profiles
            )
        except UnknownAuthority as unknown:
            raise Refused(404, str(unknown)) from None

    return examine
