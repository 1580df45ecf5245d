"""The ledger on both stores: every promise of the protocol."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

import pytest
from hypothesis import Phase as HypothesisPhase
from hypothesis import given, settings
from hypothesis import strategies as st

from shared import names
from shared.adapters.memory import ManualClock, MemoryTables
from shared.adapters.storage.azure_tables import AzureTables
from shared.adapters.storage.clients import Storage
from shared.adapters.storage.records.rows import PERSONAL_FREE
from shared.adapters.storage.records.singles import TIMER_FAILURE_CACHE_TIME
from shared.adapters.storage.store import Entity, Query, Store, Write
from shared.adapters.storage.table_ledger import open_ledger
from shared.errors import StaleWrite
from shared.model.account import (
    REFUSED,
    SHARDS,
    Account,
    AccountId,
    Authority,
    Change,
    Cohort,
    DirectoryId,
    MigrationId,
    apply_event,
)
from shared.model.counts.progress import Progress, Sample
from shared.model.counts.summary import ShardSummary
from shared.model.lifecycle import Event, Outcome, State
from shared.model.migration import Migration, Phase
from shared.model.pacing.rate_limit import READ, WRITE, Pace, message_limiter
from shared.model.pacing.work_query import WorkQuery
from shared.model.row import Row
from shared.model.safeguards.timer_failure import TimerFailure
from shared.ports import Ledger, Stored
from tests.contract import records
from tests.contract.records import (
    MIGRATION,
    NOW,
    ODD,
    SOUTH,
    YARMOUTH,
    a_change,
    a_migration,
    a_row,
    account_id,
    address_key,
    an_account,
)

USER = DirectoryId("00000000-0000-4000-8000-000000000001")


async def inserted(ledger: Ledger, *accounts: Account) -> list[Stored[Account]]:
    """These accounts, staged."""
    for account in accounts:
        assert await ledger.accounts.insert([(account, a_change())]) == []
    found = [await ledger.accounts.get(account.authority, account.id) for account in accounts]
    return [stored for stored in found if stored]


async def of_shard(ledger: Ledger, authority: Authority, shard: str = "0") -> list[AccountId]:
    return [stored.record.id async for stored in ledger.accounts.list_shard(authority, shard)]


async def tries(ledger: Ledger) -> int:
    found = await ledger.accounts.get(SOUTH, account_id(1))
    assert found
    return found.record.tries


async def listed[T](found: AsyncIterator[T]) -> list[T]:
    return [each async for each in found]


# migrations


async def test_a_migration_is_opened_once(ledger: Ledger) -> None:
    assert await ledger.migrations.get(SOUTH, MIGRATION) is None
    assert await ledger.migrations.insert(a_migration())
    assert not await ledger.migrations.insert(replace(a_migration(), phase=Phase.DONE))
    assert await ledger.migrations.get(SOUTH, MIGRATION) == a_migration()
    assert await ledger.migrations.get(YARMOUTH, MIGRATION) is None


async def test_migrations_come_oldest_first_and_one_authority_at_a_time(ledger: Ledger) -> None:
    for id_ in ("2026-03-02-b", "2026-03-02-a", "2025-12-31-c"):
        await ledger.migrations.insert(a_migration(id_))
    await ledger.migrations.insert(a_migration("2026-01-01-d", YARMOUTH))
    assert [m.id async for m in ledger.migrations.list_all(SOUTH)] == ["2025-12-31-c", "2026-03-02-a", "2026-03-02-b"]
    assert [m.id async for m in ledger.migrations.list_all(YARMOUTH)] == ["2026-01-01-d"]


async def test_uploads_of_nobody_we_know_are_kept_apart(ledger: Ledger) -> None:
    refused = replace(a_migration(authority=REFUSED), phase=Phase.REFUSED, reason="unknown_authority")
    await ledger.migrations.insert(refused)
    await ledger.migrations.insert(a_migration())
    assert await ledger.migrations.list_refused() == [refused]


async def test_a_change_of_a_migration_is_saved_and_returned(ledger: Ledger) -> None:
    await ledger.migrations.insert(a_migration())
    changed = await ledger.migrations.change(SOUTH, MIGRATION, lambda m: replace(m, phase=Phase.RUNNING, piece=3))
    assert (changed.phase, changed.piece) == (Phase.RUNNING, 3)
    assert await ledger.migrations.get(SOUTH, MIGRATION) == changed


async def test_what_is_set_to_nothing_again_is_nothing(ledger: Ledger) -> None:
    await ledger.migrations.insert(replace(a_migration(), paused_at=NOW, pause_reason="permission_missing"))
    await ledger.migrations.change(SOUTH, MIGRATION, lambda m: replace(m, paused_at=None, pause_reason=""))
    assert await ledger.migrations.get(SOUTH, MIGRATION) == a_migration()


async def test_a_migration_that_is_not_there_cannot_be_changed(ledger: Ledger) -> None:
    with pytest.raises(KeyError):
        await ledger.migrations.change(SOUTH, MIGRATION, lambda m: m)


async def test_no_change_of_a_migration_is_lost_to_another_at_the_same_time(ledger: Ledger) -> None:
    await ledger.migrations.insert(a_migration())
    one_more = [ledger.migrations.change(SOUTH, MIGRATION, lambda m: replace(m, row=m.row + 1)) for _ in range(6)]
    results = await asyncio.gather(*one_more)
    assert sorted(m.row for m in results) == [1, 2, 3, 4, 5, 6]
    found = await ledger.migrations.get(SOUTH, MIGRATION)
    assert found
    assert found.row == 6


async def test_a_migration_that_this_process_changes_is_recent_at_once(ledger: Ledger) -> None:
    assert await ledger.migrations.get_recent(SOUTH, MIGRATION) is None
    await ledger.migrations.insert(a_migration())
    assert await ledger.migrations.get_recent(SOUTH, MIGRATION) == a_migration()
    paused = await ledger.migrations.change(SOUTH, MIGRATION, lambda m: replace(m, paused_at=NOW))
    assert await ledger.migrations.get_recent(SOUTH, MIGRATION) == paused


# accounts


async def test_an_account_is_found_by_its_authority_and_id(ledger: Ledger) -> None:
    await inserted(ledger, an_account(1, "f"))
    found = await ledger.accounts.get(SOUTH, account_id(1, "f"))
    assert found
    assert found.record == an_account(1, "f")
    assert await ledger.accounts.get(SOUTH, account_id(2, "f")) is None
    assert await ledger.accounts.get(YARMOUTH, account_id(1, "f")) is None


async def test_a_save_keeps_account_and_history_together(ledger: Ledger) -> None:
    [before] = await inserted(ledger, an_account())
    classified, change = apply_event(before.record, Event.CLASSIFY, NOW)
    saved = await ledger.accounts.save(before, classified, change)
    found = await ledger.accounts.get(SOUTH, classified.id)
    assert saved == found
    assert await ledger.accounts.list_history(SOUTH, classified.id) == [a_change(), change]


async def test_a_history_that_outgrows_its_account_is_moved_and_read_whole(ledger: Ledger) -> None:
    [stored] = await inserted(ledger, an_account())
    written = [a_change()]
    for number in range(40):
        change = Change(NOW + timedelta(minutes=number), Event.HOLD, State.HELD, f"{number} " + "reason" * 200)
        account = replace(stored.record, changes=stored.record.changes + 1)
        stored = await ledger.accounts.save(stored, account, change)
        written.append(change)
    assert await ledger.accounts.list_history(SOUTH, stored.record.id) == written
    assert await ledger.accounts.get(SOUTH, stored.record.id) == stored
    assert await of_shard(ledger, SOUTH) == [stored.record.id]


async def test_what_a_save_takes_away_is_gone(ledger: Ledger) -> None:
    full = replace(an_account(), directory_id=DirectoryId("d"), due_at=NOW, evidence={"a": "b"}, outcome=Outcome.LINK)
    [stored] = await inserted(ledger, full)
    bare = replace(full, directory_id=None, due_at=None, evidence={}, outcome=None)
    await ledger.accounts.save(stored, bare, None)
    found = await ledger.accounts.get(SOUTH, full.id)
    assert found
    assert found.record == bare
    [seen] = [account async for account in ledger.accounts.list_projections(SOUTH, full.shard)]
    assert (seen.directory_id, seen.due_at, seen.outcome) == (None, None, None)


async def test_a_shard_tells_if_it_holds_an_account_in_a_state(ledger: Ledger) -> None:
    await inserted(ledger, an_account(1, "f"))
    holds = ledger.accounts.is_any_in_state
    assert await holds(SOUTH, "f", MIGRATION, (State.STAGED,))
    assert await holds(SOUTH, "f", MIGRATION, (State.CLASSIFIED, State.STAGED))
    assert not await holds(SOUTH, "f", MIGRATION, (State.CLASSIFIED,))
    assert not await holds(SOUTH, "e", MIGRATION, (State.STAGED,))
    assert not await holds(SOUTH, "f", MigrationId("another"), (State.STAGED,))


async def test_the_etag_of_a_save_is_good_for_the_next(ledger: Ledger) -> None:
    [stored] = await inserted(ledger, an_account())
    for number in range(1, 4):
        stored = await ledger.accounts.save(stored, replace(stored.record, tries=number), None)
    assert await tries(ledger) == 3
    assert await ledger.accounts.list_history(SOUTH, stored.record.id) == [a_change()]


async def test_a_save_of_what_somebody_else_changed_writes_nothing(ledger: Ledger) -> None:
    [before] = await inserted(ledger, an_account())
    classified, change = apply_event(before.record, Event.CLASSIFY, NOW)
    await ledger.accounts.save(before, classified, change)
    aside, late = apply_event(before.record, Event.SET_ASIDE, NOW, "several_identities")
    with pytest.raises(StaleWrite):
        await ledger.accounts.save(before, aside, late)
    with pytest.raises(StaleWrite):
        await ledger.accounts.save(before, aside, None)
    found = await ledger.accounts.get(SOUTH, classified.id)
    assert found
    assert found.record == classified
    assert await ledger.accounts.list_history(SOUTH, classified.id) == [a_change(), change]


async def test_of_two_saves_at_the_same_time_one_is_refused(ledger: Ledger) -> None:
    [before] = await inserted(ledger, an_account())
    saves = [ledger.accounts.save(before, replace(before.record, tries=number), None) for number in (1, 2, 3)]
    results = await asyncio.gather(*saves, return_exceptions=True)
    assert sum(isinstance(each, StaleWrite) for each in results) == 2
    assert [each.record.tries for each in results if isinstance(each, Stored)] == [await tries(ledger)]


async def test_saving_many_leaves_out_only_those_that_somebody_else_changed(ledger: Ledger) -> None:
    found = await inserted(ledger, *(an_account(number, shard) for shard in "0f" for number in range(57)))
    stale = {0, 1, 56, 57, 90}
    for partition in stale:
        found[partition] = replace(found[partition], etag="W/\"datetime'2020-01-01T00%3A00%3A00.0000000Z'\"")
    wanted = [(stored, *apply_event(stored.record, Event.CLASSIFY, NOW)) for stored in found]
    saved = await ledger.accounts.save_all(wanted)
    expected = [after for partition, (_, after, _) in enumerate(wanted) if partition not in stale]
    assert sorted(saved, key=lambda a: a.id) == sorted(expected, key=lambda a: a.id)
    for partition, (before, after, change) in enumerate(wanted):
        now = await ledger.accounts.get(SOUTH, after.id)
        assert now
        assert now.record == (before.record if partition in stale else after)
        if partition in stale or partition % 20 == 0:
            assert await ledger.accounts.list_history(SOUTH, after.id) == [
                a_change(),
                *([] if partition in stale else [change]),
            ]


async def test_saving_none_saves_none(ledger: Ledger) -> None:
    assert await ledger.accounts.save_all([]) == []
    assert await ledger.accounts.insert([]) == []


async def test_inserting_returns_exactly_those_that_are_there_and_leaves_them(ledger: Ledger) -> None:
    there = (0, 13, 49, 50, 119)
    await inserted(ledger, *(replace(an_account(number), digest="first") for number in there))
    late = Change(at=NOW + timedelta(days=1), event=Event.STAGE, state=State.STAGED, migration="later")
    existing = await ledger.accounts.insert([(an_account(number), late) for number in range(120)])
    assert sorted(existing) == [account_id(number) for number in there]
    digests = {stored.record.id: stored.record.digest async for stored in ledger.accounts.list_shard(SOUTH, "0")}
    assert len(digests) == 120
    assert sorted(id_ for id_, digest in digests.items() if digest == "first") == sorted(existing)
    assert await ledger.accounts.list_history(SOUTH, account_id(13)) == [a_change()]
    assert await ledger.accounts.list_history(SOUTH, account_id(14)) == [late]


async def test_inserting_again_writes_nothing(ledger: Ledger) -> None:
    batch = [(an_account(number), a_change()) for number in range(3)]
    assert await ledger.accounts.insert(batch) == []
    before = [stored async for stored in ledger.accounts.list_shard(SOUTH, "0")]
    assert sorted(await ledger.accounts.insert(batch)) == [account_id(number) for number in range(3)]
    assert [stored async for stored in ledger.accounts.list_shard(SOUTH, "0")] == before


async def test_accounts_come_shard_by_shard_in_the_order_of_their_ids(ledger: Ledger) -> None:
    await inserted(ledger, an_account(3), an_account(1), an_account(2), an_account(1, "f"))
    await inserted(ledger, an_account(4, authority=YARMOUTH))
    assert await of_shard(ledger, SOUTH) == [account_id(1), account_id(2), account_id(3)]
    assert await of_shard(ledger, SOUTH, "f") == [account_id(1, "f")]
    assert await of_shard(ledger, YARMOUTH) == [account_id(4)]
    assert [await of_shard(ledger, SOUTH, shard) for shard in SHARDS[1:15]] == [[]] * 14


async def waiting(
    ledger: Ledger,
    state: State = State.STAGED,
    before: timedelta = timedelta(0),
    limit: int = 100,
    migration: MigrationId = MIGRATION,
) -> list[AccountId]:
    found = ledger.accounts.list_due(SOUTH, "0", WorkQuery(migration, state), NOW + before, limit)
    return sorted([stored.record.id async for stored in found])


async def test_only_those_wait_that_have_no_moment_and_are_on_their_way(ledger: Ledger) -> None:
    states = [an_account(number, state=state) for number, state in enumerate(State)]
    await inserted(ledger, *states, *(replace(a, id=account_id(100 + a.row), due_at=NOW) for a in states))
    await inserted(ledger, an_account(200, "1"), an_account(201, authority=YARMOUTH))
    on_their_way = (State.STAGED, State.CLASSIFIED, State.PROVISIONED)
    for state in State:
        assert await waiting(ledger, state) == [a.id for a in states if a.state is state and state in on_their_way]


async def test_those_wait_that_this_migration_brought(ledger: Ledger) -> None:
    later = MigrationId(MIGRATION + "-2")
    await inserted(ledger, an_account(1), replace(an_account(2), migration=later))
    assert await waiting(ledger) == [account_id(1)]
    assert await waiting(ledger, migration=later) == [account_id(2)]


async def test_those_wait_whose_time_has_come(ledger: Ledger) -> None:
    offsets = (timedelta(0), timedelta(microseconds=1), timedelta(minutes=1), timedelta(days=-400))
    await inserted(ledger, *(an_account(number, not_before=NOW + offset) for number, offset in enumerate(offsets)))
    assert await waiting(ledger, before=timedelta(microseconds=-1)) == [account_id(3)]
    assert await waiting(ledger) == [account_id(0), account_id(3)]
    assert await waiting(ledger, before=timedelta(seconds=1)) == [account_id(0), account_id(1), account_id(3)]
    assert len(await waiting(ledger, before=timedelta(minutes=1))) == 4


async def test_a_glance_knows_of_which_day_a_customer_was_told(ledger: Ledger) -> None:
    told = replace(an_account(1), announced_at=NOW, told_day=NOW + timedelta(days=9))
    await inserted(ledger, told, an_account(2))
    glanced = [account async for account in ledger.accounts.list_projections(SOUTH, "0")]
    assert [(each.announced_at, each.told_day) for each in glanced] == [(NOW, NOW + timedelta(days=9)), (None, None)]


async def test_those_wait_who_are_of_the_waves_bands(ledger: Ledger) -> None:
    everybody = [replace(an_account(number), cohort=cohort) for number, cohort in enumerate(Cohort)]
    await inserted(ledger, *everybody)
    choices: list[tuple[Cohort, ...]] = [
        (),
        *((cohort,) for cohort in Cohort),
        (Cohort.NONE, Cohort.LATE),
        tuple(Cohort),
    ]
    for cohorts in choices:
        found = ledger.accounts.list_due(SOUTH, "0", WorkQuery(MIGRATION, State.STAGED, cohorts=cohorts), NOW, 100)
        expected = [account.id for account in everybody if not cohorts or account.cohort in cohorts]
        assert [stored.record.id async for stored in found] == expected, cohorts


async def test_those_wait_who_stand_in_the_waves_slice(ledger: Ledger) -> None:
    near, far = an_account(1), replace(an_account(2), id=AccountId("a0" + "9" * 39))
    await inserted(ledger, near, far)
    for keys, expected in ((("00000000", "80000000"), near), (("80000000", "g"), far)):
        line = WorkQuery(MIGRATION, State.STAGED, keys=keys, cohorts=(Cohort.NONE, Cohort.PILOT))
        assert [stored.record.id async for stored in ledger.accounts.list_due(SOUTH, "0", line, NOW, 100)] == [
            expected.id
        ]


async def test_no_more_wait_than_are_asked_for(ledger: Ledger) -> None:
    await inserted(ledger, *(an_account(number, state=State.TOLD) for number in range(5)))
    await inserted(ledger, *(an_account(number) for number in range(5, 12)))
    assert [len(await waiting(ledger, limit=limit)) for limit in (1, 6, 7, 8)] == [1, 6, 7, 7]


async def test_an_account_that_was_given_its_moment_waits_no_more(ledger: Ledger) -> None:
    [stored] = await inserted(ledger, an_account())
    stored = await ledger.accounts.save(stored, replace(stored.record, due_at=NOW), None)
    assert await waiting(ledger) == []
    await ledger.accounts.save(stored, replace(stored.record, due_at=None), None)
    assert await waiting(ledger) == [stored.record.id]


async def test_history_is_told_from_the_beginning(ledger: Ledger) -> None:
    stored, _ = await inserted(ledger, an_account(1), an_account(2))
    told = [a_change()]
    for number in range(12):
        account, change = apply_event(
            stored.record, Event.POSTPONE, NOW + timedelta(minutes=number), "directory_unreachable"
        )
        stored = await ledger.accounts.save(stored, account, change)
        told.append(change)
    assert await ledger.accounts.list_history(SOUTH, account_id(1)) == told
    assert await ledger.accounts.list_history(SOUTH, account_id(2)) == [a_change()]
    assert await ledger.accounts.list_history(SOUTH, account_id(3)) == []


# rows


async def test_rows_come_by_their_numbers_and_without_what_is_personal(ledger: Ledger) -> None:
    rows = [a_row(number, account_id(number)) for number in (10, 9, 100, 2)]
    other = a_row(1, account_id(1), MigrationId(MIGRATION + "-2"))
    elsewhere = a_row(3, account_id(3, "1"))
    await ledger.rows.put([*rows, other, elsewhere])
    found = await listed(ledger.rows.list_shard(SOUTH, "0", MIGRATION))
    assert found == [replace(row, person=None) for row in sorted(rows, key=lambda row: row.number)]
    assert await listed(ledger.rows.list_shard(YARMOUTH, "0", MIGRATION)) == []
    assert await listed(ledger.rows.list_with_people(SOUTH, "0", MIGRATION)) == sorted(rows, key=lambda row: row.number)


async def test_all_that_is_personal_of_a_row_is_in_columns_that_other_readers_do_not_fetch(
    store: Store, ledger: Ledger
) -> None:
    await ledger.rows.put([a_row(1, account_id(1))])
    [entity] = await listed(store.query(names.ROWS, f"{SOUTH}|0", Query(select=PERSONAL_FREE)))
    assert not [word for word in ("example.org", "Ada", "Larter") if word in repr(entity)]


async def test_the_row_that_staged_an_account_is_found_with_its_person(ledger: Ledger) -> None:
    row = a_row(12, account_id(1, "e"))
    await ledger.rows.put([row, replace(row, number=13, person=None)])
    account = replace(an_account(1, "e"), row=12)
    assert await ledger.rows.get(account) == row
    assert await ledger.rows.get(replace(account, row=14)) is None
    assert await ledger.rows.get(replace(account, migration=MigrationId("2026-03-03-portal"))) is None


async def test_rows_without_an_account_are_spread_over_the_shards(ledger: Ledger) -> None:
    rows = [replace(a_row(number), reason="missing_email") for number in range(1, 33)]
    await ledger.rows.put(rows)
    found = [row for shard in SHARDS for row in await listed(ledger.rows.list_shard(SOUTH, shard, MIGRATION))]
    assert sorted(found, key=lambda row: row.number) == rows


async def test_rows_may_be_written_again_and_more_than_fit_a_transaction(ledger: Ledger) -> None:
    rows = [a_row(number, account_id(number)) for number in range(1, 251)]
    for _ in range(2):
        await ledger.rows.put(rows)
    assert [row.number async for row in ledger.rows.list_shard(SOUTH, "0", MIGRATION)] == list(range(1, 251))


# addresses and identities


async def test_accounts_are_found_by_their_address(ledger: Ledger) -> None:
    one, two = address_key(1), address_key(2)
    await ledger.addresses.put(SOUTH, [(one, account_id(1)), (one, account_id(2)), (two, account_id(3, "f"))])
    await ledger.addresses.put(SOUTH, iter([(one, account_id(1))]))
    await ledger.addresses.put(YARMOUTH, [(one, account_id(4))])
    assert sorted(await ledger.addresses.list_accounts(SOUTH, one)) == [account_id(1), account_id(2)]
    assert await ledger.addresses.list_accounts(SOUTH, two) == [account_id(3, "f")]
    assert await ledger.addresses.list_accounts(YARMOUTH, one) == [account_id(4)]
    assert await ledger.addresses.list_accounts(SOUTH, address_key(3)) == []


async def test_an_address_is_dropped_for_one_account_alone(ledger: Ledger) -> None:
    await ledger.addresses.put(SOUTH, [(address_key(1), account_id(1)), (address_key(1), account_id(2))])
    for _ in range(2):
        await ledger.addresses.drop(SOUTH, address_key(1), account_id(1))
    await ledger.addresses.drop(SOUTH, address_key(9), account_id(1))
    assert await ledger.addresses.list_accounts(SOUTH, address_key(1)) == [account_id(2)]


async def test_many_addresses_are_noted_at_once_also_when_some_come_twice(ledger: Ledger) -> None:
    pairs = [(address_key(number % 130, "f"), account_id(number % 130)) for number in range(260)]
    await ledger.addresses.put(SOUTH, pairs)
    assert await ledger.addresses.list_accounts(SOUTH, address_key(129, "f")) == [account_id(129)]


async def test_only_an_address_of_several_accounts_may_be_shared(ledger: Ledger) -> None:
    one, two = address_key(1), address_key(2)
    await ledger.addresses.put(SOUTH, [(one, account_id(1)), (two, account_id(3))])
    await ledger.addresses.put(YARMOUTH, [(one, account_id(4))])
    assert not await ledger.addresses.may_be_shared(a_migration(), one)
    await ledger.addresses.put(SOUTH, [(one, account_id(2))])
    assert await ledger.addresses.may_be_shared(a_migration(), one)
    assert not await ledger.addresses.may_be_shared(a_migration(), two)
    assert not await ledger.addresses.may_be_shared(a_migration(), address_key(3, "f"))


async def test_shared_addresses_are_found_among_many(ledger: Ledger) -> None:
    pairs = [(address_key(number), account_id(number)) for number in range(1100)]
    await ledger.addresses.put(SOUTH, [*pairs, (address_key(1050), account_id(2000))])
    shared = [
        number for number in range(1100) if await ledger.addresses.may_be_shared(a_migration(), address_key(number))
    ]
    assert shared == [1050]


async def test_an_identity_tells_everyone_who_ever_matched_it(ledger: Ledger) -> None:
    assert await ledger.identity_claims.list_accounts(SOUTH, USER) == []
    told = [await ledger.identity_claims.claim(SOUTH, USER, account_id(number)) for number in (1, 1, 2, 2)]
    assert told == [[], [], [account_id(1)], [account_id(1)]]
    await ledger.identity_claims.claim(YARMOUTH, USER, account_id(3))
    await ledger.identity_claims.claim(SOUTH, DirectoryId(USER[:-1] + "2"), account_id(4))
    assert await ledger.identity_claims.list_accounts(SOUTH, USER) == [account_id(2), account_id(1)]
    assert await ledger.identity_claims.list_accounts(YARMOUTH, USER) == [account_id(3)]


async def test_who_claims_again_is_told_of_everyone_and_comes_first(ledger: Ledger) -> None:
    for number in (1, 2, 3):
        await ledger.identity_claims.claim(SOUTH, USER, account_id(number))
    assert await ledger.identity_claims.claim(SOUTH, USER, account_id(1)) == [account_id(3), account_id(2)]
    assert await ledger.identity_claims.list_accounts(SOUTH, USER) == [account_id(1), account_id(3), account_id(2)]


async def test_of_those_who_claim_an_identity_at_once_the_later_is_told_of_the_earlier(ledger: Ledger) -> None:
    everybody = [account_id(number) for number in range(5)]
    told = await asyncio.gather(*(ledger.identity_claims.claim(SOUTH, USER, account) for account in everybody))
    newest_first = await ledger.identity_claims.list_accounts(SOUTH, USER)
    assert sorted(newest_first) == everybody
    for account, others in zip(everybody, told, strict=True):
        assert others == newest_first[newest_first.index(account) + 1 :]


# summaries, pace, first message


async def test_the_latest_summary_of_a_shard_is_kept(ledger: Ledger) -> None:
    assert await ledger.summaries.get(SOUTH, MIGRATION, "f") is None
    assert await ledger.summaries.list_all(SOUTH, MIGRATION) == []
    await ledger.summaries.put(SOUTH, MIGRATION, replace(records.ODD_SUMMARY, due=1))
    await ledger.summaries.put(SOUTH, MIGRATION, records.ODD_SUMMARY)
    first = ShardSummary(shard="0", swept_at=NOW)
    await ledger.summaries.put(SOUTH, MIGRATION, first)
    await ledger.summaries.put(SOUTH, MigrationId(MIGRATION + "-2"), first)
    assert await ledger.summaries.get(SOUTH, MIGRATION, "f") == records.ODD_SUMMARY
    assert await ledger.summaries.list_all(SOUTH, MIGRATION) == [first, records.ODD_SUMMARY]
    assert await ledger.summaries.get(YARMOUTH, MIGRATION, "f") is None


async def test_how_far_a_migration_was_is_kept_and_is_no_summary(ledger: Ledger) -> None:
    assert await ledger.progress.get(SOUTH, MIGRATION) is None
    await ledger.progress.put(SOUTH, MIGRATION, Progress("classifying"))
    kept = Progress("running", (Sample(NOW, 1), Sample(NOW + timedelta(seconds=30), 7)))
    await ledger.progress.put(SOUTH, MIGRATION, kept)
    assert await ledger.progress.get(SOUTH, MIGRATION) == kept
    assert await ledger.progress.get(YARMOUTH, MIGRATION) is None
    assert await ledger.summaries.list_all(SOUTH, MIGRATION) == []


async def test_of_those_who_change_the_pace_at_once_one_is_faster(ledger: Ledger) -> None:
    assert await ledger.rate_limits.get(WRITE) is None
    paces = [Pace(NOW + timedelta(seconds=number), NOW) for number in range(4)]
    assert sorted(await asyncio.gather(*(ledger.rate_limits.save(WRITE, None, pace) for pace in paces))) == [
        False
    ] * 3 + [True]
    before = await ledger.rate_limits.get(WRITE)
    assert before
    assert before.record in paces
    later = [Pace(NOW + timedelta(hours=number), NOW) for number in range(4)]
    assert sorted(await asyncio.gather(*(ledger.rate_limits.save(WRITE, before, pace) for pace in later))) == [
        False
    ] * 3 + [True]
    after = await ledger.rate_limits.get(WRITE)
    assert after
    assert after.record in later
    assert not await ledger.rate_limits.save(WRITE, before, paces[0])
    assert await ledger.rate_limits.get(WRITE) == after


async def test_every_lane_has_a_pace_of_its_own(ledger: Ledger) -> None:
    limiters = [WRITE, READ, message_limiter(SOUTH), message_limiter(YARMOUTH)]
    paces = {limiter: Pace(NOW + timedelta(seconds=number), NOW) for number, limiter in enumerate(limiters)}
    for limiter, pace in paces.items():
        assert await ledger.rate_limits.get(limiter) is None
        assert await ledger.rate_limits.save(limiter, None, pace)
    for limiter, pace in paces.items():
        found = await ledger.rate_limits.get(limiter)
        assert found
        assert found.record == pace


async def test_a_glance_is_some_seconds_old_at_most_and_sees_what_was_saved_here(store: Store) -> None:
    here, elsewhere = open_ledger(store, ManualClock()), open_ledger(store, ManualClock())
    assert await here.rate_limits.get_recent(WRITE, NOW) is None
    first, second = Pace(NOW, NOW), Pace(NOW, NOW + timedelta(minutes=1), throttled=1)
    assert await here.rate_limits.save(WRITE, None, first)
    assert await here.rate_limits.get_recent(WRITE, NOW) == first
    assert await elsewhere.rate_limits.save(WRITE, await elsewhere.rate_limits.get(WRITE), second)
    assert await here.rate_limits.get_recent(WRITE, NOW + timedelta(seconds=4)) in {first, second}
    assert await here.rate_limits.get_recent(WRITE, NOW + timedelta(seconds=5)) == second
    assert await here.rate_limits.get_recent(READ, NOW) is None


async def test_only_the_first_note_of_the_first_message_counts(ledger: Ledger) -> None:
    assert await ledger.first_messages.get(SOUTH) is None
    await ledger.first_messages.note(SOUTH, NOW)
    await ledger.first_messages.note(SOUTH, NOW - timedelta(days=1))
    assert await ledger.first_messages.get(SOUTH) == NOW
    assert await ledger.first_messages.get(YARMOUTH) is None


async def test_the_key_that_was_noted_first_is_the_key(ledger: Ledger) -> None:
    assert await ledger.pseudonym_keys.get_fingerprint() is None
    assert await ledger.pseudonym_keys.note("first") == "first"
    assert await ledger.pseudonym_keys.note("second") == "first"
    assert await ledger.pseudonym_keys.get_fingerprint() == "first"


async def test_of_two_who_note_a_key_at_once_both_hear_the_same(ledger: Ledger) -> None:
    heard = await asyncio.gather(*(ledger.pseudonym_keys.note(f"key {number}") for number in range(5)))
    assert len(set(heard)) == 1
    assert await ledger.pseudonym_keys.get_fingerprint() == heard[0]


# timers that fail


async def test_a_timers_trouble_is_counted_from_the_first_failure_until_it_runs_well(ledger: Ledger) -> None:
    await ledger.timer_failures.end("reconcile")
    for minute in range(3):
        await ledger.timer_failures.note("reconcile", f"KeyError at x.py:{minute}", NOW + timedelta(minutes=minute))
    await ledger.timer_failures.note("sweep_exports", "KeyError at y.py:1", NOW)
    first = next(each for each in await ledger.timer_failures.list_all() if each.timer == "reconcile")
    assert first == TimerFailure("reconcile", NOW, NOW + timedelta(minutes=2), 3, "KeyError at x.py:2")
    await ledger.timer_failures.end("reconcile")
    assert [each.timer for each in await ledger.timer_failures.list_all()] == ["sweep_exports"]


async def test_a_timer_that_runs_well_elsewhere_is_well_within_minutes(store: Store) -> None:
    clock = ManualClock()
    here, elsewhere = open_ledger(store, clock), open_ledger(store, clock)
    await here.timer_failures.end("reconcile")
    await elsewhere.timer_failures.note("reconcile", "KeyError at x.py:1", NOW)
    await here.timer_failures.end("reconcile")
    assert len(await here.timer_failures.list_all()) == 1
    clock.tick(TIMER_FAILURE_CACHE_TIME)
    await here.timer_failures.end("reconcile")
    assert await here.timer_failures.list_all() == []


# who is to be left alone


async def test_a_list_is_kept_by_authority_and_shard(ledger: Ledger) -> None:
    accounts = [account_id(number, shard) for shard in "01" for number in range(60)]
    await ledger.suppressions.put(SOUTH, dict.fromkeys(accounts, "excluded_deceased"), NOW)
    await ledger.suppressions.put(YARMOUTH, {accounts[0]: "excluded_objecting"}, NOW)
    assert await ledger.suppressions.list_shard(SOUTH, "0") == dict.fromkeys(accounts[:60], "excluded_deceased")
    assert await ledger.suppressions.list_shard(SOUTH, "1") == dict.fromkeys(accounts[60:], "excluded_deceased")
    assert await ledger.suppressions.list_shard(SOUTH, "2") == {}
    assert await ledger.suppressions.list_shard(YARMOUTH, "0") == {accounts[0]: "excluded_objecting"}


async def test_a_list_may_be_read_again_and_the_newest_word_counts(ledger: Ledger) -> None:
    one, two, three = (account_id(number) for number in (1, 2, 3))
    await ledger.suppressions.put(SOUTH, dict.fromkeys((one, two), "excluded_deceased"), NOW)
    for _ in range(2):
        await ledger.suppressions.put(SOUTH, {one: "excluded_other", two: "", three: ""}, NOW)
        assert await ledger.suppressions.list_shard(SOUTH, "0") == {one: "excluded_other"}


async def test_a_list_stands_beside_the_accounts_and_is_none_of_them(ledger: Ledger) -> None:
    [stored] = await inserted(ledger, an_account(1))
    await ledger.suppressions.put(SOUTH, {stored.record.id: "excluded_deceased"}, NOW)
    assert await of_shard(ledger, SOUTH) == [stored.record.id]
    assert await ledger.accounts.get(SOUTH, stored.record.id) == stored
    assert len(await ledger.accounts.list_history(SOUTH, stored.record.id)) == 1


# every field survives


async def test_the_oddest_records_survive(ledger: Ledger) -> None:
    account, change = records.ODD_ACCOUNT, Change(NOW, Event.HOLD, State.HELD, ODD, ODD, ODD)
    await ledger.accounts.insert([(account, change)])
    await ledger.migrations.insert(records.ODD_MIGRATION)
    await ledger.rows.put([records.ODD_ROW])
    await ledger.summaries.put(SOUTH, MIGRATION, records.ODD_SUMMARY)
    stored = await ledger.accounts.get(SOUTH, account.id)
    assert stored
    assert stored.record == account
    assert await ledger.accounts.list_history(SOUTH, account.id) == [change]
    assert await ledger.migrations.get(SOUTH, MIGRATION) == records.ODD_MIGRATION
    staged = replace(account, migration=MIGRATION, row=records.ODD_ROW.number)
    assert await ledger.rows.get(staged) == records.ODD_ROW
    assert await ledger.summaries.list_all(SOUTH, MIGRATION) == [records.ODD_SUMMARY]


type Drawn = tuple[Account, Change, Migration, Row, ShardSummary, Pace]


@st.composite
def everything(draw: st.DrawFn) -> Drawn:
    return (
        draw(records.accounts),
        draw(records.changes),
        draw(records.migrations),
        draw(records.rows),
        draw(records.summaries),
        draw(records.paces),
    )


async def survives(
    ledger: Ledger, account: Account, change: Change, migration: Migration, row: Row, summary: ShardSummary, pace: Pace
) -> None:
    await ledger.accounts.insert([(account, change)])
    stored = await ledger.accounts.get(account.authority, account.id)
    assert stored
    assert stored.record == account
    assert (await ledger.accounts.save(stored, account, None)).record == account
    assert await ledger.accounts.list_history(account.authority, account.id) == [change]
    await ledger.migrations.insert(migration)
    assert await ledger.migrations.get(migration.authority, migration.id) == migration
    assert await listed(ledger.migrations.list_all(migration.authority)) == [migration]
    await ledger.rows.put([row])
    assert await listed(ledger.rows.list_shard(row.authority, row.shard, row.migration)) == [replace(row, person=None)]
    if row.account:
        staged = replace(account, id=row.account, authority=row.authority, migration=row.migration, row=row.number)
        assert await ledger.rows.get(staged) == row
    await ledger.summaries.put(migration.authority, migration.id, summary)
    assert await ledger.summaries.get(migration.authority, migration.id, summary.shard) == summary
    assert await ledger.rate_limits.save(WRITE, None, pace)
    found = await ledger.rate_limits.get(WRITE)
    assert found
    assert found.record == pace


@given(everything())
@settings(max_examples=100)
async def test_every_field_survives_in_memory(drawn: Drawn) -> None:
    await survives(open_ledger(MemoryTables(), ManualClock()), *drawn)


@dataclass
class Apart:
    """A store with nothing in it inside another: each has partitions of its own."""

    store: Store
    number: int = 0

    def _partition(self, partition: str) -> str:
        return f"{self.number}|{partition}"

    async def get(self, table: str, partition: str, row_key: str) -> Entity | None:
        return await self.store.get(table, self._partition(partition), row_key)

    def query(self, table: str, partition: str, query: Query) -> AsyncIterator[Entity]:
        return self.store.query(table, self._partition(partition), query)

    async def write(self, table: str, partition: str, writes: Sequence[Write]) -> list[str]:
        return await self.store.write(table, self._partition(partition), writes)


@pytest.mark.azurite
async def test_every_field_survives_on_azurite(storage: Storage) -> None:
    tables = AzureTables(storage.tables)
    examples: list[Drawn] = []

    @given(everything())
    @settings(max_examples=10, database=None, phases=[HypothesisPhase.generate])
    def draw(drawn: Drawn) -> None:
        examples.append(drawn)

    draw()
    for number, example in enumerate(examples):
        await survives(open_ledger(Apart(tables, number), ManualClock()), *example)
