"""reconcile (timer): the walk. Visits shard by shard, brings back what was lost, counts, publishes.

Tables are the truth, so everything that a queue may lose is found here: an account that is due and long past its moment
goes back to waiting, and the feeder sends it again.
"""

import hashlib
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from shared import names
from shared.domain.account import SHARDS, Account, Change, apply
from shared.domain.gate import OVERDUE, Due, due, overdue, to_be_looked_for
from shared.domain.lifecycle import MOVING, Event, Outcome, RowState, State
from shared.domain.migration import Migration, Phase
from shared.domain.profile import Profile
from shared.domain.result_file import outcome_of
from shared.domain.rows import OTHER_STATUS, Row
from shared.domain.summary import ShardSummary, Totals, total
from shared.errors import Cannot, StaleWrite, Stop, TryLater
from shared.messages import AccountMessage, StageRows
from shared.ports import Ports, Stored
from shared.steps.assess import assess
from shared.steps.canary import ask_for_canary
from shared.steps.lost import torn, waits_for_older
from shared.steps.measure import measure
from shared.steps.publish_result import RowsMissing, publish_result
from shared.steps.release_accounts import back_to_waiting
from shared.steps.tell_staff import tell_staff
from shared.telemetry import progress

log: Final = logging.getLogger(__name__)

QUIET: Final = timedelta(minutes=10)
"""So often an authority is visited for which nothing is open."""
LOSSES: Final = 3
"""So often the host may die over an account before it is taken for the account's fault."""
IN_VAIN: Final = 12
"""So often an account is sent without anybody reporting back before it is taken for what stops the host."""
STALLS: Final = 10
"""So often a piece is sent again without any progress before people are asked to look."""
MANY_REASONS: Final = 100
"""Distinct statuses of one export in one shard; what is beyond counts as `source_other`."""
COUNTED: Final = frozenset({Phase.CLASSIFYING, Phase.RUNNING, Phase.DONE})

type Migrations = Mapping[str, Migration]


async def reconcile(ports: Ports) -> None:
    """One round of the walk over every authority that has anything open; trouble with one holds up no other."""
    troubles: list[Exception] = []
    walks = (partial(_walk, profile=profile) for profile in ports.profiles.values())
    notices = (partial(tell_staff, profile=profile) for profile in ports.profiles.values())
    round_: list[Callable[[Ports], Awaitable[None]]] = [_poisoned, *walks, *notices, measure]
    for work in round_:
        try:
            await work(ports)
        except Exception as trouble:  # noqa: BLE001 - raised below, when the others have had their turn
            troubles.append(trouble)
    if troubles:
        raise troubles[0]


async def _walk(ports: Ports, profile: Profile) -> None:
    if await torn(ports, profile.authority):
        return
    migrations: Migrations = {m.id: m async for m in ports.ledger.migrations(profile.authority)}
    migrations = await ask_for_canary(ports, profile, migrations)
    for migration in migrations.values():
        await _keep_staging(ports, migration)
    counted = {key: m for key, m in migrations.items() if m.phase in COUNTED and await _time_for_a_visit(ports, m)}
    if not counted:
        return
    for shard in SHARDS:
        await _visit(ports, profile, migrations, counted, shard)
    if await torn(ports, profile.authority):
        return  # what was counted may be what was left
    sums: dict[str, Totals] = {}
    for migration in migrations.values():
        if migration.phase in COUNTED:
            sums[migration.id] = total(await ports.ledger.summaries(migration.authority, migration.id))
    for migration in counted.values():
        await _advance(ports, profile, migration, sums, migrations)


async def _time_for_a_visit(ports: Ports, migration: Migration) -> bool:
    """What is open at every round; what is done every ten minutes, as other exports may have changed what it tells."""
    if migration.open:
        return True
    last = await ports.ledger.summary(migration.authority, migration.id, SHARDS[-1])
    return last is None or last.visited_at + QUIET < ports.clock.now()


async def _keep_staging(ports: Ports, migration: Migration) -> None:
    """The message of a piece may be lost: send it again when nothing has moved for long."""
    quiet = migration.moved_at is None or migration.moved_at + OVERDUE < ports.clock.now()
    if migration.phase is not Phase.STAGING or not quiet or migration.paused:
        return
    if not await waits_for_older(ports, migration):
        stalled = await ports.ledger.change_migration(
            migration.authority, migration.id, lambda m: _stalled(m, ports.clock.now())
        )
        if stalled.phase is Phase.STAGING:
            await ports.outbox.send(StageRows(authority=stalled.authority, migration=stalled.id, piece=stalled.piece))


def _stalled(migration: Migration, now: datetime) -> Migration:
    if migration.stalled >= STALLS:
        return replace(migration, phase=Phase.FAILED, reason="staging_failed", moved_at=now, stalled=0)
    return replace(migration, moved_at=now, stalled=migration.stalled + 1)


