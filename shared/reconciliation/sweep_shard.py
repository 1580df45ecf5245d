"""Sweep one shard of an authority: count its accounts, and bring back lost ones.

For most accounts only some columns are read (a projection). An account that needs a change is read again in full.
"""

import hashlib
from collections import Counter
from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from shared.intake.rules.resubmission import is_in_export
from shared.intake.rules.row_checks import OTHER_STATUS
from shared.model.account import Account, AccountId, Change, Partition, apply_event
from shared.model.counts.summary import ShardSummary
from shared.model.counts.wave_counts import ADDRESS_UNDELIVERED, list_wave_words
from shared.model.lifecycle import MOVING, Event, Outcome, RowState, State
from shared.model.migration import Migration, Migrations, Phase, find_successor
from shared.model.outcome import find_outcome
from shared.model.profile import Profile
from shared.model.row import Row
from shared.ports import Ports, Stored
from shared.reconciliation.rules import cancelled_accounts
from shared.reconciliation.rules.sweep_schedule import is_stale
from shared.reporting.rules.result_file import add_to_fingerprint
from shared.scheduling.rate_limiter import HORIZON
from shared.scheduling.release_accounts import return_to_waiting
from shared.scheduling.rules.gate import Due, find_account_wave, find_due_step, is_overdue, must_be_recovered
from shared.telemetry import progress

MAX_UNACKNOWLEDGED_SENDS: Final = 12
"""How many times an account is sent without an acknowledgement before it is marked as failed (`host_lost`)."""
MAX_REASONS_PER_SHARD: Final = 100
"""Different statuses of one export in one shard. Further ones count as `source_other`."""
MAX_SINGLE_READS: Final = 100
"""Up to this number, accounts are read one by one. For more, the whole shard is read."""
ACCOUNTS_PER_SAVE: Final = 500
"""How many accounts to bring back are held in memory."""


@dataclass
class _Count:
    """The counts of one migration in one shard."""

    tally: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    due: int = 0
    soon: int = 0
    oldest: datetime | None = None
    fingerprint: "hashlib._Hash" = field(default_factory=hashlib.sha256)
    plan: "hashlib._Hash" = field(default_factory=hashlib.sha256)
    waves: dict[int, Counter[str]] = field(default_factory=dict)
    told_at: datetime | None = None

    def take(self, account: Account, answer: Due, now: datetime) -> None:
        """Take one account into the counts."""
        outcome = find_outcome(account)
        self.tally[outcome, account.state, "" if account.state in MOVING else account.reason] += 1
        if answer.step is not None and answer.at is not None:
            self.due += 1
            self.soon += answer.at <= now + HORIZON
            self.oldest = min(self.oldest or answer.at, answer.at)
        fate = (account.id, outcome, account.reason, account.directory_id, account.digest, account.cohort)
        self.plan.update(repr(fate).encode())
        add_to_fingerprint(account, outcome, self.fingerprint)
        for at in (account.announced_at, account.notified_at):
            self.told_at = max(self.told_at or at, at) if at else self.told_at

    def take_wave(
        self, account: Account, migration: Migration, answer: Due, now: datetime, *, undelivered: bool
    ) -> None:
        """Count it in its wave, where that makes a difference."""
        if migration.plan is None or len(migration.plan.waves) == 1:
            return
        wave = find_account_wave(account, migration)
        if wave is not None:
            words = list_wave_words(account, now, due=answer.step is not None, undelivered=undelivered)
            self.waves.setdefault(wave.number, Counter()).update(words)


async def sweep_shard(
    ports: Ports,
    profile: Profile,
    migrations: Migrations,
    counted: Migrations,
    partition: Partition,
    shard: str,
    undelivered: Collection[str] = frozenset(),
) -> None:
    """Count one shard of a place, and bring back what was lost in it. `undelivered` are ids of messages."""
    now = ports.clock.now()
    counts = {key: _Count() for key in counted}
    lost: dict[Partition, set[AccountId]] = {}
    with_council: set[AccountId] = set()
    over: set[AccountId] = set()
    async for there, account in _list_projections(ports, counted, partition, shard, with_council):
        migration = migrations.get(account.migration)
        if migration is None or migration.phase is Phase.STAGING or account.settled:
            continue
        if there == partition and account.id in with_council:
            over.add(account.id)
            continue
        messages_on = ports.notifier is not None
        answer = find_due_step(account, migration, profile, messages_on=messages_on)
        left = cancelled_accounts.is_left_as_is(account, migration, profile, now, messages_on=messages_on)
        returned = _is_returned(account, undelivered)
        left = left or returned or _is_left_out(account, migration, migrations)
        if left or is_overdue(account, answer, now):
            lost.setdefault(there, set()).add(account.id)
        if account.migration in counts:
            counts[account.migration].take(account, answer, now)
            counts[account.migration].take_wave(account, migration, answer, now, undelivered=returned)
    took = ports.clock.now() - now
    for there, ids in lost.items():
        await _bring_back(ports, profile, migrations, there, shard, ids, undelivered)
    await _settle_drafts(ports, partition, shard, over)
    for key, count in counts.items():
        await _publish_summary(ports, counted[key], shard, count, now, took)


