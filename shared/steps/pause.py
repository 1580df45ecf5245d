"""pause: a migration waits, with the one reason, until somebody has mended it and resumes."""

import logging
from dataclasses import replace
from typing import Final

from shared.domain.account import Authority, MigrationId
from shared.domain.migration import Migration
from shared.ports import Ports

log: Final = logging.getLogger(__name__)


async def pause(ports: Ports, authority: Authority, migration: MigrationId, reason: str, detail: str = "") -> None:
    """Pause; a migration that is paused keeps its first reason."""

    def paused(current: Migration) -> Migration:
        if current.paused:
            return current
        return replace(current, paused_at=ports.clock.now(), pause_reason=reason, pause_detail=detail[:200])

    now = await ports.ledger.change_migration(authority, migration, paused)
    log.error("migration paused", extra={"migration": now.id, "reason": now.pause_reason})
