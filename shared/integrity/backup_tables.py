"""copy-tables (timer): copy Migrations and Accounts every night, because Table Storage has no restore.

Nobody can change or delete a copy before its retention time is over, so it holds nothing personal. `Rows`, file names
and customer references stay out, and a rebuild reads them from the exports again. A copy may take several rounds. Each
partition is finished once, by any process, and the manifest is written last.
"""

import logging
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Final
from uuid import uuid4

from shared.integrity.table_loss import find_and_log_table_loss
from shared.model.safeguards.backup import (
    MANIFESTS,
    PART_RECORDS,
    BackupPart,
    BackupRecord,
    Manifest,
    Partition,
    compute_checksum,
    format_night,
    get_manifest_path,
    get_part_path,
    get_partition_path,
    pack_records,
    read_manifest,
)
from shared.ports import Ports

log: Final = logging.getLogger(__name__)

MAX_ROUND_TIME: Final = timedelta(minutes=6)
"""How long one round works. The host ends a function after ten minutes."""


async def backup_tables(ports: Ports) -> bool:
    """Continue tonight's copy. Return True if it is complete. Tables that were lost are not copied."""
    begun = ports.clock.now()
    night = f"{begun:%Y-%m-%d}"
    if await ports.backups.read(get_manifest_path(night)) is not None:
        return await read_backup(ports, night) is not None
    if await _is_any_table_lost(ports):
        return False
    done: list[Partition] = []
    for table, partition in _list_partitions(ports):
        if ports.clock.now() > begun + MAX_ROUND_TIME:
            return False
        done.append(await _ensure_partition_copied(ports, night, table, partition))
    if await _is_any_table_lost(ports):
        return False  # some of it may have been read after the loss
    await _publish_manifest(ports, night, done)
    return True


async def find_newest_backup(ports: Ports) -> Manifest | None:
    """Return the newest complete copy.

    Other files there are ignored, because on Azure nobody can delete them for a month.
    """
    nights = [night async for path in ports.backups.all(MANIFESTS) if (night := format_night(path))]
    for night in sorted(nights, reverse=True):
        found = await read_backup(ports, night)
        if found is not None:
            return found
    return None


async def read_backup(ports: Ports, night: str) -> Manifest | None:
    """Return the complete copy of a night. None if there is none, or if its manifest cannot be read."""
    body = await ports.backups.read(get_manifest_path(night))
    if body is None:
        return None
    manifest = read_manifest(night, body)
    if manifest is None:
        log.warning("a manifest cannot be read", extra={"night": night})
    return manifest


def key_fingerprint(ports: Ports) -> str:
    """Return a fingerprint, which is the same for the same PSEUDONYM_KEY."""
    return ports.pseudonyms.fingerprint()


async def _is_any_table_lost(ports: Ports) -> bool:
    return any([await find_and_log_table_loss(ports, authority) is not None for authority in ports.profiles])


def _list_partitions(ports: Ports) -> list[tuple[str, str]]:
    """Return the partitions, accounts before migrations, so that the copy has all that an account belongs to."""
    found = [place for authority in ports.profiles for place in ports.ledger.backups.list_partitions(authority)]
    return sorted(found, key=lambda place: place[0])


async def _ensure_partition_copied(ports: Ports, night: str, table: str, partition: str) -> Partition:
    """A partition's files, from this round or an earlier one. The first list of files that was written counts."""
    path = get_partition_path(night, table, partition)
    known = await ports.backups.read(path)
    if known is None:
        mine = await _copy_partition(ports, night, table, partition)
        if await ports.backups.add(path, mine.model_dump_json().encode()):
            return mine
        known = await ports.backups.read(path)
    return Partition.model_validate_json(known or b"")


async def _copy_partition(ports: Ports, night: str, table: str, partition: str) -> Partition:
    begun = ports.clock.now()
    attempt = uuid4().hex[:8]
    parts: list[BackupPart] = []
    async for records in _in_parts(ports.ledger.backups.list_records(table, partition)):
        path = get_part_path(night, table, partition, attempt, len(parts) + 1)
        body = pack_records(records)
        await ports.backups.add(path, body)
        parts.append(BackupPart(path=path, records=len(records), sha256=compute_checksum(body)))
    return Partition(table=table, partition=partition, read_at=begun, parts=tuple(parts))


async def _in_parts(records: AsyncIterator[BackupRecord]) -> AsyncIterator[list[BackupRecord]]:
    waiting: list[BackupRecord] = []
    async for record in records:
        waiting.append(record)
        if len(waiting) == PART_RECORDS:
            yield waiting
            waiting = []
    if waiting:
        yield waiting


async def _publish_manifest(ports: Ports, night: str, done: list[Partition]) -> None:
    begun = min((partition.read_at for partition in done), default=ports.clock.now())
    manifest = Manifest(
        night=night,
        begun_at=begun,
        finished_at=ports.clock.now(),
        key=await ports.ledger.pseudonym_keys.get_fingerprint() or key_fingerprint(ports),
        partitions=tuple(done),
    )
    await ports.backups.add(get_manifest_path(night), manifest.model_dump_json().encode())
    log.info("tables copied", extra={"night": night, "records": manifest.records})
