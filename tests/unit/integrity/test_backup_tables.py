"""The nightly copy: whole or none, never changed, and nothing personal in it."""

import gzip
import json
from dataclasses import replace
from datetime import timedelta

import pytest

from shared import names
from shared.integrity.backup_tables import MAX_ROUND_TIME, backup_tables, find_newest_backup
from shared.model.safeguards.backup import (
    MANIFESTS,
    PART_RECORDS,
    BackupPart,
    BackupRecord,
    Column,
    Damaged,
    Manifest,
    Partition,
    compute_checksum,
    pack_records,
    unpack_records,
)
from shared.operations.status import read_status
from shared.ports import Ports
from tests.support import timeless
from tests.support.losses import lose
from tests.support.stories import LONG_AGO, populate, settle, small_export
from tests.support.watched import watched
from tests.support.world import SOUTH_NORFOLK, HostDiedError, World, export, line

LEFT_OUT = ("|s", "|pace", "|anchor", "|key")
"""What is counted again, and what says that the tables are there."""


async def _migrated(world: World) -> None:
    populate(world)
    await world.upload(small_export())
    await settle(world)


def _all_text(world: World) -> str:
    """All that the copy says."""
    bodies = [gzip.decompress(body) if path.endswith(".gz") else body for path, body in world.backups.files.items()]
    return "\n".join([*world.backups.files, *(body.decode() for body in bodies)])


def _records(world: World, manifest: Manifest) -> set[tuple[str, str, str]]:
    return {
        (record.table, record.partition, record.key)
        for partition, part in manifest.parts()
        for record in unpack_records(partition, part, world.backups.files[part.path])
    }


async def test_everything_is_copied_but_rows_and_what_is_counted_again(world: World) -> None:
    await _migrated(world)
    assert await backup_tables(world.ports)
    manifest = await find_newest_backup(world.ports)
    assert manifest is not None
    wanted = {
        (table, partition, key)
        for table, partition, key, _ in world.tables.everything()
        if table != names.ROWS and not partition.endswith(LEFT_OUT)
    }
    assert _records(world, manifest) == wanted
    assert manifest.records == len(wanted)


async def test_nothing_personal_is_in_a_copy(world: World) -> None:
    user = world.directory.local_user("canary@example.org", "Canary", "Surname", LONG_AGO)
    world.directory.users[user.id] = replace(user, customer_refs={SOUTH_NORFOLK: "CANARY-REF"})
    rows = export(line("CANARY-1", "canary@example.org", "Canary", "Surname"), line("CANARY-2", given="Canary"))
    await world.upload(rows, "south-norfolk/canary.lastname@example.org and canary.csv")
    await settle(world)
    await world.upload(export(line("C1")).replace(b"email,", b"canary header,"), "south-norfolk/next.csv")
    await settle(world)
    assert await backup_tables(world.ports)
    assert len(world.told) == 2
    for canary in ("CANARY-", "canary@", "canary.lastname", "@example", "canary header", "Surname"):
        assert canary not in _all_text(world)


async def test_a_copy_is_made_once_a_night(world: World) -> None:
    await _migrated(world)
    assert await backup_tables(world.ports)
    files = dict(world.backups.files)
    assert await backup_tables(world.ports)
    assert world.backups.files == files
    world.clock.tick(timedelta(days=1))
    assert await backup_tables(world.ports)
    assert sorted(path for path in world.backups.files if path.startswith(MANIFESTS)) == [
        "manifests/2026-03-02.json",
        "manifests/2026-03-03.json",
    ]
    assert files.items() <= world.backups.files.items()


async def test_status_tells_when_the_newest_copy_was_made(world: World) -> None:
    assert (await read_status(world.ports)).copied_at is None
    await _migrated(world)
    at = world.clock.now()
    await backup_tables(world.ports)
    world.clock.tick(timedelta(hours=5))
    assert (await read_status(world.ports)).copied_at == at


async def test_a_large_copy_takes_several_rounds_and_begins_when_the_first_did(world: World) -> None:
    await _migrated(world)
    begun = world.clock.now()

    class Slow:
        """Every file takes half a minute."""

        async def before(self, call: str) -> None:
            if call == "backups.add":
                world.clock.tick(timedelta(seconds=30))

        async def after(self, call: str) -> None:
            """Nothing."""

    world.wrap = lambda ports: watched(ports, world.tables, Slow())
    rounds = 1
    while not await backup_tables(world.ports):
        assert await find_newest_backup(world.ports) is None
        rounds += 1
    manifest = await find_newest_backup(world.ports)
    assert manifest is not None
    assert (manifest.begun_at, rounds > 3) == (begun, True)
    assert manifest.finished_at - begun > MAX_ROUND_TIME


class Dies:
    """The host dies at file number `at`."""

    def __init__(self, at: int, *, after: bool) -> None:
        self._at = at
        self._after = after
        self.files = 0

    async def before(self, call: str) -> None:
        self.files += call == "backups.add"
        self._die(call, now=not self._after)

    async def after(self, call: str) -> None:
        self._die(call, now=self._after)

    def _die(self, call: str, *, now: bool) -> None:
        if now and call == "backups.add" and self.files == self._at:
            raise HostDiedError


