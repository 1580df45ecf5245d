"""The nightly copies, and what the ledger gives to a copy and takes back from it: in memory and on Azurite."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest

from local.azurite import Azurite
from shared import names
from shared.adapters.memory import MemoryBackups
from shared.adapters.storage.blob_backups import BlobBackups
from shared.adapters.storage.clients import Storage
from shared.model.account import Authority, apply_event
from shared.model.lifecycle import Event, State
from shared.model.safeguards.backup import BackupRecord
from shared.model.safeguards.rebuild import Rebuild, Source
from shared.ports import Backups, Ledger, Mending
from tests.contract.conftest import ON_BOTH, connected
from tests.contract.records import MIGRATION, NOW, SOUTH, YARMOUTH, a_change, a_migration, account_id, an_account

BROADLAND = Authority("broadland")
AS_IT_IS = Mending(account=lambda account: (account, None), migration=lambda migration: migration)
REBUILD = Rebuild(NOW, Source.COPY, NOW - timedelta(hours=7), "2026-03-02", "somebody")


@pytest.fixture(params=ON_BOTH)
def backups(request: pytest.FixtureRequest) -> Backups:
    return MemoryBackups() if request.param == "memory" else BlobBackups(request.getfixturevalue("storage").blobs)


async def listed[T](found: AsyncIterator[T]) -> list[T]:
    return [each async for each in found]


async def test_a_file_is_written_once_and_never_again(backups: Backups) -> None:
    assert await backups.add("tables/2026-03-02/a.gz", b"first")
    for body in (b"second", b"first", b""):
        assert not await backups.add("tables/2026-03-02/a.gz", body)
    assert await backups.read("tables/2026-03-02/a.gz") == b"first"


async def test_of_many_who_write_at_once_one_does(backups: Backups) -> None:
    written = await asyncio.gather(*(backups.add("a", f"{number}".encode()) for number in range(8)))
    assert sum(written) == 1
    assert await backups.read("a") == f"{written.index(True)}".encode()


async def test_what_is_not_there_is_none(backups: Backups) -> None:
    assert await backups.read("manifests/2026-03-02.json") is None
    assert await listed(backups.all("manifests/")) == []


async def test_files_are_listed_in_order_by_their_beginning(backups: Backups) -> None:
    for path in ("manifests/b", "tables/x", "manifests/a", "manifest"):
        await backups.add(path, b"x" * 100_000)
    assert await listed(backups.all("manifests/")) == ["manifests/a", "manifests/b"]


@pytest.mark.azurite
async def test_without_the_container_there_is_no_copy(clean_azurite: Azurite) -> None:
    async with connected(clean_azurite) as storage:
        backups = BlobBackups(storage.blobs)
        assert await listed(backups.all("manifests/")) == []
        assert await backups.read("manifests/a") is None


@pytest.mark.azurite
async def test_reports_are_read_and_listed(storage: Storage) -> None:
    from shared.adapters.storage.blob_reports import BlobReports  # noqa: PLC0415

    reports = BlobReports(storage.blobs)
    for path in ("south-norfolk/b/received.json", "south-norfolk/a/received.json", "south-norfolkx/c/received.json"):
        await reports.put(path, path.encode(), "application/json")
    found = await listed(reports.all("south-norfolk/"))
    assert found == ["south-norfolk/a/received.json", "south-norfolk/b/received.json"]
    assert await reports.read(found[0]) == found[0].encode()
    assert await reports.read("south-norfolk/a/refused.json") is None


# anchors


async def test_anchors_are_left_in_every_table_and_a_lost_one_is_missed(ledger: Ledger) -> None:
    none = await ledger.losses.get_anchors(SOUTH)
    assert (none.tables, none.missing, none.tables_emptied) == (frozenset(), frozenset(names.TABLES), False)
    for _ in range(2):
        await ledger.losses.leave_anchors(SOUTH)
        found = await ledger.losses.get_anchors(SOUTH)
        assert (found.tables, found.missing, found.tables_emptied) == (frozenset(names.TABLES), frozenset(), False)
    assert (await ledger.losses.get_anchors(YARMOUTH)).tables == frozenset()


async def test_a_rebuild_is_noted_until_it_ends_and_the_first_note_counts(ledger: Ledger) -> None:
    await ledger.losses.leave_anchors(SOUTH)
    assert await ledger.losses.begin_rebuild(SOUTH, REBUILD) == REBUILD
    assert await ledger.losses.begin_rebuild(SOUTH, replace(REBUILD, by="another")) == REBUILD
    assert (await ledger.losses.get_anchors(SOUTH)).tables_emptied
    moved = replace(REBUILD, put_back="tables/1")
    await ledger.losses.move_rebuild(SOUTH, REBUILD, moved)
    await ledger.losses.move_rebuild(SOUTH, REBUILD, replace(REBUILD, put_back="tables/0"))
    assert (await ledger.losses.get_anchors(SOUTH)).rebuild == moved
    for _ in range(2):
        await ledger.losses.end_rebuild(SOUTH)
        found = await ledger.losses.get_anchors(SOUTH)
        assert (found.rebuild, found.tables_emptied, found.missing) == (None, False, frozenset())
    await ledger.losses.move_rebuild(SOUTH, moved, REBUILD)
    assert (await ledger.losses.get_anchors(SOUTH)).rebuild is None


# out of the tables, and back into them


async def _filled(ledger: Ledger) -> None:
    accounts = [an_account(number) for number in range(1, 131)]
    await ledger.accounts.insert([(account, a_change()) for account in accounts])
    await ledger.addresses.put(SOUTH, [(account.address_key, account.id) for account in accounts[:3]])
    await ledger.suppressions.put(SOUTH, {accounts[5].id: "excluded_deceased"}, NOW)
    await ledger.migrations.insert(a_migration())
    await ledger.first_messages.note(SOUTH, NOW)


async def _taken_out(ledger: Ledger) -> list[BackupRecord]:
    return [
        record
        for partition in ledger.backups.list_partitions(SOUTH)
        for record in await listed(ledger.backups.list_records(*partition))
    ]


@pytest.fixture
async def emptied(ledger: Ledger) -> tuple[Ledger, list[BackupRecord]]:
    """Records of a filled ledger, and a ledger in which they would be new: another council's."""
    await _filled(ledger)
    found = await _taken_out(ledger)
    moved = [replace(record, partition=record.partition.replace(SOUTH, "broadland")) for record in found]
    return ledger, moved


