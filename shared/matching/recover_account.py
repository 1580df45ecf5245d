"""recognise: find out what was done for an account before its tables were lost.

The owner marker in the directory and the message reference show it.
"""

from shared.errors import SetAside
from shared.matching.identity_claims import claim_identity
from shared.matching.rules.recover import has_address, restore_moved_account
from shared.model.account import Account
from shared.model.directory_user import DirectoryUser
from shared.model.email_address import email_key
from shared.model.lifecycle import Outcome
from shared.model.profile import Profile
from shared.model.step import MESSAGES
from shared.ports import Ports
from shared.scheduling.due_account import Admitted
from shared.telemetry.progress import record_step


async def recover_account(ports: Ports, admitted: Admitted) -> bool:
    """Return True if the account was created or linked before the loss.

    Then it is recorded, and its message is in doubt.

    Raises:
        SetAside: a user has our owner marker but not this row's address, or several users have our owner
            marker.
    """
    account = admitted.account
    if account.tables_lost_at is None:
        return False
    marked = await ports.directory.with_owner_marker(account.authority, account.id)
    if not marked:
        return False
    user = await _the_one(ports, account, marked)
    told = await _find_sent_outcome(ports, admitted.profile, account)
    back, change = restore_moved_account(account, user, told, ports.clock.now())
    if back.outcome is Outcome.LINK:
        await claim_identity(ports, account, user.id)
    await ports.ledger.accounts.save(admitted.stored, back, change)
    record_step(back, change)
    return True


async def _the_one(ports: Ports, account: Account, marked: tuple[DirectoryUser, ...]) -> DirectoryUser:
    if len(marked) > 1:
        raise SetAside("several_identities")
    row = await ports.ledger.rows.get(account)
    # Where the row is gone too, the mark has to do: nothing is written, and nobody is told without a row.
    if row is not None and row.person is not None and not has_address(marked[0], email_key(row.person.email)):
        raise SetAside("changed_since_migrated")
    return marked[0]


async def _find_sent_outcome(ports: Ports, profile: Profile, account: Account) -> Outcome | None:
    """Return the outcome whose message the service knows. None if it knows none."""
    for outcome in (Outcome.CREATE, Outcome.LINK):
        name = MESSAGES[outcome]
        if ports.notifier is None or name not in profile.messages.templates:
            continue
        if await ports.notifier.find(profile, ports.pseudonyms.reference(account.id, name)):
            return outcome
    return None
