"""Two plans of one council at a time: what one has begun is known to the other, and nobody falls between them."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, timedelta
from itertools import count

import pytest

from shared.adapters.memory import MemoryDirectory
from shared.adapters.storage.records.accounts import TableAccounts
from shared.errors import AnswerLost
from shared.intake.apply_suppressions import apply_suppressions
from shared.model.account import SHARDS, Account, AccountId, Change, DirectoryId
from shared.model.counts.summary import add_up_shards
from shared.model.lifecycle import State
from shared.model.migration import Migration, Phase
from shared.model.profile import Profile
from shared.operations import control
from shared.planning.adopt_accounts import adopt_shard
from shared.ports import NewUser, Ports
from shared.review.cases import assign_review
from tests.simulation.test_waves import day, planned, until, wave
from tests.support import timeless
from tests.support.losses import lose, make_again
from tests.support.plans import assessed, sign_all, signed
from tests.support.stories import LONG_AGO, check_end, populate, settle, small_export
from tests.support.world import SOUTH_NORFOLK, World, export, line

ROUNDS = 40
ROUND = timedelta(seconds=10)


async def _planned(world: World, name: str, *lines: str) -> Migration:
    await world.upload(export(*lines), f"south-norfolk/{name}.csv")
    migration = await assessed(world)
    assert migration.phase is Phase.ASSESSED
    world.clock.tick(ROUND)
    return migration


@dataclass
class _SilentDirectory(MemoryDirectory):
    """A directory that does what it is asked, does not answer, and does not show it yet."""

    async def create(self, profile: Profile, user: NewUser) -> DirectoryId:
        """Create, and show nothing."""
        created = await super().create(profile, user)
        self.hidden.add(created)
        raise AnswerLost("create")

    async def link(self, profile: Profile, user: DirectoryId, account: AccountId, customer_ref: str) -> bool:
        """Write, and show nothing."""
        await super().link(profile, user, account, customer_ref)
        self.hidden.add(user)
        raise AnswerLost("link")


async def _until_written(world: World) -> None:
    """Let the older plan write once, without ever knowing of it."""
    answering, silent = world.directory, _SilentDirectory(world.clock, _ids=count(100).__next__)
    silent.users = answering.users
    world.directory = silent
    for number in range(ROUNDS):
        await world.timers(number)
        await world.deliver()
        if silent.writes:
            break
        world.clock.tick(ROUND)
    world.directory = answering
    answering.hidden = silent.hidden


async def _a_create_without_a_record() -> None:
    world = World()
    signed(world)
    older = await _planned(world, "older", line("C1"))
    newer = await _planned(world, "newer", line("C1", email="mended@example.org"))
    await sign_all(world, older)
    await _until_written(world)
    await sign_all(world, newer)
    for number in range(ROUNDS):
        await world.timers(number)
        await world.deliver()
        world.clock.tick(ROUND / 4)
    world.directory.hidden.clear()
    await settle(world)
    assert len(world.directory.users) == 1
    assert (await world.result())["C1"]["reason"] == "changed_since_assessment"


def test_what_an_older_plan_created_without_knowing_is_not_created_again_with_another_address() -> None:
    timeless.run(_a_create_without_a_record())


async def _a_create_that_was_postponed() -> None:
    world = World()
    await world.upload(export(line("C1")), "south-norfolk/older.csv")
    await _until_written(world)
    await world.timers()
    assert [(a.state, a.done) for a in await world.accounts()] == [(State.CLASSIFIED, False)]
    await world.upload(export(line("C1", email="mended@example.org")), "south-norfolk/newer.csv")
    for number in range(10):
        await world.timers(number)
        await world.deliver()
        world.clock.tick(ROUND)
    world.directory.hidden.clear()
    await settle(world)
    assert len(world.directory.users) == 1
    assert (await world.result())["C1"]["reason"] == "changed_since_migrated"


def test_what_an_older_export_created_and_could_not_read_back_is_not_created_again_with_another_address() -> None:
    timeless.run(_a_create_that_was_postponed())


async def test_an_announcement_in_doubt_is_not_sent_again_by_a_newer_export() -> None:
    world = World()
    planned(world, wave("everybody", "rest", day(3)))
    await world.upload(export(line("C1")), "south-norfolk/older.csv")
    world.notifier.fail_after = [AnswerLost("send")]
    await until(world, day(2, 10))
    while not world.told:
        await until(world, (world.clock.now() + ROUND).replace(tzinfo=None), ROUND)
    [claimed] = await world.accounts()
    assert (claimed.state, claimed.claimed_at is None, claimed.announced_at) == (State.CLASSIFIED, False, None)
    planned(world, wave("everybody", "rest", day(4)), announce_days=2)
    await world.upload(export(line("C1")), "south-norfolk/newer.csv")
    await until(world, day(2, 11), 6 * ROUND)
    [announced] = await world.accounts()
    assert (announced.migration, announced.announced_at is None) == ((await world.migration()).id, False)
    assert announced.told_day == day(3).replace(tzinfo=UTC)
    assert world.told == ["c1@example.org"]


async def _a_link_without_a_record() -> None:
    world = World()
    signed(world)
    user = world.directory.local_user("x@example.org", "Ada", "Example", LONG_AGO)
    older = await _planned(world, "older", line("A1", email="x@example.org"))
    newer = await _planned(world, "newer", line("B1", email="x@example.org"))
    await sign_all(world, older)
    await _until_written(world)
    world.directory.hidden.clear()
    await sign_all(world, newer)
    await settle(world)
    assert world.directory.users[user.id].customer_refs == {SOUTH_NORFOLK: "A1"}
    assert (await world.result())["B1"]["state"] == State.REVIEW
    assert world.told == []


def test_whom_an_older_plan_joined_without_knowing_is_not_joined_to_somebody_else() -> None:
    timeless.run(_a_link_without_a_record())


async def test_a_slow_host_takes_nothing_back_from_a_newer_plan() -> None:
    world = World()
    signed(world)
    everybody = [line(f"C{number}") for number in range(20)]
    older = await _planned(world, "older", *everybody)
    newer = await _planned(world, "newer", *everybody)
    await sign_all(world, older)
    slow = await world.ledger.migrations.get(SOUTH_NORFOLK, older.id)
    await sign_all(world, newer)
    assert slow is not None
    while (now := await world.ledger.migrations.get(SOUTH_NORFOLK, newer.id)) and now.phase is Phase.ADOPTING:
        await adopt_shard(world.ports, world.profiles[SOUTH_NORFOLK], now)
    for piece in range(len(SHARDS)):
        await adopt_shard(world.ports, world.profiles[SOUTH_NORFOLK], replace(slow, piece=piece))
    await settle(world)
    assert len(world.told) == len(everybody)
    assert {account.migration for account in await world.accounts()} == {newer.id}


@dataclass
class _ListComesFirst:
    """Somebody comes on the list in the moment before the account is there."""

    world: World
    migration: Migration
    account: AccountId

    def wrap(self, ports: Ports) -> Ports:
        """The ports with such a ledger."""
        return replace(ports, ledger=replace(ports.ledger, accounts=_Accounts(self.world, self)))

    async def come(self) -> None:
        """Read the list."""
        ports = replace(self.world.ports, ledger=self.world.ledger)
        await apply_suppressions(ports, self.migration, {self.account: "excluded_other"})


class _Accounts(TableAccounts):
    def __init__(self, world: World, before: _ListComesFirst) -> None:
        super().__init__(world.tables)
        self._ledger = world.ledger
        self._before = before

    async def insert(self, accounts: Sequence[tuple[Account, Change]]) -> list[AccountId]:
        """Insert, after the list was read."""
        first = accounts[0][0]
        listed = await self._ledger.suppressions.list_shard(SOUTH_NORFOLK, first.shard)
        if first.id == self._before.account and not listed:
            await self._before.come()
        return await super().insert(accounts)


async def test_who_comes_on_the_list_while_a_plan_is_taken_over_is_left_alone() -> None:
    world = World()
    signed(world)
    migration = await _planned(world, "portal", line("C1"), line("C2"))
    account = world.ports.pseudonyms.account(SOUTH_NORFOLK, "C1")
    world.wrap = _ListComesFirst(world, migration, account).wrap
    await sign_all(world, migration)
    await settle(world)
    assert world.told == ["c2@example.org"]
    assert (await world.result())["C1"]["reason"] == "excluded_other"


@pytest.mark.parametrize("tables", [("Accounts",), ("Accounts", "Rows"), ()])
@pytest.mark.parametrize("piece", [0, 5, 15])
async def test_a_plan_whose_tables_are_lost_while_it_is_taken_over_is_signed_anew(
    piece: int, tables: tuple[str, ...]
) -> None:
    world = World()
    signed(world)
    before = populate(world)
    await world.upload(small_export())
    migration = await assessed(world)
    await sign_all(world, migration)
    while (now := await world.migration()).piece < piece or now.phase is not Phase.ADOPTING:
        await adopt_shard(world.ports, world.profiles[SOUTH_NORFOLK], now)
    lose(world, *tables)
    await make_again(world)
    again = await assessed(world)
    assert (again.phase, again.approved_at) == (Phase.ASSESSED, None)
    assert again.plan is not None
    assert again.plan.signatures == ()
    await sign_all(world, again)
    await settle(world)
    await check_end(world, before)


async def _taken_over_up_to(world: World, piece: int) -> None:
    while (now := await world.migration()).piece < piece:
        await adopt_shard(world.ports, world.profiles[SOUTH_NORFOLK], now)


async def test_whoever_had_left_the_draft_of_the_only_plan_when_it_was_cancelled_waits_for_nothing() -> None:
    world = World()
    signed(world)
    migration = await _planned(world, "portal", *(line(f"C{number}") for number in range(20)))
    await sign_all(world, migration)
    await _taken_over_up_to(world, 8)
    assert {account.state for account in await world.accounts()} == {State.CLASSIFIED}
    await control.cancel_by_person(world.ports, SOUTH_NORFOLK, migration.id, "ann")
    await settle(world)
    assert {(a.state, a.reason, a.begun_before) for a in await world.accounts()} == {(State.HELD, "cancelled", True)}
    assert {(row["state"], row["reason"]) for row in (await world.result()).values()} == {("held", "cancelled")}
    for account in await world.accounts():
        assert await world.ledger.addresses.list_accounts(SOUTH_NORFOLK, account.address_key) == []


@pytest.mark.parametrize("piece", [0, 8, 15])
async def test_a_plan_that_is_cancelled_while_it_is_taken_over_counts_every_row_once(piece: int) -> None:
    world = World()
    signed(world)
    new = [line(f"C{number}") for number in range(20)]
    moved = [line(f"M{number}") for number in range(10)]
    older = await _planned(world, "older", *moved)
    newer = await _planned(world, "newer", *new, *moved, line("X1"), line("X2"))
    await sign_all(world, older)
    await settle(world)
    assert len(world.told) == len(moved)
    named = {world.ports.pseudonyms.account(SOUTH_NORFOLK, ref): "excluded_other" for ref in ("X1", "X2")}
    await apply_suppressions(world.ports, newer, named)
    await sign_all(world, newer)
    await _taken_over_up_to(world, piece)
    await control.cancel_by_person(world.ports, SOUTH_NORFOLK, newer.id, "ann")
    await settle(world)
    assert len(world.told) == len(moved)
    over = await world.migration()
    assert {a.state for a in await world.accounts() if a.migration == over.id} <= {State.HELD}
    rows = await world.result(over)
    assert {(rows[f"C{n}"]["state"], rows[f"C{n}"]["reason"]) for n in range(20)} == {("held", "cancelled")}
    counted = add_up_shards(await world.ledger.summaries.list_all(SOUTH_NORFOLK, over.id))
    assert counted.rows == over.rows
    assert counted.states() == Counter(row["state"] for row in rows.values())
    for number in range(10):
        row = rows[f"M{number}"]
        gone_over = _shard(world, f"M{number}") < piece
        assert (row["outcome"], row["state"]) == (("unchanged", "told") if gone_over else ("create", "held"))
    assert world.errors == []


def _shard(world: World, ref: str) -> int:
    return SHARDS.index(world.ports.pseudonyms.account(SOUTH_NORFOLK, ref)[1])


async def test_who_decides_a_case_of_a_draft_still_does_when_its_plan_is_signed() -> None:
    world = World()
    signed(world)
    world.directory.local_user("v1@example.org", "Viktor", "Reviewed", LONG_AGO)
    case = line("V1", given="Vera", surname="Reviewed")
    await sign_all(world, await _planned(world, "older", case))
    await settle(world)
    newer = await _planned(world, "newer", case)
    which = ("names_differ", "identity team", "2026-12-01")
    assert await assign_review(world.ports, SOUTH_NORFOLK, newer.id, *which, "somebody") == 1
    await sign_all(world, newer)
    await settle(world)
    assert [(a.migration, a.owner, a.decide_by) for a in await world.accounts()] == [(newer.id, *which[1:])]


async def test_who_joined_late_stays_with_the_late_ones_in_every_plan_until_moved() -> None:
    world = World()
    waves = wave("rest", "rest", day(4)), wave("catch-up", "late", day(7))
    planned(world, *waves, approval="required")
    everybody = [line("C1"), line("C2")]
    await sign_all(world, await _planned(world, "one", *everybody))
    await until(world, day(4, 16), timedelta(hours=1))
    for name in ("two", "three"):
        migration = await _planned(world, name, *everybody, line("X1"))
        assert migration.plan is not None
        assert [(each.name, each.accounts) for each in migration.plan.waves] == [("rest", 0), ("catch-up", 1)]
        await sign_all(world, migration)
        await until(world, (world.clock.now() + timedelta(minutes=10)).replace(tzinfo=None), timedelta(minutes=1))
    assert len(world.directory.users) == len(everybody)
    await until(world, day(7, 12), timedelta(hours=1))
    assert [letter.change_date for letter in world.notifier.sent if letter.address == "x1@example.org"] == [
        "Saturday 7 March 2026",
        "",
    ]
