"""The answers of the HTTP functions about waves and about the switch of the portal."""

from collections.abc import Awaitable
from typing import Final

import azure.functions as func
from pydantic import BaseModel, ConfigDict

from shared.access.http import Name, Refused, Said, get_migration_path, read_body, require_migration, signed_by
from shared.errors import ActionRefused
from shared.model.migration import Migration
from shared.planning.open_waves import confirm_point, confirm_switch, open_wave
from shared.planning.rules.wave_gate import list_unconfirmed
from shared.ports import Ports
from shared.scheduling.find_migration import find_migration

NUMBER: Final = 999


class _Asked(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    by: Name = ""


class Opening(_Asked):
    """POST /api/migrations/{migration}/waves/{wave}/open."""

    why: Said


class Checking(_Asked):
    """POST /api/migrations/{migration}/waves/{wave}/check."""

    point: Said


class Switching(_Asked):
    """POST /api/migrations/{migration}/switch."""


class GateAnswer(BaseModel):
    """One wave after somebody opened it or confirmed a point."""

    migration: str
    wave: int
    opened: bool
    checked: dict[str, str]
    stopped: list[str]
    """Why it waits for a person, in sentences."""
    unconfirmed: list[str]
    """Points of the checklist that are still to be confirmed, whether or not its day has come."""


async def open_a_wave(ports: Ports, request: func.HttpRequest) -> GateAnswer:
    """POST /api/migrations/{migration}/waves/{wave}/open."""
    asked = read_body(Opening, request, "Say why (`--why`), in 1 to 200 letters: it is kept with your name.")
    migration, wave = await _require_named(ports, request), _read_wave_number(request)
    by = signed_by(request, asked.by)
    return _describe_gate(
        ports, await _refuse_in_words(open_wave(ports, migration.authority, migration.id, wave, by, asked.why)), wave
    )


async def check_a_point(ports: Ports, request: func.HttpRequest) -> GateAnswer:
    """POST /api/migrations/{migration}/waves/{wave}/check."""
    asked = read_body(Checking, request, 'Send {"point": a point of the checklist}.')
    migration, wave = await _require_named(ports, request), _read_wave_number(request)
    by = signed_by(request, asked.by)
    return _describe_gate(
        ports,
        await _refuse_in_words(confirm_point(ports, migration.authority, migration.id, wave, asked.point, by)),
        wave,
    )


async def confirm_portal_switch(ports: Ports, request: func.HttpRequest) -> dict[str, object]:
    """POST /api/migrations/{migration}/switch."""
    asked = read_body(Switching, request, 'Send nothing, or {"by": name} on a laptop.')
    migration = await _require_named(ports, request)
    by = signed_by(request, asked.by)
    after = await _refuse_in_words(confirm_switch(ports, migration.authority, migration.id, by))
    return {"migration": after.id, "switched": after.switched_at is not None}


async def _require_named(ports: Ports, request: func.HttpRequest) -> Migration:
    return require_migration(await find_migration(ports, *get_migration_path(request)), request)


def _read_wave_number(request: func.HttpRequest) -> int:
    number = request.route_params.get("wave", "")
    if not (number.isascii() and number.isdecimal() and len(number) <= len(str(NUMBER)) and int(number)):
        raise Refused(404, "A wave is a number from 1; `ops plan show` lists them.")
    return int(number)


async def _refuse_in_words[T](work: Awaitable[T]) -> T:
    try:
        return await work
    except ActionRefused as no:
        raise Refused(409, str(no)) from None


def _describe_gate(ports: Ports, migration: Migration, wave: int) -> GateAnswer:
    gate = migration.gate(wave)
    return GateAnswer(
        migration=migration.id,
        wave=wave,
        opened=gate.opened_at is not None,
        checked=dict(gate.checked),
        stopped=list(migration.stops(wave)),
        unconfirmed=[] if gate.opened_at else list_unconfirmed(migration, ports.profiles[migration.authority], wave),
    )
