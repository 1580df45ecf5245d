"""What there is one of: the pace of a lane, the key, a timer's trouble, a council's canary and its first message."""

from datetime import datetime, timedelta
from typing import Final

from shared import names
from shared.adapters.storage.entities import PACE, TROUBLE, canary_record, canary_values, moment
from shared.adapters.storage.recent import Recent
from shared.adapters.storage.records.base import OnTables
from shared.adapters.storage.store import Conflict, Query, Store, Verb, Write
from shared.errors import StaleWrite
from shared.model.account import Authority
from shared.model.pacing.rate_limit import Lane, Pace
from shared.model.safeguards.canary import Canary
from shared.model.safeguards.timer_failure import Trouble, failed_again
from shared.ports import Clock, Stored

_KEY: Final = ("app|key", "fingerprint")
"""Partition and row key. One for all councils: they share the key."""
_PACES: Final = "directory|pace"
_TIMERS: Final = "app|timers"
NOW_AND_THEN: Final = timedelta(minutes=5)
"""So often a timer that runs well asks whether it failed before, elsewhere or in an earlier life."""
A_MOMENT: Final = timedelta(seconds=1)
"""So old may be the answer that no message has gone out yet."""
FRESH: Final = timedelta(seconds=5)
"""So old may be what a glance shows."""


class Singles(OnTables):
    """The part of the `Ledger` that knows single records."""

    def __init__(self, store: Store, clock: Clock) -> None:
        super().__init__(store, clock)
        self._first_messages: dict[Authority, datetime] = {}
        """Written once and never changed, so what was seen need not be asked again."""
        self._unsent: Recent[Authority, datetime | None] = Recent(clock, A_MOMENT)
        """Before the first message, every comparison asks for it."""
        self._key: str | None = None
        """The same."""
        self._well: Recent[str, None] = Recent(clock, NOW_AND_THEN)
        self._glances: dict[Lane, tuple[datetime, Pace | None]] = {}

    async def pace(self, lane: Lane) -> Stored[Pace] | None:
        """The shared pace of a lane."""
        entity = await self._store.get(names.MIGRATIONS, _PACES, lane)
        return Stored(PACE.record(entity.values), entity.etag) if entity else None

    async def save_pace(self, lane: Lane, before: Stored[Pace] | None, pace: Pace) -> bool:
        """Save the shared pace of a lane unless somebody else was faster."""
        verb, etag = (Verb.REPLACE, before.etag) if before else (Verb.INSERT, "")
        self._glances.pop(lane, None)
        try:
            await self._store.write(names.MIGRATIONS, _PACES, [Write(verb, lane, PACE.values(pace), etag)])
        except Conflict:
            return False
        return True

    async def recent_pace(self, lane: Lane, now: datetime) -> Pace | None:
        """Remembered for a moment."""
        seen = self._glances.get(lane)
        if seen is None or not seen[0] <= now < seen[0] + FRESH:
            stored = await self.pace(lane)
            seen = self._glances[lane] = (now, stored.record if stored else None)
        return seen[1]

    async def key_fingerprint(self) -> str | None:
        """Asked of every account's step, and so of the table only once."""
        if self._key is None:
            entity = await self._store.get(names.MIGRATIONS, *_KEY)
            self._key = str(entity.values["fingerprint"]) if entity else None
        return self._key

    async def note_key(self, fingerprint: str) -> str:
        """Insert, or read what is there."""
        partition, row_key = _KEY
        await self._insert_missing(
            names.MIGRATIONS, partition, [[Write(Verb.INSERT, row_key, {"fingerprint": fingerprint})]]
        )
        self._key = None
        return await self.key_fingerprint() or fingerprint

    async def troubles(self) -> list[Trouble]:
        """Timers that fail."""
        found = self._store.query(names.MIGRATIONS, _TIMERS, Query())
        return [TROUBLE.record(entity.values) async for entity in found]

    async def note_trouble(self, timer: str, error: str, at: datetime) -> None:
        """One more failure. A timer runs in one place at a time, so nobody else writes its row."""
        known = await self._store.get(names.MIGRATIONS, _TIMERS, timer)
        trouble = failed_again(TROUBLE.record(known.values) if known else None, timer, error, at)
        self._well.forget()
        await self._store.write(names.MIGRATIONS, _TIMERS, [Write(Verb.PUT, timer, TROUBLE.values(trouble))])

    async def end_trouble(self, timer: str) -> None:
        """Said after every good run, and so asked of the table only now and then."""

        async def forget() -> None:
            if await self._store.get(names.MIGRATIONS, _TIMERS, timer) is not None:
                await self._store.write(names.MIGRATIONS, _TIMERS, [Write(Verb.DELETE, timer, {})])

        await self._well.get(timer, forget)

    async def canary(self, authority: Authority) -> Stored[Canary] | None:
        """The newest canary of an authority."""
        entity = await self._store.get(names.MIGRATIONS, f"{authority}|canary", "canary")
        return Stored(canary_record(entity.values), entity.etag) if entity else None

    async def save_canary(self, before: Stored[Canary] | None, canary: Canary) -> Stored[Canary]:
        """Save a canary unless somebody else was faster."""
        verb, etag = (Verb.REPLACE, before.etag) if before else (Verb.INSERT, "")
        write = Write(verb, "canary", canary_values(canary), etag)
        etags = await self._store.write(names.MIGRATIONS, f"{canary.authority}|canary", [write])
        return Stored(canary, etags[0])

    async def first_message_at(self, authority: Authority) -> datetime | None:
        """When this authority's first message went out."""
        if authority not in self._first_messages:
            at = await self._unsent.get(authority, lambda: self._first_message_at(authority))
            if at is None:
                return None
            self._first_messages[authority] = at
        return self._first_messages[authority]

    async def _first_message_at(self, authority: Authority) -> datetime | None:
        entity = await self._store.get(names.MIGRATIONS, f"{authority}|first", "message")
        return datetime.fromisoformat(str(entity.values["at"])) if entity else None

    async def note_first_message(self, authority: Authority, at: datetime) -> None:
        """Only the first note counts."""
        if await self.first_message_at(authority) is not None:
            return
        write = Write(Verb.INSERT, "message", {"at": moment(at)})
        try:
            await self._store.write(names.MIGRATIONS, f"{authority}|first", [write])
        except StaleWrite:
            return
        finally:
            self._unsent.forget()

    async def recall_first_message(self, authority: Authority, at: datetime) -> None:
        """Insert it although this process may have seen one."""
        self._unsent.forget()
        await self._insert_missing(
            names.MIGRATIONS, f"{authority}|first", [[Write(Verb.INSERT, "message", {"at": moment(at)})]]
        )
