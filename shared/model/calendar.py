"""When a wave may start: days, hours and bank holidays, in London time. Pure.

A profile writes dates and times in London time. A time that does not exist in spring, or exists twice in autumn, is
refused, so that nobody has to guess.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    import holidays

LONDON: Final = ZoneInfo("Europe/London")


class Weekday(StrEnum):
    """Days of the week, in the order of `date.weekday()`."""

    MON = "mon"
    TUE = "tue"
    WED = "wed"
    THU = "thu"
    FRI = "fri"
    SAT = "sat"
    SUN = "sun"


@dataclass(frozen=True, slots=True)
class Allowed:
    """The days and hours in which something may start."""

    days: tuple[Weekday, ...] = (Weekday.MON, Weekday.TUE, Weekday.WED, Weekday.THU)
    opens: time = time(9)
    closes: time = time(15)
    """The first time of day that is too late."""
    bank_holidays: bool = False
    """True if the day may be a bank holiday in England."""


class NotAllowedThen(ValueError):
    """Nothing may start at that time. The message says why, in a sentence for the author of the profile."""


def convert_from_london(local: datetime) -> datetime:
    """Return the time in UTC for a London time.

    Raises:
        NotAllowedThen: `local` names its own zone, or the clocks skip it, or show it twice.
    """
    if local.tzinfo is not None:
        raise NotAllowedThen(f"{local.isoformat()} should be written without a zone: it is meant as in London")
    first, second = (local.replace(tzinfo=LONDON, fold=fold) for fold in (0, 1))
    if first.utcoffset() != second.utcoffset():
        skipped = first.astimezone(UTC).astimezone(LONDON).replace(tzinfo=None) != local
        what = "does not exist: the clocks go forward" if skipped else "comes twice: the clocks go back"
        raise NotAllowedThen(f"{local:%d %B %Y %H:%M} {what} that night")
    return first.astimezone(UTC)


def check_allowed_time(local: datetime, allowed: Allowed) -> datetime:
    """Return the time in UTC, if something may start at this London time.

    Raises:
        NotAllowedThen: the day, the hour or a bank holiday forbids it.
    """
    at = convert_from_london(local)
    told = f"{local:%A %d %B %Y, %H:%M}"
    if _get_weekday(local.date()) not in allowed.days:
        raise NotAllowedThen(f"{told} is not one of the allowed days ({', '.join(allowed.days)})")
    if not allowed.opens <= local.time() < allowed.closes:
        raise NotAllowedThen(f"{told} is outside the allowed hours ({allowed.opens:%H:%M} to {allowed.closes:%H:%M})")
    holiday = find_bank_holiday(local.date())
    if holiday and not allowed.bank_holidays:
        raise NotAllowedThen(f"{told} is a bank holiday in England ({holiday})")
    return at


def format_day(at: datetime) -> str:
    """The day as a customer reads it: `Tuesday 1 December 2026`."""
    local = at.astimezone(LONDON)
    return f"{local:%A} {local.day} {local:%B %Y}"


def find_bank_holiday(day: date) -> str:
    """The name of the bank holiday in England on that day, empty for an ordinary day."""
    return _load_bank_holidays().get(day) or ""


def _get_weekday(day: date) -> Weekday:
    return tuple(Weekday)[day.weekday()]


@cache
def _load_bank_holidays() -> "holidays.HolidayBase":
    # Imported here: it is slow to import, and only a profile with dates needs it.
    import holidays  # noqa: PLC0415

    return holidays.country_holidays("GB", subdiv="ENG", language="en_GB")
