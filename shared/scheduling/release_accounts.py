"""release-accounts (timer): release accounts that the gate allows into the per-account queues, a little ahead.

Queues stay short, so that a pause works within seconds: an account that is not released yet waits in the table.
`_list_standing` and `_list_waiting` find the accounts that may be released. `_feed_step` decides which account gets
which slot. Slots come from the rate limiter of the step, which all instances share.
"""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import batched
from typing import Final

from shared.integrity.pseudonym_key import KEY_CHANGED, has_key_changed
from shared.integrity.table_loss import is_table_lost
from shared.model.account import SHARDS, Account, Change, apply_event, release_account
from shared.model.lifecycle import Event, State
from shared.model.messages import make_account_message
from shared.model.migration import Migration, Phase
from shared.model.pacing.held_slots import Held
from shared.model.pacing.rate_limit import LOOK_UP_UNITS, REPEATED_LOOK_UP_UNITS, Limiter
from shared.model.pacing.work_query import WorkQuery
from shared.model.profile import Profile
from shared.model.step import Step
from shared.ports import Ports, Stored
from shared.scheduling.pause import pause_migration
from shared.scheduling.rate_limiter import count_free_slots, find_rate_limit, reserve_slots
from shared.scheduling.rules.fair_share import allot_shares, compute_even_shares, interleave_lines, pick_evenly
from shared.scheduling.rules.gate import find_due_step
from shared.scheduling.rules.work_queries import list_work_queries

MAX_QUEUED_MESSAGES: Final = 1200
"""Messages that a per-account queue holds at most: about the writes of a minute, which is the horizon."""
PARALLEL_SENDS: Final = 16
ACCOUNTS_PER_RELEASE: Final = 64
"""How many accounts are given slots, saved and sent before the next ones."""
KEPT_SLOT_TIME: Final = timedelta(seconds=5)
"""A slot that comes this soon is not taken back, because its message is about to arrive."""
JUST_BEGUN: Final = timedelta(seconds=15)
"""How long after the start of a phase the timer looks each second for accounts to release."""
AT_WORK: Final = frozenset({Phase.CLASSIFYING, Phase.RUNNING})


@dataclass(frozen=True, slots=True)
class Standing:
    """A migration whose accounts wait for one step, and in which lines."""

    profile: Profile
    migration: Migration
    step: Step
    queries: tuple[WorkQuery, ...]

    @property
    def limiter(self) -> Limiter:
        """The rate limiter for the slots."""
        return find_rate_limit(self.step, self.migration.authority)


type Turn = tuple[Standing, Stored[Account], datetime]
"""An account of a migration, and its slot."""


async def release_accounts(ports: Ports) -> int:
    """Release accounts that may continue, each with a due time. Returns how many were released."""
    standing = await _list_standing(ports)
    if not standing:
        return 0
    if await has_key_changed(ports):
        for authority, migration in {(each.migration.authority, each.migration.id) for each in standing}:
            await pause_migration(ports, authority, migration, KEY_CHANGED)
        return 0
    # What is furthest on goes first: its customer waits longest.
    steps = (Step.NOTIFY, Step.PROVISION, Step.CLASSIFY)
    return sum([await _feed_step(ports, step, [each for each in standing if each.step is step]) for step in steps])


async def is_work_expected(ports: Ports) -> bool:
    """Return True if a migration has just begun a phase, so that its first accounts may be released any second."""
    since = ports.clock.now() - JUST_BEGUN
    for profile in ports.profiles.values():
        async for migration in ports.ledger.migrations.list_all(profile.authority):
            moves = migration.phase in AT_WORK | {Phase.STAGING} and not migration.paused
            if moves and migration.moved_at is not None and migration.moved_at > since:
                return True
    return False


async def _list_standing(ports: Ports) -> list[Standing]:
    """Return all migrations that may move, each with its work queries.

    A migration gets one share of the room, however many waves are open.
    """
    now = ports.clock.now()
    found: list[Standing] = []
    for profile in ports.profiles.values():
        if await is_table_lost(ports, profile.authority):
            continue
        async for migration in ports.ledger.migrations.list_all(profile.authority):
            if migration.phase not in AT_WORK or migration.paused:
                continue
            there = list_work_queries(migration, profile, now, messages_on=ports.notifier is not None)
            for step in Step:
                mine = tuple(query for towards, query in there if towards is step)
                found += [Standing(profile, migration, step, mine)] if mine else []
    return found


