"""council: what is known of the customers of an export before it is staged."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from shared.model.account import Account, AccountId
from shared.model.migration import Kind, Migration, is_newer
from shared.ports import Ports

PARALLEL_READS: Final = 16


@dataclass(frozen=True, slots=True)
class Council:
    """A council's own accounts, as far as an export asks for them."""

    accounts: Mapping[AccountId, Account] = field(default_factory=dict)
    had_a_plan: bool = False
    """True if an earlier plan was carried out. A customer whom it did not know has joined late."""


async def read_existing_accounts(ports: Ports, migration: Migration, wanted: Sequence[AccountId]) -> Council:
    """Return what the council's own accounts say. Nothing is read where no accounts can exist.

    An export that is staged among the council's own accounts finds them there, so only a draft asks for them.
    """
    older = [
        other
        async for other in ports.ledger.migrations.list_all(migration.authority)
        if other.kind is Kind.MIGRATE
        and is_newer(migration, other)
        and other.partition == other.authority
        and other.row
    ]
    had_a_plan = any(other.plan is not None for other in older)
    if not older or not migration.apart:
        return Council(had_a_plan=had_a_plan)
    gate = asyncio.Semaphore(PARALLEL_READS)

    async def ask(account: AccountId) -> Account | None:
        async with gate:
            stored = await ports.ledger.accounts.get(migration.authority, account)
            return stored.record if stored else None

    found = [account for account in await asyncio.gather(*map(ask, wanted)) if account is not None]
    return Council({account.id: account for account in found}, had_a_plan)
