"""What the HTTP functions answer: JSON in, JSON out, a sentence for every error."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Annotated, Final

import azure.functions as func
from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError, model_validator

from shared.domain.migration import Migration
from shared.people import LOCAL, READERS, NotLetIn, Role, admit, person
from shared.ports import Ports
from shared.steps import control, poison
from shared.steps.status import status
from shared.worker import unexpected

LIMIT: Final = 1000
# Not {0,80} in the pattern: compiled for eighty letters of all alphabets, it took a fifth of the start.
Name = Annotated[str, StringConstraints(pattern=r"^[\w .,'@-]*$", max_length=80)]
"""Of a person, where nobody signs in."""


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


class Refused(Exception):
    """The request cannot be answered; the sentence says why and what to do."""

    def __init__(self, status_code: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status_code = status_code


type Handler = Callable[[Ports, func.HttpRequest], Awaitable[BaseModel | dict[str, object]]]


async def answer(
    ports: Callable[[], Ports], handler: Handler, request: func.HttpRequest, allowed: frozenset[Role] = READERS
) -> func.HttpResponse:
    """Run a handler for people with one of these roles; every error becomes a sentence."""
    try:
        admit(request.headers, allowed)
        result = await handler(ports(), request)
    except (Refused, NotLetIn) as refused:
        return _json({"error": str(refused)}, refused.status_code)
    except Exception as error:  # noqa: BLE001 - its message may be personal, so only type and place are told
        return _json({"error": f"The app failed: {unexpected(error)}. See docs/runbook.md."}, 500)
    return _json(result.model_dump(mode="json") if isinstance(result, BaseModel) else result, 200)


def _json(body: dict[str, object], status_code: int) -> func.HttpResponse:
    return func.HttpResponse(json.dumps(body, ensure_ascii=False), status_code=status_code, mimetype="application/json")


def who(request: func.HttpRequest) -> str:
    """The signed-in person's id, or `local`."""
    return person(request.headers).id


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


def at_most(request: func.HttpRequest) -> int:
    """How many are to be listed.

    Raises:
        Refused: it is no such number.
    """
    limit = request.params.get("limit", "100")
    if not (limit.isascii() and limit.isdecimal() and len(limit) < len(str(LIMIT)) + 1 and 0 < int(limit) <= LIMIT):
        raise Refused(400, f"limit should be a number from 1 to {LIMIT}.")
    return int(limit)


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


def signed_by(request: func.HttpRequest, told: str) -> str:
    """Who asks: the signed-in person's id; on a laptop, where nobody signs in, the name that was told.

    Raises:
        Refused: somebody is signed in and tells a name as well.
    """
    caller = person(request.headers)
    if caller == LOCAL:
        return told or caller.id
    if told:
        raise Refused(400, "Leave out the name (`--by`): here it is the signed-in person's, whoever is named.")
    return caller.id


def read_body[T: BaseModel](kind: type[T], request: func.HttpRequest, says: str) -> T:
    """The body as it should be.

    Raises:
        Refused: it is not; `says` tells what to send.
    """
    try:
        return kind.model_validate_json(request.get_body() or b"{}")
    except ValidationError:
        raise Refused(400, says) from None


def wanted(request: func.HttpRequest) -> tuple[str, str]:
    """The council, if one is named, and the migration that a request is about."""
    return request.params.get("authority") or "", request.route_params.get("migration", "")


def found(migration: Migration | None, request: func.HttpRequest) -> Migration:
    """The migration.

    Raises:
        Refused: there is none.
    """
    if migration is None:
        raise Refused(404, f"There is no migration `{wanted(request)[1]}`; `ops status` lists them.")
    return migration


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
    except control.NotNow as not_now:
        raise Refused(409, str(not_now)) from None
    return {
        "migration": migration.id,
        "phase": migration.phase.value,
        "paused": migration.paused,
        "reason": migration.pause_reason,
    }
