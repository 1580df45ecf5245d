"""reconcile (timer): sweep the shards, bring back lost accounts, count, and publish.

Only the tables are trusted, so losses of a queue are found here. An account that is long past its due time goes back to
waiting, and the feeder sends it again.
"""

import hashlib
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from shared import names
from shared.errors import Cannot, StaleWrite, Stop, TryLater
from shared.integrity.table_loss import is_table_lost, must_wait_for_older
from shared.messaging.notify_staff import notify_staff
from shared.messaging.receipts import find_undelivered
from shared.model.account import Account, Change, MigrationId, Partition, apply_event
from shared.model.counts.summary import Totals, add_up_shards
from shared.model.lifecycle import MOVING, Event, Outcome, State
from shared.model.messages import AccountMessage, make_piece_message
from shared.model.migration import BY_PIECES, Kind, Migration, Migrations, Phase
from shared.model.profile import Profile
from shared.operations.measure import record_metrics
from shared.operations.sample import record_sample
from shared.planning.assess import assess_migration
from shared.planning.hold_to_plan import check_plan_drift, resume_superseded
from shared.planning.open_waves import open_waves
from shared.ports import Ports
from shared.readiness.run_canary import ask_for_canary
from shared.reconciliation.completion import list_finished_shards
from shared.reconciliation.rules.sweep_schedule import Known, is_stale, list_turns
from shared.reconciliation.sweep_shard import sweep_shard
from shared.reporting.publish_result import CountedAnew, RowsMissing, publish_result
from shared.scheduling.pause import pause_record
from shared.scheduling.release_accounts import return_to_waiting
from shared.scheduling.rules.gate import OVERDUE_AFTER
from shared.telemetry import progress

log: Final = logging.getLogger(__name__)

MAX_ROUND_TIME: Final = timedelta(seconds=40)
"""How long one round works at most. It may exceed this by one shard. The rest waits for the next round."""
MAX_HOST_LOSSES: Final = 3
"""How many times a host may die while it works on an account before the account is marked as failed."""
MAX_STALLED_SENDS: Final = 10
"""How many times a piece is sent again without progress before people are asked to look."""
COUNTED: Final = frozenset({Phase.CLASSIFYING, Phase.RUNNING, Phase.DONE, Phase.CANCELLED})


async def reconcile_authorities(ports: Ports) -> None:
    """Run one round of the sweep over every authority with open work. A failure for one does not stop the others."""
    troubles: list[Exception] = []
    ends = ports.clock.now() + MAX_ROUND_TIME
    # Each council has its share of what is left of the round, so that a large one holds up no small one.
    sweeps = (
        partial(_sweep_authority, profile=profile, ends=ends, councils=len(ports.profiles) - number)
        for number, profile in enumerate(ports.profiles.values())
    )
    notices = (partial(notify_staff, profile=profile) for profile in ports.profiles.values())
    round_: list[Callable[[Ports], Awaitable[None]]] = [_settle_poison, *sweeps, *notices, record_metrics]
    for work in round_:
        try:
            await work(ports)
        except Exception as trouble:  # noqa: BLE001 - raised below, when the others have had their turn
            troubles.append(trouble)
    if troubles:
        raise troubles[0]


async def _sweep_authority(ports: Ports, profile: Profile, ends: datetime, councils: int) -> None:
    if await is_table_lost(ports, profile.authority):
        return
    until = ports.clock.now() + (ends - ports.clock.now()) / councils
    migrations: Migrations = {m.id: m async for m in ports.ledger.migrations.list_all(profile.authority)}
    migrations = await ask_for_canary(ports, profile, migrations)
    for migration in migrations.values():
        await _keep_staging(ports, migration)
    seen = await _sweep_shards(ports, profile, migrations, until)
    counted = [m for m in migrations.values() if _has_accounts(m)]
    if not any(m.open or m.id in seen for m in counted) or await is_table_lost(ports, profile.authority):
        return  # what was counted may be what was left
    sums: dict[str, Totals] = {}
    for migration in counted:
        summaries = await ports.ledger.summaries.list_all(migration.authority, migration.id)
        sums[migration.id] = add_up_shards(summary for summary in summaries if not is_stale(migration, summary))
        await record_sample(ports, migration, sums[migration.id])
    for migration in counted:
        if migration.open or migration.id in seen:
            await _advance_migration(ports, profile, migration, sums, migrations, until)


def _has_accounts(migration: Migration) -> bool:
    """Return True if the migration has accounts to count. A suppression list has none."""
    return migration.phase in COUNTED and migration.kind is not Kind.EXCLUDE


