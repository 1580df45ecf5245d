"""sweep-exports (timer): find uploads for which no event arrived."""

from datetime import timedelta
from typing import Final

from shared.integrity.table_loss import find_and_log_table_loss
from shared.model.account import REFUSED, Authority
from shared.model.messages import ReceiveExport
from shared.model.migration import migration_id
from shared.ports import Blob, Ports

EVENT_WAIT_TIME: Final = timedelta(seconds=30)
"""How long to wait for the event."""


async def sweep_exports(ports: Ports) -> int:
    """Send a message for each upload that has no migration, and log lost tables. Returns how many were sent."""
    lost = {authority for authority in ports.profiles if await find_and_log_table_loss(ports, authority) is not None}
    sent = 0
    async for blob in ports.exports.all():
        authority = _find_authority(ports, blob)
        waiting = blob.uploaded + EVENT_WAIT_TIME < ports.clock.now() and authority not in lost
        if waiting and not await _is_received(ports, authority, blob):
            await ports.outbox.send(ReceiveExport(blob=blob.name))
            sent += 1
    return sent


def _find_authority(ports: Ports, blob: Blob) -> Authority:
    folder = blob.name.split("/", 1)[0] if "/" in blob.name else ""
    return Authority(folder) if folder in ports.profiles else REFUSED


async def _is_received(ports: Ports, authority: Authority, blob: Blob) -> bool:
    migration = migration_id(blob.name, blob.etag, blob.uploaded)
    return await ports.ledger.migrations.get(authority, migration) is not None
