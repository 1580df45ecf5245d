"""The queues."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from shared.model.messages import Message


@dataclass(frozen=True, slots=True)
class PoisonMessage:
    """A message in a poison queue. `message` is None for a text that this app did not write."""

    queue: str
    id: str
    message: Message | None


class Outbox(Protocol):
    """The queues."""

    async def send(self, message: Message, delay: timedelta = timedelta(0)) -> None: ...

    async def depth(self, queue: str) -> int:
        """About how many messages are in a queue, invisible ones included."""
        ...

    async def oldest(self, queue: str) -> datetime | None:
        """When the oldest of the messages at the front that could be taken now came in. Looks, and hides nothing."""
        ...

    async def poisoned(self, queue: str, *, glance: bool = False) -> list[PoisonMessage]:
        """What is in the queue's poison queue; it stays there. A glance shows the first 32 and disturbs nobody."""
        ...

    async def take_poison(self, queue: str, ids: frozenset[str]) -> int:
        """Remove these messages from the queue's poison queue; returns how many."""
        ...
