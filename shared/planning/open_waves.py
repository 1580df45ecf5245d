"""open-waves: decide which waves of a plan may begin. The sweep asks, and so do people who open, confirm and switch."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Final

from shared.errors import ActionRefused, TryLater
from shared.model.account import Authority, MigrationId
from shared.model.counts.wave_counts import WaveTally
from shared.model.migration import Gate, Migration, Phase, is_newer
from shared.model.plan import Plan
from shared.model.profile import Profile
from shared.model.wave import Wave
from shared.planning.freeze_plan import compute_fingerprint
from shared.planning.plan_drift import find_difference, read_versions
from shared.planning.rules.wave_gate import (
    Facts,
    GateDecision,
    count_calls,
    judge_wave,
    list_changes,
    open_by_person,
    record_confirmation,
    record_gate_answer,
    record_switch,
)
from shared.ports import Ports

log: Final = logging.getLogger(__name__)


def open_at_once(plan: Plan, profile: Profile, now: datetime) -> tuple[Gate, ...]:
    """The gates of a plan that begins: the first wave is open where it has no date and nothing is in its way."""
    first = plan.waves[0] if plan.waves else None
    if first is None or first.starts_at is not None or profile.plan.checklist:
        return ()
    return () if count_calls(first, profile) else (Gate(first.number, opened_at=now),)


async def open_first(ports: Ports, profile: Profile, migration: Migration) -> tuple[Gate, ...]:
    """Open the gates of a signed plan that begins. If something differs from the signed plan, the sweep reports it."""
    plan = migration.plan
    gates = open_at_once(plan, profile, ports.clock.now()) if plan else ()
    if not gates:
        return ()
    try:
        facts = Facts({}, compute_fingerprint(profile), await read_versions(ports, profile, migration))
    except TryLater:
        return ()
    return () if list_changes(migration, facts) else gates


async def open_waves(ports: Ports, profile: Profile, migration: Migration, tallies: Mapping[int, WaveTally]) -> None:
    """Open each wave whose time has come, or record what stops it. `tallies` has the counts of all shards."""
    if migration.plan is None or migration.paused or migration.phase is not Phase.RUNNING:
        return
    if migration.superseded_by or not migration.may_move(profile):
        return
    for wave in migration.plan.waves:
        first = wave.number == migration.plan.waves[0].number
        begun = first or migration.gate(wave.number - 1).opened_at is not None
        counted = first or bool(tallies)
        if begun and counted and migration.gate(wave.number).opened_at is None:
            before = {} if first else tallies.get(wave.number - 1, {})
            await _ask_gate(ports, profile, migration, wave, before)


async def _ask_gate(ports: Ports, profile: Profile, migration: Migration, wave: Wave, before: WaveTally) -> None:
    now = ports.clock.now()
    said = judge_wave(wave, migration, profile, Facts(before, compute_fingerprint(profile), None), now)
    if said.answer is GateDecision.OPEN:
        # Only now is the message service asked: it may be the last thing in the way.
        try:
            templates = await read_versions(ports, profile, migration)
        except TryLater as later:
            log.info("wave waits for the message service", extra={"migration": migration.id, "cause": later.cause})
            return
        said = judge_wave(wave, migration, profile, Facts(before, compute_fingerprint(profile), templates), now)
    if record_gate_answer(migration, wave.number, said, now) == migration:
        return
    log.info("wave", extra={"migration": migration.id, "wave": wave.number, "answer": said.answer})

    def note(current: Migration) -> Migration:
        # A newer state of things is judged at the next round.
        same = current.plan == migration.plan and current.phase is migration.phase and not current.paused
        return record_gate_answer(current, wave.number, said, now) if same and not current.superseded_by else current

    await ports.ledger.migrations.change(migration.authority, migration.id, note)


async def open_wave(
    ports: Ports, authority: Authority, migration_id: MigrationId, wave: int, by: str, why: str
) -> Migration:
    """Open a wave although something stops it. A difference from the signed plan then does not pause it either.

    Raises:
        ActionRefused: the sentence says why not.
    """
    profile = _require_profile(ports, authority)
    known = await ports.ledger.migrations.get(authority, migration_id)
    try:
        accepted = (await find_difference(ports, profile, known)).digest if known else ""
    except TryLater:
        accepted = ""

    def change(current: Migration) -> Migration:
        after = open_by_person(current, profile, wave, by, why, ports.clock.now())
        return replace(after, accepted=accepted or current.accepted)

    return await _change_migration(ports, authority, migration_id, change)


async def confirm_point(
    ports: Ports, authority: Authority, migration_id: MigrationId, wave: int, point: str, by: str
) -> Migration:
    """Confirm one point of a wave's checklist.

    Raises:
        ActionRefused: why not, in a sentence.
    """
    profile = _require_profile(ports, authority)
    change = partial(record_confirmation, profile=profile, number=wave, point=point, by=by)
    return await _change_migration(ports, authority, migration_id, change)


async def confirm_switch(ports: Ports, authority: Authority, migration_id: MigrationId, by: str) -> Migration:
    """Confirm that the portal has switched, so that customers are notified, also those whom older plans moved.

    Raises:
        ActionRefused: the sentence says why not.
    """
    change = partial(record_switch, profile=_require_profile(ports, authority), by=by, now=ports.clock.now())
    migration = await ports.ledger.migrations.get(authority, migration_id)
    if migration is not None:
        change(migration)  # what is refused here is not begun
        async for other in ports.ledger.migrations.list_all(authority):
            # The portal switches once. First the older ones: after a crash in between it can be confirmed again.
            if other.superseded_by and other.phase is Phase.RUNNING and is_newer(migration, other):
                await ports.ledger.migrations.change(authority, other.id, partial(_switch_older, change=change))
    return await _change_migration(ports, authority, migration_id, change)


def _switch_older(older: Migration, change: Callable[[Migration], Migration]) -> Migration:
    return change(older) if older.phase is Phase.RUNNING and older.switched_at is None else older


def _require_profile(ports: Ports, authority: Authority) -> Profile:
    if authority not in ports.profiles:
        raise ActionRefused("No council of this name has a profile.")
    return ports.profiles[authority]


async def _change_migration(
    ports: Ports, authority: Authority, migration_id: MigrationId, change: Callable[[Migration], Migration]
) -> Migration:
    if await ports.ledger.migrations.get(authority, migration_id) is None:
        raise ActionRefused("This council has no such migration. `ops status` lists them.")
    return await ports.ledger.migrations.change(authority, migration_id, change)
