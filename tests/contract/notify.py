"""The message service's stand-in on a free loopback port, and the real adapter pointed at it."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass

from local.standins.notify import services
from local.standins.notify.faults import FaultOrder
from local.standins.notify.outbox import Message, Search
from local.standins.notify.server import open_notify, serve_notify
from local.standins.notify.state import Notify
from shared.adapters.memory import ManualClock
from shared.adapters.notify.govuk_notify import GovukNotifyNotifier
from shared.model.account import Authority
from tests.contract.records import SOUTH, YARMOUTH

SET_PASSWORD = "00000000-0000-0000-0000-000000000001"
ONE_ACCOUNT = "00000000-0000-0000-0000-000000000002"
STAFF = "00000000-0000-0000-0000-000000000005"
YARMOUTH_TEMPLATE = "00000000-0000-0000-0000-000000000011"
KEYS = {SOUTH: services.SOUTH_NORFOLK_LIVE_KEY, YARMOUTH: services.GREAT_YARMOUTH_LIVE_KEY}

type KeyOf = Callable[[Authority], str | None]


@dataclass
class Service:
    """A running message service, and the adapter that asks it."""

    notify: Notify
    address: str
    notifier: GovukNotifyNotifier

    def fault(self, kind: str, **more: object) -> None:
        self.notify.faults.add(FaultOrder.model_validate({"kind": kind, **more}), self.notify.steady())

    def change(self, **rules: object) -> None:
        self.notify.change_rules(self.notify.rules.changed(rules))

    def at_once(self) -> None:
        """What becomes of a message is known when it is sent."""
        self.change(sending_after_ms=0, completed_after_ms=0)

    @property
    def requests(self) -> int:
        return len(self.notify.outbox.journal())

    @property
    def messages(self) -> list[Message]:
        """All that were taken, oldest first."""
        return self.notify.outbox.find(Search(), self.notify.clock())[::-1]


@contextmanager
def notifying_at(address: str, clock: ManualClock, key_of: KeyOf = KEYS.get) -> Iterator[GovukNotifyNotifier]:
    """The adapter, its threads and their connections ended with it."""
    notifier = GovukNotifyNotifier(address, key_of, clock)
    try:
        yield notifier
    finally:
        notifier._pool.shutdown()  # noqa: SLF001 - in the app it lives as long as the process


@asynccontextmanager
async def message_service(clock: ManualClock, key_of: KeyOf = KEYS.get) -> AsyncIterator[Service]:
    """A message service with the built-in councils and their templates."""
    notify = open_notify()
    async with serve_notify(notify) as address:
        with notifying_at(address, clock, key_of) as notifier:
            yield Service(notify, address, notifier)
