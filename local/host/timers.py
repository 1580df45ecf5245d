"""The timer trigger: one host at a time and no overlap. An occurrence that was missed while no host ran comes first."""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any, Final

from azure.core.exceptions import AzureError, ResourceNotFoundError
from azure.storage.blob.aio import BlobClient
from azure_functions_runtime.bindings.datumdef import Datum

from local.host.bindings import TimerTrigger
from local.host.leadership import Leadership
from local.host.ncrontab import Schedule
from local.host.runtime import as_json
from local.host.stopping import Stopping

log: Final = logging.getLogger("host.timer")

# What .NET writes for "never": the first run has no last one.
_NEVER: Final = datetime(1, 1, 1, tzinfo=UTC)
_MONITORED_FROM: Final = timedelta(minutes=1)


@dataclass(frozen=True)
class Status:
    """What the monitor remembers between hosts."""

    last: datetime
    next: datetime
    updated: datetime

    def as_json(self) -> dict[str, str]:
        """Return the status as the real host writes it, and as the function sees it."""
        return {
            "Last": self.last.isoformat(),
            "Next": self.next.isoformat(),
            "LastUpdated": self.updated.isoformat(),
        }

    @classmethod
    def from_json(cls, content: bytes) -> "Status":
        """Read what `as_json` wrote."""
        data: dict[str, Any] = json.loads(content)
        return cls(*(datetime.fromisoformat(data[key]) for key in ("Last", "Next", "LastUpdated")))


@dataclass(frozen=True)
class Due:
    """The next occurrence, and whether it was missed."""

    at: datetime
    past_due: bool


def is_monitored(trigger: TimerTrigger, schedule: Schedule, now: datetime) -> bool:
    """Return True if missed occurrences are made up for. They are not for schedules of less than a minute."""
    times = schedule.occurrences(now, 5)
    return trigger.use_monitor and all(later - earlier >= _MONITORED_FROM for earlier, later in pairwise(times))


def find_first_due(status: Status | None, schedule: Schedule, now: datetime) -> Due:
    """Return when a timer that starts now should fire.

    The occurrence after the last run counts, and not the recorded next one, because the schedule may have changed.
    """
    if status is not None:
        expected = schedule.following(status.last) if status.last != _NEVER else status.next
        if expected <= now:
            return Due(expected, past_due=True)
    return Due(schedule.following(now), past_due=False)


class TimerListener:
    """One timer function."""

    def __init__(
        self,
        function: str,
        trigger: TimerTrigger,
        schedule: Schedule,
        leadership: Leadership,
        status: BlobClient,
        invoke: Callable[[Datum], Awaitable[object]],
    ) -> None:
        self._function = function
        self._trigger = trigger
        self._schedule = schedule
        self._leadership = leadership
        self._blob = status
        self._invoke = invoke
        self._monitored = is_monitored(trigger, schedule, datetime.now(UTC))
        self._one_at_a_time = asyncio.Lock()

    async def run(self, stopping: Stopping) -> None:
        """Fire at every occurrence while this host leads, until it stops. A run that has begun is finished."""
        at_start = self._trigger.run_on_startup
        while await self._leadership.wait(stopping):
            try:
                status = await self._begin_status()
                if at_start:
                    await self.fire(Due(datetime.now(UTC), past_due=False))
                    at_start = False
                await self._lead_timer(find_first_due(status, self._schedule, datetime.now(UTC)), stopping)
            except AzureError as error:
                log.warning(
                    "timer status not reached", extra={"function": self._function, "error": type(error).__name__}
                )
                await stopping.pause(1)

    async def fire(self, due: Due) -> None:
        """Call the function for an occurrence. If it raises an error, the next occurrence follows as scheduled."""
        async with self._one_at_a_time:
            status = await self._read_status()
            # A run that comes late makes up for everything until now, however much was missed.
            last = datetime.now(UTC) if due.past_due else due.at
            payload = {
                "IsPastDue": due.past_due,
                "ScheduleStatus": (status or self._is_unknown()).as_json(),
                "Schedule": {"AdjustForDST": True},
            }
            await self._invoke(as_json(payload))
            now = datetime.now(UTC)
            await self._write_status(Status(last, self._schedule.following(now), now))

    async def _lead_timer(self, due: Due, stopping: Stopping) -> None:
        while not stopping.asked and self._leadership.held:
            wait = (due.at - datetime.now(UTC)).total_seconds()
            if wait > 0:
                # In pieces, to notice within seconds that another host leads now.
                await stopping.pause(min(wait, 5))
                continue
            await self.fire(due)
            due = Due(self._schedule.following(datetime.now(UTC)), past_due=False)

    async def _begin_status(self) -> Status | None:
        """Return the status at the start. If there is none yet, it is written."""
        status = await self._read_status()
        if status is None:
            await self._write_status(self._is_unknown())
        return status

    def _is_unknown(self) -> Status:
        now = datetime.now(UTC)
        return Status(_NEVER, self._schedule.following(now), now)

    async def _read_status(self) -> Status | None:
        if not self._monitored:
            return None
        try:
            return Status.from_json(await (await self._blob.download_blob()).readall())
        except ResourceNotFoundError:
            return None

    async def _write_status(self, status: Status) -> None:
        if not self._monitored:
            return
        content = json.dumps(status.as_json()).encode()
        try:
            await self._blob.upload_blob(content, overwrite=True)
        except ResourceNotFoundError:
            # A timer may be run by hand before the host has tried for its lease.
            await self._leadership.prepare()
            await self._blob.upload_blob(content, overwrite=True)
