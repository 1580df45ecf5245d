"""control: a person pauses, resumes or cancels a migration.

A pause and a cancellation make all earlier releases void. The gate allows no step, and a message of an old release has
no effect, even after the migration is resumed.
"""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Final

from shared.errors import ActionRefused
from shared.intake.rules.resubmission import CANCELLED
from shared.model.messages import make_piece_message
from shared.model.migration import BY_PIECES, Migration, Phase, cancel_migration, without_pause
from shared.ports import Ports
from shared.scheduling.find_migration import find_migration
from shared.scheduling.pause import pause_record

BY_PERSON: Final = "paused_by_person"
OVER: Final = frozenset({Phase.REFUSED, Phase.SUPERSEDED, Phase.CANCELLED})
"""Phases in which nothing continues, so that people are not misled."""

type Work = Callable[[Ports, str, str, str], Awaitable[Migration | None]]
"""What a person did with a migration of a council, and who it was."""


async def pause_by_person(ports: Ports, authority: str, migration_id: str, by: str) -> Migration | None:
    """Stop new changes until somebody resumes the migration. Return None if there is no such migration.

    A paused migration keeps its first reason.

    Raises:
        ActionRefused: there is nothing left to pause.
    """

    def pause_current(current: Migration) -> Migration:
        if current.paused:
            return current
        _require_open(current, "pause")
        return pause_record(current, ports.clock.now(), BY_PERSON, by)

    found = await find_migration(ports, authority, migration_id)
    return await ports.ledger.migrations.change(found.authority, found.id, pause_current) if found else None


async def resume_by_person(ports: Ports, authority: str, migration_id: str, by: str) -> Migration | None:
    """Resume a paused migration. Return None if there is no such migration.

    Raises:
        ActionRefused: it has ended, so it cannot continue.
    """
    ended = False

    def unpause_record(migration: Migration) -> Migration:
        nonlocal ended
        ended = migration.paused
        if not migration.paused:
            if migration.phase in OVER:
                _require_open(migration, "resume")
            return migration
        now = ports.clock.now()
        # Who resumes has read the detail: it lets this difference be, and no other.
        accepted = migration.differs or migration.accepted
        return replace(without_pause(migration), resumed_at=now, resumed_by=by, moved_at=now, accepted=accepted)

    found = await find_migration(ports, authority, migration_id)
    if found is None:
        return None
    migration = await ports.ledger.migrations.change(found.authority, found.id, unpause_record)
    if ended and migration.phase in BY_PIECES:
        # The message of its piece was dropped while it was paused; the sweep would notice that only minutes later.
        await ports.outbox.send(make_piece_message(migration))
    return migration


async def cancel_by_person(ports: Ports, authority: str, migration_id: str, by: str) -> Migration | None:
    """Stop a migration for good. What was done stays, and the rest is left as it was.

    Return None if there is no such migration.

    Raises:
        ActionRefused: it has ended already.
    """

    def cancel_record(current: Migration) -> Migration:
        if current.phase is Phase.CANCELLED:
            return current
        _require_open(current, "cancel")
        now = ports.clock.now()
        return replace(cancel_migration(current, CANCELLED, by), moved_at=now)

    found = await find_migration(ports, authority, migration_id)
    return await ports.ledger.migrations.change(found.authority, found.id, cancel_record) if found else None


def _require_open(migration: Migration, verb: str) -> None:
    if not migration.open:
        raise ActionRefused(
            f"{migration.id} is {migration.phase} already, so there is nothing to {verb}. `ops status` shows what runs."
        )
