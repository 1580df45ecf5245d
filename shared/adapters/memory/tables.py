"""Tables in memory."""

import re
from collections.abc import AsyncIterator, Sequence
from itertools import count
from typing import Final

from shared.adapters.storage.store import TRANSACTION_LIMIT, Conflict, Entity, Query, Values, Verb, Write

FORBIDDEN_IN_KEYS: Final = re.compile(r"[/\\#?\x00-\x1f\x7f-\x9f%]")
PROPERTY_LIMIT: Final = 32 * 1024
"""UTF-16 units of one text property."""


class MemoryTables:
    """A `Store` in dictionaries."""

    def __init__(self) -> None:
        self._tables: dict[tuple[str, str], dict[str, tuple[Values, str]]] = {}
        self._etags = count(1)

    async def get(self, table: str, partition: str, row_key: str) -> Entity | None:
        """One entity by its key."""
        found = self._tables.get((table, partition), {}).get(row_key)
        return Entity(row_key, dict(found[0]), found[1]) if found else None

    async def query(self, table: str, partition: str, query: Query) -> AsyncIterator[Entity]:
        """Entities of a partition in the order of their row keys."""
        given = 0
        for row_key, (values, etag) in sorted(self._tables.get((table, partition), {}).items()):
            outside = query.keys and not query.keys[0] <= row_key < query.keys[1]
            if outside or not row_key.startswith(query.prefix) or not _matches_query(values, query):
                continue
            wanted = {k: v for k, v in values.items() if not query.select or k in query.select}
            yield Entity(row_key, wanted, etag)
            given += 1
            if given == query.limit:
                return

    async def write(self, table: str, partition: str, writes: Sequence[Write]) -> list[str]:
        """All or none."""
        _check_writes(partition, writes)
        rows = self._tables.setdefault((table, partition), {})
        for index, write in enumerate(writes):
            there = rows.get(write.row_key)
            stale = write.verb in {Verb.REPLACE, Verb.MERGE} and (there is None or there[1] != write.etag)
            gone = write.verb is Verb.DELETE and there is None and len(writes) > 1
            if stale or gone or (write.verb is Verb.INSERT and there is not None):
                raise Conflict(index)
        etags = [f'W/"{next(self._etags)}"' for _ in writes]
        for write, etag in zip(writes, etags, strict=True):
            if write.verb is Verb.DELETE:
                rows.pop(write.row_key, None)
            else:
                kept = rows[write.row_key][0] if write.verb is Verb.MERGE else {}
                rows[write.row_key] = ({**kept, **write.values}, etag)
        return etags

    def empty(self, table: str) -> None:
        """Empty a table, which must never happen on Azure."""
        self._tables = {partition: rows for partition, rows in self._tables.items() if partition[0] != table}

    def everything(self) -> list[tuple[str, str, str, Values]]:
        """(table, partition, row key, columns) of every entity, for tests that look for what must not be there."""
        return [
            (table, partition, row_key, values)
            for (table, partition), rows in self._tables.items()
            for row_key, (values, _) in rows.items()
        ]


def _matches_query(values: Values, query: Query) -> bool:
    equal = all(values.get(column) == value for column, value in query.equal.items())
    equal = equal and all(values.get(column) in some for column, some in query.one_of.items())
    return equal and all(str(values.get(column, "\uffff")) <= bound for column, bound in query.at_most.items())


def _check_writes(partition: str, writes: Sequence[Write]) -> None:
    keys = [write.row_key for write in writes]
    if not 0 < len(writes) <= TRANSACTION_LIMIT or len(set(keys)) != len(keys):
        raise ValueError("a transaction holds 1 to 100 entities, each once")
    if any(FORBIDDEN_IN_KEYS.search(key) for key in [partition, *keys]):
        raise ValueError("a key holds a character that Table Storage refuses")
    if any(isinstance(v, str) and len(v) > PROPERTY_LIMIT for write in writes for v in write.values.values()):
        raise ValueError("a property is longer than 64 KiB")
