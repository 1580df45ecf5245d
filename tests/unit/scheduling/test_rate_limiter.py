"""What one worker learns holds all of them: slots, throttlings, and how full the directory is."""

import asyncio
import json
from datetime import datetime, timedelta

import pytest

from shared import names
from shared.adapters.storage.table_ledger import open_ledger
from shared.errors import Throttled
from shared.model.account import Authority, release_account
from shared.model.lifecycle import State
from shared.model.migration import Phase
from shared.model.pacing.held_slots import Ahead
from shared.model.pacing.rate_limit import FIRST_RETRY_DELAY, READ, WRITE, Limiter, Pace, Quota, Quotas, message_limiter
from shared.operations import control
from shared.scheduling.rate_limiter import HORIZON, record_throttling, reserve_slots
from shared.scheduling.release_accounts import KEPT_SLOT_TIME, release_accounts
from tests.support.stories import settle
from tests.support.world import GREAT_YARMOUTH, SOUTH_NORFOLK, World, export, line

YARMOUTH = "AccountNo;E-mail;Forename;Surname;Verified;State;Opened;LastSeen;Postcode"


async def _until(world: World, queue: str, *lines: str) -> None:
    """Let everything happen but what waits in this queue."""
    await world.upload(export(*lines))
    while not world.outbox.queues[queue]:
        await world.timers()
        await world.deliver_but(queue)
        world.clock.tick(timedelta(seconds=1))


async def _blocked(world: World) -> dict[Limiter, bool]:
    """Which lanes stand still."""
    found = {}
    for limiter in (WRITE, READ, message_limiter(SOUTH_NORFOLK), message_limiter(GREAT_YARMOUTH)):
        stored = await world.ledger.rate_limits.get(limiter)
        found[limiter] = stored is not None and stored.record.blocked_until > world.clock.now()
    return found


async def _pace(world: World, limiter: Limiter) -> Pace:
    stored = await world.ledger.rate_limits.get(limiter)
    assert stored is not None
    return stored.record


@pytest.mark.parametrize("queue", [names.CLASSIFY_ACCOUNT, names.PROVISION_ACCOUNT])
async def test_whichever_step_is_throttled_all_lanes_of_the_directory_stand_still(world: World, queue: str) -> None:
    await _until(world, queue, line("C1"))
    no = Throttled("directory_throttled", timedelta(minutes=3))
    (world.directory.fail_reads if queue == names.CLASSIFY_ACCOUNT else world.directory.fail).append(no)
    world.clock.tick(HORIZON)
    await world.deliver()
    assert list((await _blocked(world)).values()) == [True, True, False, False]
    await settle(world)
    assert {a.state for a in await world.accounts()} == {State.TOLD}


async def test_a_throttled_message_stops_the_messages_of_its_council_alone(world: World) -> None:
    await _until(world, names.NOTIFY_CUSTOMER, line("C1"))
    world.notifier.fail = [Throttled("message_service_throttled", timedelta(minutes=3))]
    await world.deliver()
    assert [limiter for limiter, still in (await _blocked(world)).items() if still] == [message_limiter(SOUTH_NORFOLK)]
    await settle(world)
    assert len(world.told) == 1


async def test_another_process_does_not_ask_while_everybody_waits(world: World) -> None:
    await _until(world, names.PROVISION_ACCOUNT, *(line(f"C{n}") for n in range(5)))
    world.ledger = open_ledger(world.tables, world.clock)  # a process that met no throttling itself
    await record_throttling(world.ports, [WRITE], timedelta(minutes=3))
    world.clock.tick(timedelta(seconds=30))
    await world.deliver()
    assert world.directory.writes == 0
    assert (await _pace(world, WRITE)).throttled == 1
    waiting = [account for account in await world.accounts() if account.state is State.CLASSIFIED]
    assert len(waiting) == 5
    await settle(world)
    assert world.directory.writes == 5


