"""NCRONTAB schedules, as the real host reads them with the .NET library NCrontab.

Written here because no small Python library does: they either lack seconds, or follow cron where NCrontab does not.
The differences to cron: the day of the month *and* the day of the week must match (cron takes either), Sunday is 0
and never 7, `5/10` runs from 5 to the end of the field, and a range that is written backwards is read forwards.
"""

import calendar
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

# February 29th on one day of the week: at worst 40 years apart, across a century that skips a leap year.
_DAYS_AHEAD: Final = 41 * 366
_SECOND: Final = timedelta(seconds=1)
_WITH_SECONDS: Final = 6
_WITHOUT_SECONDS: Final = 5


@dataclass(frozen=True)
class _Field:
    name: str
    least: int
    most: int
    names: tuple[str, ...] = ()


_FIELDS: Final = (
    _Field("second", 0, 59),
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day", 1, 31),
    _Field("month", 1, 12, tuple(calendar.month_name)[1:]),
    _Field("day of the week", 0, 6, ("Sunday", *tuple(calendar.day_name)[:6])),
)


@dataclass(frozen=True)
class Schedule:
    """The times that a schedule names, always in UTC."""

    seconds: tuple[int, ...]
    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]

    def following(self, at: datetime) -> datetime:
        """Return the first occurrence after this time, never the time itself."""
        for occurrence in self._find_from(at.astimezone(UTC).replace(microsecond=0) + _SECOND):
            return occurrence
        raise ValueError("this schedule has no occurrence in the next 40 years")

    def occurrences(self, at: datetime, count: int) -> list[datetime]:
        """Return this number of occurrences after the time."""
        found: list[datetime] = []
        while len(found) < count:
            found.append(self.following(found[-1] if found else at))
        return found

    def _find_from(self, earliest: datetime) -> Iterator[datetime]:
        for ahead in range(_DAYS_AHEAD):
            day = earliest.date() + timedelta(days=ahead)
            if self._has_value(day):
                at = self._first_time(earliest.time() if ahead == 0 else time())
                if at is not None:
                    yield datetime.combine(day, at, UTC)

    def _has_value(self, day: date) -> bool:
        return day.month in self.months and day.day in self.days and day.isoweekday() % 7 in self.weekdays

    def _first_time(self, earliest: time) -> time | None:
        for hour in self.hours:
            for minute in self.minutes:
                if (hour, minute) < (earliest.hour, earliest.minute):
                    continue
                for second in self.seconds:
                    if (hour, minute, second) >= (earliest.hour, earliest.minute, earliest.second):
                        return time(hour, minute, second)
        return None


def parse_schedule(expression: str) -> Schedule:
    """Read `{second} {minute} {hour} {day} {month} {day of the week}`. Without seconds it means second 0.

    Raises:
        ValueError: it is not such an expression, or names a day that never comes.
    """
    parts = expression.split()
    if len(parts) == _WITHOUT_SECONDS:
        parts = ["0", *parts]
    if len(parts) != _WITH_SECONDS:
        raise ValueError(f"{expression!r} is not a schedule: it should have six fields, or five without seconds")
    seconds, minutes, hours, days, months, weekdays = (
        _parse_values(field, part) for field, part in zip(_FIELDS, parts, strict=True)
    )
    schedule = Schedule(tuple(sorted(seconds)), tuple(sorted(minutes)), tuple(sorted(hours)), days, months, weekdays)
    try:
        schedule.following(datetime(2000, 1, 1, tzinfo=UTC))
    except ValueError:
        raise ValueError(f"{expression!r} names a day that never comes") from None
    return schedule


def _parse_values(field: _Field, text: str) -> frozenset[int]:
    return frozenset().union(*(_parse_part(field, part) for part in text.split(",")))


def _parse_part(field: _Field, text: str) -> frozenset[int]:
    span, slash, step_text = text.partition("/")
    step = max(_parse_number(field, step_text), 1) if slash else 1
    if span == "*":
        return frozenset(range(field.least, field.most + 1, step))
    first_text, dash, last_text = span.partition("-")
    first = _parse_value(field, first_text)
    last = _parse_value(field, last_text) if dash else (field.most if slash else first)
    return frozenset(range(min(first, last), max(first, last) + 1, step))


def _parse_value(field: _Field, text: str) -> int:
    if text[:1].isdigit():
        value = _parse_number(field, text)
        if not field.least <= value <= field.most:
            raise ValueError(f"{text} is not a {field.name}: it can be {field.least} to {field.most}")
        return value
    for position, name in enumerate(field.names):
        if text and name.lower().startswith(text.lower()):
            return position + field.least
    raise ValueError(f"{text!r} is not a {field.name}")


def _parse_number(field: _Field, text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise ValueError(f"{text!r} is not a number, in the field for the {field.name}")
    return int(text)
