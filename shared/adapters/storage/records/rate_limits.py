"""The slots of a rate limit that are given away, shared by all instances."""

from datetime import datetime, timedelta
from typing import Final

from shared import names
from shared.adapters.storage.entities import PACE
from shared.adapters.storage.store import Conflict, Store, Verb, Write
from shared.model.pacing.rate_limit import Limiter, Pace
from shared.ports import Stored

_PACES: Final = "directory|pace"
PACE_CACHE_TIME: Final = timedelta(seconds=5)
"""How old the answer of `get_recent` may be."""


class TableRateLimits:
    """`RateLimitRecords` over any `Store`."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._glances: dict[Limiter, tuple[datetime, Pace | None]] = {}

    async def get(self, limiter: Limiter) -> Stored[Pace] | None:
        """Return the shared pace of a rate limiter."""
        entity = await self._store.get(names.MIGRATIONS, _PACES, limiter)
        return Stored(PACE.record(entity.values), entity.etag) if entity else None

    async def save(self, limiter: Limiter, before: Stored[Pace] | None, pace: Pace) -> bool:
        """Save the shared pace of a rate limiter, unless another process was faster."""
        verb, etag = (Verb.REPLACE, before.etag) if before else (Verb.INSERT, "")
        self._glances.pop(limiter, None)
        try:
            await self._store.write(names.MIGRATIONS, _PACES, [Write(verb, limiter, PACE.values(pace), etag)])
        except Conflict:
            return False
        return True

    async def get_recent(self, limiter: Limiter, now: datetime) -> Pace | None:
        """Return the pace, which is remembered for a short time."""
        seen = self._glances.get(limiter)
        if seen is None or not seen[0] <= now < seen[0] + PACE_CACHE_TIME:
            stored = await self.get(limiter)
            seen = self._glances[limiter] = (now, stored.record if stored else None)
        return seen[1]
