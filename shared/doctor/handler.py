"""GET /api/doctor: the app examines itself, with its own identity and credentials."""

from typing import TYPE_CHECKING, Final

import azure.functions as func

from shared.doctor.report import Purpose, Report
from shared.operations import Handler, Refused
from shared.ports import Ports

if TYPE_CHECKING:
    from shared.doctor.run import Opened

PURPOSES: Final = ", ".join(Purpose)


def examined_by(inspectors: "Opened") -> Handler:
    """The handler of GET /api/doctor?for=assess|wave|closed[&authority=]."""

    async def examine(ports: Ports, request: func.HttpRequest) -> Report:
        from shared.doctor.run import UnknownAuthority, run  # noqa: PLC0415 - seldom asked, and slow to import

        wanted = request.params.get("for", "")
        if wanted not in list(Purpose):
            raise Refused(400, f"`for` should be one of {PURPOSES}.")
        try:
            return await run(Purpose(wanted), request.params.get("authority") or "", "app", inspectors, ports.profiles)
        except UnknownAuthority as unknown:
            raise Refused(404, str(unknown)) from None

    return examine
