"""The queue trigger: receives, calls the function, settles. The rules are those of the real host's source.

(`QueueListener.cs` and `QueueProcessor.cs` in Azure/azure-sdk-for-net, `Microsoft.Azure.WebJobs.Extensions.Storage`)
"""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from azure.core.exceptions import AzureError, HttpResponseError, ResourceNotFoundError
from azure.storage.queue import QueueMessage
from azure.storage.queue.aio import QueueClient
from azure_functions_runtime.bindings.datumdef import Datum

from local.host import message_text
from local.host.backoff import Backoff
from local.host.bindings import QueueTrigger
from local.host.host_json import QueueOptions
from local.host.lease_renewal import renew_lease
from local.host.poison import Poison
from local.host.runtime import as_json, make_text_datum
from local.host.stopping import Stopping

log: Final = logging.getLogger("host.queue")

# In the real host this is a constant, not a setting.
LEASE: Final = timedelta(minutes=10)
_NEVER: Final = datetime.max.replace(tzinfo=UTC, microsecond=0)

type Invoke = Callable[[Datum, Mapping[str, Datum]], Awaitable[bool]]
"""Calls the function with a trigger value and its metadata, and returns True if it succeeded."""


@dataclass(frozen=True)
class QueueListener:
    """One queue function: up to batchSize + newBatchThreshold messages of its queue at a time."""

    function: str
    trigger: QueueTrigger
    queue: QueueClient
    poison: Poison | None
    options: QueueOptions
    lease: timedelta
    invoke: Invoke
    wake: asyncio.Event

    async def run(self, stopping: Stopping) -> None:
        """Receive until the host stops, then wait for what is being worked on."""
        backoff = Backoff(self.options.max_polling_interval)
        running: set[asyncio.Task[None]] = set()
        try:
            while not stopping.asked:
                # Never cut short: what the service has handed out would be invisible for a whole lease.
                messages = await self._receive_messages()
                running.update(asyncio.create_task(self._handle_message(message)) for message in messages)
                if messages:
                    backoff.reset()
                    running = await self._count_room(running)
                else:
                    await self._wait_idle(stopping, backoff.next())
            if running:
                await asyncio.wait(running)
        finally:
            await _cancel_tasks(running)

    async def _count_room(self, running: set[asyncio.Task[None]]) -> set[asyncio.Task[None]]:
        """Wait until there is room for another batch. Returns what still runs."""
        running = {task for task in running if not task.done()}
        while len(running) > self.options.new_batch_threshold:
            _, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
        return running

    async def _wait_idle(self, stopping: Stopping, delay: timedelta) -> None:
        """Wait, unless a function of this host puts something into this queue, or the host stops."""
        self.wake.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(delay.total_seconds()):
                await stopping.first(self.wake.wait())

    async def _receive_messages(self) -> list[QueueMessage]:
        pages = self.queue.receive_messages(
            messages_per_page=self.options.batch_size, visibility_timeout=round(self.lease.total_seconds())
        ).by_page()
        try:
            async for page in pages:
                return [message async for message in page]
        except ResourceNotFoundError:
            log.debug("queue is not there", extra={"queue": self.trigger.queue})
        except AzureError as error:
            log.warning("queue not reached", extra={"queue": self.trigger.queue, "error": type(error).__name__})
        return []

    async def _handle_message(self, message: QueueMessage) -> None:
        """Take one message to its end. Storage errors leave it to come back when its lease is over."""
        try:
            await self._process_message(message)
        except AzureError as error:
            log.warning("message not settled", extra={**self._list_facts(message), "error": type(error).__name__})

    async def _process_message(self, message: QueueMessage) -> None:
        if self.poison and (message.dequeue_count or 0) > self.options.max_dequeue_count:
            await self._to_poison(message, message.pop_receipt or "")
            return
        try:
            trigger = self._make_datum(message)
        except message_text.UndecodableError:
            log.warning("Message decoding has failed! Check MessageEncoding settings.", extra=self._list_facts(message))
            if self.poison:
                await self._to_poison(message, message.pop_receipt or "")
            return
        async with renew_lease(self.queue, message, self.lease) as receipt:
            succeeded = await self.invoke(trigger, _make_metadata(message, trigger))
        await self._settle_message(message, receipt.value, succeeded=succeeded)

    def _make_datum(self, message: QueueMessage) -> Datum:
        content = message.content or ""
        if self.trigger.binary:
            return Datum(message_text.decode(content, as_base64=self.options.base64), "bytes")
        return make_text_datum(message_text.decode_text(content, as_base64=self.options.base64))

    async def _settle_message(self, message: QueueMessage, receipt: str, *, succeeded: bool) -> None:
        if succeeded:
            await self._unless_taken(message, self.queue.delete_message(message.id, receipt))
        elif self.poison is None:
            # As in the real host: what fails in a poison queue is not released, it waits for its lease to end.
            log.warning("failed in a poison queue", extra=self._list_facts(message))
        elif (message.dequeue_count or 0) >= self.options.max_dequeue_count:
            await self._to_poison(message, receipt)
        else:
            delay = round(self.options.visibility_timeout.total_seconds())
            await self._unless_taken(message, self.queue.update_message(message.id, receipt, visibility_timeout=delay))

    async def _to_poison(self, message: QueueMessage, receipt: str) -> None:
        if self.poison is None:
            return
        log.error("moved to poison", extra={**self._list_facts(message), "poison": self.poison.name})
        await self.poison.take(message)
        await self._unless_taken(message, self.queue.delete_message(message.id, receipt))

    async def _unless_taken(self, message: QueueMessage, settlement: Awaitable[Any]) -> None:
        """Settle a message, unless our receipt is stale. Then another host has the message and settles it."""
        try:
            await settlement
        except HttpResponseError as error:
            if error.status_code not in {400, 404}:
                raise
            log.debug("no longer ours", extra=self._list_facts(message))

    def _list_facts(self, message: QueueMessage) -> dict[str, object]:
        return {"function": self.function, "id": message.id, "attempt": message.dequeue_count}


def _make_metadata(message: QueueMessage, trigger: Datum) -> dict[str, Datum]:
    """Return what the host sends beside the body. For a JSON object these are also its properties."""
    body = trigger.value if isinstance(trigger.value, str) else ""
    return {
        **_read_properties(body),
        "QueueTrigger": make_text_datum(body),
        "Id": make_text_datum(message.id),
        "PopReceipt": make_text_datum(message.pop_receipt or ""),
        "DequeueCount": as_json(message.dequeue_count),
        "InsertionTime": as_json(_format_offset(message.inserted_on)),
        "ExpirationTime": as_json(_format_offset(message.expires_on)),
        "NextVisibleTime": as_json(_format_offset(message.next_visible_on)),
    }


def _read_properties(body: str) -> dict[str, Datum]:
    if not body.lstrip().startswith("{"):
        return {}
    try:
        content = json.loads(body)
    except ValueError:
        return {}
    return {key: make_text_datum(value) if isinstance(value, str) else as_json(value) for key, value in content.items()}


def _format_offset(at: datetime | None) -> str:
    """A DateTimeOffset. What never expires has the largest one."""
    return (at or _NEVER).isoformat()


async def _cancel_tasks(tasks: set[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
