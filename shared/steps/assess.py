"""assess: count the directory, publish the picture and its lists, and let the migration go on.

It reads, and writes reports: nothing to the directory, and no message. Done again after a crash it publishes the same.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import replace

from shared.domain.assessment import Assessment, Findings, assessment, templates_of
from shared.domain.migration import Migration, Phase
from shared.domain.plan import Template
from shared.domain.profile import Profile
from shared.domain.summary import Totals
from shared.pages.assessment import render
from shared.ports import Ports
from shared.steps.earlier_extracts import earlier_extracts
from shared.steps.publish_lists import publish_lists
from shared.steps.show_messages import show_messages


async def assess(ports: Ports, profile: Profile, migration: Migration, totals: Totals) -> None:
    """Publish the picture; from then on the gate lets accounts be provisioned."""
    published = await ports.reports.read(f"{migration.folder}/assessment.json") if migration.rebuilt_at else None
    if published is not None:
        # Made again after a loss: what was told people before anything changed stays as it was told.
        await _go_on(ports, migration, str(json.loads(published)["plan_hash"]))
        return
    found = await gather(ports, profile, migration)
    plan = _plan_hash(profile, totals, templates_of(found.messages))
    picture = assessment(migration, profile, totals, found, plan, ports.quota, ports.clock.now())
    await publish(ports, migration, picture)
    await _go_on(ports, migration, plan)


async def gather(ports: Ports, profile: Profile, migration: Migration) -> Findings:
    """All that the picture needs beside the counts; writes the lists under `personal/` on the way.

    Raises:
        TryLater, Stop, Cannot: the directory cannot be counted; then nothing was written.
    """
    directory = await ports.directory.headcount(migration.authority)
    return Findings(
        directory=directory,
        letters=await publish_lists(ports, migration),
        messages=await show_messages(ports, profile),
        messages_on=ports.notifier is not None,
        earlier=await earlier_extracts(ports, migration),
    )


async def publish(ports: Ports, migration: Migration, picture: Assessment) -> None:
    """Write the page, then the figures: whoever finds assessment.json finds everything else."""
    body = json.dumps(picture.to_json(), indent=2, ensure_ascii=False).encode()
    await ports.reports.put(f"{migration.folder}/assessment.html", render(picture), "text/html; charset=utf-8")
    await ports.reports.put(f"{migration.folder}/assessment.json", body, "application/json")


def _plan_hash(profile: Profile, totals: Totals, templates: Iterable[Template]) -> str:
    versions = [f"{template.message} {template.id} {template.version}" for template in templates]
    return hashlib.sha256("\n".join([profile.model_dump_json(), totals.plan, *versions]).encode()).hexdigest()


async def _go_on(ports: Ports, migration: Migration, plan: str) -> None:
    now = ports.clock.now()

    def go_on(current: Migration) -> Migration:
        if current.phase is not Phase.CLASSIFYING:
            return current
        return replace(current, phase=Phase.RUNNING, assessed_at=now, moved_at=now, plan_hash=plan)

    await ports.ledger.change_migration(migration.authority, migration.id, go_on)
