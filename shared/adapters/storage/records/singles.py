"""Records of which there is one for the app, for a timer or for an authority."""

from datetime import datetime, timedelta
from typing import Final

from shared import names
from shared.adapters.storage.entities import TIMER_FAILURE, canary_record, canary_values, format_time
from shared.adapters.storage.recent import Recent
from shared.adapters.storage.records.writing import insert_missing
from shared.adapters.storage.store import Query, Store, Verb, Write
from shared.errors import StaleWrite
from shared.model.account import Authority
from shared.model.safeguards.canary import Canary
from shared.model.safeguards.timer_failure import TimerFailure, count_failure
from shared.ports import Clock, Stored

_KEY: Final = ("app|key", "fingerprint")
"""Partition and row key. One for all councils: they share the key."""
_TIMERS: Final = "app|timers"
TIMER_FAILURE_CACHE_TIME: Final = timedelta(minutes=5)
"""How often a healthy timer asks if it failed before, on another instance or before a restart."""
FIRST_MESSAGE_CACHE_TIME: Final = timedelta(seconds=1)
"""How old the answer may be that no message was sent yet."""


class TablePseudonymKeys:
    """`PseudonymKeyRecords` over any `Store`."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._key: str | None = None
        """The fingerprint never changes, so it is read once."""

    async def get_fingerprint(self) -> str | None:
        """Return the fingerprint. Every step needs it, so the table is read only once."""
        if self._key is None:
            entity = await self._store.get(names.MIGRATIONS, *_KEY)
            self._key = str(entity.values["fingerprint"]) if entity else None
        return self._key

    async def note(self, fingerprint: str) -> str:
        """Insert, or read what is there."""
        partition_key, row_key = _KEY
        await insert_missing(
            self._store, names.MIGRATIONS, partition_key, [[Write(Verb.INSERT, row_key, {"fingerprint": fingerprint})]]
        )
        self._key = None
        return await self.get_fingerprint() or fingerprint


class TableTimerFailures:
    """`TimerFailureRecords` over any `Store`."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._well: Recent[str, None] = Recent(clock, TIMER_FAILURE_CACHE_TIME)

    async def list_all(self) -> list[TimerFailure]:
        """Timers that fail."""
        found = self._store.query(names.MIGRATIONS, _TIMERS, Query())
        return [TIMER_FAILURE.record(entity.values) async for entity in found]

    async def note(self, timer: str, error: str, at: datetime) -> None:
        """Record one more failure. A timer runs in one place at a time, so no other process writes its row."""
        known = await self._store.get(names.MIGRATIONS, _TIMERS, timer)
        trouble = count_failure(TIMER_FAILURE.record(known.values) if known else None, timer, error, at)
        self._well.forget()
        await self._store.write(names.MIGRATIONS, _TIMERS, [Write(Verb.PUT, timer, TIMER_FAILURE.values(trouble))])

    async def end(self, timer: str) -> None:
        """Record a good run. This follows every run, so the table is read only now and then."""

        async def forget() -> None:
            if await self._store.get(names.MIGRATIONS, _TIMERS, timer) is not None:
                await self._store.write(names.MIGRATIONS, _TIMERS, [Write(Verb.DELETE, timer, {})])

        await self._well.get(timer, forget)


class TableCanaries:
    """`CanaryRecords` over any `Store`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def get(self, authority: Authority) -> Stored[Canary] | None:
        """The newest canary of an authority."""
        entity = await self._store.get(names.MIGRATIONS, f"{authority}|canary", "canary")
        return Stored(canary_record(entity.values), entity.etag) if entity else None

    async def save(self, before: Stored[Canary] | None, canary: Canary) -> Stored[Canary]:
        """Save a canary, unless another process was faster."""
        verb, etag = (Verb.REPLACE, before.etag) if before else (Verb.INSERT, "")
        write = Write(verb, "canary", canary_values(canary), etag)
        etags = await self._store.write(names.MIGRATIONS, f"{canary.authority}|canary", [write])
        return Stored(canary, etags[0])


class TableFirstMessages:
    """`FirstMessageRecords` over any `Store`."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._first_messages: dict[Authority, datetime] = {}
        """The time is written once and never changed, so a known time is not read again."""
        self._unsent: Recent[Authority, datetime | None] = Recent(clock, FIRST_MESSAGE_CACHE_TIME)
        """Before the first message, every comparison asks for it, so the missing time is remembered for a short while.
        """

    async def get(self, authority: Authority) -> datetime | None:
        """Return when this authority's first message was sent."""
        if authority not in self._first_messages:
            at = await self._unsent.get(authority, lambda: self._read_entity(authority))
            if at is None:
                return None
            self._first_messages[authority] = at
        return self._first_messages[authority]

    async def _read_entity(self, authority: Authority) -> datetime | None:
        entity = await self._store.get(names.MIGRATIONS, f"{authority}|first", "message")
        return datetime.fromisoformat(str(entity.values["at"])) if entity else None

    async def note(self, authority: Authority, at: datetime) -> None:
        """Only the first note counts."""
        if await self.get(authority) is not None:
            return
        write = Write(Verb.INSERT, "message", {"at": format_time(at)})
        try:
            await self._store.write(names.MIGRATIONS, f"{authority}|first", [write])
        except StaleWrite:
            return
        finally:
            self._unsent.forget()

    async def restore(self, authority: Authority, at: datetime) -> None:
        """Insert it although this process may have seen one."""
        self._unsent.forget()
        await insert_missing(
            self._store,
            names.MIGRATIONS,
            f"{authority}|first",
            [[Write(Verb.INSERT, "message", {"at": format_time(at)})]],
        )
