"""assess: count the directory, publish the picture, and let the migration go on."""

import hashlib
import json
from dataclasses import replace

from shared.domain.assessment import assessment
from shared.domain.migration import Migration, Phase
from shared.domain.profile import Profile
from shared.domain.summary import Totals
from shared.pages.assessment import render
from shared.ports import Ports


async def assess(ports: Ports, profile: Profile, migration: Migration, totals: Totals) -> None:
    """Publish assessment.json and assessment.html; from then on the gate lets accounts be provisioned."""
    published = await ports.reports.read(f"{migration.folder}/assessment.json") if migration.rebuilt_at else None
    if published is not None:
        # Made again after a loss: what was told people before anything changed stays as it was told.
        await _go_on(ports, migration, str(json.loads(published)["plan_hash"]))
        return
    directory = await ports.directory.count_without_mark(migration.authority)
    plan = hashlib.sha256(f"{profile.model_dump_json()}\n{totals.plan}".encode()).hexdigest()
    now = ports.clock.now()
    picture = assessment(migration, profile, totals, directory, plan, ports.quotas.write, now)
    body = json.dumps(picture.to_json(), indent=2, ensure_ascii=False).encode()
    await ports.reports.put(f"{migration.folder}/assessment.json", body, "application/json")
    await ports.reports.put(f"{migration.folder}/assessment.html", render(picture), "text/html; charset=utf-8")
    await _go_on(ports, migration, plan)


async def _go_on(ports: Ports, migration: Migration, plan: str) -> None:
    now = ports.clock.now()

    def go_on(current: Migration) -> Migration:
        if current.phase is not Phase.CLASSIFYING:
            return current
        return replace(current, phase=Phase.RUNNING, assessed_at=now, moved_at=now, plan_hash=plan)

    await ports.ledger.change_migration(migration.authority, migration.id, go_on)
