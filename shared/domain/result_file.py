"""result.csv: one line for every data row. Pure.

Safe to open in a spreadsheet: a cell that could be taken for a formula gets an apostrophe (OWASP's list).
"""

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from shared.domain.account import Account
from shared.domain.lifecycle import MOVING, Outcome, RowState, State
from shared.domain.rows import Row

COLUMNS: Final = ("row", "source_id", "outcome", "state", "reason", "directory_id", "notified_at")
FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


@dataclass(frozen=True, slots=True)
class Line:
    """What became of one row."""

    row: int
    source_id: str
    outcome: str
    state: str
    reason: str = ""
    directory_id: str = ""
    notified_at: str = ""


def line_of(row: Row, account: Account | None) -> Line:
    """The line of a row; `account` is the one it belongs to, if it has one."""
    if row.outcome is Outcome.REJECT:
        return Line(row.number, row.source_id, row.outcome, RowState.REJECTED, row.reason)
    if row.outcome is Outcome.DUPLICATE:
        return Line(row.number, row.source_id, row.outcome, RowState.DUPLICATE, f"same_as_row_{row.duplicate_of}")
    if row.outcome is Outcome.REVIEW:
        return Line(row.number, row.source_id, row.outcome, State.REVIEW, row.reason)
    if account is None:
        return Line(row.number, row.source_id, "", State.STAGED, "row_missing")
    return Line(
        row.number,
        row.source_id,
        row.outcome or outcome_of(account),
        account.state,
        account.reason,
        account.directory_id or "",
        f"{account.notified_at:%Y-%m-%dT%H:%M:%SZ}" if account.notified_at else "",
    )


def outcome_of(account: Account) -> str:
    """The outcome as far as it is known: what is staged anew has none yet, what failed before it was judged neither.

    What was to be created or joined and is now for a person to decide has come to review.
    """
    if account.state is State.REVIEW:
        return Outcome.REVIEW
    if account.state is State.STAGED or account.outcome is None:
        return "" if account.state in MOVING else Outcome.REVIEW
    return account.outcome


def header() -> bytes:
    """The first line."""
    return csv_lines([COLUMNS])


def lines(found: Iterable[Line]) -> bytes:
    """Lines, ready to be written."""
    return csv_lines(
        (line.row, line.source_id, line.outcome, line.state, line.reason, line.directory_id, line.notified_at)
        for line in found
    )


def csv_lines(rows: Iterable[Iterable[object]]) -> bytes:
    """Lines of CSV that no spreadsheet takes for formulas."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerows([_safe(cell) for cell in row] for row in rows)
    return out.getvalue().encode()


def _safe(cell: object) -> object:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULA) else cell
