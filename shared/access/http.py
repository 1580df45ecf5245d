"""How every HTTP function answers: JSON in, JSON out, and a sentence for every error."""

import json
from collections.abc import Awaitable, Callable
from typing import Annotated, Final

import azure.functions as func
from pydantic import BaseModel, StringConstraints, ValidationError

from shared.access.roles import LOCAL, READERS, NotLetIn, Role, admit_person, read_caller
from shared.errors import describe_unexpected
from shared.model.migration import Migration
from shared.ports import Ports

LIMIT: Final = 1000


# Not {0,80} in the pattern: compiled for eighty letters of all alphabets, it took a fifth of the start.
Name = Annotated[str, StringConstraints(pattern=r"^[\w .,'@-]*$", max_length=80)]


"""The name of a person, where nobody signs in."""
Said = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
"""A sentence or a name that a person gives, kept with the decision."""


class Refused(Exception):
    """The request cannot be answered. The sentence says why, and what to do."""

    def __init__(self, status_code: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status_code = status_code


type Handler = Callable[[Ports, func.HttpRequest], Awaitable[BaseModel | dict[str, object]]]


async def answer_request(
    ports: Callable[[], Ports], handler: Handler, request: func.HttpRequest, allowed: frozenset[Role] = READERS
) -> func.HttpResponse:
    """Run a handler for people with one of these roles. Every error becomes a sentence."""
    try:
        admit_person(request.headers, allowed)
        result = await handler(ports(), request)
    except (Refused, NotLetIn) as refused:
        return _make_json_response({"error": str(refused)}, refused.status_code)
    except Exception as error:  # noqa: BLE001 - its message may be personal, so only type and place are told
        return _make_json_response(
            {"error": f"The app failed: {describe_unexpected(error)}. See docs/runbook.md."}, 500
        )
    return _make_json_response(result.model_dump(mode="json") if isinstance(result, BaseModel) else result, 200)


def _make_json_response(body: dict[str, object], status_code: int) -> func.HttpResponse:
    return func.HttpResponse(json.dumps(body, ensure_ascii=False), status_code=status_code, mimetype="application/json")


def get_caller_id(request: func.HttpRequest) -> str:
    """The signed-in person's id, or `local`."""
    return read_caller(request.headers).id


def at_most(request: func.HttpRequest) -> int:
    """Return how many items to list.

    Raises:
        Refused: the text is not such a number.
    """
    limit = request.params.get("limit", "100")
    if not (limit.isascii() and limit.isdecimal() and len(limit) < len(str(LIMIT)) + 1 and 0 < int(limit) <= LIMIT):
        raise Refused(400, f"limit should be a number from 1 to {LIMIT}.")
    return int(limit)


def signed_by(request: func.HttpRequest, told: str) -> str:
    """Return who asks: the id of the signed-in person. On a laptop, where nobody signs in, it is the given name.

    Raises:
        Refused: the person signed in and gave a name as well.
    """
    caller = read_caller(request.headers)
    if caller == LOCAL:
        return told or caller.id
    if told:
        raise Refused(400, "Leave out the name (`--by`): here it is the signed-in person's, whoever is named.")
    return caller.id


def read_body[T: BaseModel](kind: type[T], request: func.HttpRequest, says: str) -> T:
    """Return the body of the request in the expected shape.

    Raises:
        Refused: the body has another shape. `says` explains what to send.
    """
    try:
        return kind.model_validate_json(request.get_body() or b"{}")
    except ValidationError:
        raise Refused(400, says) from None


def get_migration_path(request: func.HttpRequest) -> tuple[str, str]:
    """The council, if one is named, and the migration that a request is about."""
    return request.params.get("authority") or "", request.route_params.get("migration", "")


def require_migration(migration: Migration | None, request: func.HttpRequest) -> Migration:
    """The migration.

    Raises:
        Refused: there is none.
    """
    if migration is None:
        raise Refused(404, f"There is no migration `{get_migration_path(request)[1]}`; `ops status` lists them.")
    return migration
