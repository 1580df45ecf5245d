"""What a rebuild would do, for people. It reads and changes nothing."""

from dataclasses import dataclass
from datetime import datetime

from shared.integrity.backup_tables import find_newest_backup, read_backup
from shared.integrity.table_loss import find_table_loss, list_taken_uploads
from shared.model.account import SHARDS, Authority
from shared.model.migration import Phase
from shared.model.profile import Profile
from shared.ports import Ports
from shared.recovery.rebuild import copy_files, list_blobs


@dataclass(frozen=True, slots=True)
class Outlook:
    """What a rebuild of one council would do, or that there is nothing to do."""

    authority: str
    council: str
    lost: tuple[str, ...]
    """Tables that were emptied."""
    under_way_since: datetime | None
    night: str
    """The copy from which the tables are rebuilt. Empty if there is none."""
    copy_records: int
    read_again: tuple[str, ...]
    """Uploads that will be read again."""
    gone: tuple[str, ...]
    """Uploads that were accepted once and whose file is gone. Only the copy knows what they alone brought."""
    unexplained: int | None = None
    """Users with our owner marker that no account explains. None if nobody asked, or if it cannot be counted yet."""


async def preview_rebuild(ports: Ports, profile: Profile, *, marks: bool) -> Outlook:
    """Look, and change nothing."""
    authority = profile.authority
    lost = await find_table_loss(ports, authority)
    under_way = lost.rebuild if lost else None
    copy = await (read_backup(ports, under_way.night) if under_way else find_newest_backup(ports)) if lost else None
    uploads = await list_taken_uploads(ports, authority) if lost else frozenset()
    blobs = await list_blobs(ports, authority) if lost else {}
    return Outlook(
        authority=authority,
        council=profile.name,
        lost=tuple(sorted(lost.tables)) if lost else (),
        under_way_since=under_way.since if under_way else None,
        night=copy.night if copy else "",
        copy_records=sum(part.records for _, part in copy_files(copy, authority, lost)) if copy and lost else 0,
        read_again=tuple(sorted(uploads & blobs.keys())),
        gone=tuple(sorted(uploads - blobs.keys())),
        unexplained=await _count_unexplained(ports, authority) if marks and lost is None else None,
    )


async def _count_unexplained(ports: Ports, authority: Authority) -> int | None:
    """Return the number of users with our owner marker beyond the moved accounts. They are left alone."""
    open_ones = [
        m async for m in ports.ledger.migrations.list_all(authority) if m.phase in {Phase.STAGING, Phase.CLASSIFYING}
    ]
    if open_ones:
        return None
    counted = await ports.directory.count_users(authority)
    moved = 0
    for shard in SHARDS:
        async for stored in ports.ledger.accounts.list_shard(authority, shard):
            moved += stored.record.done
    canaries = await ports.directory.with_owner_marker(authority, ports.pseudonyms.canary(authority))
    return max(counted.users - counted.without_mark - moved - len(canaries), 0)
