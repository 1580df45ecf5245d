"""Failed accounts, and what people do about them: replay or discard, by account, by cause, or all.

The records of the accounts say what failed and why. The poison queues only show it. Replay and discard change the
record first and remove the message last, so that nothing is lost in between.

Failed accounts of a draft (a plan that is not approved yet) are listed and replayed too. They are compared again, and
the plan is made again. They can be discarded only after the approval, because held accounts of a draft are not adopted.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Final

from shared import names
from shared.model.account import REFUSED, SHARDS, Account, Authority, Change, Partition, apply_event
from shared.model.lifecycle import Event, State
from shared.model.messages import (
    AccountMessage,
    AdoptPlan,
    ReceiveExport,
    StageRows,
    StageSuppressions,
    make_piece_message,
)
from shared.model.migration import Migration, Phase
from shared.model.reasons import explain_reason
from shared.ports import PoisonMessage, Ports, Stored

COMPARED: Final = frozenset({Phase.CLASSIFYING, Phase.ASSESSED})
"""Phases in which a draft may be compared again."""


@dataclass(frozen=True, slots=True)
class Choice:
    """Which failed accounts are meant: this account, this cause, or all. Exactly one of them."""

    account: str = ""
    cause: str = ""
    everything: bool = False

    @property
    def valid(self) -> bool:
        """Return True if exactly one is chosen."""
        return [bool(self.account), bool(self.cause), self.everything].count(True) == 1

    def takes(self, account: Account) -> bool:
        """Return True if the choice includes this account."""
        return self.everything or account.id == self.account or account.reason == self.cause


@dataclass(frozen=True, slots=True)
class Stuck:
    """One stuck account, for people."""

    account: str
    authority: str
    migration: str
    row: int
    reason: str
    sentence: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Settled:
    """The result of a replay or discard."""

    accounts: int
    migrations: int
    messages: int
    """The number of messages that were removed from the poison queues."""


async def list_stuck(ports: Ports, limit: int) -> list[Stuck]:
    """The stuck accounts, at most `limit`."""
    found: list[Stuck] = []
    for authority in ports.profiles:
        for partition in (authority, *(draft.partition for draft in await _list_drafts(ports, authority))):
            for shard in SHARDS:
                async for stored in ports.ledger.accounts.list_shard(partition, shard):
                    account = stored.record
                    if account.state is State.FAILED:
                        found.append(_describe_stuck(account))
                        if len(found) == limit:
                            return found
    return found


async def _list_drafts(ports: Ports, authority: Authority) -> list[Migration]:
    """Return the uploads whose accounts are still in a draft and may be compared again."""
    return [m async for m in ports.ledger.migrations.list_all(authority) if m.apart and m.phase in COMPARED]


def _describe_stuck(account: Account) -> Stuck:
    why = explain_reason(account.reason)
    return Stuck(
        account.id, account.authority, account.migration, account.row, account.reason, why.sentence, why.remedy
    )


async def replay_stuck(ports: Ports, choice: Choice, by: str) -> Settled:
    """Bring failed accounts (and failed stagings) back. They continue after what is recorded as done."""
    return await _settle_stuck(ports, choice, by, again=True)


async def discard_stuck(ports: Ports, choice: Choice, by: str) -> Settled:
    """Leave failed accounts as they are: `held`, reason `discarded`."""
    return await _settle_stuck(ports, choice, by, again=False)


async def _settle_stuck(ports: Ports, choice: Choice, by: str, *, again: bool) -> Settled:
    accounts = 0
    for authority in ports.profiles:
        for shard in SHARDS:
            chosen = await _list_chosen(ports, authority, shard, choice)
            changed = [_change_stuck(ports, stored, by, again=again) for stored in chosen]
            saved = await ports.ledger.accounts.save_all(changed)
            for migration in {account.migration for account in saved}:
                await ports.ledger.migrations.change(
                    authority, migration, partial(_reopen_migration, now=ports.clock.now())
                )
            accounts += len(saved)
        for draft in await _list_drafts(ports, authority) if again else ():
            accounts += await _replay_draft(ports, draft, choice, by)
    migrations = await _replay_stagings(ports, choice) if again else 0
    messages = await _take_away(ports, choice)
    return Settled(accounts, migrations, messages)


async def _list_chosen(ports: Ports, partition: Partition, shard: str, choice: Choice) -> Sequence[Stored[Account]]:
    return [
        stored
        async for stored in ports.ledger.accounts.list_shard(partition, shard)
        if stored.record.state is State.FAILED and choice.takes(stored.record)
    ]


async def _replay_draft(ports: Ports, draft: Migration, choice: Choice, by: str) -> int:
    """Have failed accounts of a draft compared again, and the plan made again.

    Accounts that were approved meanwhile are left.
    """
    count = 0
    for shard in SHARDS:
        chosen = await _list_chosen(ports, draft.partition, shard, choice)
        # First the migration: nobody signs a plan, and none is adopted, whose accounts are compared again. And again
        # afterwards: what was counted in between does not know of them.
        if not chosen or not await _compare_again(ports, draft):
            continue
        count += len(
            await ports.ledger.accounts.save_all([_change_stuck(ports, stored, by, again=True) for stored in chosen])
        )
        await _compare_again(ports, draft)
    return count


async def _compare_again(ports: Ports, draft: Migration) -> bool:
    def compared(current: Migration) -> Migration:
        if not current.apart or current.phase not in COMPARED:
            return current
        now = ports.clock.now()
        return replace(current, phase=Phase.CLASSIFYING, assessed_at=None, plan=None, plan_hash="", moved_at=now)

    return (await ports.ledger.migrations.change(draft.authority, draft.id, compared)).phase is Phase.CLASSIFYING


def _change_stuck(
    ports: Ports, stored: Stored[Account], by: str, *, again: bool
) -> tuple[Stored[Account], Account, Change | None]:
    now = ports.clock.now()
    account = replace(stored.record, release=stored.record.release + 1)
    if not again:
        held, change = apply_event(account, Event.DISCARD, now, "discarded", by)
        return stored, held, change
    event = Event.REPLAY_MESSAGE if account.done else Event.REPLAY
    back, change = apply_event(account, event, now, "", by)
    return stored, replace(back, not_before=now), change


def _reopen_migration(migration: Migration, now: datetime) -> Migration:
    """Reopen the migration.

    It is counted again before anything is decided from counts that are older than the replay.
    """
    if migration.phase not in {Phase.CLASSIFYING, Phase.RUNNING, Phase.DONE}:
        return migration
    phase = Phase.RUNNING if migration.phase is Phase.DONE else migration.phase
    return replace(migration, phase=phase, moved_at=now)


async def _replay_stagings(ports: Ports, choice: Choice) -> int:
    """Replay exports whose receiving or staging failed."""
    count = 0
    for authority in (*ports.profiles, REFUSED):
        async for migration in ports.ledger.migrations.list_all(authority):
            if migration.phase is Phase.FAILED and (choice.everything or choice.cause == migration.reason):
                await _replay_migration(ports, migration)
                count += 1
    return count


async def _replay_migration(ports: Ports, migration: Migration) -> None:
    if migration.layout is None:
        await ports.outbox.send(ReceiveExport(blob=migration.blob))
        return
    staging = await ports.ledger.migrations.change(
        migration.authority,
        migration.id,
        lambda m: replace(m, phase=Phase.STAGING, reason="", moved_at=ports.clock.now()),
    )
    await ports.outbox.send(make_piece_message(staging))


async def _take_away(ports: Ports, choice: Choice) -> int:
    """Remove poison messages whose account or export has not failed any more.

    Foreign messages go only with `everything`.
    """
    count = 0
    for queue in names.QUEUES:
        if not await ports.outbox.depth(names.poison_of(queue)):
            continue
        found = await ports.outbox.poisoned(queue)
        done = frozenset([item.id for item in found if await _is_settled(ports, item, choice)])
        count += await ports.outbox.take_poison(queue, done) if done else 0
    return count


async def _is_settled(ports: Ports, item: PoisonMessage, choice: Choice) -> bool:
    match item.message:
        case None:
            return choice.everything
        case AccountMessage() as message:
            stored = await ports.ledger.accounts.get(message.partition, message.account)
            return stored is None or (
                stored.record.state is not State.FAILED and stored.record.release != message.release
            )
        case StageRows() | StageSuppressions() | AdoptPlan() as message:
            migration = await ports.ledger.migrations.get(message.authority, message.migration)
            return migration is None or migration.phase is not Phase.FAILED
        case ReceiveExport() as message:
            return choice.everything or await _is_received(ports, message)


async def _is_received(ports: Ports, message: ReceiveExport) -> bool:
    """Return True if the upload was accepted or refused after all."""
    for authority in (*ports.profiles, REFUSED):
        async for migration in ports.ledger.migrations.list_all(authority):
            if migration.blob == message.blob and migration.phase is not Phase.FAILED:
                return True
    return False
