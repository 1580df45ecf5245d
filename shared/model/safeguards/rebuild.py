"""A rebuild of the tables of one authority after a loss."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from shared import names


class Source(StrEnum):
    """What the tables are rebuilt from."""

    COPY = "copy"
    """The newest whole nightly copy, then as `EXPORT` for what it does not know."""
    EXPORT = "export"
    """The exports that are left, our owner markers in the directory, and the references of the message service."""


@dataclass(frozen=True, slots=True)
class Rebuild:
    """A rebuild of one authority that was started and is not finished yet."""

    since: datetime
    source: Source
    tables_lost_at: datetime
    """Everything that was done before this time is in the copy. Without a copy, nothing was done before it."""
    night: str = ""
    """The copy that is used."""
    by: str = ""
    put_back: str = ""
    """The last file of the copy that was put back."""


@dataclass(frozen=True, slots=True)
class Anchors:
    """The anchors that are left: the records that each table of an authority holds from the first upload on."""

    tables: frozenset[str]
    """Tables in which it is."""
    missing: frozenset[str]
    rebuild: Rebuild | None = None

    @property
    def tables_emptied(self) -> bool:
        """True if tables other than Migrations were emptied, or if a rebuild has not finished."""
        return self.rebuild is not None or bool(self.missing and names.MIGRATIONS in self.tables)


def choose_first_release(rebuilt_at: datetime) -> int:
    """Return a release number that no message of the lost tables can have.

    No account is released more than once a second.
    """
    return int(rebuilt_at.timestamp())


MAX_MESSAGE_DELAY: Final = timedelta(minutes=2)
"""How long a message that was being sent when the tables were lost may take to show in the service."""
