"""A timer that fails: since when, how often, and of what. Pure."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

KEEPS_FAILING: Final = 3
"""How many failures in a row count as lasting. The next run repairs a single failure."""


@dataclass(frozen=True, slots=True)
class TimerFailure:
    """A timer that has not run well since."""

    timer: str
    since: datetime
    """When the first run failed after the last good one."""
    failed_at: datetime
    times: int
    error: str
    """Type and place of the last error, never its message."""

    @property
    def lasting(self) -> bool:
        """True if a person should look."""
        return self.times >= KEEPS_FAILING


def count_failure(before: TimerFailure | None, timer: str, error: str, now: datetime) -> TimerFailure:
    """Return the record with one more failure."""
    if before is None:
        return TimerFailure(timer, now, now, 1, error)
    return replace(before, failed_at=now, times=before.times + 1, error=error)
