"""release-accounts (timer): feed the per-account queues from the gate, a little ahead.

Queues stay shallow, so that a pause bites at once: what is not released yet waits in the table. Two questions, kept
apart: which lines of accounts may be released at all (`_lines`, `_waiting`), and who of them gets which slot (`_feed`).
Slots come from the lane of the step (`lanes`), which all instances share.
"""

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from shared.domain.account import SHARDS, Account, Change, apply, released
from shared.domain.fair import allot, in_turns
from shared.domain.gate import Step, due
from shared.domain.lifecycle import Event, State
from shared.domain.migration import Migration, Phase
from shared.domain.pace import LOOK, LOOK_AGAIN, Lane
from shared.domain.profile import Profile
from shared.messages import for_step
from shared.ports import Ports, Stored
from shared.steps.key import KEY_CHANGED, key_changed
from shared.steps.lanes import free, lane_of, slots
from shared.steps.lost import torn
from shared.steps.pause import pause

AHEAD: Final = 1200
"""Messages that a per-account queue holds at most: about the writes of a minute, which is the horizon."""
AT_ONCE: Final = 16
STEP: Final[Mapping[State, Step]] = {
    State.STAGED: Step.CLASSIFY,
    State.CLASSIFIED: Step.PROVISION,
    State.PROVISIONED: Step.NOTIFY,
}
"""What accounts wait for."""


@dataclass(frozen=True, slots=True)
class Line:
    """Accounts of one migration and state, which stand in line for their step."""

    profile: Profile
    migration: Migration
    state: State

    @property
    def step(self) -> Step:
        """For which they wait."""
        return STEP[self.state]

    @property
    def lane(self) -> Lane:
        """In which their slots are."""
        return lane_of(self.step, self.migration.authority)


async def release_accounts(ports: Ports) -> int:
    """Give accounts their moments; returns how many."""
    lines = await _lines(ports)
    if not lines:
        return 0
    if await key_changed(ports):
        for authority, migration in {(line.migration.authority, line.migration.id) for line in lines}:
            await pause(ports, authority, migration, KEY_CHANGED)
        return 0
    # What is furthest on goes first: its customer waits longest.
    steps = (Step.NOTIFY, Step.PROVISION, Step.CLASSIFY)
    return sum([await _feed(ports, step, [line for line in lines if line.step is step]) for step in steps])


async def _lines(ports: Ports) -> list[Line]:
    """The lines of all migrations that may move."""
    return [
        Line(profile, migration, state)
        for profile in ports.profiles.values()
        if not await torn(ports, profile.authority)
        async for migration in ports.ledger.migrations(profile.authority)
        if migration.phase in {Phase.CLASSIFYING, Phase.RUNNING} and not migration.paused
        for state in _states(ports, profile, migration)
    ]


def _states(ports: Ports, profile: Profile, migration: Migration) -> list[State]:
    """The states in which the gate may have something for accounts of this migration."""
    made_again = [State.STAGED] if migration.rebuilt_at is not None else []
    if migration.phase is Phase.CLASSIFYING:
        return made_again if migration.superseded_by else [State.STAGED]
    states = [State.PROVISIONED] if ports.notifier is not None else []
    if migration.superseded_by:
        return states + made_again
    may_move = profile.plan.approval == "automatic" and not migration.waits_for_canary
    return [*states, *([State.CLASSIFIED] if may_move else []), State.STAGED]


async def _shards(ports: Ports, migration: Migration, state: State) -> list[str]:
    """The shards in which the last visit of the walk saw such accounts, or that it has not visited yet."""
    # What is released may be postponed, and is classified again then.
    such = {State.CLASSIFIED, State.RELEASED} if state is State.CLASSIFIED else {state}
    seen = {summary.shard: summary for summary in await ports.ledger.summaries(migration.authority, migration.id)}
    return [shard for shard in SHARDS if shard not in seen or any(was in such for _, was, _ in seen[shard].accounts)]


async def _waiting(ports: Ports, line: Line, most: int) -> list[Stored[Account]]:
    """The first of a line who may have their moment now, spread over the shards."""
    # Nobody whose time is still to come: a slot that is used later would fall together with somebody else's.
    now = ports.clock.now()
    each = most // len(SHARDS) + 1
    found: list[Stored[Account]] = []
    for shard in await _shards(ports, line.migration, line.state) if most else ():
        of = (line.migration.id, line.state)
        async for stored in ports.ledger.waiting(line.profile.authority, shard, of, now, each):
            answer = due(stored.record, line.migration, line.profile, messages_on=ports.notifier is not None)
            if answer.step is line.step and answer.at is not None and answer.at <= now:
                found.append(stored)
    return found[:most]


async def _feed(ports: Ports, step: Step, lines: Sequence[Line]) -> int:
    """Give the lines of one step their slots: an equal part of the room each, one after the other."""
    room = max(AHEAD - await ports.outbox.depth(step.value), 0) if lines else 0
    if not room:
        return 0
    free_in = {lane: await free(ports, lane, room) for lane in {line.lane for line in lines}}
    waiting = [await _waiting(ports, line, free_in[line.lane]) for line in lines]
    first = int(ports.jitter() * len(lines)) % len(lines)
    parts = allot(room, [len(each) for each in waiting], first)
    order = in_turns(
        [
            [(line.lane, stored) for stored in each[:part]]
            for line, each, part in zip(lines, waiting, parts, strict=True)
        ],
        first,
    )
    by_lane: dict[Lane, list[Stored[Account]]] = defaultdict(list)
    for lane, stored in order:
        by_lane[lane].append(stored)
    return sum([await _release(ports, step, lane, accounts) for lane, accounts in by_lane.items()])


async def _release(ports: Ports, step: Step, lane: Lane, waiting: Sequence[Stored[Account]]) -> int:
    """Release as many of them as there are slots."""
    given = await slots(ports, lane, [_cost(stored.record) for stored in waiting])
    now = ports.clock.now()
    changes: list[tuple[Stored[Account], Account, Change | None]] = []
    for stored, slot in zip(waiting, given, strict=False):
        account, change = stored.record, None
        if account.state is State.CLASSIFIED:
            account, change = apply(account, Event.RELEASE, now)
        changes.append((stored, released(account, slot), change))
    saved = await ports.ledger.save_all(changes)
    await _send(ports, step, saved, now)
    return len(saved)


def _cost(account: Account) -> int:
    """What an account takes of its lane: resource units where it is classified, else one request."""
    if account.state is not State.STAGED:
        return 1
    looked_before = account.classified_at is not None or account.lost_since is not None
    return LOOK_AGAIN if looked_before else LOOK


async def _send(ports: Ports, step: Step, accounts: Sequence[Account], now: datetime) -> None:
    gate = asyncio.Semaphore(AT_ONCE)

    async def send(account: Account) -> None:
        async with gate:
            delay = max((account.moment or now) - now, timedelta(0))
            await ports.outbox.send(for_step(step, account), delay)

    await asyncio.gather(*(send(account) for account in accounts))


def back_to_waiting(account: Account, now: datetime) -> tuple[Account, Change | None]:
    """An account whose message was lost, as it was before its release: the feeder gives it a new moment."""
    if account.state is State.RELEASED:
        back, change = apply(account, Event.POSTPONE, now, account.reason)
        return replace(back, not_before=now), change
    return replace(account, moment=None, not_before=now), None
