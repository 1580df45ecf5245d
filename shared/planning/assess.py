"""assess: count the directory, publish the assessment and its lists, and let the migration continue.

It reads the directory and writes reports. It changes nothing in the directory and sends no message. A repeat after a
crash publishes the same.
"""

import json
from dataclasses import replace
from typing import Final

from shared.messaging.preview_messages import preview_messages, templates_to_sign
from shared.model.counts.summary import Totals
from shared.model.migration import Kind, Migration, Phase
from shared.model.plan import Plan
from shared.model.profile import Profile
from shared.planning.assessment_page import render_page
from shared.planning.earlier_extracts import earlier_extracts
from shared.planning.freeze_plan import freeze_plan
from shared.planning.open_waves import open_at_once
from shared.planning.plan_report import publish_plan, published_plan
from shared.planning.rules.assessment import Assessment, Findings, add_plan, list_seen_templates, make_assessment
from shared.planning.rules.pending_signatures import list_wanted_parts
from shared.ports import Ports
from shared.reporting.publish_lists import publish_lists
from shared.scheduling.pause import UNLIKE, pause_record

SILENT: Final = "nobody_to_tell"


async def assess_migration(ports: Ports, profile: Profile, migration: Migration, totals: Totals) -> None:
    """Publish the assessment and freeze the plan. From then on the gate uses the plan.

    Raises:
        TryLater,
        Stop,
        Cannot: the directory cannot be counted, or the message texts to be signed cannot be read.
    """
    again = migration.rebuilt_at is not None and not migration.apart
    published = await ports.reports.read(f"{migration.folder}/assessment.json") if again else None
    if published is not None:
        # Made again after a loss: what was told people before anything changed stays as it was told. What nobody has
        # carried out yet is compared anew and so signed anew.
        plan = await published_plan(ports, migration)
        await _move_on(ports, profile, migration, str(json.loads(published)["plan_hash"]), plan)
        return
    signed = profile.plan.approval == "required" and migration.kind is Kind.MIGRATE
    templates = await templates_to_sign(ports, profile) if signed else None
    found = await gather_findings(ports, profile, migration)
    known = list_seen_templates(found.messages) if templates is None else templates
    frozen = await freeze_plan(ports, profile, migration, totals, known)
    picture = make_assessment(
        migration, profile, totals, found, frozen.plan.hash, ports.quotas.write, ports.clock.now()
    )
    wanted = list_wanted_parts(migration.kind, frozen.plan, profile)
    await publish_assessment(ports, migration, add_plan(picture, frozen.plan, frozen.compared, wanted))
    await publish_plan(ports, replace(migration, plan=frozen.plan))
    await _move_on(ports, profile, migration, frozen.plan.hash, frozen.plan)


async def gather_findings(ports: Ports, profile: Profile, migration: Migration) -> Findings:
    """Return what the assessment needs beside the counts, and write the lists under `personal/`.

    Raises:
        TryLater,
        Stop,
        Cannot: the directory cannot be counted. Then nothing was written.
    """
    directory = await ports.directory.count_users(migration.authority)
    return Findings(
        directory=directory,
        letters=await publish_lists(ports, migration),
        messages=await preview_messages(ports, profile),
        messages_on=ports.notifier is not None,
        earlier=await earlier_extracts(ports, migration),
    )


async def publish_assessment(ports: Ports, migration: Migration, picture: Assessment) -> None:
    """Write the page and then the figures. A reader who finds assessment.json finds everything else too."""
    body = json.dumps(picture.to_json(), indent=2, ensure_ascii=False).encode()
    await ports.reports.put(f"{migration.folder}/assessment.html", render_page(picture), "text/html; charset=utf-8")
    await ports.reports.put(f"{migration.folder}/assessment.json", body, "application/json")


async def _move_on(ports: Ports, profile: Profile, migration: Migration, plan_hash: str, plan: Plan | None) -> None:
    now = ports.clock.now()

    def go_on(current: Migration) -> Migration:
        # What changed since it was counted is counted first: a replay may have sent accounts back to the comparison.
        if current.phase is not Phase.CLASSIFYING or current.moved_at != migration.moved_at:
            return current
        assessed = replace(current, assessed_at=now, moved_at=now, plan_hash=plan_hash, plan=current.plan or plan)
        if current.apart:
            return replace(assessed, phase=Phase.ASSESSED)
        gates = open_at_once(plan, profile, now) if plan else ()
        signed = assessed.plan is not None and assessed.plan.approved(profile.plan.signatures)
        approved = assessed.approved_at or (now if profile.plan.approval == "required" and signed else None)
        running = replace(assessed, phase=Phase.RUNNING, gates=current.gates or gates, approved_at=approved)
        unlike = plan is not None and plan.warnings and current.rebuilt_at is None
        if plan is not None and plan.silent:
            return pause_record(running, now, SILENT, f"{plan.creates} accounts to create")
        # Nobody signs here, so nobody would see that it is the wrong or a cut file.
        return pause_record(running, now, UNLIKE, " ".join(plan.warnings)) if plan and unlike else running

    await ports.ledger.migrations.change(migration.authority, migration.id, go_on)
