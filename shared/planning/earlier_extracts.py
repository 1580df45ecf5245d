"""earlier-extracts: the results of earlier exports of an authority, as their assessments say."""

import json
from typing import Final

from shared.model.migration import Migration, get_upload_order, is_newer
from shared.planning.rules.assessment import Extract
from shared.ports import Ports

MAX_EXTRACTS: Final = 12


async def earlier_extracts(ports: Ports, migration: Migration) -> tuple[Extract, ...]:
    """The latest few that were uploaded before this one and assessed, oldest first."""
    earlier = sorted(
        [m async for m in ports.ledger.migrations.list_all(migration.authority) if is_newer(migration, m)],
        key=get_upload_order,
    )
    found: list[Extract] = []
    for older in reversed(earlier):
        body = await ports.reports.read(f"{older.folder}/assessment.json")
        if body is not None:
            found.append(Extract.read(json.loads(body), older.uploaded_at))
        if len(found) == MAX_EXTRACTS:
            break
    return tuple(reversed(found))
