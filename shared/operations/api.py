"""What the HTTP functions answer about the status, about what failed, and about pause, resume and cancel."""

from dataclasses import asdict
from typing import Annotated

import azure.functions as func
from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError, model_validator

from shared.access.http import Name, Refused, at_most, found, read_body, signed_by, wanted, who
from shared.errors import ActionRefused
from shared.operations import control, poison
from shared.operations.status import status
from shared.ports import Ports


class Chosen(BaseModel):
    """Which stuck accounts are meant: exactly one of `account`, `cause` and `all`."""

    model_config = ConfigDict(extra="forbid", strict=True)
    account: Annotated[str, StringConstraints(pattern=r"^(a[0-9a-f]{40})?$")] = ""
    cause: Annotated[str, StringConstraints(pattern=r"^[a-z0-9_]{0,80}$")] = ""
    all: bool = False

    @model_validator(mode="after")
    def _one(self) -> "Chosen":
        if not self.choice.valid:
            raise ValueError("choose exactly one of account, cause and all")
        return self

    @property
    def choice(self) -> poison.Choice:
        """As the step takes it."""
        return poison.Choice(self.account, self.cause, self.all)


async def show_status(ports: Ports, request: func.HttpRequest) -> BaseModel:
    """GET /api/status[?authority=]."""
    found = await status(ports)
    authority = request.params.get("authority")
    if authority:
        if authority not in ports.profiles:
            known = ", ".join(sorted(ports.profiles))
            raise Refused(404, f"No council `{authority}` has a profile. Known are: {known}.")
        found.migrations = [m for m in found.migrations if m.authority == authority]
    return found


async def list_poison(ports: Ports, request: func.HttpRequest) -> dict[str, object]:
    """GET /api/poison: stuck accounts, and what else lies in the poison queues."""
    stuck = await poison.stuck(ports, at_most(request))
    now = await status(ports)
    return {
        "stuck": [asdict(item) for item in stuck],
        "queues": [queue.model_dump() for queue in now.queues if queue.poison],
    }


def _chosen(request: func.HttpRequest) -> poison.Choice:
    try:
        return Chosen.model_validate_json(request.get_body() or b"{}").choice
    except ValidationError:
        says = 'Choose exactly one: send {"account": id}, {"cause": reason code} or {"all": true}.'
        raise Refused(400, says) from None


async def replay_poison(ports: Ports, request: func.HttpRequest) -> dict[str, object]:
    """POST /api/poison/replay."""
    return asdict(await poison.replay(ports, _chosen(request), who(request)))


async def discard_poison(ports: Ports, request: func.HttpRequest) -> dict[str, object]:
    """POST /api/poison/discard."""
    return asdict(await poison.discard(ports, _chosen(request), who(request)))


class Told(BaseModel):
    """Who asks, where nobody signs in."""

    model_config = ConfigDict(extra="forbid", strict=True)
    by: Name = ""


async def pause_migration(ports: Ports, request: func.HttpRequest) -> dict[str, object]:
    """POST /api/migrations/{migration}/pause."""
    return await _controlled(ports, request, control.pause)


async def resume_migration(ports: Ports, request: func.HttpRequest) -> dict[str, object]:
    """POST /api/migrations/{migration}/resume."""
    return await _controlled(ports, request, control.resume)


async def cancel_migration(ports: Ports, request: func.HttpRequest) -> dict[str, object]:
    """POST /api/migrations/{migration}/cancel."""
    return await _controlled(ports, request, control.cancel)


async def _controlled(ports: Ports, request: func.HttpRequest, work: control.Work) -> dict[str, object]:
    by = signed_by(request, read_body(Told, request, 'Send nothing, or {"by": name} on a laptop.').by)
    try:
        migration = found(await work(ports, *wanted(request), by), request)
    except ActionRefused as not_now:
        raise Refused(409, str(not_now)) from None
    return {
        "migration": migration.id,
        "phase": migration.phase.value,
        "paused": migration.paused,
        "reason": migration.pause_reason,
    }