async def test_accounts_come_out_with_their_histories_and_before_migrations(ledger: Ledger) -> None:
    await _filled(ledger)
    found = await _taken_out(ledger)
    accounts = [record for record in found if record.key.startswith("account|")]
    assert len(accounts) == 130
    assert all('"event":"stage"' in str(record.columns["history"]) for record in accounts)
    assert [record.table for record in found[-2:]] == [names.MIGRATIONS, names.MIGRATIONS]


async def test_records_are_put_back_where_nothing_is(emptied: tuple[Ledger, list[BackupRecord]]) -> None:
    ledger, found = emptied
    assert await ledger.backups.restore(found, AS_IT_IS) == len(found)
    back = [
        replace(record, partition=record.partition.replace("broadland", SOUTH))
        for table, partition in ledger.backups.list_partitions(BROADLAND)
        for record in await listed(ledger.backups.list_records(table, partition))
    ]
    assert back == await _taken_out(ledger)
    assert await ledger.suppressions.list_shard(BROADLAND, "0") == {account_id(6): "excluded_deceased"}
    assert await ledger.backups.restore(found, AS_IT_IS) == 0


async def test_what_is_there_is_newer_and_stays(ledger: Ledger) -> None:
    await _filled(ledger)
    found = await _taken_out(ledger)
    stored = await ledger.accounts.get(SOUTH, account_id(7))
    assert stored
    newer = await ledger.accounts.save(stored, *apply_event(stored.record, Event.CLASSIFY, NOW))
    assert await ledger.backups.restore(found, AS_IT_IS) == 0
    now = await ledger.accounts.get(SOUTH, account_id(7))
    assert now == newer
    assert now.record.state is State.CLASSIFIED


async def test_an_account_is_mended_together_with_its_history(emptied: tuple[Ledger, list[BackupRecord]]) -> None:
    ledger, found = emptied
    mending = Mending(
        account=lambda account: apply_event(replace(account, authority=BROADLAND), Event.REBUILD, NOW),
        migration=lambda migration: replace(migration, detail="mended"),
    )
    await ledger.backups.restore(found, mending)
    history = await ledger.accounts.list_history(BROADLAND, account_id(7))
    assert [change.event for change in history] == [Event.STAGE, Event.REBUILD]
    migration = await ledger.migrations.get(BROADLAND, MIGRATION)
    assert migration
    assert (migration.detail, migration.blob) == ("mended", "")


async def test_neither_a_file_name_nor_a_customer_reference_comes_out(ledger: Ledger) -> None:
    before = {"customer_ref": "REF-7", "account": account_id(9)}
    await ledger.accounts.insert([(replace(an_account(7), before=before), a_change())])
    await ledger.migrations.insert(replace(a_migration(), detail="data row 7", blob="south-norfolk/ada.larter.csv"))
    text = repr(await _taken_out(ledger))
    assert "REF-7" not in text
    assert "larter" not in text
    assert "data row 7" not in text
    assert account_id(9) in text


async def test_the_first_message_is_noted_again_whatever_this_process_remembers(ledger: Ledger) -> None:
    await ledger.first_messages.restore(SOUTH, NOW)
    await ledger.first_messages.restore(SOUTH, NOW - timedelta(days=1))
    assert await ledger.first_messages.get(SOUTH) == NOW
