"""The queues in memory."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count

from shared import names
from shared.adapters.memory.clock import ManualClock
from shared.model.messages import Message, decode_message, decode_upload
from shared.ports import PoisonMessage


@dataclass
class Queued:
    """A message in a queue."""

    id: str
    body: bytes
    visible_at: datetime
    dequeued: int = 0
    sent_at: datetime | None = None
    """None: the time at which it could first be taken."""


@dataclass
class MemoryOutbox:
    """The queues in memory. The rules for poison are left to the code that takes messages out."""

    clock: ManualClock
    queues: dict[str, list[Queued]] = field(default_factory=lambda: {q: [] for q in names.QUEUES})
    poison: dict[str, list[Queued]] = field(default_factory=lambda: {q: [] for q in names.QUEUES})
    _ids: Callable[[], int] = field(default_factory=lambda: count(1).__next__)

    async def send(self, message: Message, delay: timedelta = timedelta(0)) -> None:
        """Send to the queue of its kind."""
        body = message.model_dump_json().encode()
        now = self.clock.now()
        self.queues[message.kind].append(Queued(f"q{self._ids()}", body, now + delay, sent_at=now))

    async def depth(self, queue: str) -> int:
        """Messages in a queue."""
        name = queue.removesuffix("-poison")
        return len(self.poison[name] if queue != name else self.queues[name])

    async def oldest(self, queue: str) -> datetime | None:
        """Return the oldest message that could be taken."""
        name = queue.removesuffix("-poison")
        found = self.poison[name] if queue != name else self.queues[name]
        return min((m.sent_at or m.visible_at for m in found if m.visible_at <= self.clock.now()), default=None)

    async def poisoned(self, queue: str, *, peek: bool = False) -> list[PoisonMessage]:  # noqa: ARG002 - all at once
        """Return the messages in poison."""
        return [PoisonMessage(queue, item.id, _decode_message(queue, item.body)) for item in self.poison[queue]]

    async def take_poison(self, queue: str, ids: frozenset[str]) -> int:
        """Remove from poison."""
        kept = [item for item in self.poison[queue] if item.id not in ids]
        taken = len(self.poison[queue]) - len(kept)
        self.poison[queue] = kept
        return taken


def _decode_message(queue: str, body: bytes) -> Message | None:
    try:
        return decode_upload(body) if queue == names.RECEIVE_EXPORT else decode_message(body)
    except Exception:  # noqa: BLE001 - whatever it is, it is not ours
        return None