@dataclass
class _Visit:
    """What is counted of one migration in one shard."""

    tally: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    due: int = 0
    oldest: datetime | None = None
    fingerprint: "hashlib._Hash" = field(default_factory=hashlib.sha256)
    plan: "hashlib._Hash" = field(default_factory=hashlib.sha256)

    def count(self, account: Account, answer: Due) -> None:
        """Take one account into the counts."""
        outcome = outcome_of(account)
        self.tally[outcome, account.state, "" if account.state in MOVING else account.reason] += 1
        if answer.step is not None and answer.at is not None:
            self.due += 1
            self.oldest = min(self.oldest or answer.at, answer.at)
        self.plan.update(f"{account.id} {outcome} {account.directory_id}\n".encode())
        says = (account.id, account.row, outcome, account.state, account.reason, account.directory_id)
        self.fingerprint.update(repr((*says, account.notify_id)).encode())


async def _visit(ports: Ports, profile: Profile, migrations: Migrations, counted: Migrations, shard: str) -> None:
    """Count one shard of an authority, and bring back what was lost in it."""
    now = ports.clock.now()
    visits = {key: _Visit() for key in counted}
    mended: list[tuple[Stored[Account], Account, Change | None]] = []
    async for stored in ports.ledger.accounts(profile.authority, shard):
        account = stored.record
        migration = migrations.get(account.migration)
        if migration is None or migration.phase is Phase.STAGING:
            continue
        answer = due(account, migration, profile, messages_on=ports.notifier is not None)
        if _left_out(account, migration, migrations):
            # First the address, which holds up nobody any more: a crash in between is made up at the next visit.
            if account.address_key:
                await ports.ledger.drop_address(account.authority, account.address_key, account.id)
            mended.append((stored, *apply(account, Event.HOLD, now, "superseded")))
        elif overdue(account, answer, now):
            mended.append((stored, *_sent_in_vain(account, now)))
        if account.migration in visits:
            visits[account.migration].count(account, answer)
    saved = {account.id for account in await ports.ledger.save_all(mended)}
    for _, account, change in mended:
        if change is not None and account.id in saved:
            progress.count(account, change)
    for key, visit in visits.items():
        await _summarise(ports, counted[key], shard, visit, now)


def _sent_in_vain(account: Account, now: datetime) -> tuple[Account, Change | None]:
    """Back to waiting; what has been sent so often without any sign of life stops the host and is taken out."""
    if account.vain >= IN_VAIN:
        return apply(account, Event.FAIL, now, "host_lost")
    back, change = back_to_waiting(account, now)
    return replace(back, vain=account.vain + 1), change


def _left_out(account: Account, migration: Migration, migrations: Migrations) -> bool:
    """Not begun, and not in the newer export that has been staged whole."""
    if account.state not in MOVING or not migration.superseded_by or to_be_looked_for(account, migration):
        return False
    newer = migrations.get(migration.superseded_by)
    while newer is not None and newer.superseded_by and newer.phase is Phase.SUPERSEDED:
        newer = migrations.get(newer.superseded_by)
    return newer is not None and newer.phase in {Phase.CLASSIFYING, Phase.RUNNING, Phase.DONE}


async def _summarise(ports: Ports, migration: Migration, shard: str, visit: _Visit, now: datetime) -> None:
    before = await ports.ledger.summary(migration.authority, migration.id, shard)
    settled = before.settled if before and before.counted else await _count_rows(ports, migration, shard)
    summary = ShardSummary(
        shard=shard,
        visited_at=now,
        counted=True,
        settled=settled,
        accounts=dict(visit.tally),
        due=visit.due,
        oldest=visit.oldest,
        fingerprint=visit.fingerprint.hexdigest(),
        plan=visit.plan.hexdigest(),
    )
    await ports.ledger.put_summary(migration.authority, migration.id, summary)


async def _count_rows(ports: Ports, migration: Migration, shard: str) -> dict[tuple[str, str, str], int]:
    """Rows that settle themselves; every row is staged by now, so once is enough."""
    tally: Counter[tuple[str, str, str]] = Counter()
    async for row in ports.ledger.rows(migration.authority, shard, migration.id):
        match row.outcome:
            case Outcome.REJECT:
                key = (row.outcome, RowState.REJECTED, row.reason)
                known = key in tally or len(tally) < MANY_REASONS
                tally[key if known else (row.outcome, RowState.REJECTED, OTHER_STATUS)] += 1
            case Outcome.DUPLICATE:
                tally[row.outcome, "duplicate", ""] += 1
            case Outcome.REVIEW:
                tally[row.outcome, State.REVIEW, row.reason] += 1
            case Outcome.UNCHANGED:
                tally[row.outcome, await _state_of(ports, row), ""] += 1
            case _:
                pass
    return dict(tally)


async def _state_of(ports: Ports, row: Row) -> str:
    stored = await ports.ledger.account(row.authority, row.account) if row.account else None
    return stored.record.state if stored else State.COMPLETED


