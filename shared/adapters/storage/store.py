"""Tables as the ledger needs them: point reads, range queries, small atomic writes with ETags.

Two stores keep these promises and pass the same contract suite: `azure_tables.AzureTables` and `memory.MemoryTables`.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Protocol

from shared.errors import StaleWrite

TRANSACTION_LIMIT: Final = 100
"""Entities of one transaction (Table Storage)."""

type Value = str | int | bool
type Values = Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class Entity:
    """One entity as it was read."""

    row_key: str
    values: Values
    etag: str


class Verb(StrEnum):
    """The kind of a write."""

    INSERT = "insert"
    """Fails when the entity is there."""
    REPLACE = "replace"
    """Fails when the entity changed since it was read."""
    MERGE = "merge"
    """Writes the columns that it names and keeps the others. Fails when the entity changed since it was read."""
    PUT = "put"
    """Writes in any case. Only for records that depend on nothing but their key."""
    DELETE = "delete"
    """Removes the entity, if it is there. In a transaction it fails if the entity is missing, as Table Storage
    requires.
    """


@dataclass(frozen=True, slots=True)
class Write:
    """One entity of a transaction."""

    verb: Verb
    row_key: str
    values: Values = field(default_factory=dict)
    etag: str = ""


class Conflict(StaleWrite):
    """A transaction found a change by another process. Nothing was written. `index` is the write that failed."""

    def __init__(self, index: int) -> None:
        super().__init__(f"write {index} of the transaction met another's change")
        self.index = index


@dataclass(frozen=True, slots=True)
class Query:
    """Entities of one partition whose row key starts with `prefix`."""

    prefix: str = ""
    equal: Values = field(default_factory=dict)
    one_of: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    at_most: Mapping[str, str] = field(default_factory=dict)
    select: Sequence[str] = ()
    """Columns to fetch, all when empty."""
    limit: int = 0
    """The most entities to return. 0 for all."""
    keys: tuple[str, ...] = ()
    """A range of row keys: the first is included, the second is not. Empty for all keys."""


class Store(Protocol):
    """Table Storage, or what behaves like it."""

    async def get(self, table: str, partition: str, row_key: str) -> Entity | None: ...

    def query(self, table: str, partition: str, query: Query) -> AsyncIterator[Entity]:
        """In the order of their row keys."""
        ...

    async def write(self, table: str, partition: str, writes: Sequence[Write]) -> list[str]:
        """Write at most `TRANSACTION_LIMIT` entities of one partition, all or none. Returns their new ETags.

        Raises:
            Conflict: an insert found the entity there, a replace or a merge found it changed, or a delete that is
                not alone found nothing.
        """
        ...
