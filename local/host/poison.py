"""Poison queues, which take messages that failed too often."""

import re
from dataclasses import dataclass
from typing import Final

from azure.core.exceptions import ResourceNotFoundError
from azure.storage.queue import QueueMessage
from azure.storage.queue.aio import QueueClient, QueueServiceClient

from local.host.storage import ignore_existing

SUFFIX: Final = "-poison"
_VALID_NAME: Final = re.compile(r"(?!.*--)[a-z0-9][a-z0-9-]{1,61}[a-z0-9]")


@dataclass(frozen=True)
class Poison:
    """The poison queue of one queue. It comes into being with its first message."""

    queue: QueueClient

    @property
    def name(self) -> str:
        """Return the name of the poison queue."""
        return str(self.queue.queue_name)

    async def take(self, message: QueueMessage) -> None:
        """Copy the message as it is, to be deleted from its own queue next.

        A new message in every respect: id, dequeue count, and the service's default life of seven days.
        """
        content = message.content or ""
        try:
            await self.queue.send_message(content)
        except ResourceNotFoundError:
            await ignore_existing(self.queue.create_queue())
            await self.queue.send_message(content)


def poison_name(queue: str) -> str | None:
    """The name of a queue's poison queue. None for a poison queue, or if the name would be too long."""
    name = queue + SUFFIX
    return None if queue.endswith(SUFFIX) or not _VALID_NAME.fullmatch(name) else name


def poison_of(queue: str, queues: QueueServiceClient) -> Poison | None:
    """The poison queue of a queue, if it has one."""
    name = poison_name(queue)
    return Poison(queues.get_queue_client(name)) if name else None