async def _advance(
    ports: Ports, profile: Profile, migration: Migration, sums: Mapping[str, Totals], migrations: Migrations
) -> None:
    """Take a migration on when all its shards say so: assess it, or publish how it ended."""
    totals = sums[migration.id]
    if not totals.complete:
        return
    if migration.phase is Phase.CLASSIFYING and not migration.paused and _all_classified(migration, totals):
        await _try_to_assess(ports, profile, migration, totals)
    elif migration.phase in {Phase.RUNNING, Phase.DONE}:
        await _rest(ports, migration, totals, _told_elsewhere(migration, sums, migrations))


def _all_classified(migration: Migration, totals: Totals) -> bool:
    if totals.in_state(State.STAGED):
        return False
    # Of what was made again, newer exports may have taken rows over.
    if totals.rows != migration.rows and migration.rebuilt_at is None:
        log.error("rows and counts differ", extra={"migration": migration.id, "rows": migration.rows})
        return False
    return True


async def _try_to_assess(ports: Ports, profile: Profile, migration: Migration, totals: Totals) -> None:
    try:
        await assess(ports, profile, migration, totals)
    except TryLater as later:
        log.info("assessment postponed", extra={"migration": migration.id, "cause": later.cause})
    except (Stop, Cannot) as stop:
        # What the directory refuses here, it refuses for the whole migration.
        reason, detail = stop.reason, stop.detail[:200]
        await ports.ledger.change_migration(
            migration.authority,
            migration.id,
            lambda m: (
                m if m.paused else replace(m, paused_at=ports.clock.now(), pause_reason=reason, pause_detail=detail)
            ),
        )


async def _rest(ports: Ports, migration: Migration, totals: Totals, elsewhere: str) -> None:
    fingerprint = hashlib.sha256(f"{totals.fingerprint}{elsewhere}".encode()).hexdigest()
    if migration.paused:
        return
    if not totals.resting:
        # Somebody replayed an account of a migration that was done.
        await ports.ledger.change_migration(migration.authority, migration.id, _reopened)
        return
    told = migration.published
    if told != fingerprint and (migration.rows_lost or await _published(ports, migration, totals)):
        told = fingerprint

    def rest(current: Migration) -> Migration:
        # What changed since it was counted is counted again first: a replay may just have reopened it.
        moved = current.moved_at if current.phase is Phase.DONE else ports.clock.now()
        done = replace(current, published=told, phase=Phase.DONE, moved_at=moved)
        return done if current == migration else current

    await ports.ledger.change_migration(migration.authority, migration.id, rest)


async def _published(ports: Ports, migration: Migration, totals: Totals) -> bool:
    """False where rows are gone; then it is tried again at the next visit: somebody may be half through an erasure."""
    try:
        await publish_result(ports, migration, totals.rows)
    except RowsMissing:
        log.info("rows are gone: result.csv stays as it is", extra={"migration": migration.id})
        return False
    return True


def _reopened(migration: Migration) -> Migration:
    return replace(migration, phase=Phase.RUNNING) if migration.phase is Phase.DONE else migration


def _told_elsewhere(migration: Migration, sums: Mapping[str, Totals], migrations: Migrations) -> str:
    """What is at rest of other exports, where rows of this one depend on it: its result.csv tells of these too.

    A newer export may have taken rows over; an unchanged row tells how the account of an older one stands.
    """
    own = sums[migration.id]
    taken_over = own.rows != migration.rows
    unchanged = any(outcome == Outcome.UNCHANGED for outcome, _, _ in own.settled)
    return "".join(
        totals.fingerprint
        for key, totals in sums.items()
        if totals.resting
        and (
            (taken_over and migrations[key].uploaded_at > migration.uploaded_at)
            or (unchanged and migrations[key].uploaded_at < migration.uploaded_at)
        )
    )


async def _poisoned(ports: Ports) -> None:
    """Messages in poison without a recorded failure: the host died over them, not the content."""
    for queue in (names.CLASSIFY_ACCOUNT, names.PROVISION_ACCOUNT, names.NOTIFY_CUSTOMER):
        if await ports.outbox.depth(names.poison_of(queue)):
            for poison in await ports.outbox.poisoned(queue, glance=True):
                if isinstance(poison.message, AccountMessage):
                    await _lost(ports, poison.message)


async def _lost(ports: Ports, message: AccountMessage) -> None:
    stored = await ports.ledger.account(message.authority, message.account)
    if stored is None or message.release <= stored.record.lost_release:
        return
    account = stored.record
    if account.state not in MOVING | {State.PROVISIONED} or account.moment is None:
        return
    now = ports.clock.now()
    account = replace(account, lost=account.lost + 1, lost_release=message.release)
    if account.lost >= LOSSES:
        changed: tuple[Account, Change | None] = apply(account, Event.FAIL, now, "host_lost")
    elif account.release == message.release:
        changed = back_to_waiting(account, now)
    else:
        changed = (account, None)
    try:
        await ports.ledger.save(stored, *changed)
    except StaleWrite:
        return
    if changed[1] is not None:
        progress.count(changed[0], changed[1])
