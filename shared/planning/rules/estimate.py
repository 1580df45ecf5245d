"""How long a migration takes, and how much work it is for people: from its counts alone. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from shared.model.pacing.rate_limit import Quota

MESSAGES_PER_MINUTE: Final = 3000
"""GOV.UK Notify's rate limit."""
MESSAGES_PER_DAY: Final = 250_000
"""GOV.UK Notify's daily limit, which starts anew at midnight UTC."""
DAY: Final = 24 * 60
"""Minutes."""
FEEDER: Final = timedelta(seconds=5)
WALK: Final = timedelta(seconds=10)
TELLING: Final = (WALK + FEEDER) / 2
"""Around the writes: the feeder begins within its round, and the walk sees within its own that the last is told."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """What is to be expected."""

    minutes: float
    """From when the first may be written to when the last is seen to be told."""
    messages: int
    """Customers who are told."""
    review_hours: float
    calls: int
    """From those who are moved, whoever tells them: our message, or the council itself."""


@dataclass(frozen=True, slots=True)
class Effort:
    """What one case in review, and one customer who is moved, is for people; the profile says it."""

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
    """How many of those who are moved call the help desk, rounded up."""
    return -int(-moved * percent // 100)


def estimate_minutes(writes: int, messages: int, quota: Quota, at: datetime) -> float:
    """How long creating, linking and telling takes.

    The window's burst is free, then the steady rate; whoever is told is told within the message service's limits, and
    what is beyond a day's limit waits for midnight UTC.
    """
    if not writes and not messages:
        return 0.0
    beyond = max(writes - quota.limit * quota.share, 0)
    writing = (quota.interval * beyond).total_seconds() / 60
    telling = TELLING.total_seconds() / 60 if messages else 0.0
    return round(max(writing, _estimate_messages(messages, quota, at)) + telling, 2)


def _estimate_messages(messages: int, quota: Quota, at: datetime) -> float:
    """Minutes until the last message may go: on the first day only whoever is written by midnight can be told."""
    midnight = (at + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    left_of_day = (midnight - at).total_seconds() / 60
    written = left_of_day * (timedelta(minutes=1) / quota.interval) + quota.limit * quota.share
    first_day = int(min(MESSAGES_PER_DAY, left_of_day * MESSAGES_PER_MINUTE, written))
    if messages <= first_day:
        return messages / MESSAGES_PER_MINUTE
    whole_days, last = divmod(messages - first_day - 1, MESSAGES_PER_DAY)
    return left_of_day + whole_days * DAY + (last + 1) / MESSAGES_PER_MINUTE
