"""A clock for tests."""

from datetime import UTC, datetime, timedelta


class ManualClock:
    """A clock that goes on when it is told to."""

    def __init__(self, now: datetime = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)) -> None:
        self._now = now

    def now(self) -> datetime:
        """The moment it stands at."""
        return self._now

    def tick(self, by: timedelta) -> None:
        """Go on."""
        self._now += by
