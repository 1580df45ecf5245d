"""What all steps share that work piece by piece: the guard before a piece, and the message for the next one."""

from dataclasses import replace

from shared.intake.supersede import restore_older
from shared.integrity.pseudonym_key import KEY_CHANGED, does_key_fit
from shared.integrity.table_loss import is_table_lost
from shared.model.messages import PieceMessage, make_piece_message
from shared.model.migration import BY_PIECES, Migration, Phase
from shared.ports import Ports
from shared.scheduling.pause import pause_migration
from shared.telemetry import spans


async def admit_piece(ports: Ports, message: PieceMessage) -> Migration | None:
    """Return the migration of a piece. None if nothing may be done for it now.

    A message for another piece than the current one is admitted too. Its step then sends the current one again.
    """
    migration = await ports.ledger.migrations.get(message.authority, message.migration)
    if migration is None or message.authority not in ports.profiles or migration.layout is None:
        return None
    if migration.phase not in BY_PIECES or type(make_piece_message(migration)) is not type(message):
        return None
    if await is_table_lost(ports, migration.authority):
        return None
    if not await does_key_fit(ports):
        await pause_migration(ports, migration.authority, migration.id, KEY_CHANGED)
        return None
    return migration


def is_current(message: PieceMessage, migration: Migration) -> bool:
    """Return True if the message is for the migration's current piece, and the migration is not paused."""
    return message.piece == migration.piece and not migration.paused


async def send_next_piece(ports: Ports, migration: Migration, message: PieceMessage) -> None:
    """Send the message for the current piece of the migration. Sends nothing if all pieces are done."""
    if migration.phase in BY_PIECES and not migration.paused:
        await ports.outbox.send(make_piece_message(migration, message.traceparent or spans.get_traceparent()))


async def leave_overwritten(ports: Ports, migration: Migration) -> None:
    """End an export whose file was overwritten or removed while it was read.

    Older exports continue with what it had not taken over.
    """
    await ports.ledger.migrations.change(migration.authority, migration.id, _mark_overwritten)
    await restore_older(ports, migration)


def _mark_overwritten(migration: Migration) -> Migration:
    return replace(migration, phase=Phase.SUPERSEDED, reason="overwritten")
