"""A clock for tests."""

from datetime import UTC, datetime, timedelta


class ManualClock:
    """A clock that moves only when a test moves it."""

    def __init__(self, now: datetime = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)) -> None:
        self._now = now

    def now(self) -> datetime:
        """Return the time that the clock shows."""
        return self._now

    def tick(self, by: timedelta) -> None:
        """Move the clock forward."""
        self._now += by