async def _list_projections(
    ports: Ports, counted: Migrations, partition: Partition, shard: str, with_council: set[AccountId]
) -> AsyncIterator[tuple[Partition, Account]]:
    """Yield the accounts of a shard, each with its partition.

    If a plan was cancelled while it was taken over, the accounts that have left the draft come first. Nobody else knows
    them. They are added to `with_council`, because what they left in the draft does not count any more.
    """
    for migration in counted.values():
        if migration.stopped_half_way and migration.partition == partition:
            async for account in ports.ledger.accounts.list_projections(migration.authority, shard):
                if is_in_export(account, migration.id):
                    with_council.add(account.id)
                if account.migration == migration.id:
                    yield migration.authority, account
    async for account in ports.ledger.accounts.list_projections(partition, shard):
        yield partition, account


async def _settle_drafts(ports: Ports, partition: Partition, shard: str, over: Collection[AccountId]) -> None:
    """Record in the draft that these accounts are with the council now."""
    settled: list[tuple[Stored[Account], Account, Change | None]] = []
    async for stored in _read_in_full(ports, partition, shard, over):
        settled.append((stored, replace(stored.record, settled=True), None))
        if len(settled) == ACCOUNTS_PER_SAVE:
            await _save_mended(ports, settled)
            settled = []
    await _save_mended(ports, settled)


async def _bring_back(
    ports: Ports,
    profile: Profile,
    migrations: Migrations,
    partition: Partition,
    shard: str,
    lost: Collection[AccountId],
    undelivered: Collection[str],
) -> None:
    """Read accounts again that look lost in the projection, and save the changes some hundreds at a time."""
    mended: list[tuple[Stored[Account], Account, Change | None]] = []
    now = ports.clock.now()
    async for stored in _read_in_full(ports, partition, shard, lost):
        returned = _is_returned(stored.record, undelivered)
        mended += [_hold_unreached(stored, now)] if returned else await _list_mended(ports, profile, migrations, stored)
        if len(mended) == ACCOUNTS_PER_SAVE:
            await _save_mended(ports, mended)
            mended = []
    await _save_mended(ports, mended)


def _is_returned(account: Account, undelivered: Collection[str]) -> bool:
    """Return True if the message that informs the customer was not delivered."""
    if account.state is State.TOLD:
        return account.notify_id in undelivered
    return account.state is State.CLASSIFIED and account.announce_id in undelivered


def _hold_unreached(stored: Stored[Account], now: datetime) -> tuple[Stored[Account], Account, Change | None]:
    """Hold an account whose customer was not reached, because no account is moved without a message.

    A new address starts again.
    """
    held, change = apply_event(stored.record, Event.HOLD, now, ADDRESS_UNDELIVERED)
    return stored, held if held.done else replace(held, announced_at=None, announce_id="", told_day=None), change


async def _read_in_full(
    ports: Ports, partition: Partition, shard: str, ids: Collection[AccountId]
) -> AsyncIterator[Stored[Account]]:
    if len(ids) > MAX_SINGLE_READS:
        async for stored in ports.ledger.accounts.list_shard(partition, shard):
            if stored.record.id in ids:
                yield stored
        return
    for id_ in sorted(ids):
        found = await ports.ledger.accounts.get(partition, id_)
        if found is not None:
            yield found


