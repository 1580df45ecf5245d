"""claim: of the accounts of one council, who matches a directory user? Two that do are both for a person.

Claims on a user stand in one record, the newest first, so they have an order: of two accounts, the later one sees the
earlier. It claims and looks before it is saved, and what it sees is in one of three places: saved with this match, then
both are set aside; not saved yet, then what the other has found so far is void, and it will look again and see us; or
elsewhere, then it does not matter. Nothing is linked before everything of an export is classified, so that the question
is settled by then, and need not be asked again when the link is written a moment later.
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
IN_FLIGHT: Final = timedelta(minutes=2)
"""So long a link that was begun for an older export may take to show in the directory."""


async def claim_identity(ports: Ports, account: Account, user: DirectoryId) -> bool:
    """Note that the account matches this user; whether it is the only one that does."""
    return await _is_only_match(
        ports, account, user, await ports.ledger.identity_claims.claim(account.place, user, account.id)
    )


async def is_still_only_claim(ports: Ports, account: Account, user: DirectoryId) -> bool:
    """Whether the account is the only one that matches this user; for one that has claimed it before."""
    return await _is_only_match(
        ports, account, user, await ports.ledger.identity_claims.list_accounts(account.place, user)
    )


async def _is_only_match(ports: Ports, account: Account, user: DirectoryId, claims: list[AccountId]) -> bool:
    met = [await _matches_too(ports, account, user, other) for other in claims if other != account.id]
    return not any(met)


async def _matches_too(ports: Ports, account: Account, user: DirectoryId, other: AccountId) -> bool:
    """Whether the other account matches this user too; then it is set aside, unless something was begun for it."""
    while True:
        stored = await ports.ledger.accounts.get(account.place, other)
        try:
            return stored is not None and await _is_rival(ports, account, user, stored)
        except StaleWrite:
            continue


async def _is_rival(ports: Ports, account: Account, user: DirectoryId, stored: Stored[Account]) -> bool:
    rival = stored.record
    same = rival.migration == account.migration
    if same and rival.state is State.STAGED:
        if rival.moment is not None:
            # It may have claimed before us and be about to save: its ETag changes, and so it cannot.
            await ports.ledger.accounts.save(stored, *return_to_waiting(rival, ports.clock.now()))
        return False
    if rival.directory_id != user:
        return False
    if not same and not rival.done:
        if rival.state is State.RELEASED:
            raise TryLater("not_visible_yet", IN_FLIGHT)
        return False  # an older export's match, which nobody acted on
    if rival.state is State.CLASSIFIED:
        aside, change = apply_event(rival, Event.SET_ASIDE, ports.clock.now(), TWO_ACCOUNTS)
        aside = replace(aside, outcome=Outcome.REVIEW)
        await ports.ledger.accounts.save(stored, aside, change)
        count_change(aside, change)
    return True
