"""The files that are written: a council's export with its truth, and the directory's seed."""

import csv
import json
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import Final, Self, TextIO

from local.samples.cases import Line
from local.samples.councils import Council
from local.samples.directory import User

DIRECTORY_FILE: Final = "directory.json"
_OUTCOMES: Final = ("create", "link", "review", "reject", "duplicate")
_TRUTH_COLUMNS: Final = ("row", "source_id", "outcome", "reason", "directory_id", "case")


class CouncilFiles:
    """A council's export, and beside it what must become of each row."""

    def __init__(self, folder: Path, council: Council) -> None:
        self._council = council
        self._counts_file = folder / f"{council.slug}.truth.json"
        self._outcomes: Counter[str] = Counter()
        self._reasons: Counter[str] = Counter()
        self._open = ExitStack()
        export = self._open.enter_context(_open_file(folder / f"{council.slug}.csv", council.encoding))
        truth = self._open.enter_context(_open_file(folder / f"{council.slug}.truth.csv", "utf-8"))
        self._export = csv.writer(export, delimiter=council.separator, lineterminator="\r\n")
        self._truth = csv.writer(truth, lineterminator="\n")
        self._export.writerow(council.header)
        self._truth.writerow(_TRUTH_COLUMNS)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    @property
    def created(self) -> int:
        """Return how many accounts must be created so far."""
        return self._outcomes["create"]

    def add(self, line: Line, case: str) -> None:
        """Write a row and its truth. Rows are numbered from 1, even if a cell has several lines."""
        cells = self._council.cells(line.cells)
        shaped = cells[: line.cells_more] if line.cells_more < 0 else cells + ["surplus"] * line.cells_more
        self._export.writerow(shaped)
        expected = line.expected
        self._outcomes[expected.outcome] += 1
        self._reasons[expected.reason] += 1
        source_id = line.cells["source_id"].strip()
        answer = (expected.outcome, expected.reason, expected.directory_id)
        self._truth.writerow((self._outcomes.total(), source_id, *answer, case))

    def write_counts(self, directory_users: int, users_met: int) -> None:
        """Write the sums; `users_met` is how many directory users some row of the export points at."""
        reasons = {reason: number for reason, number in sorted(self._reasons.items()) if reason}
        counts = {
            "rows": self._outcomes.total(),
            **{outcome: self._outcomes[outcome] for outcome in _OUTCOMES},
            "reasons": reasons,
            "directory_users": directory_users,
            "directory_only": directory_users - users_met,
        }
        self._counts_file.write_text(json.dumps(counts, indent=2) + "\n", "utf-8", newline="\n")


class DirectoryFile:
    """The directory's seed, written user by user; `left` is how many there is room for."""

    def __init__(self, folder: Path, size: int) -> None:
        self.left = size
        self._stream = _open_file(folder / DIRECTORY_FILE, "utf-8")
        self._stream.write('{"users": [')
        self._separator = "\n"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.write("\n]}\n")
        self._stream.close()

    def add(self, user: User) -> None:
        """Write one more user."""
        self._stream.write(self._separator + json.dumps(user, ensure_ascii=False))
        self._separator = ",\n"
        self.left -= 1


def _open_file(path: Path, encoding: str) -> TextIO:
    return path.open("w", encoding=encoding, newline="")
