"""How many accounts the migrations in progress will create: the room that the directory needs."""

from collections.abc import Iterable

from azure.core.exceptions import AzureError

from shared.errors import MigrationError
from shared.model.account import Authority
from shared.model.counts.summary import add_up_shards
from shared.model.lifecycle import MOVING, Outcome
from shared.model.migration import OPEN
from shared.ports import Ledger


async def count_planned_creates(ledger: Ledger | None, authorities: Iterable[Authority]) -> int:
    """Return the number for all councils.

    0 if the tables cannot be read, which the checks of the storage account report.
    """
    if ledger is None:
        return 0
    try:
        return sum([await _count_council(ledger, authority) for authority in authorities])
    except (AzureError, MigrationError):
        return 0


async def _count_council(ledger: Ledger, authority: Authority) -> int:
    count = 0
    async for migration in ledger.migrations.list_all(authority):
        if migration.phase in OPEN:
            accounts = add_up_shards(await ledger.summaries.list_all(authority, migration.id)).accounts
            count += sum(
                n for (outcome, state, _), n in accounts.items() if outcome == Outcome.CREATE and state in MOVING
            )
    return count
