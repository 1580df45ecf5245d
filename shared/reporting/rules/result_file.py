"""result.csv: one line for every data row. Pure.

Safe to open in a spreadsheet: a cell that could be taken for a formula gets an apostrophe (OWASP's list).
"""

import csv
import hashlib
import io
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, NamedTuple

from shared.model.account import Account
from shared.model.lifecycle import Outcome, RowState, State
from shared.model.outcome import find_outcome
from shared.model.row import Row

COLUMNS: Final = ("row", "source_id", "outcome", "state", "reason", "directory_id", "notified_at")
FORMAT: Final = 1
"""A new number is needed when lines get another form. Then every block is written again."""
NO_ACCOUNTS: Final = hashlib.sha256().hexdigest()
"""The fingerprint of a shard without accounts."""
FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


@dataclass(frozen=True, slots=True)
class Line:
    """The line of one row."""

    row: int
    source_id: str
    outcome: str
    state: str
    reason: str = ""
    directory_id: str = ""
    notified_at: str = ""


class ResultFields(NamedTuple):
    """The data that lines need of an account. It is a tuple, because tens of thousands are held at the same time."""

    outcome: str
    state: str
    reason: str
    directory_id: str
    notified_at: str


def read_told(account: Account) -> ResultFields:
    """Return the data that lines need of an account, as it is now."""
    notified_at = f"{account.notified_at:%Y-%m-%dT%H:%M:%SZ}" if account.notified_at else ""
    return ResultFields(find_outcome(account), account.state, account.reason, account.directory_id or "", notified_at)


def make_line(row: Row, told: ResultFields | None) -> Line:
    """Return the line of a row. `told` is the data of its account, if it has one."""
    if row.outcome is Outcome.REJECT:
        return Line(row.number, row.source_id, row.outcome, RowState.REJECTED, row.reason)
    if row.outcome is Outcome.DUPLICATE:
        return Line(row.number, row.source_id, row.outcome, RowState.DUPLICATE, f"same_as_row_{row.duplicate_of}")
    if row.outcome is Outcome.REVIEW:
        return Line(row.number, row.source_id, row.outcome, State.REVIEW, row.reason)
    if told is None:
        return Line(row.number, row.source_id, "", State.STAGED, "row_missing")
    return Line(row.number, row.source_id, row.outcome or told.outcome, *told[1:])


def add_to_fingerprint(account: Account, outcome: str, fingerprint: "hashlib._Hash") -> None:
    """Add all that any line says about an account to a fingerprint."""
    says = f"{account.id}|{account.row}|{outcome}|{account.state}|{account.reason}|{account.directory_id}"
    fingerprint.update(f"{says}|{account.notify_id}|{account.notified_at}\n".encode())


def write_header() -> bytes:
    """The first line."""
    return csv_lines([COLUMNS])


def write_lines(found: Iterable[Line]) -> bytes:
    """Lines, ready to be written."""
    return csv_lines(
        (line.row, line.source_id, line.outcome, line.state, line.reason, line.directory_id, line.notified_at)
        for line in found
    )


def csv_lines(rows: Iterable[Iterable[object]]) -> bytes:
    """Lines of CSV that no spreadsheet takes for formulas."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerows([_make_safe(cell) for cell in row] for row in rows)
    return out.getvalue().encode()


def _make_safe(cell: object) -> object:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULA) else cell
