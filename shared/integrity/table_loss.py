"""lost: were this authority's tables emptied? Then nothing is done in ignorance; it waits for `ops rebuild`.

From its first upload on, every table holds an anchor of the authority, Migrations since last. While that one is there,
a missing one tells that its table was emptied. When it is gone itself, reports tell: whoever has a `received.json` was
known to the tables once.
"""

import logging
from dataclasses import dataclass
from typing import Final

from shared.model.account import Authority, MigrationId
from shared.model.migration import Migration, Phase, is_newer
from shared.model.safeguards.rebuild import Rebuild
from shared.ports import Ports

log: Final = logging.getLogger(__name__)

TABLES_LOST: Final = "tables lost"
"""The log line by which an alarm knows it."""
RECEIVED: Final = "/received.json"


@dataclass(frozen=True, slots=True)
class Loss:
    """What is missing of an authority's tables."""

    tables: frozenset[str]
    rebuild: Rebuild | None
    """The rebuild that is under way, if one is."""


async def find_table_loss(ports: Ports, authority: Authority) -> Loss | None:
    """What was lost, None when nothing was. A council that never uploaded anything has lost nothing."""
    found = await ports.ledger.losses.get_anchors(authority)
    if found.torn or (found.missing and await list_taken_uploads(ports, authority)):
        return Loss(found.missing, found.rebuild)
    return None


async def is_table_lost(ports: Ports, authority: Authority) -> bool:
    """Whether part of the tables was lost: the cheap question, for those who found records of this authority."""
    found = await ports.ledger.losses.get_anchors(authority)
    return found.torn


async def find_and_log_table_loss(ports: Ports, authority: Authority) -> Loss | None:
    """The same as `find_table_loss`, with a line in the log."""
    lost = await find_table_loss(ports, authority)
    if lost is not None:
        log.error(TABLES_LOST, extra={"authority": authority, "tables": ", ".join(sorted(lost.tables))})
    return lost


async def list_taken_uploads(ports: Ports, authority: Authority) -> frozenset[MigrationId]:
    """The uploads of which a report says that they were taken."""
    return frozenset(
        [
            MigrationId(path.split("/")[1])
            async for path in ports.reports.all(f"{authority}/")
            if path.endswith(RECEIVED) and path.count("/") == RECEIVED.count("/") + 1
        ]
    )


async def must_wait_for_older(ports: Ports, migration: Migration) -> bool:
    """Whether an older export that was made again has still to find out what was done before the loss."""
    return any(
        [
            other.rebuilt_at is not None
            and other.phase in {Phase.STAGING, Phase.CLASSIFYING}
            and is_newer(migration, other)
            async for other in ports.ledger.migrations.list_all(migration.authority)
        ]
    )


async def is_being_rebuilt(ports: Ports, authority: Authority) -> bool:
    """Whether accounts of this authority may still be missing that were there before a loss."""
    if await find_table_loss(ports, authority) is not None:
        return True
    found = [migration async for migration in ports.ledger.migrations.list_all(authority)]
    return any(migration.rebuilt_at is not None and migration.phase is Phase.STAGING for migration in found)
