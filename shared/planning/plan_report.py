"""plan-report: the frozen plan and its signatures as a report, for people and for a rebuild."""

from typing import Final

from pydantic import TypeAdapter

from shared.model.migration import Migration
from shared.model.plan import Plan
from shared.ports import Ports

NAME: Final = "plan.json"
_PLAN: Final = TypeAdapter(Plan)


async def publish_plan(ports: Ports, migration: Migration) -> None:
    """Write the plan with every signature so far. Writes nothing if there is no plan."""
    if migration.plan is not None:
        body = _PLAN.dump_json(migration.plan, indent=2)
        await ports.reports.put(f"{migration.folder}/{NAME}", body, "application/json")


async def published_plan(ports: Ports, migration: Migration) -> Plan | None:
    """Return the published plan. None if there is none."""
    body = await ports.reports.read(f"{migration.folder}/{NAME}")
    return _PLAN.validate_json(body) if body is not None else None
