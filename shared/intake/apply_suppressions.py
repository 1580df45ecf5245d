"""exclude: leave people alone whom the council lists. First the list, then the accounts that have begun already."""

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
"""States in which something would still happen to the customer. Who was told was told, and what is held stays held."""


async def apply_suppressions(ports: Ports, migration: Migration, found: Mapping[AccountId, str]) -> set[AccountId]:
    """Note whom a list names, and hold their accounts; returns who was on the list before. Any number of times.

    Whoever is taken off the list (an empty reason) stays held until a new export brings the account.
    """
    before = await ports.ledger.suppressions.put(migration.authority, found, migration.uploaded_at)
    for account, reason in found.items():
        if reason:
            await hold_account(ports, migration.authority, account, reason)
    return before


async def hold_account(ports: Ports, authority: Authority, account: AccountId, reason: str) -> None:
    """Hold the account of somebody who is on the list, where there is one and something is left to be stopped."""
    while not await _try_hold(ports, authority, account, reason):
        pass


async def _try_hold(ports: Ports, authority: Authority, id_: AccountId, reason: str) -> bool:
    """Hold one account; False when somebody else was faster and it has to be looked at again."""
    stored = await ports.ledger.accounts.get(authority, id_)
    if stored is None:
        return True
    account = stored.record
    if account.state in STOPPABLE:
        held, change = apply_event(account, Event.HOLD, ports.clock.now(), reason)
        # A create or a link may be on its way: whoever goes on with the account later looks for its mark first.
        held = replace(held, met_before=account.met_before or account.state is State.RELEASED)
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
