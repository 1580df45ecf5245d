"""Leaving people alone whose accounts have begun already."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest

from shared import names
from shared.adapters.memory import MemoryDirectory
from shared.adapters.storage.records.accounts import TableAccounts
from shared.intake.apply_suppressions import STOPPABLE, apply_suppressions
from shared.model.account import Account, AccountId, Change, DirectoryId
from shared.model.lifecycle import State
from shared.model.profile import Profile
from shared.ports import NewUser, Stored
from tests.support.stories import settle
from tests.support.watched import is_effect, watched
from tests.support.world import RUNS, SOUTH_NORFOLK, HostDiedError, World, export, line

DECEASED = "excluded_deceased"
EFFECTS = 3
"""The list, the account, its address."""


async def _begun(world: World, queue: str = names.CLASSIFY_ACCOUNT) -> Account:
    """One customer, whose account waits in a queue."""
    await world.upload(export(line("C1")))
    while not world.outbox.queues[queue]:
        await world.timers()
        await world.deliver_but(queue)
        world.clock.tick(timedelta(seconds=10))
    return (await world.accounts())[0]


async def _leave_alone(world: World, account: AccountId, reason: str = DECEASED) -> None:
    await apply_suppressions(world.ports, await world.migration(), {account: reason})


async def _put(world: World, state: State, reason: str = "") -> Account:
    account = await _begun(world)
    stored = await world.ledger.accounts.get(SOUTH_NORFOLK, account.id)
    assert stored
    return (await world.ledger.accounts.save(stored, replace(account, state=state, reason=reason), None)).record


async def _now(world: World) -> Account:
    return (await world.accounts())[0]


@pytest.mark.parametrize("state", sorted(STOPPABLE))
async def test_whoever_was_not_told_yet_is_held(world: World, state: State) -> None:
    account = await _put(world, state, "names_differ" if state is State.REVIEW else "")
    await _leave_alone(world, account.id)
    held = await _now(world)
    assert (held.state, held.reason, held.due_at) == (State.HELD, DECEASED, None)
    assert await world.ledger.addresses.list_accounts(SOUTH_NORFOLK, held.address_key) == []
    [*_, last] = await world.ledger.accounts.list_history(SOUTH_NORFOLK, account.id)
    assert (last.state, last.reason) == (State.HELD, DECEASED)


@pytest.mark.parametrize("state", sorted(set(State) - STOPPABLE))
async def test_whoever_was_told_or_is_held_stays_so(world: World, state: State) -> None:
    before = await _put(world, state, "discarded")
    await _leave_alone(world, before.id)
    assert await _now(world) == before
    assert await world.ledger.suppressions.list_shard(SOUTH_NORFOLK, before.shard) == {before.id: DECEASED}


async def test_whoever_has_no_account_is_noted(world: World) -> None:
    account = await _begun(world)
    stranger = AccountId("a0" + "1" * 39)
    await _leave_alone(world, stranger)
    assert await world.ledger.suppressions.list_shard(SOUTH_NORFOLK, "0") == {stranger: DECEASED}
    assert await _now(world) == account


async def test_whoever_was_created_is_not_told(world: World) -> None:
    account = await _begun(world, names.NOTIFY_CUSTOMER)
    await _leave_alone(world, account.id)
    await settle(world)
    assert (world.directory.writes, world.told) == (1, [])
    assert (await world.result())["C1"]["reason"] == DECEASED
    # The address is the created user's, and stays known.
    assert await world.ledger.addresses.list_accounts(SOUTH_NORFOLK, account.address_key) == [account.id]


async def test_taken_off_the_list_an_account_stays_held_until_an_export_brings_it(world: World) -> None:
    account = await _begun(world)
    await _leave_alone(world, account.id)
    await _leave_alone(world, account.id, "")
    await settle(world)
    assert ((await _now(world)).state, world.told) == (State.HELD, [])
    assert await world.ledger.suppressions.list_shard(SOUTH_NORFOLK, account.shard) == {}
    await world.upload(export(line("C1")), "south-norfolk/b.csv")
    await settle(world)
    assert ((await _now(world)).state, world.told) == (State.TOLD, ["c1@example.org"])


async def test_a_create_in_flight_is_neither_recorded_nor_told_and_its_mark_is_looked_for(world: World) -> None:
    account = await _begun(world, names.PROVISION_ACCOUNT)
    world.directory = Listed(world.clock, meanwhile=lambda: _leave_alone(world, account.id))
    [item] = world.outbox.queues[names.PROVISION_ACCOUNT]
    await RUNS[names.PROVISION_ACCOUNT](world.ports, item.body, 1)
    held = await _now(world)
    assert (held.state, held.reason, held.begun_before, world.directory.writes) == (State.HELD, DECEASED, True, 1)
    await settle(world)
    assert (await _now(world), world.told, world.directory.writes) == (held, [], 1)


@dataclass
class Listed(MemoryDirectory):
    """The list comes while the directory creates."""

    meanwhile: Callable[[], Awaitable[None]] = field(kw_only=True)

    async def create(self, profile: Profile, user: NewUser) -> DirectoryId:
        made = await super().create(profile, user)
        await self.meanwhile()
        return made


class Contended(TableAccounts):
    """Somebody else changes the account just before the first save."""

    faster = True

    async def save(self, before: Stored[Account], account: Account, change: Change | None) -> Stored[Account]:
        if self.faster:
            self.faster = False
            await super().save(before, replace(before.record, tries=before.record.tries + 1), None)
        return await super().save(before, account, change)


async def test_who_was_faster_is_looked_at_again(world: World) -> None:
    account = await _begun(world)
    ledger = replace(world.ledger, accounts=Contended(world.tables))
    await apply_suppressions(replace(world.ports, ledger=ledger), await world.migration(), {account.id: DECEASED})
    held = await _now(world)
    assert (held.state, held.tries) == (State.HELD, 1)


async def _dying(world: World, account: AccountId, at: int, *, after: bool) -> int:
    """Leave alone, and die at this effect; returns how many effects there were."""
    effects = 0

    class Life:
        async def before(self, call: str) -> None:
            nonlocal effects
            effects += is_effect(call)
            if is_effect(call) and effects == at and not after:
                raise HostDiedError

        async def after(self, call: str) -> None:
            if is_effect(call) and effects == at and after:
                raise HostDiedError

    migration = await world.migration()
    with suppress(HostDiedError):
        await apply_suppressions(watched(world.ports, world.tables, Life()), migration, {account: DECEASED})
    return effects


@pytest.mark.parametrize("after", [False, True])
async def test_a_crash_at_any_effect_changes_nothing_in_the_end(after: bool) -> None:  # noqa: FBT001 - before or after
    for at in range(1, EFFECTS + 1):
        world = World()
        account = await _begun(world)
        assert await _dying(world, account.id, at, after=after) == at
        await _dying(world, account.id, 0, after=after)
        held = await _now(world)
        assert (held.state, held.reason) == (State.HELD, DECEASED)
        assert await world.ledger.addresses.list_accounts(SOUTH_NORFOLK, held.address_key) == []
        assert await world.ledger.suppressions.list_shard(SOUTH_NORFOLK, held.shard) == {held.id: DECEASED}
        history = await world.ledger.accounts.list_history(SOUTH_NORFOLK, held.id)
        assert [change.state for change in history].count(State.HELD) == 1
