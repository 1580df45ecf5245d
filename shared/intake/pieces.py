"""What every step that works piece by piece has in common: the guard before a piece, and the message of the next."""

from dataclasses import replace

from shared.intake.supersede import give_back
from shared.integrity.pseudonym_key import KEY_CHANGED, key_fits
from shared.integrity.table_loss import torn
from shared.model.messages import PieceMessage, piece_of
from shared.model.migration import BY_PIECES, Migration, Phase
from shared.ports import Ports
from shared.scheduling.pause import pause
from shared.telemetry import spans


async def admit_piece(ports: Ports, message: PieceMessage) -> Migration | None:
    """The migration that a piece belongs to; None where nothing of it may be done now.

    A message of another piece than the current one is admitted too: its step sends the current one again.
    """
    migration = await ports.ledger.migrations.get(message.authority, message.migration)
    if migration is None or message.authority not in ports.profiles or migration.layout is None:
        return None
    if migration.phase not in BY_PIECES or type(piece_of(migration)) is not type(message):
        return None
    if await torn(ports, migration.authority):
        return None
    if not await key_fits(ports):
        await pause(ports, migration.authority, migration.id, KEY_CHANGED)
        return None
    return migration


def is_current(message: PieceMessage, migration: Migration) -> bool:
    """Whether the message is about the piece that the migration works on now, and the migration is not paused."""
    return message.piece == migration.piece and not migration.paused


async def send_next_piece(ports: Ports, migration: Migration, message: PieceMessage) -> None:
    """Send the message of the piece that the migration works on now; nothing where its pieces are done."""
    if migration.phase in BY_PIECES and not migration.paused:
        await ports.outbox.send(piece_of(migration, message.traceparent or spans.here()))


async def leave_overwritten(ports: Ports, migration: Migration) -> None:
    """The file was overwritten or removed while it was read: older exports go on with what this one had not taken."""
    await ports.ledger.migrations.change(migration.authority, migration.id, _overwritten)
    await give_back(ports, migration)


def _overwritten(migration: Migration) -> Migration:
    return replace(migration, phase=Phase.SUPERSEDED, reason="overwritten")
