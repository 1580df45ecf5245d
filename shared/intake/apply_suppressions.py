"""exclude: leave customers alone whom the council lists.

First the list is saved, then accounts that already started are held.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from shared.errors import StaleWrite
from shared.intake.rules.suppressions import EXCLUDED
from shared.model.account import AccountId, Authority, apply_event
from shared.model.lifecycle import Event, State
from shared.model.migration import Migration
from shared.ports import Ports
from shared.telemetry.progress import record_step

STOPPABLE: Final = frozenset(
    {State.STAGED, State.CLASSIFIED, State.RELEASED, State.REVIEW, State.FAILED, State.PROVISIONED}
)
"""States in which something would still happen to the customer. Customers who were notified stay so, and held accounts
stay held.
"""


async def apply_suppressions(ports: Ports, migration: Migration, found: Mapping[AccountId, str]) -> set[AccountId]:
    """Save the customers on a list and hold their accounts. May run any number of times.

    Returns the accounts that the list had before. An account that is taken off the list (an empty reason) stays held
    until a new export brings it.
    """
    before = await ports.ledger.suppressions.put(migration.authority, found, migration.uploaded_at)
    for account, reason in found.items():
        if reason:
            await hold_account(ports, migration.authority, account, reason)
    return before


async def hold_account(ports: Ports, authority: Authority, account: AccountId, reason: str) -> None:
    """Hold the account of a customer on the list, if there is an account and it has something left to stop."""
    while not await _try_hold(ports, authority, account, reason):
        pass


async def _try_hold(ports: Ports, authority: Authority, id_: AccountId, reason: str) -> bool:
    """Hold one account. Return False if another process changed it, so that it must be read again."""
    stored = await ports.ledger.accounts.get(authority, id_)
    if stored is None:
        return True
    account = stored.record
    if account.state in STOPPABLE:
        held, change = apply_event(account, Event.HOLD, ports.clock.now(), reason)
        # A create or a link may be on its way: whoever goes on with the account later looks for its mark first.
        held = replace(held, begun_before=account.begun_before or account.state is State.RELEASED)
        try:
            await ports.ledger.accounts.save(stored, held, change)
        except StaleWrite:
            return False
        record_step(held, change)
        account = held
    if account.state is State.HELD and account.reason.startswith(EXCLUDED) and account.address_key and not account.done:
        # Nobody else waits for this address any more. After the account, so that a replay finds what a crash left.
        await ports.ledger.addresses.drop(authority, account.address_key, account.id)
    return True
