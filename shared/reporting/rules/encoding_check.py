"""Names with letters beyond A to Z, which show if the encoding of the export was read correctly. Pure.

Nothing else shows a wrong encoding, and only a person can judge if a name is spelt correctly.
"""

from collections import Counter
from dataclasses import dataclass
from heapq import nsmallest
from math import inf
from typing import Final

from shared.model.row import Row

SHOWN: Final = 50
"""Names on the list for a person."""
LETTERS_SHOWN: Final = 40
MAX_KEPT_ROWS: Final = 2 * SHOWN
REPLACEMENT: Final = "\ufffd"
"""What a program writes in place of a letter that it could not read."""


@dataclass(frozen=True, slots=True)
class Letters:
    """The letters in the names of an export. Letters alone name nobody."""

    names: int = 0
    """People whose name holds such letters."""
    damaged: int = 0
    """Names among these that look as if they were read in a wrong encoding."""
    letters: tuple[tuple[str, int], ...] = ()
    """The letters, each with the number of names that have it, most frequent first."""


class LetterCheck:
    """Looks at row after row and keeps the first few."""

    def __init__(self) -> None:
        self._names = self._damaged = 0
        self._letters: Counter[str] = Counter()
        self._kept: list[tuple[bool, int, Row]] = []
        self._last: tuple[bool, float] = (True, inf)
        """Letters after this one are not among the first ones."""

    def add(self, row: Row) -> None:
        """Read one row. A row without a person is ignored."""
        name = f"{row.person.given_name} {row.person.surname}" if row.person else ""
        if name.isascii():
            return
        broken = is_damaged(name)
        self._names += 1
        self._damaged += broken
        self._letters.update({letter for letter in name if not letter.isascii()})
        if (not broken, row.number) > self._last:
            return
        self._kept.append((not broken, row.number, row))
        if len(self._kept) > MAX_KEPT_ROWS:
            self._kept = self._list_first()
            self._last = self._kept[-1][:2]

    def first(self) -> list[Row]:
        """The rows for a person to look at: what looks damaged, then the first of the file."""
        return [row for _, _, row in self._list_first()]

    def total(self) -> Letters:
        """All that was found."""
        frequent = sorted(self._letters.items(), key=lambda each: (-each[1], each[0]))
        return Letters(self._names, self._damaged, tuple(frequent[:LETTERS_SHOWN]))

    def _list_first(self) -> list[tuple[bool, int, Row]]:
        return nsmallest(SHOWN, self._kept, key=lambda each: each[:2])


def is_damaged(name: str) -> bool:
    """Return True if a name looks as if UTF-8 was read as Windows-1252, or as if a letter was lost."""
    if REPLACEMENT in name:
        return True
    if name.isascii():
        return False
    try:
        name.encode("cp1252").decode("utf-8")
    except UnicodeError:
        return False
    return True
