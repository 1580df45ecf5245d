"""One HTTP question of an inspector: what came back, in words that hold neither address nor content."""

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final

import httpx

from shared.ports import Clock
from shared.ports.doctor_facts import ClockReading

TIMEOUT: Final = httpx.Timeout(10, connect=5)
WHOLE: Final = 15
"""Seconds for the whole answer. The other limit is for each part of it."""


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer. Status 0: there was none, and `trouble` says why."""

    status: int
    body: dict[str, Any] = field(default_factory=dict)
    trouble: str = ""
    clock: ClockReading | None = None


class Asker:
    """Asks one service, and reads its clock from the Date header of its answers."""

    def __init__(self, service: str, clock: Clock, http: httpx.AsyncClient, seconds: float = WHOLE) -> None:
        self._service = service
        self._clock = clock
        self._http = http
        self._seconds = seconds

    async def ask(self, method: str, url: str, **more: Any) -> Reply:  # noqa: ANN401 - what httpx takes
        """Never raises for what a network or a service may do."""
        asked = self._clock.now()
        try:
            async with asyncio.timeout(self._seconds):
                response = await self._http.request(method, url, **more)
        except (httpx.HTTPError, TimeoutError) as error:
            return Reply(0, trouble=f"it does not answer ({type(error).__name__})")
        reading = self._read_clock(response.headers.get("date", ""), asked, self._clock.now())
        return Reply(response.status_code, _read_json(response), f"HTTP {response.status_code}", reading)

    def _read_clock(self, date: str, before: datetime, after: datetime) -> ClockReading | None:
        return clock_reading(self._service, date, before, after)


def clock_reading(service: str, date: str, before: datetime, after: datetime) -> ClockReading | None:
    """Return the time of a Date header, and our time in the middle between question and answer."""
    try:
        theirs = parsedate_to_datetime(date)
    except (ValueError, TypeError):
        return None
    return ClockReading(service, theirs.astimezone(UTC), before + (after - before) / 2)


def _read_json(response: httpx.Response) -> dict[str, Any]:
    try:
        body = response.json()
    except (ValueError, RecursionError):
        return {}
    return body if isinstance(body, dict) else {}
