"""The queues on Queue Storage. Own messages are base64, as the host expects, and never expire."""

import base64
import math
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Final

from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.storage.queue import QueueMessage
from azure.storage.queue.aio import QueueClient, QueueServiceClient

from shared import names
from shared.errors import BadMessage
from shared.model.messages import Message, decode_message, decode_upload
from shared.ports import PoisonMessage

PEEK_LIMIT: Final = 32
PEEK_SECONDS: Final = 30
"""Seconds for which messages are hidden while more than 32 are read: there is no other way to see them."""
MOST: Final = 20_000


class QueueOutbox:
    """The `Outbox` port on Queue Storage."""

    def __init__(self, service: QueueServiceClient) -> None:
        self._service = service
        self._clients: dict[str, QueueClient] = {}

    def _get_queue(self, name: str) -> QueueClient:
        if name not in self._clients:
            # No encode policy: what is in a poison queue may be any text.
            self._clients[name] = self._service.get_queue_client(name)
        return self._clients[name]

    async def send(self, message: Message, delay: timedelta = timedelta(0)) -> None:
        """Send to the queue of the message's kind, visible after `delay`."""
        text = base64.b64encode(message.model_dump_json().encode()).decode()
        seconds = math.ceil(delay.total_seconds())
        await self._get_queue(message.kind).send_message(text, visibility_timeout=seconds, time_to_live=-1)

    async def depth(self, queue: str) -> int:
        """Return about how many messages there are. A poison queue that was never used has none."""
        try:
            properties = await self._get_queue(queue).get_queue_properties()
        except ResourceNotFoundError:
            return 0
        return int(properties.approximate_message_count or 0)

    async def oldest(self, queue: str) -> datetime | None:
        """Return when the oldest message came in, by a peek at the front."""
        try:
            seen = await self._get_queue(queue).peek_messages(max_messages=PEEK_LIMIT)
        except ResourceNotFoundError:
            return None
        return min((message.inserted_on for message in seen if message.inserted_on), default=None)

    async def poisoned(self, queue: str, *, peek: bool = False) -> list[PoisonMessage]:
        """Return the messages in poison, which stay there."""
        poison = self._get_queue(names.poison_of(queue))
        depth = await self.depth(names.poison_of(queue))
        if depth == 0:
            return []
        if peek or depth <= PEEK_LIMIT:
            found = await poison.peek_messages(max_messages=PEEK_LIMIT)
        else:
            found = await _receive_all(poison)
            await _show_again(poison, found)
        return [
            PoisonMessage(queue, str(message.id), _decode_message(queue, str(message.content))) for message in found
        ]

    async def take_poison(self, queue: str, ids: frozenset[str]) -> int:
        """Remove messages from poison."""
        if await self.depth(names.poison_of(queue)) == 0:
            return 0
        poison = self._get_queue(names.poison_of(queue))
        found = await _receive_all(poison)
        taken = [message for message in found if message.id in ids]
        for message in taken:
            # Somebody else may have looked meanwhile, which voids our receipt: it is taken away next time.
            with suppress(HttpResponseError):
                await poison.delete_message(message)
        await _show_again(poison, [message for message in found if message.id not in ids])
        return len(taken)


async def _receive_all(queue: QueueClient) -> list[QueueMessage]:
    """All messages, which are hidden from now on."""
    received = queue.receive_messages(messages_per_page=PEEK_LIMIT, visibility_timeout=PEEK_SECONDS, max_messages=MOST)
    # By id: if reading takes longer than the messages stay hidden, the first ones come again.
    return list({str(message.id): message async for message in received}.values())


async def _show_again(queue: QueueClient, messages: list[QueueMessage]) -> None:
    """Make the messages that stay visible again at once, for the next reader."""
    for message in messages:
        # Somebody else may have taken it, or looks at it now.
        with suppress(HttpResponseError):
            await queue.update_message(message, visibility_timeout=0)


def _decode_message(queue: str, text: str) -> Message | None:
    try:
        body = base64.b64decode(text, validate=True)
        return decode_upload(body) if queue == names.RECEIVE_EXPORT else decode_message(body)
    except (ValueError, BadMessage):
        return None
