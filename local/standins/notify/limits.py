"""How fast and how much a service may send, counted as Notify counts."""

import math
from dataclasses import dataclass, field
from typing import Final

LARGEST_BURST: Final = 1000


@dataclass
class TokenBucket:
    """A bucket that refills at a steady rate and allows a burst of what it holds."""

    per_minute: int
    _tokens: float = field(init=False)
    _filled_at: float | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        self._tokens = self.burst

    @property
    def burst(self) -> int:
        """A third of a minute's allowance and one more, never above 1,000."""
        return min(math.ceil(self.per_minute / 3) + 1, LARGEST_BURST)

    def take(self, now: float) -> bool:
        """Take one place at this monotonic time (seconds). Return False if none is left."""
        elapsed = 0.0 if self._filled_at is None else max(0.0, now - self._filled_at)
        self._filled_at = now
        self._tokens = min(self.burst, self._tokens + elapsed * self.per_minute / 60)
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True