async def test_without_a_time_to_wait_the_wait_grows(world: World) -> None:
    waits = []
    for _ in range(3):
        await record_throttling(world.ports, [WRITE], None)
        waits.append((await _pace(world, WRITE)).blocked_until - world.clock.now())
        world.clock.tick(waits[-1] + timedelta(seconds=1))
    assert waits == [FIRST_RETRY_DELAY, FIRST_RETRY_DELAY * 2, FIRST_RETRY_DELAY * 4]


async def test_two_feeders_at_once_never_give_away_the_same_slot() -> None:
    quota = Quota(10, timedelta(seconds=10), 1.0)
    world = World(quotas=Quotas(write=quota))
    found = await asyncio.gather(*(reserve_slots(world.ports, WRITE, [1] * 20) for _ in range(6)))
    given = sorted(slot for each in found for slot in each)
    assert len(given) == 69  # 9 at once, 60 in the horizon: the first second gains nothing
    assert given[:9] == [world.clock.now()] * 9
    assert len(set(given[9:])) == 60


async def test_what_somebody_else_uses_slows_our_writes_and_only_what_changes_is_written(world: World) -> None:
    await _until(world, names.PROVISION_ACCOUNT, *(line(f"C{n}") for n in range(5)))
    world.directory.full = 0.95
    before = await world.ledger.rate_limits.get(WRITE)
    await world.deliver()
    eased = await world.ledger.rate_limits.get(WRITE)
    assert before
    assert eased
    assert before.record.stretched_until is None
    assert eased.record.stretch > 1
    assert eased.record.stretched_until == world.clock.now() + world.quotas.write.window
    await settle(world)
    assert {a.state for a in await world.accounts()} == {State.TOLD}


async def test_what_our_own_pace_explains_slows_nobody(world: World) -> None:
    await _until(world, names.PROVISION_ACCOUNT, line("C1"))
    await reserve_slots(world.ports, WRITE, [1] * 5000)
    world.directory.full = 0.98
    before = await world.ledger.rate_limits.get(WRITE)
    await world.deliver()
    assert await world.ledger.rate_limits.get(WRITE) == before


async def test_two_councils_get_their_slots_in_turns_from_the_first_on() -> None:
    world = World(quotas=Quotas(write=Quota(10, timedelta(seconds=10), 1.0)))
    await world.upload(export(*(line(f"C{n}") for n in range(200))))
    few = "\r\n".join([YARMOUTH, *(f"Y{n};y{n}@example.org;Ada;Example;Yes;Open;;;" for n in range(12))])
    await world.upload(few.encode(), "great-yarmouth/a.csv")
    await record_throttling(world.ports, [WRITE], timedelta(minutes=30))
    while {m.phase for m in await world.migrations()} != {Phase.RUNNING}:
        await world.timers()
        await world.deliver()
        world.clock.tick(timedelta(seconds=1))
    world.clock.tick(timedelta(minutes=30, seconds=10))
    assert await release_accounts(world.ports) == 69  # 9 at once, 60 in the horizon: the first second gains nothing
    queued = sorted(world.outbox.queues[names.PROVISION_ACCOUNT], key=lambda item: item.visible_at)
    councils = [json.loads(item.body)["authority"] for item in queued]
    # The first ten share the free burst, so they are due at the same moment.
    assert councils[:10].count(SOUTH_NORFOLK) == councils[:10].count(GREAT_YARMOUTH)
    assert all({councils[at], councils[at + 1]} == {SOUTH_NORFOLK, GREAT_YARMOUTH} for at in range(10, 24, 2))
    assert set(councils[24:]) == {SOUTH_NORFOLK}


def _few(number: int) -> bytes:
    rows = (f"Y{n};y{n}@example.org;Ada;Example;Yes;Open;;;" for n in range(number))
    return "\r\n".join([YARMOUTH, *rows]).encode()


