"""The queues on Queue Storage. Own messages are base64, as the host expects, and never expire."""

import base64
import math
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Final

from azure.core.exceptions import ResourceNotFoundError
from azure.storage.queue import QueueMessage
from azure.storage.queue.aio import QueueClient, QueueServiceClient

from shared import names
from shared.errors import BadMessage
from shared.messages import Message, decode, decode_upload
from shared.ports import PoisonMessage

PEEK_LIMIT: Final = 32
GLANCE: Final = 10
"""Seconds for which messages beyond the first 32 are hidden while they are read: there is no other way to see them."""
MOST: Final = 20_000


class QueueOutbox:
    """The `Outbox` port on Queue Storage."""

    def __init__(self, service: QueueServiceClient) -> None:
        self._service = service
        self._clients: dict[str, QueueClient] = {}

    def _queue(self, name: str) -> QueueClient:
        if name not in self._clients:
            # No encode policy: what is in a poison queue may be any text.
            self._clients[name] = self._service.get_queue_client(name)
        return self._clients[name]

    async def send(self, message: Message, delay: timedelta = timedelta(0)) -> None:
        """Send to the queue of the message's kind, visible after `delay`."""
        text = base64.b64encode(message.model_dump_json().encode()).decode()
        seconds = math.ceil(delay.total_seconds())
        await self._queue(message.kind).send_message(text, visibility_timeout=seconds, time_to_live=-1)

    async def depth(self, queue: str) -> int:
        """About how many messages; a poison queue that nobody needed yet has none."""
        try:
            properties = await self._queue(queue).get_queue_properties()
        except ResourceNotFoundError:
            return 0
        return int(properties.approximate_message_count or 0)

    async def poisoned(self, queue: str) -> list[PoisonMessage]:
        """What is in poison; it stays there."""
        poison = self._queue(names.poison_of(queue))
        depth = await self.depth(names.poison_of(queue))
        if depth == 0:
            return []
        if depth <= PEEK_LIMIT:
            found = await poison.peek_messages(max_messages=PEEK_LIMIT)
        else:
            found = [message async for message in _all(poison)]
        return [PoisonMessage(queue, str(message.id), _decoded(queue, str(message.content))) for message in found]

    async def take_poison(self, queue: str, ids: frozenset[str]) -> int:
        """Remove messages from poison."""
        poison = self._queue(names.poison_of(queue))
        taken = 0
        async for message in _all(poison):
            if message.id in ids:
                await poison.delete_message(message)
                taken += 1
        return taken


async def _all(queue: QueueClient) -> AsyncIterator[QueueMessage]:
    seen = 0
    received = queue.receive_messages(messages_per_page=PEEK_LIMIT, visibility_timeout=GLANCE, max_messages=MOST)
    async for message in received:
        yield message
        seen += 1
        if seen == MOST:
            return


def _decoded(queue: str, text: str) -> Message | None:
    try:
        body = base64.b64decode(text, validate=True)
        return decode_upload(body) if queue == names.RECEIVE_EXPORT else decode(body)
    except (ValueError, BadMessage):
        return None
