"""One running Notify: its services, templates, messages, rules and faults, and the two rules of how much."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from aiohttp import web

from local.standins.notify.errors import daily_limit_reached, rate_limited
from local.standins.notify.faults import Faults
from local.standins.notify.limits import TokenBucket
from local.standins.notify.outbox import Message, Outbox, Search
from local.standins.notify.rules import Rules
from local.standins.notify.services import BUILT_IN, ApiKey, Service
from local.standins.notify.templates import Templates


@dataclass
class Notify:
    """Everything that a request may use. `clock` gives seconds since 1970, and `steady` never goes back."""

    outbox: Outbox
    templates: Templates
    rules: Rules
    services: tuple[Service, ...] = BUILT_IN
    faults: Faults = field(default_factory=Faults)
    clock: Callable[[], float] = time.time
    steady: Callable[[], float] = time.monotonic
    _buckets: dict[tuple[str, str], TokenBucket] = field(default_factory=dict)
    _sent_on: dict[tuple[str, str, str], int] = field(default_factory=dict)

    def told_time(self) -> float:
        """The time by its own clock, which a rule may set ahead: of the Date header, and for judging tokens."""
        return self.clock() + self.rules.clock_ahead_seconds

    def change_rules(self, rules: Rules) -> None:
        """Take these rules from now on, also after a restart. A new rate starts with a full bucket."""
        if rules.rate_limit != self.rules.rate_limit:
            self._buckets.clear()
        self.rules = rules
        self.outbox.save_rules(rules.model_dump_json())

    def check_limits(self, service: Service, key: ApiKey) -> None:
        """Take a place in the minute and see that the day has one. Raises the documented 429 if not."""
        limit = self.rules.rate_limit
        bucket = self._buckets.setdefault((service.slug, key.type), TokenBucket(limit))
        if not bucket.take(self.steady()):
            raise rate_limited(key.type, limit)
        allowed = self.rules.sends_a_day(service.slug)
        if self._sent_today(service, key) >= allowed:
            raise daily_limit_reached(allowed)

    def keep(self, message: Message, service: Service, key: ApiKey) -> None:
        """Store a message and count it for its day."""
        sent = self._sent_today(service, key)
        self.outbox.add(message)
        self._sent_on[self._day_of(service, key)] = sent + 1

    def _sent_today(self, service: Service, key: ApiKey) -> int:
        day = self._day_of(service, key)
        if day not in self._sent_on:
            midnight = datetime.fromtimestamp(self.clock(), UTC).replace(hour=0, minute=0, second=0, microsecond=0)
            today = Search(service=service.slug, key_type=key.type, created_since=midnight.timestamp())
            self._sent_on[day] = self.outbox.count(today, self.clock())
        return self._sent_on[day]

    def _day_of(self, service: Service, key: ApiKey) -> tuple[str, str, str]:
        return service.slug, key.type, datetime.fromtimestamp(self.clock(), UTC).date().isoformat()


NOTIFY: Final = web.AppKey("notify", Notify)
REFERENCE: Final = web.RequestKey("reference", str)
FAULT: Final = web.RequestKey("fault", str)
