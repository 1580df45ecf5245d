"""claim: find out if several accounts of one council match the same directory user. Then a person decides about both.

Claims on a user are kept in one record, newest first, so they have an order. Of two accounts, the later one sees the
earlier one. An account claims and looks before it is saved. There are three cases for the other account. It was saved
with this match: both are set aside. It is not saved yet: its result so far is void, and it will look again and see this
one. It matches another user: it does not matter. Nothing is linked before the whole export is classified, so the
question is settled by then and need not be asked again at the link.
"""

from dataclasses import replace
from datetime import timedelta
from typing import Final

from shared.errors import StaleWrite, TryLater
from shared.model.account import Account, AccountId, DirectoryId, apply_event
from shared.model.lifecycle import Event, Outcome, State
from shared.ports import Ports, Stored
from shared.scheduling.release_accounts import return_to_waiting
from shared.telemetry.progress import count_change

TWO_ACCOUNTS: Final = "one_identity_two_accounts"
MAX_LINK_LAG: Final = timedelta(minutes=2)
"""How long a link for an older export may take to show in the directory after it was started."""


async def claim_identity(ports: Ports, account: Account, user: DirectoryId) -> bool:
    """Record that the account matches this user. Return True if no other account does."""
    return await _is_only_match(
        ports, account, user, await ports.ledger.identity_claims.claim(account.partition, user, account.id)
    )


async def is_still_only_claim(ports: Ports, account: Account, user: DirectoryId) -> bool:
    """Return True if the account is the only one that matches this user.

    The account must have claimed the user before.
    """
    return await _is_only_match(
        ports, account, user, await ports.ledger.identity_claims.list_accounts(account.partition, user)
    )


async def _is_only_match(ports: Ports, account: Account, user: DirectoryId, claims: list[AccountId]) -> bool:
    met = [await _matches_too(ports, account, user, other) for other in claims if other != account.id]
    return not any(met)


async def _matches_too(ports: Ports, account: Account, user: DirectoryId, other: AccountId) -> bool:
    """Return True if the other account matches this user too.

    Then it is set aside, unless something was started for it.
    """
    while True:
        stored = await ports.ledger.accounts.get(account.partition, other)
        try:
            return stored is not None and await _is_rival(ports, account, user, stored)
        except StaleWrite:
            continue


async def _is_rival(ports: Ports, account: Account, user: DirectoryId, stored: Stored[Account]) -> bool:
    rival = stored.record
    same = rival.migration == account.migration
    if same and rival.state is State.STAGED:
        if rival.due_at is not None:
            # It may have claimed before us and be about to save: its ETag changes, and so it cannot.
            await ports.ledger.accounts.save(stored, *return_to_waiting(rival, ports.clock.now()))
        return False
    if rival.directory_id != user:
        return False
    if not same and not rival.done:
        if rival.state is State.RELEASED:
            raise TryLater("not_visible_yet", MAX_LINK_LAG)
        return False  # an older export's match, which nobody acted on
    if rival.state is State.CLASSIFIED:
        aside, change = apply_event(rival, Event.SET_ASIDE, ports.clock.now(), TWO_ACCOUNTS)
        aside = replace(aside, outcome=Outcome.REVIEW)
        await ports.ledger.accounts.save(stored, aside, change)
        count_change(aside, change)
    return True
