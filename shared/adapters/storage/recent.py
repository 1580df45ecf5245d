"""A short-lived cache, so that a thousand accounts need not ask for the same record a thousand times."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Final

from shared.ports import Clock

MAX_CACHED_ANSWERS: Final = 100
"""Far more than are in use at the same time. When there are more, all are forgotten."""


class Recent[K, V]:
    """Answers that are kept for a short time. Callers that ask at the same time share one request."""

    def __init__(self, clock: Clock, age: timedelta) -> None:
        self._clock = clock
        self._age = age
        self._kept: dict[K, tuple[datetime, V]] = {}
        self._reading = asyncio.Lock()
        self._forgotten = 0

    async def get(self, key: K, read: Callable[[], Awaitable[V]]) -> V:
        """Return an answer that is at most `age` old."""
        async with self._reading:
            # The age counts from before the question: the answer may be as old as that.
            asked = self._clock.now()
            kept = self._kept.get(key)
            # A clock that was set back makes nothing younger.
            if kept is not None and kept[0] <= asked < kept[0] + self._age:
                return kept[1]
            forgotten = self._forgotten
            answer = await read()
            if forgotten == self._forgotten:
                if len(self._kept) >= MAX_CACHED_ANSWERS:
                    self._kept.clear()
                self._kept[key] = (asked, answer)
            return answer

    def forget(self) -> None:
        """Forget an answer because this process changed the record.

        An answer that is being read now is not kept either.
        """
        self._kept.clear()
        self._forgotten += 1
