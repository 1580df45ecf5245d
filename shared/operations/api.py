"""The answers of the HTTP functions about the status, about failures, and about pause, resume and cancel."""

from dataclasses import asdict
from typing import Annotated

import azure.functions as func
from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError, model_validator

from shared.access.http import (
    Name,
    Refused,
    at_most,
    get_caller_id,
    get_migration_path,
    read_body,
    require_migration,
    signed_by,
)
from shared.errors import ActionRefused
from shared.operations import control, poison
from shared.operations.status import read_status
from shared.ports import Ports


class Chosen(BaseModel):
    """The failed accounts that are meant: exactly one of `account`, `cause` and `all`."""

    model_config = ConfigDict(extra="forbid", strict=True)
    account: Annotated[str, StringConstraints(pattern=r"^(a[0-9a-f]{40})?$")] = ""
    cause: Annotated[str, StringConstraints(pattern=r"^[a-z0-9_]{0,80}$")] = ""
    all: bool = False

    @model_validator(mode="after")
    def _check_one_choice(self) -> "Chosen":
        if not self.choice.valid:
            raise ValueError("choose exactly one of account, cause and all")
        return self

    @property
    def choice(self) -> poison.Choice:
        """Return the choice as the step takes it."""
        return poison.Choice(self.account, self.cause, self.all)


async def show_status(ports: Ports, request: func.HttpRequest) -> BaseModel:
    """GET /api/status[?authority=]."""
    found = await read_status(ports)
    authority = request.params.get("authority")
    if authority:
        if authority not in ports.profiles:
            known = ", ".join(sorted(ports.profiles))
            raise Refused(404, f"No council `{authority}` has a profile. Known are: {known}.")
        found.migrations = [m for m in found.migrations if m.authority == authority]
    return found


async def list_poison(ports: Ports, request: func.HttpRequest) -> dict[str, object]:
    """GET /api/poison: stuck accounts, and what else lies in the poison queues."""
    stuck = await poison.list_stuck(ports, at_most(request))
    now = await read_status(ports)
    return {
        "stuck": [asdict(item) for item in stuck],
        "queues": [queue.model_dump() for queue in now.queues if queue.poison],
    }


def _read_choice(request: func.HttpRequest) -> poison.Choice:
    try:
        return Chosen.model_validate_json(request.get_body() or b"{}").choice
    except ValidationError:
        says = 'Choose exactly one: send {"account": id}, {"cause": reason code} or {"all": true}.'
        raise Refused(400, says) from None


async def replay_poison(ports: Ports, request: func.HttpRequest) -> dict[str, object]:
    """POST /api/poison/replay."""
    return asdict(await poison.replay_stuck(ports, _read_choice(request), get_caller_id(request)))


async def discard_poison(ports: Ports, request: func.HttpRequest) -> dict[str, object]:
    """POST /api/poison/discard."""
    return asdict(await poison.discard_stuck(ports, _read_choice(request), get_caller_id(request)))


class Caller(BaseModel):
    """The name of the caller, where nobody signs in."""

    model_config = ConfigDict(extra="forbid", strict=True)
    by: Name = ""


async def answer_pause(ports: Ports, request: func.HttpRequest) -> dict[str, object]:
    """POST /api/migrations/{migration}/pause."""
    return await _control_migration(ports, request, control.pause_by_person)


async def resume_migration(ports: Ports, request: func.HttpRequest) -> dict[str, object]:
    """POST /api/migrations/{migration}/resume."""
    return await _control_migration(ports, request, control.resume_by_person)


async def answer_cancel(ports: Ports, request: func.HttpRequest) -> dict[str, object]:
    """POST /api/migrations/{migration}/cancel."""
    return await _control_migration(ports, request, control.cancel_by_person)


async def _control_migration(ports: Ports, request: func.HttpRequest, work: control.Work) -> dict[str, object]:
    by = signed_by(request, read_body(Caller, request, 'Send nothing, or {"by": name} on a laptop.').by)
    try:
        migration = require_migration(await work(ports, *get_migration_path(request), by), request)
    except ActionRefused as not_now:
        raise Refused(409, str(not_now)) from None
    return {
        "migration": migration.id,
        "phase": migration.phase.value,
        "paused": migration.paused,
        "reason": migration.pause_reason,
    }
