"""sweep-exports (timer): find the uploads of which no event told."""

from datetime import timedelta
from typing import Final

from shared.domain.account import REFUSED, Authority
from shared.domain.migration import migration_id
from shared.messages import ReceiveExport
from shared.ports import Blob, Ports

PATIENCE: Final = timedelta(seconds=30)
"""So long the event has to arrive by itself."""


async def sweep_exports(ports: Ports) -> int:
    """Send a message for every upload that has no migration; returns how many."""
    sent = 0
    async for blob in ports.exports.all():
        if blob.uploaded + PATIENCE < ports.clock.now() and not await _known(ports, blob):
            await ports.outbox.send(ReceiveExport(blob=blob.name))
            sent += 1
    return sent


async def _known(ports: Ports, blob: Blob) -> bool:
    folder = blob.name.split("/", 1)[0] if "/" in blob.name else ""
    authority = Authority(folder) if folder in ports.profiles else REFUSED
    migration = migration_id(blob.name, blob.etag, blob.uploaded)
    return await ports.ledger.migration(authority, migration) is not None
