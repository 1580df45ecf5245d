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
        """Return when the oldest message that can be taken now came into the queue. The messages stay visible."""
        ...

    async def poisoned(self, queue: str, *, peek: bool = False) -> list[PoisonMessage]:
        """Return the messages in the poison queue, which stay there.

        With `peek`, only the first 32, and no message is hidden meanwhile.
        """
        ...

    async def take_poison(self, queue: str, ids: frozenset[str]) -> int:
        """Remove these messages from the poison queue. Returns how many were removed."""
        ...