@pytest.mark.parametrize("after", [False, True])
def test_a_torn_copy_is_never_taken_for_a_whole_one(*, after: bool) -> None:
    async def story(at: int) -> int:
        world = World()
        await _migrated(world)
        dies = Dies(at, after=after)
        world.wrap = lambda ports: watched(ports, world.tables, dies)
        try:
            await backup_tables(world.ports)
        except HostDiedError:
            whole = after and at == dies.files and any(path.startswith(MANIFESTS) for path in world.backups.files)
            assert whole or await find_newest_backup(world.ports) is None
        world.wrap = lambda ports: ports
        assert await backup_tables(world.ports)
        manifest = await find_newest_backup(world.ports)
        assert manifest is not None
        assert len(_records(world, manifest)) == manifest.records
        return dies.files

    files = timeless.run(story(0))
    for at in range(1, files + 1, 3):
        timeless.run(story(at))


async def test_two_at_once_make_one_whole_copy(world: World) -> None:
    await _migrated(world)

    class Both:
        """The other one goes first, whole, when this one has begun."""

        begun = False

        async def before(self, call: str) -> None:
            if call == "backups.add" and not self.begun:
                self.begun = True
                assert await backup_tables(plain)

        async def after(self, call: str) -> None:
            """Nothing."""

    plain: Ports = world.ports
    assert await backup_tables(watched(plain, world.tables, Both()))
    manifest = await find_newest_backup(world.ports)
    assert manifest is not None
    assert len(_records(world, manifest)) == manifest.records
    assert len([path for path in world.backups.files if path.startswith(MANIFESTS)]) == 1


async def test_tables_lost_in_the_middle_of_a_copy_make_no_copy(world: World) -> None:
    await _migrated(world)

    class Accident:
        """After some files the tables are empty."""

        files = 0

        async def before(self, call: str) -> None:
            self.files += call == "backups.add"
            if self.files == 40:
                lose(world)

        async def after(self, call: str) -> None:
            """Nothing."""

    assert not await backup_tables(watched(world.ports, world.tables, Accident()))
    assert await find_newest_backup(world.ports) is None


def test_records_survive_packing_and_a_changed_file_is_named() -> None:
    columns: dict[str, Column] = {"text": "Zoë \u2028 line", "number": 2**40, "flag": True, "empty": ""}
    records = [BackupRecord("Accounts", "south-norfolk|0", f"account|{number}", columns) for number in range(3)]
    body = pack_records(records)
    of = Partition(table="Accounts", partition="south-norfolk|0", read_at=LONG_AGO, parts=())
    part = BackupPart(path="a.gz", records=3, sha256=compute_checksum(body))
    assert unpack_records(of, part, body) == records
    for wrong in (body + b"x", b"", None):
        with pytest.raises(Damaged, match=r"a\.gz"):
            unpack_records(of, part, wrong)


async def test_a_partition_of_many_records_is_cut_into_files(world: World) -> None:
    from shared.adapters.storage.store import Verb, Write  # noqa: PLC0415

    for start in range(0, PART_RECORDS + 100, 100):
        writes = [Write(Verb.PUT, f"address|{number:06d}", {"account": "a"}) for number in range(start, start + 100)]
        await world.tables.write(names.ACCOUNTS, "south-norfolk|a|0", writes)
    await backup_tables(world.ports)
    manifest = await find_newest_backup(world.ports)
    assert manifest is not None
    counts = [part.records for partition, part in manifest.parts() if partition.partition == "south-norfolk|a|0"]
    assert counts == [PART_RECORDS, 100]
    assert json.loads(world.backups.files["manifests/2026-03-02.json"])["night"] == "2026-03-02"


TORN = b'{"night": "2026-03-'
NO_ZONE = b"""{"night": "2026-03-05", "begun_at": "2026-03-05T02:00:00", "finished_at": "2026-03-05T02:00:00",
 "key": "k", "partitions": []}"""


@pytest.mark.parametrize("content", [b"", TORN, b"[]", b'{"a": 1}', b"\xff\xfe", NO_ZONE, b"[" * 100_000])
@pytest.mark.parametrize("name", ["zzz.json", "2026-03-05.json", "2026-03-05.json.bak", "2026-03-05/x.json"])
async def test_what_is_no_manifest_is_passed_over_by_everybody(world: World, name: str, content: bytes) -> None:
    await _migrated(world)
    await backup_tables(world.ports)
    whole = await find_newest_backup(world.ports)
    world.backups.files[f"{MANIFESTS}{name}"] = content
    assert whole is not None
    assert await find_newest_backup(world.ports) == whole
    assert (await read_status(world.ports)).copied_at == whole.finished_at


async def test_a_manifest_under_the_name_of_another_night_is_none(world: World) -> None:
    await _migrated(world)
    await backup_tables(world.ports)
    world.backups.files[f"{MANIFESTS}2026-03-09.json"] = world.backups.files[f"{MANIFESTS}2026-03-02.json"]
    found = await find_newest_backup(world.ports)
    assert found is not None
    assert found.night == "2026-03-02"


async def test_a_torn_manifest_of_tonight_is_no_copy_and_is_logged(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    await _migrated(world)
    world.backups.files[f"{MANIFESTS}2026-03-02.json"] = TORN
    assert not await backup_tables(world.ports)
    assert "a manifest cannot be read" in caplog.text
    world.clock.tick(timedelta(days=1))
    assert await backup_tables(world.ports)