async def _moments(world: World) -> dict[Authority, list[datetime]]:
    """The slots of each council that are still to come."""
    found: dict[Authority, list[datetime]] = {SOUTH_NORFOLK: [], GREAT_YARMOUTH: []}
    for authority, there in found.items():
        for account in await world.accounts(authority):
            if account.state is State.RELEASED and account.due_at is not None:
                there.append(account.due_at)
    return {authority: sorted(there) for authority, there in found.items()}


async def _one_has_the_whole_horizon() -> World:
    """South Norfolk has all slots until the horizon; then Great Yarmouth is ready."""
    world = World(quotas=Quotas(write=Quota(10, timedelta(seconds=10), 1.0)))
    await world.upload(export(*(line(f"C{n}") for n in range(200))))
    await record_throttling(world.ports, [WRITE], timedelta(minutes=30))
    await _until_running(world, 1)
    await world.upload(_few(40), "great-yarmouth/a.csv")
    await _until_running(world, 2)
    yarmouth = next(m for m in await world.migrations() if m.authority == GREAT_YARMOUTH)
    await control.pause_by_person(world.ports, GREAT_YARMOUTH, yarmouth.id, "ann")
    world.clock.tick(timedelta(minutes=30, seconds=10))
    await release_accounts(world.ports)
    await control.resume_by_person(world.ports, GREAT_YARMOUTH, yarmouth.id, "ann")
    return world


async def _until_running(world: World, number: int) -> None:
    while [m.phase for m in await world.migrations()] != [Phase.RUNNING] * number:
        await world.timers()
        await world.deliver()
        world.clock.tick(timedelta(seconds=1))


async def test_a_newcomer_gets_its_share_of_what_another_council_holds_already() -> None:
    world = await _one_has_the_whole_horizon()
    before = await _moments(world)
    assert before[GREAT_YARMOUTH] == []
    pace = await _pace(world, WRITE)
    await release_accounts(world.ports)
    after = await _moments(world)
    soon = world.clock.now() + KEPT_SLOT_TIME
    assert sum(at <= soon for at in after[GREAT_YARMOUTH]) == 0
    later = [sum(at > soon for at in after[council]) for council in (SOUTH_NORFOLK, GREAT_YARMOUTH)]
    assert abs(later[0] - later[1]) <= 1
    # Nothing more is asked of the directory: the same slots have changed hands.
    assert sorted(after[SOUTH_NORFOLK] + after[GREAT_YARMOUTH]) == before[SOUTH_NORFOLK]
    assert await _pace(world, WRITE) == pace
    # At once and all along, not when the other council is done.
    half = soon + (before[SOUTH_NORFOLK][-1] - soon) / 2
    assert abs(sum(soon < at <= half for at in after[GREAT_YARMOUTH]) - later[1] / 2) <= 2
    await release_accounts(world.ports)
    assert await _moments(world) == after
    await settle(world)
    assert {a.state for authority in after for a in await world.accounts(authority)} == {State.TOLD}
    assert len(world.told) == len(set(world.told)) == 240
    assert world.errors == []


async def test_a_process_that_gave_nothing_away_takes_nothing_back() -> None:
    """What it knows is a hint: another instance leaves the slots where they are."""
    world = await _one_has_the_whole_horizon()
    before = await _moments(world)
    world.ahead = Ahead()
    await release_accounts(world.ports)
    assert await _moments(world) == before
    await settle(world)
    assert len(world.told) == len(set(world.told)) == 240


async def test_what_was_begun_meanwhile_keeps_its_slot() -> None:
    world = await _one_has_the_whole_horizon()
    for account in await world.accounts():
        stored = await world.ledger.accounts.get(account.partition, account.id)
        if stored is None or account.due_at is None:
            continue
        await world.ledger.accounts.save(
            stored, release_account(account, account.due_at + timedelta(seconds=1), account.epoch), None
        )
    before = await _moments(world)
    await release_accounts(world.ports)
    assert await _moments(world) == before
