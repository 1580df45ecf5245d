"""rebuild: make the tables again after they were emptied, piece by piece.

The caller repeats its request until it is done.

A rebuild restores what the newest complete copy has, opens the uploads that the copy does not know, and has all of them
read again. The ordinary steps do the rest: they stage rows, look for our owner marker before they decide, and ask the
message service for the reference before they send (`recover_account`, `notify_customer`).

Records that already exist are newer than any copy, and stay. A note records the progress, and while it exists nothing
else is done for this council. So a rebuild may be interrupted at any point, requested twice, and run by two people at
the same time.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any, Final

from shared import names
from shared.errors import ActionRefused, Cannot, Stop, Superseded, TryLater
from shared.intake.receive_export import receive_again, refuse_again
from shared.intake.stage_rows import read_piece
from shared.integrity.backup_tables import find_newest_backup, key_fingerprint, read_backup
from shared.integrity.pseudonym_key import has_key_changed
from shared.integrity.table_loss import Loss, find_table_loss, list_taken_uploads
from shared.model.account import SHARDS, Authority, MigrationId
from shared.model.counts.summary import ShardSummary
from shared.model.email_address import email_key
from shared.model.migration import Migration, Phase, get_upload_order, migration_id
from shared.model.pacing.rate_limit import WRITE
from shared.model.profile import Profile
from shared.model.row import Person
from shared.model.safeguards.backup import BackupPart, Damaged, Manifest, Partition, unpack_records
from shared.model.safeguards.rebuild import Rebuild, Source
from shared.ports import Blob, Mending, Ports
from shared.recovery.rules.restore import BEGUN, Left, restore_account, restore_migration
from shared.scheduling.rate_limiter import record_throttling

RECORDS_AT_ONCE: Final = 20_000
"""How many records one request restores: some tens of seconds of work."""
FILES_AT_ONCE: Final = 50
SAMPLE: Final = 50
"""Customers who are looked up to see whether PSEUDONYM_KEY is the old one."""
DAY: Final = timedelta(days=1)
ENOUGH_MARKED_USERS: Final = 5
"""This number of users with our owner marker is enough."""

type Blobs = Mapping[MigrationId, Blob]


@dataclass(frozen=True, slots=True)
class RebuildProgress:
    """The result of one request."""

    finished: bool
    """True if nothing is left to do. Otherwise ask again."""
    authority: str = ""
    doing: str = ""
    """What was done, for people."""
    done: int = 0
    of: int = 0


async def rebuild_tables(
    ports: Ports, authority: str, source: Source | None, by: str, *, without_copy: bool = False
) -> RebuildProgress:
    """Do the next piece of work for the first council whose tables were lost.

    `without_copy`: from exports alone although there is a copy. What only the copy knows is not put back later.

    Raises:
        ActionRefused: with the sentence for people.
    """
    if await has_key_changed(ports):
        raise ActionRefused(_OTHER_KEY)
    for profile in ports.profiles.values():
        lost = await find_table_loss(ports, profile.authority) if authority in {"", profile.authority} else None
        if lost is not None:
            if source is Source.EXPORT and not without_copy:
                await _refuse_to_forget(ports, profile, lost)
            return await _next_piece(ports, profile, lost, await _begin_rebuild(ports, profile, lost, source, by))
    return RebuildProgress(finished=True, doing="No tables are lost: nothing to do.")


async def _begin_rebuild(ports: Ports, profile: Profile, lost: Loss, source: Source | None, by: str) -> Rebuild:
    """The rebuild that is under way, or a new one."""
    under_way = lost.rebuild
    if under_way is None:
        under_way = await ports.ledger.losses.begin_rebuild(
            profile.authority, await _make_rebuild(ports, profile, source, by)
        )
    if source is not Source.EXPORT or under_way.source is Source.EXPORT:
        return under_way
    # The copy is damaged, or somebody does not want it: what it has put back stays.
    alone = replace(
        under_way, source=Source.EXPORT, night="", tables_lost_at=await _first_upload(ports, profile.authority)
    )
    await ports.ledger.losses.move_rebuild(profile.authority, under_way, alone)
    return alone


async def _refuse_to_forget(ports: Ports, profile: Profile, lost: Loss) -> None:
    """Refuse a rebuild from exports alone if a copy exists. Accounts that only the copy knows would stay unknown.

    Raises:
        ActionRefused: there is a copy that holds something of what was lost.
    """
    if lost.rebuild is not None and lost.rebuild.source is Source.EXPORT:
        return
    copy = await find_newest_backup(ports)
    records = sum(part.records for _, part in copy_files(copy, profile.authority, lost)) if copy else 0
    if copy is not None and records:
        raise ActionRefused(
            f"The copy of {copy.night} holds {records:,} records of {profile.authority}. From exports alone they are "
            "not put back, and cannot be later. Run `ops rebuild`; if that copy cannot be used: "
            "`ops rebuild --from export --without-copy`."
        )


async def _make_rebuild(ports: Ports, profile: Profile, source: Source | None, by: str) -> Rebuild:
    now = ports.clock.now()
    copy = None if source is Source.EXPORT else await find_newest_backup(ports)
    if copy is not None:
        if copy.key != key_fingerprint(ports):
            raise ActionRefused(_OTHER_KEY)
        return Rebuild(now, Source.COPY, copy.begun_at, copy.night, by)
    if source is Source.COPY:
        raise ActionRefused("There is no whole copy in the container `backups`. Ask for `ops rebuild --from export`.")
    return Rebuild(now, Source.EXPORT, await _first_upload(ports, profile.authority), by=by)


_OTHER_KEY: Final = (
    "PSEUDONYM_KEY is not the key with which these accounts were made: every id would differ, and everybody would be "
    "created and told again. Put the old key back (it is in escrow), restart the app, and ask again."
)


_ALONE: Final = "ops rebuild --from export --without-copy"


async def _first_upload(ports: Ports, authority: Authority) -> datetime:
    """Before this nothing can have been done for anybody: the day of the first upload that was taken."""
    uploads = min(await list_taken_uploads(ports, authority), default=f"{ports.clock.now():%Y-%m-%d}")
    return datetime.strptime(uploads[:10], "%Y-%m-%d").replace(tzinfo=UTC)


async def _next_piece(ports: Ports, profile: Profile, lost: Loss, under_way: Rebuild) -> RebuildProgress:
    authority = profile.authority
    if under_way.source is Source.COPY:
        progress = await _put_back(ports, authority, lost, under_way)
        if progress is not None:
            return progress
    blobs = await list_blobs(ports, authority)
    progress = await _open_again(ports, authority, blobs)
    if progress is not None:
        return progress
    await _hand_over(ports, profile, lost, under_way, blobs)
    return RebuildProgress(finished=False, authority=authority, doing="handed over: the app goes on by itself")


# from the copy


async def _put_back(ports: Ports, authority: Authority, lost: Loss, under_way: Rebuild) -> RebuildProgress | None:
    """Restore the next files of the copy. Return None if all are restored."""
    files = copy_files(await _read_backup(ports, under_way), authority, lost)
    paths = [part.path for _, part in files]
    done = paths.index(under_way.put_back) + 1 if under_way.put_back in paths else 0
    if done == len(files):
        return None
    count = 0
    for partition, part in files[done : done + FILES_AT_ONCE]:
        await _put_back_file(ports, under_way, partition, part)
        moved = replace(under_way, put_back=part.path)
        await ports.ledger.losses.move_rebuild(authority, under_way, moved)
        under_way, done, count = moved, done + 1, count + part.records
        if count >= RECORDS_AT_ONCE:
            break
    return RebuildProgress(
        finished=False,
        authority=authority,
        doing=f"putting back the copy of {under_way.night}",
        done=done,
        of=len(files),
    )


def copy_files(copy: Manifest, authority: Authority, lost: Loss) -> list[tuple[Partition, BackupPart]]:
    """Return the files of a council. Tables that were not emptied have none, because deletions there must stay."""
    return [
        (partition, part)
        for partition, part in copy.parts()
        if partition.table in lost.tables and partition.partition.startswith(f"{authority}|")
    ]


async def _read_backup(ports: Ports, under_way: Rebuild) -> Manifest:
    copy = await read_backup(ports, under_way.night)
    if copy is None:
        raise ActionRefused(f"The copy of {under_way.night} is gone. Ask for `{_ALONE}`.")
    return copy


async def _put_back_file(ports: Ports, under_way: Rebuild, partition: Partition, part: BackupPart) -> None:
    try:
        records = unpack_records(partition, part, await ports.backups.read(part.path))
    except Damaged as damaged:
        says = f"The copy of {under_way.night} is damaged (backups/{damaged}). Ask for `{_ALONE}`."
        raise ActionRefused(says) from None
    mending = Mending(
        account=lambda account: restore_account(account, under_way), migration=lambda migration: migration
    )
    await ports.ledger.backups.restore(records, mending)


# from the exports


async def list_blobs(ports: Ports, authority: Authority) -> Blobs:
    """The uploads that are left, oldest first."""
    found = [blob async for blob in ports.exports.all() if blob.name.startswith(f"{authority}/")]
    ordered = sorted(found, key=lambda blob: (blob.uploaded, blob.name))
    return {migration_id(blob.name, blob.etag, blob.uploaded): blob for blob in ordered}


async def _open_again(ports: Ports, authority: Authority, blobs: Blobs) -> RebuildProgress | None:
    """Record the next upload that the tables have lost. Return None if all are recorded."""
    there = {
        m.id for m in [m async for m in ports.ledger.migrations.list_all(authority)] if m.layout or m.phase in _AT_END
    }
    were_taken = await list_taken_uploads(ports, authority)
    for number, (known_as, blob) in enumerate(blobs.items(), 1):
        if known_as in there:
            continue
        if known_as in were_taken:
            await receive_again(ports, blob, await _assessed_at(ports, f"{authority}/{known_as}"))
        elif not await _refused_again(ports, authority, known_as, blob):
            continue  # nobody has looked at it yet: the sweep sends it when all is made again
        says = f"opening {known_as} again"
        return RebuildProgress(finished=False, authority=authority, doing=says, done=number, of=len(blobs))
    return None


_AT_END: Final = frozenset({Phase.REFUSED, Phase.SUPERSEDED})


async def _refused_again(ports: Ports, authority: Authority, known_as: MigrationId, blob: Blob) -> bool:
    said = await _read_report(ports, f"{authority}/{known_as}/refused.json")
    if said is None:
        return False
    await refuse_again(ports, blob, str(said.get("reason", "")), str(said.get("detail", "")))
    return True


async def _assessed_at(ports: Ports, folder: str) -> datetime | None:
    """Return when the assessment was published. After that, something may have been done."""
    said = await _read_report(ports, f"{folder}/assessment.json")
    return datetime.fromisoformat(said["assessed_at"]) if said is not None else None


async def _read_report(ports: Ports, path: str) -> dict[str, Any] | None:
    body = await ports.reports.read(path)
    if body is None:
        return None
    said: dict[str, Any] = json.loads(body)
    return said


# and back to the ordinary machinery


async def _hand_over(ports: Ports, profile: Profile, lost: Loss, under_way: Rebuild, blobs: Blobs) -> None:
    """Have every export read again, oldest first, and then delete the note. After that the app continues."""
    authority = profile.authority
    found = sorted([m async for m in ports.ledger.migrations.list_all(authority)], key=get_upload_order)
    await _check_key(ports, profile, [replace(m, blob=blobs[m.id].name) for m in found if m.id in blobs])
    if await ports.ledger.pseudonym_keys.note(key_fingerprint(ports)) != key_fingerprint(ports):
        raise ActionRefused(_OTHER_KEY)
    assessed = {m.id: m.assessed_at or await _assessed_at(ports, m.folder) for m in found}
    begun = [m for m in found if m.layout is not None and m.phase in BEGUN | {Phase.FAILED}]
    newer = {older.id: following for older, following in pairwise(begun)}
    rows = names.ROWS not in lost.tables
    for m in found:
        left = Left(assessed[m.id] is not None, newer.get(m.id), file=m.id in blobs, rows=rows)
        await _resume_migrations(ports, m, under_way, left, await _file_name(ports, m, blobs))
    first = min((at for at in assessed.values() if at is not None), default=None)
    if names.MIGRATIONS in lost.tables and first is not None:
        # Nobody was told before the first assessment: whoever signed up since may have heard of it.
        await ports.ledger.first_messages.restore(authority, first)
    if await ports.ledger.rate_limits.get(WRITE) is None:
        # What was written just before the loss counts against the directory's quota still.
        await record_throttling(ports, [WRITE], ports.quotas.write.window)
    await ports.ledger.losses.end_rebuild(authority)


async def _resume_migrations(ports: Ports, migration: Migration, under_way: Rebuild, left: Left, file: str) -> None:
    await ports.ledger.migrations.change(
        migration.authority,
        migration.id,
        lambda current: restore_migration(replace(current, blob=current.blob or file), under_way, left),
    )
    for shard in SHARDS:
        # What was counted before the loss is counted again, and at once: nobody has looked for long.
        await ports.ledger.summaries.put(migration.authority, migration.id, ShardSummary(shard, under_way.since - DAY))


async def _file_name(ports: Ports, migration: Migration, blobs: Blobs) -> str:
    """Return the file name of an upload. A copy has no file names, because a file may be named after a person."""
    if migration.blob or migration.id in blobs:
        return migration.blob or blobs[migration.id].name
    for report in ("received", "refused"):
        said = await _read_report(ports, f"{migration.folder}/{report}.json")
        if said is not None:
            return str(said["file"])
    return f"{migration.authority}/"


async def _check_key(ports: Ports, profile: Profile, migrations: Sequence[Migration]) -> None:
    """Compare our owner markers of some customers of the newest export with the ids that our key gives them.

    Raises:
        ActionRefused: the key differs, or the directory could not be asked.
    """
    newest = next((m for m in reversed(migrations) if m.layout is not None), None)
    if newest is None or newest.layout is None:
        return
    first = replace(newest, offset=newest.layout.start, row=0)
    try:
        piece = await read_piece(ports, profile, first, newest.layout)
        await _compare_owner_markers(ports, profile, [who for who in piece.verdicts if isinstance(who, Person)])
    except Superseded:
        return  # overwritten just now
    except (TryLater, Stop, Cannot) as trouble:
        says = f"The directory could not be asked ({trouble}). Mend that, then run `ops rebuild` again."
        raise ActionRefused(says) from None


async def _compare_owner_markers(ports: Ports, profile: Profile, people: Sequence[Person]) -> None:
    seen = 0
    for person in people[:: len(people) // SAMPLE + 1]:
        address = email_key(person.email)
        for user in await ports.directory.with_address(address) if address else ():
            owner_marker = user.owner_markers.get(profile.authority)
            if owner_marker is None or user.customer_refs.get(profile.authority) != person.source_id:
                continue
            if owner_marker != ports.pseudonyms.account(profile.authority, person.source_id):
                raise ActionRefused(_OTHER_KEY)
            seen += 1
        if seen >= ENOUGH_MARKED_USERS:
            return
