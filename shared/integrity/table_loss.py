"""lost: find out if the tables of an authority were emptied. If so, nothing is done until `ops rebuild`.

From the first upload on, every table holds an anchor of the authority. Migrations gets it last. If Migrations has its
anchor and another table has none, that table was emptied. If Migrations has none, the reports decide: a `received.json`
shows that the tables once knew an upload.
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
    """What is missing in the tables of an authority."""

    tables: frozenset[str]
    rebuild: Rebuild | None
    """The rebuild that is under way, if one is."""


async def find_table_loss(ports: Ports, authority: Authority) -> Loss | None:
    """Return what was lost, or None. A council that never uploaded anything has lost nothing."""
    found = await ports.ledger.losses.get_anchors(authority)
    if found.tables_emptied or (found.missing and await list_taken_uploads(ports, authority)):
        return Loss(found.missing, found.rebuild)
    return None


async def is_table_lost(ports: Ports, authority: Authority) -> bool:
    """Return True if part of the tables was lost.

    This is the cheap check for callers that found records of this authority.
    """
    found = await ports.ledger.losses.get_anchors(authority)
    return found.tables_emptied


async def find_and_log_table_loss(ports: Ports, authority: Authority) -> Loss | None:
    """Return the same as `find_table_loss`, and write a line to the log."""
    lost = await find_table_loss(ports, authority)
    if lost is not None:
        log.error(TABLES_LOST, extra={"authority": authority, "tables": ", ".join(sorted(lost.tables))})
    return lost


async def list_taken_uploads(ports: Ports, authority: Authority) -> frozenset[MigrationId]:
    """Return the uploads that were accepted according to a report."""
    return frozenset(
        [
            MigrationId(path.split("/")[1])
            async for path in ports.reports.all(f"{authority}/")
            if path.endswith(RECEIVED) and path.count("/") == RECEIVED.count("/") + 1
        ]
    )


async def must_wait_for_older(ports: Ports, migration: Migration) -> bool:
    """Return True if a rebuilt older export still has to find out what was done before the loss."""
    return any(
        [
            other.rebuilt_at is not None
            and other.phase in {Phase.STAGING, Phase.CLASSIFYING}
            and is_newer(migration, other)
            async for other in ports.ledger.migrations.list_all(migration.authority)
        ]
    )


async def is_being_rebuilt(ports: Ports, authority: Authority) -> bool:
    """Return True if accounts of this authority that existed before a loss may still be missing."""
    if await find_table_loss(ports, authority) is not None:
        return True
    found = [migration async for migration in ports.ledger.migrations.list_all(authority)]
    return any(migration.rebuilt_at is not None and migration.phase is Phase.STAGING for migration in found)
