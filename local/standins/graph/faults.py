"""Faults on request: what a network, a gateway or an overloaded directory does to a caller.

Faults are set while the directory runs. The first fault that matches a request happens to it, and the others wait.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any, Final


class FaultKind(StrEnum):
    """The kinds of faults."""

    THROTTLE_STORM = "throttle-storm"  # 429, nothing stored
    UNAVAILABLE_BEFORE = "unavailable-before-store"  # 503, nothing stored
    UNAVAILABLE_AFTER = "unavailable-after-store"  # stored, then 503
    GATEWAY_TIMEOUT_AFTER = "gateway-timeout-after-store"  # stored, then 504
    DROP_BEFORE = "drop-before-store"  # the connection ends, nothing stored
    DROP_AFTER = "drop-after-store"  # stored, then the connection ends
    HANG = "hang"  # no answer until the fault ends; nothing stored
    HTML_502 = "html-502"  # a proxy's page instead of JSON, nothing stored
    EMPTY_500 = "empty-500"  # no body at all, nothing stored
    UNAUTHORIZED = "unauthorized"  # 401, as with an expired token


AFTER_STORE: Final = frozenset({FaultKind.UNAVAILABLE_AFTER, FaultKind.GATEWAY_TIMEOUT_AFTER, FaultKind.DROP_AFTER})
WRITES: Final = ("POST", "PATCH", "DELETE")


class FaultError(ValueError):
    """A fault was described wrongly. The message is for the person who described it."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault: its kind, the requests that it affects, and its end.

    ``seconds`` and ``count`` (of hits) end it, whichever comes first. 0 means no end. With ``every`` k, only each k-th
    matching request is hit. Empty ``methods`` means all, or all writes for a fault after a store.
    """

    kind: FaultKind
    seconds: float = 0.0
    count: int = 0
    every: int = 1
    methods: tuple[str, ...] = ()
    retry_after: int | None = None

    def meant_for(self, method: str) -> bool:
        """Return True if a request of this method can be hit."""
        return method in (self.methods or (WRITES if self.kind in AFTER_STORE else (method,)))


@dataclass(slots=True)
class Active:
    """A fault that was set: how often it happened, and when it ends."""

    fault: Fault
    until: float
    met: int = 0
    hits: int = 0
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    def over(self, now: float) -> bool:
        """Return True if its time or its count is over."""
        return now >= self.until or bool(self.fault.count and self.hits >= self.fault.count)

    def as_json(self, now: float) -> dict[str, Any]:
        """Return what the control endpoint shows."""
        shown = {each.name: getattr(self.fault, each.name) for each in fields(Fault)}
        left = None if self.until == float("inf") else round(self.until - now, 1)
        return {
            **shown,
            "methods": list(self.fault.methods),
            "met": self.met,
            "hits": self.hits,
            "seconds_left": left,
        }


class Faults:
    """The faults now set, oldest first."""

    def __init__(self) -> None:
        self._active: list[Active] = []

    def add(self, fault: Fault, now: float) -> None:
        """Set one more."""
        self._active.append(Active(fault, now + fault.seconds if fault.seconds else float("inf")))

    def clear(self) -> None:
        """End all of them, and let hanging requests go."""
        for each in self._active:
            each.ended.set()
        self._active = []

    def active(self, now: float) -> Sequence[Active]:
        """Return the faults that have not ended."""
        self._active = [each for each in self._active if not each.over(now)]
        return tuple(self._active)

    def strike(self, method: str, now: float) -> Active | None:
        """The fault that happens to this request, if one does."""
        for each in self.active(now):
            if each.fault.meant_for(method):
                each.met += 1
                if each.met % each.fault.every == 0:
                    each.hits += 1
                    return each
        return None


def read_fault(wanted: object) -> Fault:
    """A fault from JSON. Raises ``FaultError`` with a sentence that teaches."""
    if not isinstance(wanted, Mapping) or "kind" not in wanted:
        raise FaultError(f'a fault is an object such as {{"kind": "hang", "seconds": 5}}; kinds: {_list_kinds()}')
    if wanted["kind"] not in set(FaultKind):
        raise FaultError(f"there is no fault '{wanted['kind']}'; kinds: {_list_kinds()}")
    known = {each.name for each in fields(Fault)}
    if unknown := sorted(wanted.keys() - known):
        raise FaultError(f"a fault has no {', '.join(unknown)}; it has {', '.join(sorted(known))}")
    return Fault(
        FaultKind(wanted["kind"]),
        seconds=float(_read_number(wanted, "seconds", 0)),
        count=int(_read_number(wanted, "count", 0)),
        every=max(1, int(_read_number(wanted, "every", 1))),
        methods=_read_methods(wanted.get("methods")),
        retry_after=None if wanted.get("retry_after") is None else int(_read_number(wanted, "retry_after", 0)),
    )


def _list_kinds() -> str:
    return ", ".join(FaultKind)


def _read_number(wanted: Mapping[str, Any], name: str, default: int) -> float:
    value = wanted.get(name)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
        raise FaultError(f"'{name}' is a number, 0 or more, not {value!r}")
    return value


def _read_methods(value: object) -> tuple[str, ...]:
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise FaultError('\'methods\' is a list such as ["POST", "PATCH"]')
    return tuple(each.upper() for each in value)
