"""plan-drift: pause a signed plan that is in progress and differs from what was signed.

What has not started yet is checked by the gate of its wave (`open_waves`). A person may resume all the same. That
accepts this difference and no other. If a newer plan superseded this one, only its moved customers still get messages.
The texts that were signed with the newer plan are accepted for them too, and a pause that this answers ends.
"""

import logging
from dataclasses import replace
from typing import Final

from shared.errors import TryLater
from shared.model.counts.summary import Totals
from shared.model.migration import STAYS, Migration, Migrations, Phase, find_successor, without_pause
from shared.model.profile import Profile
from shared.planning.plan_drift import Difference, find_difference
from shared.ports import Ports
from shared.scheduling.pause import PLAN_CHANGED, UNLIKE, pause_migration

log: Final = logging.getLogger(__name__)


async def check_plan_drift(
    ports: Ports, profile: Profile, migration: Migration, totals: Totals, migrations: Migrations
) -> bool:
    """Pause a plan if customers would be moved or notified in another way than was signed. Return True if it paused."""
    signed = migration.plan is not None and migration.approved_at is not None
    if not signed or migration.phase is not Phase.RUNNING or migration.paused:
        return False
    if totals.oldest is None or totals.oldest > ports.clock.now():
        return False
    differs = await _find_unsigned(ports, profile, migration, migrations)
    if differs is None or not differs.digest:
        return False
    await pause_migration(ports, migration.authority, migration.id, PLAN_CHANGED, differs.words, differs.digest)
    return True


async def resume_superseded(ports: Ports, profile: Profile, migration: Migration, migrations: Migrations) -> None:
    """End a pause that a newer export has answered, as the reason of the pause asked. May run any number of times.

    The newer export must be read completely first. Until then this one may have to continue with what it has not
    started.
    """
    newer = find_successor(migration, migrations)
    if not migration.paused or migration.phase is not Phase.RUNNING or newer is None or newer.phase not in STAYS:
        return
    if migration.pause_reason == PLAN_CHANGED:
        differs = await _find_unsigned(ports, profile, migration, migrations)
        if differs is None or differs.digest:
            return
    elif migration.pause_reason != UNLIKE:
        return

    def gone_on(current: Migration) -> Migration:
        same = (current.paused_at, current.superseded_by) == (migration.paused_at, migration.superseded_by)
        return replace(without_pause(current), moved_at=ports.clock.now()) if same else current

    await ports.ledger.migrations.change(migration.authority, migration.id, gone_on)
    log.info("pause ended by a newer export", extra={"migration": migration.id, "reason": migration.pause_reason})


async def _find_unsigned(
    ports: Ports, profile: Profile, migration: Migration, migrations: Migrations
) -> Difference | None:
    """Return what differs from the signed or accepted state, for this plan and its successor. None: unknown."""
    accepted = {"", migration.accepted}
    try:
        differs = await find_difference(ports, profile, migration)
        newer = find_successor(migration, migrations)
        if differs.digest in accepted:
            return Difference()
        if newer is None or newer.approved_at is None or newer.phase not in STAYS | {Phase.ADOPTING}:
            return differs
        differs = await find_difference(ports, profile, newer)
    except TryLater as later:
        log.info("texts are not compared yet", extra={"migration": migration.id, "cause": later.cause})
        return None
    return Difference() if differs.digest in accepted | {newer.accepted} else differs
