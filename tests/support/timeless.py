"""An event loop in which waiting takes no time: what sleeps wakes at once, and the loop's clock jumps ahead."""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any


class _NeverWaits(selectors.SelectSelector):
    """Instead of waiting it notes for how long it would have."""

    def __init__(self) -> None:
        super().__init__()
        self.skipped = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is not None and timeout > 0:
            self.skipped += timeout
            timeout = 0
        return super().select(timeout)


class TimelessLoop(asyncio.SelectorEventLoop):
    """A loop for code that sleeps between tries; nothing outside the process may be waited for in it."""

    def __init__(self) -> None:
        self._never_waits = _NeverWaits()
        super().__init__(self._never_waits)

    def time(self) -> float:
        return super().time() + self._never_waits.skipped


def run[T](work: Coroutine[Any, Any, T]) -> T:
    """Run to the end in a loop of its own."""
    with asyncio.Runner(loop_factory=TimelessLoop) as runner:
        return runner.run(work)
