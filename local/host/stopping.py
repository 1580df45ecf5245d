"""The request to stop, and waits that it cuts short."""

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any


class Stopping:
    """Set once, seen by every loop of the host."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    @property
    def asked(self) -> bool:
        """True if the host should stop."""
        return self._event.is_set()

    def ask(self) -> None:
        """Ask every loop to finish what it has begun and return."""
        self._event.set()

    async def wait(self) -> None:
        """Wait until the host should stop."""
        await self._event.wait()

    async def pause(self, seconds: float) -> None:
        """Sleep, but not beyond the request."""
        with suppress(TimeoutError):
            async with asyncio.timeout(max(seconds, 0)):
                await self._event.wait()

    async def first(self, other: Coroutine[Any, Any, Any]) -> None:
        """Wait for the other thing, but not beyond the request."""
        tasks = [asyncio.ensure_future(other), asyncio.ensure_future(self._event.wait())]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