async def _list_shards(ports: Ports, migration: Migration, state: State) -> list[str]:
    """Return the shards where the last sweep saw accounts in this state, and those that were not swept yet."""
    # What is released may be postponed, and is classified again then.
    such = {State.CLASSIFIED, State.RELEASED} if state is State.CLASSIFIED else {state}
    seen = {
        summary.shard: summary for summary in await ports.ledger.summaries.list_all(migration.authority, migration.id)
    }
    return [shard for shard in SHARDS if shard not in seen or any(was in such for _, was, _ in seen[shard].accounts)]


async def _list_waiting(ports: Ports, standing: Standing, most: int) -> list[Stored[Account]]:
    """Return the first accounts that may be released now, spread over the shards."""
    # Nobody whose time is still to come: a slot that is used later would fall together with somebody else's.
    now, migration = ports.clock.now(), standing.migration
    each = most // len(SHARDS) + 1
    found: list[Stored[Account]] = []
    for query in standing.queries:
        for shard in await _list_shards(ports, migration, query.state) if len(found) < most else ():
            async for stored in ports.ledger.accounts.list_due(migration.partition, shard, query, now, each):
                answer = find_due_step(
                    stored.record, migration, standing.profile, messages_on=ports.notifier is not None
                )
                if answer.step is standing.step and answer.at is not None and answer.at <= now:
                    found.append(stored)
    return found[:most]


async def _feed_step(ports: Ports, step: Step, standing: Sequence[Standing]) -> int:
    """Give one step its slots: an equal part of the room for each migration, one after the other."""
    evened_out = await _even_out_slots(ports, standing) if step is Step.PROVISION else 0
    room = max(MAX_QUEUED_MESSAGES - await ports.outbox.depth(step.value), 0) if standing else 0
    if not room:
        return evened_out
    free_in = {limiter: await count_free_slots(ports, limiter, room) for limiter in {each.limiter for each in standing}}
    waiting = [await _list_waiting(ports, each, free_in[each.limiter]) for each in standing]
    first = int(ports.jitter() * len(standing)) % len(standing)
    parts = allot_shares(room, [len(each) for each in waiting], first)
    order = interleave_lines(
        [
            [(each, stored) for stored in there[:part]]
            for each, there, part in zip(standing, waiting, parts, strict=True)
        ],
        first,
    )
    by_limiter: dict[Limiter, list[tuple[Standing, Stored[Account]]]] = defaultdict(list)
    for each, stored in order:
        by_limiter[each.limiter].append((each, stored))
    return evened_out + sum(
        [await _release_waiting(ports, step, limiter, accounts) for limiter, accounts in by_limiter.items()]
    )


async def _release_waiting(
    ports: Ports, step: Step, limiter: Limiter, waiting: Sequence[tuple[Standing, Stored[Account]]]
) -> int:
    """Release as many of them as there are slots.

    Some at a time: a slot that passes while the others are saved would be used late, and a full bucket gives nothing
    for the time before.
    """
    count = 0
    for some in batched(waiting, ACCOUNTS_PER_RELEASE, strict=False):
        given = await reserve_slots(ports, limiter, [_compute_cost(stored.record) for _, stored in some])
        count += await _assign_slots(ports, step, [(*each, slot) for each, slot in zip(some, given, strict=False)])
        if len(given) < len(some):
            break
    return count


