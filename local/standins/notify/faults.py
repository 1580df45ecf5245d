"""Faults on request: what goes wrong, and for how long or how often, so that a sender's recovery can be proved."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Kind(StrEnum):
    """The kinds of faults. `after-store`: the message exists, although its caller saw no success."""

    ERROR_500_BEFORE_STORE = "error-500-before-store"
    ERROR_500_AFTER_STORE = "error-500-after-store"
    DROP_BEFORE_STORE = "drop-before-store"
    DROP_AFTER_STORE = "drop-after-store"
    HANG = "hang"
    HANG_AFTER_STORE = "hang-after-store"
    RATE_LIMITED = "rate-limited"
    DAILY_LIMIT = "daily-limit"
    SUSPENDED = "suspended"
    CLOCK_WRONG = "clock-wrong"
    BAD_GATEWAY = "bad-gateway"


AFTER_STORE = frozenset({Kind.ERROR_500_AFTER_STORE, Kind.DROP_AFTER_STORE, Kind.HANG_AFTER_STORE})

type Target = Literal["send", "lookup", "template"]


class FaultOrder(BaseModel):
    """One order. Without `seconds` and `count` it lasts until cleared. `every` 3: each third request."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Kind
    on: Literal["send", "lookup", "template", "any"] = "send"
    seconds: float | None = Field(default=None, gt=0)
    count: int | None = Field(default=None, ge=1)
    every: int = Field(default=1, ge=1)


@dataclass
class _Running:
    order: FaultOrder
    ends_at: float | None
    seen: int = 0
    struck: int = 0

    def over(self, now: float) -> bool:
        used_up = self.order.count is not None and self.struck >= self.order.count
        return used_up or (self.ends_at is not None and now >= self.ends_at)

    def strikes(self, target: Target) -> bool:
        if self.order.on not in {"any", target}:
            return False
        self.seen += 1
        if self.seen % self.order.every:
            return False
        self.struck += 1
        return True


@dataclass
class Faults:
    """The orders in force, oldest first. Forgotten at a restart."""

    _running: list[_Running] = field(default_factory=list)

    def add(self, order: FaultOrder, now: float) -> None:
        """Set a fault from this monotonic time on (seconds)."""
        ends_at = None if order.seconds is None else now + order.seconds
        self._running.append(_Running(order, ends_at))

    def clear(self) -> None:
        """End all faults."""
        self._running.clear()

    def draw(self, target: Target, now: float) -> Kind | None:
        """Return the fault for this request, if any: the oldest one whose turn it is."""
        self._running = [fault for fault in self._running if not fault.over(now)]
        for fault in self._running:
            if fault.strikes(target):
                return fault.order.kind
        return None

    def listed(self, now: float) -> list[dict[str, object]]:
        """The orders still in force, with how often each has struck."""
        return [
            {**fault.order.model_dump(mode="json"), "struck": fault.struck}
            for fault in self._running
            if not fault.over(now)
        ]