async def _sweep_shards(ports: Ports, profile: Profile, migrations: Migrations, until: datetime) -> set[MigrationId]:
    """Sweep the shards whose turn it is until the time is over, at least one.

    Returns the migrations that were counted.
    """
    known: dict[Partition, list[Known]] = defaultdict(list)
    for m in migrations.values():
        if _has_accounts(m):
            known[m.partition].append(
                (m, {s.shard: s for s in await ports.ledger.summaries.list_all(m.authority, m.id)})
            )
    now = ports.clock.now()
    found = [
        (partition, turn)
        for partition, there in known.items()
        for turn in list_turns(there, now, {m.id: await list_finished_shards(ports, m, seen) for m, seen in there})
    ]
    seen: set[MigrationId] = set()
    returned = await find_undelivered(
        ports, profile, [s for there in known.values() for _, seen in there for s in seen.values()]
    )
    for partition, turn in sorted(found, key=lambda each: each[1].last):
        if seen and ports.clock.now() >= until:
            break
        await sweep_shard(
            ports, profile, migrations, {key: migrations[key] for key in turn.of}, partition, turn.shard, returned
        )
        seen |= turn.of
    return seen


async def _keep_staging(ports: Ports, migration: Migration) -> None:
    """The message of a piece may be lost: send it again when nothing has moved for long."""
    quiet = migration.moved_at is None or migration.moved_at + OVERDUE_AFTER < ports.clock.now()
    if migration.phase not in BY_PIECES or not quiet or migration.paused:
        return
    if not await must_wait_for_older(ports, migration):
        stalled = await ports.ledger.migrations.change(
            migration.authority, migration.id, lambda m: _count_stall(m, ports.clock.now())
        )
        if stalled.phase in BY_PIECES:
            await ports.outbox.send(make_piece_message(stalled))


def _count_stall(migration: Migration, now: datetime) -> Migration:
    if migration.stalled >= MAX_STALLED_SENDS and migration.phase is Phase.STAGING:
        return replace(migration, phase=Phase.FAILED, reason="staging_failed", moved_at=now, stalled=0)
    return replace(migration, moved_at=now, stalled=migration.stalled + 1)


async def _advance_migration(
    ports: Ports,
    profile: Profile,
    migration: Migration,
    sums: Mapping[str, Totals],
    migrations: Migrations,
    until: datetime,
) -> None:
    """Take a migration on when all its shards say so: assess it, or publish how it ended."""
    totals = sums[migration.id]
    if not totals.complete:
        return
    if migration.phase is Phase.CLASSIFYING and not migration.paused and _is_all_classified(migration, totals):
        await _try_to_assess(ports, profile, migration, totals)
    elif migration.phase in {Phase.RUNNING, Phase.DONE, Phase.CANCELLED}:
        if migration.phase is not Phase.CANCELLED:
            await resume_superseded(ports, profile, migration, migrations)
            if await check_plan_drift(ports, profile, migration, totals, migrations):
                return
            await open_waves(ports, profile, migration, totals.waves)
        says = _describe_shards(migration, totals, _find_told_elsewhere(migration, sums, migrations))
        await _publish_rest(
            ports, migration, totals, says, until, waits=_waits_for_switch(ports, profile, migration, totals)
        )


def _is_all_classified(migration: Migration, totals: Totals) -> bool:
    if totals.in_state(State.STAGED):
        return False
    # Of what was made again, newer exports may have taken rows over.
    if totals.rows != migration.rows and migration.rebuilt_at is None:
        log.error("rows and counts differ", extra={"migration": migration.id, "rows": migration.rows})
        return False
    return True


async def _try_to_assess(ports: Ports, profile: Profile, migration: Migration, totals: Totals) -> None:
    try:
        await assess_migration(ports, profile, migration, totals)
    except TryLater as later:
        log.info("assessment postponed", extra={"migration": migration.id, "cause": later.cause})
    except (Stop, Cannot) as stop:
        # What the directory refuses here, it refuses for the whole migration.
        reason, detail = stop.reason, stop.detail
        await ports.ledger.migrations.change(
            migration.authority,
            migration.id,
            lambda m: m if m.paused else pause_record(m, ports.clock.now(), reason, detail),
        )


def _waits_for_switch(ports: Ports, profile: Profile, migration: Migration, totals: Totals) -> bool:
    """Return True if customers will be notified as soon as a person confirms that the portal has switched."""
    waits = profile.plan.switch == "at-once" and migration.switched_at is None and ports.notifier is not None
    return waits and bool(profile.messages.templates) and bool(totals.in_state(State.PROVISIONED))


