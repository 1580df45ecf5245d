"""Looks at every container, queue and table that the code names. Reads, and makes nothing."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from azure.core.exceptions import AzureError, ClientAuthenticationError, HttpResponseError, ResourceNotFoundError

from shared import names
from shared.adapters.inspection.asking import clock_reading
from shared.ports import Clock
from shared.ports.doctor_facts import ClockReading, Presence, StorageFacts, Thing

if TYPE_CHECKING:
    from shared.adapters.storage.clients import Storage

SERVICE: Final = "the storage account"
SECONDS: Final = 10
FORBIDDEN: Final = (401, 403)
_OPTIONS: Final = {"retry_total": 1}

type Look = Callable[..., Awaitable[object]]


@dataclass(slots=True)
class StorageInspector:
    """One storage account. Its clients belong to one event loop."""

    storage: "Storage"
    clock: Clock
    _reading: ClockReading | None = field(default=None, init=False)

    async def look(self) -> StorageFacts:
        """Examine everything at the same time, each for some seconds at most."""
        self._reading = None
        blobs, queues, tables = self.storage.blobs, self.storage.queues, self.storage.tables
        things = await asyncio.gather(
            *(
                self._inspect_thing("container", name, blobs.get_container_client(name).get_container_properties)
                for name in names.CONTAINERS
            ),
            *(
                self._inspect_thing("queue", name, queues.get_queue_client(name).get_queue_properties)
                for name in names.EVERY_QUEUE
            ),
            *(
                self._inspect_thing("table", name, self._first_entity(tables.get_table_client(name)))
                for name in names.TABLES
            ),
        )
        return StorageFacts(tuple(things), self._reading)

    def _first_entity(self, table: Any) -> Look:  # noqa: ANN401 - the SDK's client
        async def read(**options: Any) -> None:  # noqa: ANN401 - the SDK's options
            async for _ in table.list_entities(results_per_page=1, select=["PartitionKey"], **options):
                return

        return read

    async def _inspect_thing(self, kind: str, name: str, look: Look) -> Thing:
        asked = self.clock.now()

        def told(response: Any) -> None:  # noqa: ANN401 - the SDK's response
            date = response.http_response.headers.get("date", "")
            self._reading = self._reading or clock_reading(SERVICE, date, asked, self.clock.now())

        try:
            async with asyncio.timeout(SECONDS):
                await look(raw_response_hook=told, **_OPTIONS)
        except (AzureError, TimeoutError) as error:
            return Thing(kind, name, *_explain_error(error))
        return Thing(kind, name, Presence.THERE)


def _explain_error(error: Exception) -> tuple[Presence, str]:
    """Return the meaning of an error. Its text may hold addresses of the account, so only kind and status are used."""
    if isinstance(error, ResourceNotFoundError):
        return Presence.ABSENT, ""
    if isinstance(error, ClientAuthenticationError) and error.status_code is None:
        return Presence.REFUSED, "no token for the storage account"
    if isinstance(error, HttpResponseError) and error.status_code is not None:
        refused = error.status_code in FORBIDDEN
        return (Presence.REFUSED if refused else Presence.UNREACHABLE), f"HTTP {error.status_code}"
    if isinstance(error, TimeoutError):
        return Presence.UNREACHABLE, f"no answer in {SECONDS} s"
    return Presence.UNREACHABLE, type(error).__name__
