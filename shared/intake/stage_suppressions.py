"""stage-suppressions: one piece of a list of people to be left alone. A piece may be read any number of times."""

import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from typing import Final

from shared.errors import Superseded
from shared.intake.apply_suppressions import apply_suppressions
from shared.intake.pieces import admit_piece, is_current, leave_overwritten, send_next_piece
from shared.intake.rules.csv_reader import CsvRecord, RecordReader
from shared.intake.rules.suppressions import RejectedExclusion, read_exclusion
from shared.integrity.table_loss import must_wait_for_older
from shared.model.account import AccountId
from shared.model.messages import StageSuppressions
from shared.model.migration import PIECE_ROWS, Layout, Migration, Phase
from shared.model.reasons import explain_reason
from shared.ports import Ports

IN_NO_EXTRACT: Final = "in_no_extract"


async def stage_suppressions(ports: Ports, message: StageSuppressions) -> None:
    """Read one piece of a suppression list and send the message of the next."""
    migration = await admit_piece(ports, message)
    if migration is None or migration.layout is None:
        return
    if is_current(message, migration):
        if migration.piece == 0 and await must_wait_for_older(ports, migration):
            return  # the sweep sends it again
        try:
            migration = await stage_suppression_piece(ports, migration, migration.layout)
        except Superseded:
            await leave_overwritten(ports, migration)
            return
    await send_next_piece(ports, migration, message)


async def stage_suppression_piece(ports: Ports, migration: Migration, layout: Layout) -> Migration:
    """Exclude the customers of one piece, and report the lines without a usable reference.

    Raises:
        Superseded: the file was replaced.
    """
    found: dict[AccountId, str] = {}
    lines: dict[AccountId, int] = {}
    rejected: dict[int, str] = {}
    rows, end = 0, migration.blob_size
    reader = RecordReader(layout.separator, layout.encoding, migration.offset)
    async for record in _read_records(ports, migration, reader):
        rows += 1
        read = read_exclusion(record, layout, migration.authority, ports.pseudonyms)
        if isinstance(read, RejectedExclusion):
            rejected[migration.row + rows] = read.reason
        else:
            found[read.account] = read.reason
            lines[read.account] = migration.row + rows
        if rows == PIECE_ROWS:
            end = record.end
            break
    for known in await apply_suppressions(ports, migration, found):
        # Rejected in every extract since, and so without an account.
        del lines[known]
    strangers = await _find_unknown_references(ports, migration, lines)
    await _publish_report(ports, migration, found, rejected, strangers)
    last = migration.row + rows >= layout.rows
    return await _check_point(ports, migration, rows, end, last=last)


async def _read_records(ports: Ports, migration: Migration, reader: RecordReader) -> AsyncIterator[CsvRecord]:
    async for chunk in ports.exports.read(migration.blob, migration.blob_etag, migration.offset):
        for record in reader.feed(chunk):
            yield record
    for record in reader.close():
        yield record


async def _find_unknown_references(ports: Ports, migration: Migration, lines: Mapping[AccountId, int]) -> list[int]:
    """Return rows whose customer is in no extract.

    Otherwise a mistyped reference would look like an excluded customer.
    """
    drafts = [other.partition async for other in ports.ledger.migrations.list_all(migration.authority) if other.apart]
    missing = dict(lines)
    for partition in (migration.authority, *reversed(drafts)):
        for account in [account for account in missing if await ports.ledger.accounts.get(partition, account)]:
            del missing[account]
    return sorted(missing.values())


async def _publish_report(
    ports: Ports, migration: Migration, found: dict[AccountId, str], rejected: dict[int, str], strangers: list[int]
) -> None:
    """Write `excluded.json`: counts, and the lines without a usable reference. It never names an excluded customer."""
    why = [reason for reason in found.values() if reason]
    says = {
        "migration": migration.id,
        "left_alone": {reason: why.count(reason) for reason in sorted(set(why))},
        "taken_off": len(found) - len(why),
        "rejected": [
            {
                "row": row,
                "reason": reason,
                "sentence": explain_reason(reason).sentence,
                "next": explain_reason(reason).remedy,
            }
            for row, reason in rejected.items()
        ],
        "in_no_extract": {
            "rows": strangers,
            "sentence": explain_reason(IN_NO_EXTRACT).sentence,
            "next": explain_reason(IN_NO_EXTRACT).remedy,
        },
    }
    name = f"excluded-{migration.piece + 1}.json" if migration.piece else "excluded.json"
    body = json.dumps(says, indent=2).encode()
    await ports.reports.put(f"{migration.folder}/{name}", body, "application/json")


async def _check_point(ports: Ports, migration: Migration, rows: int, end: int, *, last: bool) -> Migration:
    read = migration.piece

    def move_on(current: Migration) -> Migration:
        if current.piece != read or current.phase is not Phase.STAGING:
            return current
        now = ports.clock.now()
        moved = replace(current, piece=read + 1, offset=end, row=current.row + rows, moved_at=now, stalled=0)
        return replace(moved, phase=Phase.DONE, done_at=now) if last else moved

    return await ports.ledger.migrations.change(migration.authority, migration.id, move_on)
