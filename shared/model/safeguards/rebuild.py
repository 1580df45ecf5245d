"""A rebuild of the tables of one authority after a loss."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from shared import names


class Source(StrEnum):
    """What the tables are made from."""

    COPY = "copy"
    """The newest whole nightly copy, then as `EXPORT` for what it does not know."""
    EXPORT = "export"
    """The exports that are left, our marks in the directory and the message service's references."""


@dataclass(frozen=True, slots=True)
class Rebuild:
    """A rebuild of one authority that somebody began and that has not been handed over yet."""

    since: datetime
    source: Source
    lost_since: datetime
    """Everything that was done before this moment is in the copy; without one, nothing was done before it."""
    night: str = ""
    """Which copy it is made from."""
    by: str = ""
    put_back: str = ""
    """The last file of the copy that was put back."""


@dataclass(frozen=True, slots=True)
class Anchors:
    """What is left of the record that every table of an authority holds from its first upload on."""

    tables: frozenset[str]
    """Tables in which it is."""
    missing: frozenset[str]
    rebuild: Rebuild | None = None

    @property
    def torn(self) -> bool:
        """Whether other tables than Migrations were emptied, or a rebuild has not come to its end."""
        return self.rebuild is not None or bool(self.missing and names.MIGRATIONS in self.tables)


def choose_first_release(rebuilt_at: datetime) -> int:
    """A release number that no message of the lost tables can have: nobody is released once a second."""
    return int(rebuilt_at.timestamp())


LATE: Final = timedelta(minutes=2)
"""So long a message that was being sent when the tables were lost may take to be known to the service."""