async def _list_mended(
    ports: Ports, profile: Profile, migrations: Migrations, stored: Stored[Account]
) -> list[tuple[Stored[Account], Account, Change | None]]:
    account, now = stored.record, ports.clock.now()
    migration = migrations.get(account.migration)
    if migration is None:
        return []
    messages_on = ports.notifier is not None
    left = cancelled_accounts.is_left_as_is(account, migration, profile, now, messages_on=messages_on)
    if left or _is_left_out(account, migration, migrations):
        # First the address, which holds up nobody any more: a crash in between is made up at the next count.
        if account.address_key and not account.done:
            await ports.ledger.addresses.drop(account.partition, account.address_key, account.id)
        return [
            (
                stored,
                *(
                    cancelled_accounts.hold_cancelled(account, now)
                    if left
                    else apply_event(account, Event.HOLD, now, "superseded")
                ),
            )
        ]
    answer = find_due_step(account, migration, profile, messages_on=messages_on)
    return [(stored, *_count_unacknowledged_send(account, now))] if is_overdue(account, answer, now) else []


async def _save_mended(ports: Ports, mended: Sequence[tuple[Stored[Account], Account, Change | None]]) -> None:
    saved = {account.id for account in await ports.ledger.accounts.save_all(mended)}
    for _, account, change in mended:
        if change is not None and account.id in saved:
            progress.count_change(account, change)


def _count_unacknowledged_send(account: Account, now: datetime) -> tuple[Account, Change | None]:
    """Take an account back to waiting. An account that was sent too often without an acknowledgement fails instead."""
    if account.unacknowledged_sends >= MAX_UNACKNOWLEDGED_SENDS:
        return apply_event(account, Event.FAIL, now, "host_lost")
    back, change = return_to_waiting(account, now)
    return replace(back, unacknowledged_sends=account.unacknowledged_sends + 1), change


def _is_left_out(account: Account, migration: Migration, migrations: Migrations) -> bool:
    """Return True if the account was not started and is missing in the newer export, which was read completely."""
    if account.state not in MOVING or not migration.superseded_by or must_be_recovered(account, migration):
        return False
    newer = find_successor(migration, migrations)
    if newer is not None and newer.phase is Phase.CANCELLED:
        return True  # it was begun, so the older one does not go on behind the back of whoever stopped it
    taken_over = newer is not None and newer.phase in {Phase.RUNNING, Phase.DONE, Phase.CLASSIFYING}
    return taken_over and newer is not None and not newer.apart


async def _publish_summary(
    ports: Ports, migration: Migration, shard: str, count: _Count, now: datetime, took: timedelta
) -> None:
    before = await ports.ledger.summaries.get(migration.authority, migration.id, shard)
    # A piece of the adoption that was at work when it was stopped may still settle rows.
    known = before is not None and before.counted and not is_stale(migration, before) and not migration.stopped_half_way
    settled = before.settled if before and known else await _count_rows(ports, migration, shard)
    summary = ShardSummary(
        shard=shard,
        swept_at=now,
        counted=True,
        settled=settled,
        accounts=dict(count.tally),
        due=count.due,
        soon=count.soon,
        oldest=count.oldest,
        fingerprint=count.fingerprint.hexdigest(),
        plan=count.plan.hexdigest(),
        took_ms=took // timedelta(milliseconds=1),
        waves=count.waves,
        told_at=count.told_at,
    )
    await ports.ledger.summaries.put(migration.authority, migration.id, summary)


async def _count_rows(ports: Ports, migration: Migration, shard: str) -> dict[tuple[str, str, str], int]:
    """Count rows that decide their outcome themselves. All rows are staged by now, so one count is enough."""
    tally: Counter[tuple[str, str, str]] = Counter()
    async for row in ports.ledger.rows.list_shard(migration.authority, shard, migration.id):
        match row.outcome:
            case Outcome.REJECT:
                key = (row.outcome, RowState.REJECTED, row.reason)
                known = key in tally or len(tally) < MAX_REASONS_PER_SHARD
                tally[key if known else (row.outcome, RowState.REJECTED, OTHER_STATUS)] += 1
            case Outcome.DUPLICATE:
                tally[row.outcome, "duplicate", ""] += 1
            case Outcome.REVIEW:
                tally[row.outcome, State.REVIEW, row.reason] += 1
            case Outcome.UNCHANGED:
                tally[row.outcome, await _find_state(ports, row), ""] += 1
            case _:
                pass
    return dict(tally)


async def _find_state(ports: Ports, row: Row) -> str:
    stored = await ports.ledger.accounts.get(row.authority, row.account) if row.account else None
    return stored.record.state if stored else State.COMPLETED
