"""Pause a migration with one reason, until somebody repairs the cause and resumes it."""

import logging
from dataclasses import replace
from datetime import datetime
from typing import Final

from shared.model.account import Authority, MigrationId
from shared.model.migration import Migration
from shared.ports import Ports

log: Final = logging.getLogger(__name__)

DETAIL: Final = 500
"""Letters of a detail that are kept."""
PLAN_CHANGED: Final = "plan_changed"
"""The reason where a signed plan is not as it was signed."""
UNLIKE: Final = "extract_unlike_last"
"""The reason for an extract that may be the wrong file or a cut one, if no signer would notice it."""


def pause_record(migration: Migration, now: datetime, reason: str, detail: str = "", differs: str = "") -> Migration:
    """Return the paused migration. All earlier releases are void."""
    epoch = migration.epoch + 1
    return replace(
        migration, paused_at=now, pause_reason=reason, pause_detail=detail[:DETAIL], differs=differs, epoch=epoch
    )


async def pause_migration(
    ports: Ports, authority: Authority, migration: MigrationId, reason: str, detail: str = "", differs: str = ""
) -> None:
    """Pause a migration. A paused migration keeps its first reason."""

    def paused(current: Migration) -> Migration:
        if current.paused:
            return current
        return pause_record(current, ports.clock.now(), reason, detail, differs)

    now = await ports.ledger.migrations.change(authority, migration, paused)
    log.error("migration paused", extra={"migration": now.id, "reason": now.pause_reason})
