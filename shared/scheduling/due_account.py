"""The guard of every per-account step: load the account, ask the gate, drop what is not its current release."""

from dataclasses import dataclass

from shared.errors import Cannot, Stop, TryLater
from shared.integrity.pseudonym_key import KEY_CHANGED, has_key_changed
from shared.integrity.table_loss import is_being_rebuilt
from shared.model.account import Account
from shared.model.lifecycle import State
from shared.model.messages import AccountMessage, make_account_message
from shared.model.migration import Migration
from shared.model.profile import Profile
from shared.model.row import Person, Row
from shared.model.step import Step
from shared.ports import Ports, Stored
from shared.scheduling.release_accounts import return_to_waiting
from shared.scheduling.rules.gate import Due, find_due_step, is_message_open


@dataclass(frozen=True, slots=True)
class Admitted:
    """An account that may take this step now."""

    stored: Stored[Account]
    migration: Migration
    profile: Profile

    @property
    def account(self) -> Account:
        """The account itself."""
        return self.stored.record


async def admit_account(ports: Ports, message: AccountMessage, step: Step) -> Admitted | None:
    """Return the account of a message, if the gate lets this step act on it now.

    Raises:
        Stop: the account id was made with another PSEUDONYM_KEY, so our message references do not mean this
            customer.
    """
    stored = await ports.ledger.accounts.get(message.partition, message.account)
    profile = ports.profiles.get(message.authority)
    if stored is None or profile is None:
        return None
    account, now = stored.record, ports.clock.now()
    migration, answer = None, Due(None)
    # What was read a second ago may let a step in. To turn one away it takes a look: the release may be younger.
    for read in (ports.ledger.migrations.get_recent, ports.ledger.migrations.get):
        migration = await read(account.authority, account.migration)
        if migration is None:
            continue
        answer = find_due_step(account, migration, profile, messages_on=ports.notifier is not None)
        if is_message_open(step, message.release, account, answer, now, epoch=migration.epoch):
            if await has_key_changed(ports):
                raise Stop(KEY_CHANGED)
            return Admitted(stored, migration, profile)
    if migration is None:
        return None
    void = migration.paused or account.epoch != migration.epoch
    if void and account.release == message.release and account.due_at is not None:
        # Back to waiting, so that it goes on as soon as somebody resumes, without this message and in a new slot.
        await ports.ledger.accounts.save(stored, *return_to_waiting(account, now))
    if _is_done(step, message, account) and answer.step is Step.NOTIFY:
        # The step was done and saved, and its next message may have been lost: send it again.
        await ports.outbox.send(make_account_message(Step.NOTIFY, account))
    return None


def _is_done(step: Step, message: AccountMessage, account: Account) -> bool:
    just_after = account.release == message.release + 1
    return step is Step.PROVISION and account.state is State.PROVISIONED and just_after and account.due_at is not None


async def read_person(ports: Ports, account: Account) -> tuple[Row, Person]:
    """Return the personal data of an account, from the row that staged it.

    Raises:
        Cannot: the row is gone.
        TryLater: the row is gone and will be made again by the rebuild.
    """
    row = await ports.ledger.rows.get(account)
    if row is None and await is_being_rebuilt(ports, account.authority):
        raise TryLater("tables_lost")
    if row is None or row.person is None:
        raise Cannot("row_missing")
    return row, row.person
