"""How long a migration takes and how much work it is for people, from its counts alone. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from shared.model.pacing.rate_limit import Quota

MESSAGES_PER_MINUTE: Final = 3000
"""GOV.UK Notify's rate limit."""
MESSAGES_PER_DAY: Final = 250_000
"""The daily limit of GOV.UK Notify, which starts again at midnight UTC."""
DAY: Final = 24 * 60
"""Minutes."""
RELEASE_PERIOD: Final = timedelta(seconds=5)
SWEEP_PERIOD: Final = timedelta(seconds=10)
TIMER_DELAY: Final = (SWEEP_PERIOD + RELEASE_PERIOD) / 2
"""The time around the writes: the feeder starts within its period, and the sweep sees the last message within its own.
"""


@dataclass(frozen=True, slots=True)
class Prediction:
    """What to expect."""

    minutes: float
    """From the first possible write to the time when the last message is known."""
    messages: int
    """Customers who get a message."""
    review_hours: float
    calls: int
    """Calls from moved customers, both from those whom the app notifies and from those whom the council notifies."""


@dataclass(frozen=True, slots=True)
class Effort:
    """How much work one review case and one moved customer cause. The profile says it."""

    review_minutes: float
    calls_percent: float


def estimate_migration(
    writes: int, messages: int, reviews: int, quota: Quota, effort: Effort, at: datetime
) -> Prediction:
    """The prediction for a migration that begins at `at` (UTC)."""
    return Prediction(
        minutes=estimate_minutes(writes, messages, quota, at),
        messages=messages,
        review_hours=round(reviews * effort.review_minutes / 60, 1),
        calls=estimate_calls(writes, effort.calls_percent),
    )


def estimate_calls(moved: int, percent: float) -> int:
    """Return how many of the moved customers call the help desk, rounded up."""
    return -int(-moved * percent // 100)


def estimate_minutes(writes: int, messages: int, quota: Quota, at: datetime) -> float:
    """Return how many minutes creating, linking and notifying takes.

    The burst of the window is free, then the steady rate follows. Messages are sent within the limits of the message
    service. Messages beyond a day's limit wait for midnight UTC.
    """
    if not writes and not messages:
        return 0.0
    beyond = max(writes - quota.limit * quota.share, 0)
    writing = (quota.interval * beyond).total_seconds() / 60
    telling = TIMER_DELAY.total_seconds() / 60 if messages else 0.0
    return round(max(writing, _estimate_messages(messages, quota, at)) + telling, 2)


def _estimate_messages(messages: int, quota: Quota, at: datetime) -> float:
    """Return the minutes until the last message may be sent.

    On the first day, only accounts written before midnight count.
    """
    midnight = (at + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    left_of_day = (midnight - at).total_seconds() / 60
    written = left_of_day * (timedelta(minutes=1) / quota.interval) + quota.limit * quota.share
    first_day = int(min(MESSAGES_PER_DAY, left_of_day * MESSAGES_PER_MINUTE, written))
    if messages <= first_day:
        return messages / MESSAGES_PER_MINUTE
    whole_days, last = divmod(messages - first_day - 1, MESSAGES_PER_DAY)
    return left_of_day + whole_days * DAY + (last + 1) / MESSAGES_PER_MINUTE
