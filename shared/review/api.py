"""The answers of the HTTP functions about the cases that wait for a person."""

from dataclasses import asdict
from typing import Annotated

import azure.functions as func
from pydantic import BaseModel, ConfigDict, Field

from shared.access.http import Name, Refused, Said, at_most, get_migration_path, read_body, require_migration, signed_by
from shared.errors import ActionRefused
from shared.ports import Ports
from shared.review.cases import assign_review, review_cases
from shared.scheduling.find_migration import find_migration


class Assigning(BaseModel):
    """POST /api/migrations/{migration}/review."""

    model_config = ConfigDict(extra="forbid", strict=True)
    by: Name = ""
    which: Said
    """A reason code, or an account's id."""
    owner: Said
    decide_by: Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$")]


async def list_review(ports: Ports, request: func.HttpRequest) -> dict[str, object]:
    """GET /api/migrations/{migration}/review[?limit=]."""
    migration = require_migration(await find_migration(ports, *get_migration_path(request)), request)
    return {"migration": migration.id, **asdict(await review_cases(ports, migration, at_most(request)))}


async def assign_cases(ports: Ports, request: func.HttpRequest) -> dict[str, object]:
    """POST /api/migrations/{migration}/review."""
    says = 'Send {"which": reason or account, "owner": team or object id, "decide_by": "2026-03-31"}.'
    asked = read_body(Assigning, request, says)
    migration = require_migration(await find_migration(ports, *get_migration_path(request)), request)
    by = signed_by(request, asked.by)
    which = (asked.which, asked.owner, asked.decide_by)
    try:
        given = await assign_review(ports, migration.authority, migration.id, *which, by)
    except ActionRefused as no:
        raise Refused(409, str(no)) from None
    return {"migration": migration.id, "cases": given}
