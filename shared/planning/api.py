"""The answers of the HTTP functions about plans: what is planned, which signatures are missing, and a yes or a no."""

from collections.abc import Awaitable
from datetime import datetime
from typing import Annotated, Final

import azure.functions as func
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from shared.access.http import Name, Refused, get_migration_path, read_body, require_migration, signed_by
from shared.errors import ActionRefused
from shared.model.counts.summary import Totals, add_up_shards
from shared.model.migration import Migration
from shared.model.plan import Part, Plan
from shared.model.profile import find_known_uploader
from shared.planning.approve_plan import Signing, add_approval, reject_migration, supersede_migration
from shared.planning.rules.pending_actions import count_held_back
from shared.planning.rules.pending_signatures import list_missing_parts, make_signing_command
from shared.ports import Ports
from shared.scheduling.find_migration import find_migration

SEND: Final = 'Send {"as": part, "hash": hash, "rows": number}, and "accept_warnings" where they are accepted.'


class PlanRequest(BaseModel):
    """POST /api/migrations/{migration}/plan/approve."""

    model_config = ConfigDict(extra="forbid", strict=True)
    part: Annotated[Part, Field(alias="as", strict=False)]
    hash: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{0,64}$")]
    rows: Annotated[int, Field(ge=0)]
    """The control total: the number of rows, as the person read it in the portal."""
    accept_warnings: bool = False
    by: Name = ""


class Rejecting(BaseModel):
    """POST /api/migrations/{migration}/plan/reject."""

    model_config = ConfigDict(extra="forbid", strict=True)
    by: Name = ""


class Superseding(BaseModel):
    """POST /api/migrations/{migration}/plan/supersede."""

    model_config = ConfigDict(extra="forbid", strict=True)
    newer: Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{0,80}$")] = ""
    """Empty: the newest there is."""


class WaveAnswer(BaseModel):
    """One wave as it is planned, and whether it is open."""

    number: int
    name: str
    takes: str
    """`slice`, or the band of those who go apart."""
    starts_at: datetime | None
    accounts: int
    opened_at: datetime | None
    stopped: list[str]
    """Why it waits for a person, in sentences."""
    held_back: str
    """What holds the wave back after its day has come: `as soon as ...`. Empty if that is unknown."""


class TemplateAnswer(BaseModel):
    """The text of one message."""

    message: str
    id: str
    version: int


class SignatureAnswer(BaseModel):
    """One person's yes."""

    part: str
    by: str
    at: datetime
    accepts_warnings: bool


class PlanAnswer(BaseModel):
    """One plan, who has signed it, and what to type next."""

    migration: str
    authority: str
    council: str
    file: str
    kind: str
    phase: str
    uploaded_at: datetime
    uploaded_by: str
    """Empty if unknown."""
    approval: str
    hash: str
    made_at: datetime
    rows: int
    outcomes: dict[str, int]
    waves: list[WaveAnswer]
    templates: list[TemplateAnswer]
    warnings: list[str]
    signatures: list[SignatureAnswer]
    wanted: list[str]
    """The parts whose signatures are missing."""
    approved_at: datetime | None
    rejected_by: str
    superseded_by: str
    commands: list[str]
    """The commands that the next signers type."""


async def show_plan(ports: Ports, request: func.HttpRequest) -> PlanAnswer:
    """GET /api/migrations/{migration}/plan."""
    return await _describe_plan(
        ports, require_migration(await find_migration(ports, *get_migration_path(request)), request)
    )


async def approve_plan(ports: Ports, request: func.HttpRequest) -> PlanAnswer:
    """POST /api/migrations/{migration}/plan/approve."""
    asked = read_body(PlanRequest, request, SEND)
    signing = Signing(
        asked.part, signed_by(request, asked.by), asked.hash, asked.rows, accepts_warnings=asked.accept_warnings
    )
    return await _answer_plan(ports, request, add_approval(ports, *get_migration_path(request), signing))


async def answer_rejection(ports: Ports, request: func.HttpRequest) -> PlanAnswer:
    """POST /api/migrations/{migration}/plan/reject."""
    asked = read_body(Rejecting, request, 'Send nothing, or {"by": name} on a laptop.')
    return await _answer_plan(
        ports, request, reject_migration(ports, *get_migration_path(request), signed_by(request, asked.by))
    )


async def supersede_plan(ports: Ports, request: func.HttpRequest) -> dict[str, object]:
    """POST /api/migrations/{migration}/plan/supersede."""
    asked = read_body(Superseding, request, 'Send nothing, or {"newer": migration}.')
    migration = await _change_plan(request, supersede_migration(ports, *get_migration_path(request), asked.newer))
    return {
        "migration": migration.id,
        "phase": migration.phase.value,
        "superseded_by": migration.superseded_by,
    }


async def _change_plan(request: func.HttpRequest, work: Awaitable[Migration | None]) -> Migration:
    try:
        return require_migration(await work, request)
    except ActionRefused as no:
        raise Refused(409, str(no)) from None


async def _answer_plan(ports: Ports, request: func.HttpRequest, work: Awaitable[Migration | None]) -> PlanAnswer:
    return await _describe_plan(ports, await _change_plan(request, work))


async def _describe_plan(ports: Ports, migration: Migration) -> PlanAnswer:
    plan = migration.plan
    if plan is None:
        raise Refused(409, f"{migration.id} has no plan (yet): it is {migration.phase}. `ops status` says more.")
    profile = ports.profiles[migration.authority]
    totals = add_up_shards(await ports.ledger.summaries.list_all(migration.authority, migration.id))
    asked = list_missing_parts(migration, profile)
    return PlanAnswer(
        migration=migration.id,
        authority=migration.authority,
        council=profile.name,
        file=migration.blob,
        kind=migration.kind,
        phase=migration.phase,
        uploaded_at=migration.uploaded_at,
        uploaded_by=find_known_uploader(plan.uploaded_by, signed_in=ports.signed_in),
        approval=profile.plan.approval,
        hash=plan.hash,
        made_at=plan.made_at,
        rows=plan.rows,
        outcomes={outcome.value: count for outcome, count in totals.outcomes().items()},
        waves=_describe_waves(migration, plan, totals, ports.clock.now()),
        templates=[TemplateAnswer(message=t.message, id=t.id, version=t.version) for t in plan.templates],
        warnings=list(plan.warnings),
        signatures=[
            SignatureAnswer(part=s.part, by=s.by, at=s.at, accepts_warnings=s.accepts_warnings) for s in plan.signatures
        ],
        wanted=[part.value for part in asked],
        approved_at=migration.approved_at,
        rejected_by=plan.rejected_by,
        superseded_by=migration.superseded_by,
        commands=[make_signing_command(migration, plan, part) for part in asked],
    )


def _describe_waves(migration: Migration, plan: Plan, totals: Totals, now: datetime) -> list[WaveAnswer]:
    return [
        WaveAnswer(
            number=wave.number,
            name=wave.name,
            takes=wave.cohort or "slice",
            starts_at=wave.starts_at,
            accounts=wave.accounts,
            opened_at=migration.gate(wave.number).opened_at,
            stopped=list(migration.stops(wave.number)),
            held_back=count_held_back(migration, wave, totals, now),
        )
        for wave in plan.waves
    ]