async def _publish_rest(
    ports: Ports, migration: Migration, totals: Totals, says: Mapping[str, str], until: datetime, *, waits: bool
) -> None:
    fingerprint = hashlib.sha256("".join(says.values()).encode()).hexdigest()
    if migration.paused:
        return
    if not totals.resting:
        # Somebody replayed an account of a migration that was done.
        await ports.ledger.migrations.change(migration.authority, migration.id, _reopen_migration)
        return
    told, phase = migration.published, Phase.DONE
    if told != fingerprint:
        told, phase = await _publish_shards(ports, migration, totals, says, until, fingerprint)

    phase = Phase.RUNNING if waits else phase

    def end_migration(current: Migration) -> Migration:
        # What changed since it was counted is counted again first: a replay may just have reopened it.
        if current != migration:
            return current
        if current.phase is Phase.CANCELLED:
            return replace(current, published=told)
        ended = current.done_at if current.phase is Phase.DONE else ports.clock.now()
        return replace(current, published=told, phase=phase, done_at=ended if phase is Phase.DONE else None)

    await ports.ledger.migrations.change(migration.authority, migration.id, end_migration)


def _describe_shards(migration: Migration, totals: Totals, elsewhere: Sequence[Totals]) -> dict[str, str]:
    """Return a text for each shard that changes when any of its lines does.

    After a loss, all shards are written again.
    """
    since = f"{migration.rebuilt_at or ''}"
    return {
        shard: hashlib.sha256(f"{since}{own}{''.join(t.shards.get(shard, '') for t in elsewhere)}".encode()).hexdigest()
        for shard, own in totals.shards.items()
    }


async def _publish_shards(
    ports: Ports, migration: Migration, totals: Totals, says: Mapping[str, str], until: datetime, fingerprint: str
) -> tuple[str, Phase]:
    """Publish result.csv. Return its fingerprint, and the phase: open if more is to be published in the next round.

    If rows are gone, the next sweep tries again, because somebody may be in the middle of an erasure.
    """
    if migration.rows_lost:
        return fingerprint, Phase.DONE
    try:
        if await publish_result(ports, migration, totals, says, until):
            return fingerprint, Phase.DONE
    except RowsMissing:
        log.info("rows are gone: result.csv stays as it is", extra={"migration": migration.id})
        return migration.published, Phase.DONE
    except CountedAnew:
        log.info("accounts have changed: they are counted first", extra={"migration": migration.id})
    return migration.published, Phase.RUNNING


def _reopen_migration(migration: Migration) -> Migration:
    return replace(migration, phase=Phase.RUNNING) if migration.phase is Phase.DONE else migration


def _find_told_elsewhere(migration: Migration, sums: Mapping[str, Totals], migrations: Migrations) -> list[Totals]:
    """Return the finished counts of other exports on which rows of this one depend, because result.csv includes them.

    A newer export may have taken rows over. An unchanged row shows the state of the account of an older export.
    """
    own = sums[migration.id]
    taken_over = own.rows != migration.rows
    unchanged = any(outcome == Outcome.UNCHANGED for outcome, _, _ in own.settled)
    return [
        totals
        for key, totals in sums.items()
        if totals.resting
        and (
            (taken_over and migrations[key].uploaded_at > migration.uploaded_at)
            or (unchanged and migrations[key].uploaded_at < migration.uploaded_at)
        )
    ]


async def _settle_poison(ports: Ports) -> None:
    """Messages in poison without a recorded failure: the host died over them, not the content."""
    for queue in (names.CLASSIFY_ACCOUNT, names.PROVISION_ACCOUNT, names.NOTIFY_CUSTOMER):
        if await ports.outbox.depth(names.poison_of(queue)):
            for poison in await ports.outbox.poisoned(queue, peek=True):
                if isinstance(poison.message, AccountMessage):
                    await _record_host_loss(ports, poison.message)


async def _record_host_loss(ports: Ports, message: AccountMessage) -> None:
    stored = await ports.ledger.accounts.get(message.partition, message.account)
    if stored is None or message.release <= stored.record.host_loss_release:
        return
    account = stored.record
    if account.state not in MOVING | {State.PROVISIONED} or account.due_at is None:
        return
    now = ports.clock.now()
    account = replace(account, host_losses=account.host_losses + 1, host_loss_release=message.release)
    if account.host_losses >= MAX_HOST_LOSSES:
        changed: tuple[Account, Change | None] = apply_event(account, Event.FAIL, now, "host_lost")
    elif account.release == message.release:
        changed = return_to_waiting(account, now)
    else:
        changed = (account, None)
    try:
        await ports.ledger.accounts.save(stored, *changed)
    except StaleWrite:
        return
    if changed[1] is not None:
        progress.count_change(changed[0], changed[1])
