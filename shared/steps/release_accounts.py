"""release-accounts (timer): feed the per-account queues from the gate, a little ahead.

Queues stay shallow, so that a pause bites at once: what is not released yet waits in the table. Provisioning gets its
moments from the directory's write quota, which all instances share through one row.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

from shared.domain.account import SHARDS, Account, Change, apply, released
from shared.domain.gate import Step, due
from shared.domain.lifecycle import Event, State
from shared.domain.lines import Line, lines
from shared.domain.migration import Migration, Phase
from shared.domain.pace import Pace, blocked, take
from shared.domain.profile import Profile
from shared.messages import for_step
from shared.ports import Ports, Stored
from shared.steps.key import KEY_CHANGED, key_changed
from shared.steps.lost import torn
from shared.steps.pause import pause

HORIZON: Final = timedelta(seconds=30)
AHEAD: Final = 1000
"""Messages that a per-account queue holds at most."""
AT_ONCE: Final = 16
AT_WORK: Final = frozenset({Phase.CLASSIFYING, Phase.ASSESSED, Phase.RUNNING})

type Waiting = tuple[Stored[Account], datetime]


async def release_accounts(ports: Ports) -> int:
    """Give accounts their moments; returns how many."""
    moving = [
        (profile, migration)
        for profile in ports.profiles.values()
        if not await torn(ports, profile.authority)
        async for migration in ports.ledger.migrations(profile.authority)
        if migration.phase in AT_WORK and not migration.paused
    ]
    if not moving:
        return 0
    if await key_changed(ports):
        for _, migration in moving:
            await pause(ports, migration.authority, migration.id, KEY_CHANGED)
        return 0
    room = {step: max(AHEAD - await ports.outbox.depth(step.value), 0) // len(moving) for step in Step}
    count = 0
    for profile, migration in moving:
        before = ports.clock.now() + HORIZON
        for step, line in lines(migration, profile, before, messages_on=ports.notifier is not None):
            waiting = await _waiting(ports, profile, migration, step, line, room[step])
            count += await _release(ports, step, waiting, migration.epoch)
    return count


async def _shards(ports: Ports, migration: Migration, state: State) -> list[str]:
    """The shards in which the last visit of the walk saw such accounts, or that it has not visited yet."""
    # What is released may be postponed, and is classified again then.
    such = {State.CLASSIFIED, State.RELEASED} if state is State.CLASSIFIED else {state}
    seen = {summary.shard: summary for summary in await ports.ledger.summaries(migration.authority, migration.id)}
    return [shard for shard in SHARDS if shard not in seen or any(was in such for _, was, _ in seen[shard].accounts)]


async def _waiting(
    ports: Ports, profile: Profile, migration: Migration, step: Step, line: Line, room: int
) -> list[Waiting]:
    """Accounts of one line for which its step is due by the horizon, spread over the shards."""
    if not room:
        return []
    before = ports.clock.now() + HORIZON
    each = room // len(SHARDS) + 1
    found: list[Waiting] = []
    for shard in await _shards(ports, migration, line.state):
        async for stored in ports.ledger.waiting(migration.place, shard, line, before, each):
            answer = due(stored.record, migration, profile, messages_on=ports.notifier is not None)
            if answer.step is step and answer.at is not None and answer.at <= before:
                found.append((stored, answer.at))
    return found[:room]


async def _release(ports: Ports, step: Step, waiting: Sequence[Waiting], epoch: int) -> int:
    now = ports.clock.now()
    if not waiting:
        return 0
    slots = await _slots(ports, len(waiting)) if step is Step.PROVISION else [now] * len(waiting)
    changes: list[tuple[Stored[Account], Account, Change | None]] = []
    for (stored, not_before), slot in zip(waiting, slots, strict=False):
        account, change = stored.record, None
        if step is Step.PROVISION and account.state is State.CLASSIFIED:
            account, change = apply(account, Event.RELEASE, now)
        changes.append((stored, released(account, max(slot, not_before), epoch), change))
    saved = await ports.ledger.save_all(changes)
    await _send(ports, step, saved, now)
    return len(saved)


async def _send(ports: Ports, step: Step, accounts: Sequence[Account], now: datetime) -> None:
    gate = asyncio.Semaphore(AT_ONCE)

    async def send(account: Account) -> None:
        async with gate:
            delay = max((account.moment or now) - now, timedelta(0))
            await ports.outbox.send(for_step(step, account), delay)

    await asyncio.gather(*(send(account) for account in accounts))


async def _slots(ports: Ports, count: int) -> list[datetime]:
    """Places in the write quota; saved before they are used, so that two feeders never give away the same one."""
    while True:
        stored = await ports.ledger.pace()
        now = ports.clock.now()
        pace, slots = take(stored.record if stored else _idle(), ports.quota, count, now, HORIZON)
        if not slots or await ports.ledger.save_pace(stored, pace):
            return slots


async def throttle(ports: Ports, wait: timedelta) -> None:
    """The directory throttled us: nobody gets a slot before `wait` is over."""
    while True:
        stored = await ports.ledger.pace()
        until = ports.clock.now() + wait
        before = stored.record if stored else _idle()
        if before.blocked_until >= until:
            return
        if await ports.ledger.save_pace(stored, blocked(before, ports.quota, until)):
            return


def _idle() -> Pace:
    long_ago = datetime(2000, 1, 1, tzinfo=UTC)
    return Pace(long_ago, long_ago)


def back_to_waiting(account: Account, now: datetime) -> tuple[Account, Change | None]:
    """An account whose message was lost, as it was before its release: the feeder gives it a new moment."""
    if account.state is State.RELEASED:
        back, change = apply(account, Event.POSTPONE, now, account.reason)
        return replace(back, not_before=now), change
    return replace(account, moment=None, not_before=now), None
