"""hold-to-plan: pause a signed plan of which something is under way that is not as it was signed.

What is still to begin is for the gate of its wave (`open_waves`). A person may let it go on all the same; that counts
for this difference and for no other.
"""

import logging
from typing import Final

from shared.domain.migration import Migration, Phase
from shared.domain.profile import Profile
from shared.domain.summary import Totals
from shared.errors import TryLater
from shared.ports import Ports
from shared.steps.as_signed import difference
from shared.steps.pause import PLAN_CHANGED, pause

log: Final = logging.getLogger(__name__)


async def hold_to_plan(ports: Ports, profile: Profile, migration: Migration, totals: Totals) -> bool:
    """Pause where customers would be moved or told otherwise than was signed; returns whether it was."""
    signed = migration.plan is not None and migration.approved_at is not None
    if not signed or migration.phase is not Phase.RUNNING or migration.paused or migration.superseded_by:
        return False
    if totals.oldest is None or totals.oldest > ports.clock.now():
        return False
    try:
        differs = await difference(ports, profile, migration)
    except TryLater as later:
        log.info("texts are not compared yet", extra={"migration": migration.id, "cause": later.cause})
        return False
    if differs.digest in {"", migration.accepted}:
        return False
    await pause(ports, migration.authority, migration.id, PLAN_CHANGED, differs.words, differs.digest)
    return True