async def _assign_slots(ports: Ports, step: Step, turns: Sequence[Turn]) -> int:
    """Release these accounts for these slots. Returns how many, without those that another process changed."""
    now = ports.clock.now()
    changes: list[tuple[Stored[Account], Account, Change | None]] = []
    for standing, stored, slot in turns:
        account, change = stored.record, None
        if step is Step.PROVISION and account.state is State.CLASSIFIED:
            account, change = apply_event(account, Event.RELEASE, now)
        changes.append((stored, release_account(account, slot, standing.migration.epoch), change))
    saved = await ports.ledger.accounts.save_all(changes)
    await _send_messages(ports, step, saved)
    for account in saved if step is Step.PROVISION else ():
        if account.due_at is not None:
            ports.ahead.note(account.migration, account.epoch, Held(account.due_at, account.partition, account.id))
    return len(saved)


async def _even_out_slots(ports: Ports, standing: Sequence[Standing]) -> int:
    """Move slots from migrations that hold more to those that hold fewer. A later migration then need not wait long.

    The slots stay the same, so that the directory gets no more requests than planned. An account that loses its slot
    waits again, and its old message is void.
    """
    after = ports.clock.now() + KEPT_SLOT_TIME
    held = [ports.ahead.after(each.migration.id, each.migration.epoch, after) for each in standing]
    part = sum(map(len, held)) // max(len(standing), 1)
    waiting = [
        await _list_waiting(ports, each, part - len(there)) if len(there) < part else []
        for each, there in zip(standing, held, strict=True)
    ]
    fair = compute_even_shares([len(there) for there in held], [len(there) for there in waiting])
    free_again: list[datetime] = []
    for each, there, share in zip(standing, held, fair, strict=True):
        if share < len(there):
            given_up = pick_evenly(there, len(there) - share)
            ports.ahead.forget(each.migration.id, each.migration.epoch, given_up)
            free_again += await _release_slots(ports, given_up)
    takers = [
        [(each, stored) for stored in found[: share - len(there)]]
        for each, there, found, share in zip(standing, held, waiting, fair, strict=True)
        if share > len(there)
    ]
    turns = [(*taker, slot) for taker, slot in zip(interleave_lines(takers), sorted(free_again), strict=False)]
    return await _assign_slots(ports, Step.PROVISION, turns) if turns else 0


async def _release_slots(ports: Ports, slots_held: Sequence[Held]) -> list[datetime]:
    """Take accounts back to waiting. Return the slots that became free, of those that the accounts still held."""
    now = ports.clock.now()
    changes: list[tuple[Stored[Account], Account, Change | None]] = []
    found = await asyncio.gather(*(ports.ledger.accounts.get(each.partition, each.account) for each in slots_held))
    for each, stored in zip(slots_held, found, strict=True):
        if stored is not None and stored.record.state is State.RELEASED and stored.record.due_at == each.at:
            changes.append((stored, *return_to_waiting(stored.record, now)))
    saved = {account.id for account in await ports.ledger.accounts.save_all(changes)}
    return [each.at for each in slots_held if each.account in saved]


def _compute_cost(account: Account) -> int:
    """Return what an account costs its rate limiter: resource units for a comparison, else one request."""
    if account.state is not State.STAGED:
        return 1
    looked_before = account.classified_at is not None or account.tables_lost_at is not None
    return REPEATED_LOOK_UP_UNITS if looked_before else LOOK_UP_UNITS


async def _send_messages(ports: Ports, step: Step, accounts: Sequence[Account]) -> None:
    gate = asyncio.Semaphore(PARALLEL_SENDS)

    async def send(account: Account) -> None:
        async with gate:
            # From when it is sent: thousands take seconds, which would come on top of the slots of the last.
            now = ports.clock.now()
            delay = max((account.due_at or now) - now, timedelta(0))
            if step is Step.PROVISION:
                # A queue counts in whole seconds; what is left of one, the step waits itself.
                delay = timedelta(seconds=delay // timedelta(seconds=1))
            await ports.outbox.send(make_account_message(step, account), delay)

    await asyncio.gather(*(send(account) for account in accounts))


def return_to_waiting(account: Account, now: datetime) -> tuple[Account, Change | None]:
    """Return an account whose message was lost, as it was before its release. The feeder releases it again."""
    if account.state is State.RELEASED:
        back, change = apply_event(account, Event.POSTPONE, now, account.reason)
        return replace(back, not_before=now), change
    return replace(account, due_at=None, not_before=now), None
