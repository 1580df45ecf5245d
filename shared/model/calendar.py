"""When a wave may start: days, hours and bank holidays, in the customers' own time. Pure.

A profile writes dates and times as a clock on a wall in England shows them. A time that the clocks skip in spring, or
show twice in autumn, is refused: nobody should have to guess which one was meant.
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
    """When something may start."""

    days: tuple[Weekday, ...] = (Weekday.MON, Weekday.TUE, Weekday.WED, Weekday.THU)
    opens: time = time(9)
    closes: time = time(15)
    """The first moment that is too late."""
    bank_holidays: bool = False
    """Whether it may be a bank holiday in England."""


class NotAllowedThen(ValueError):
    """Nothing may start at that moment; the message says why, in a sentence for the profile's author."""


def convert_from_london(local: datetime) -> datetime:
    """The moment in UTC that clocks in England show as `local`.

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
    """The moment in UTC, if something may start then.

    Raises:
        NotAllowedThen: the day, the hour or a bank holiday forbids it.
    """
    moment = convert_from_london(local)
    told = f"{local:%A %d %B %Y, %H:%M}"
    if _get_weekday(local.date()) not in allowed.days:
        raise NotAllowedThen(f"{told} is not one of the allowed days ({', '.join(allowed.days)})")
    if not allowed.opens <= local.time() < allowed.closes:
        raise NotAllowedThen(f"{told} is outside the allowed hours ({allowed.opens:%H:%M} to {allowed.closes:%H:%M})")
    holiday = find_bank_holiday(local.date())
    if holiday and not allowed.bank_holidays:
        raise NotAllowedThen(f"{told} is a bank holiday in England ({holiday})")
    return moment


def format_day(moment: datetime) -> str:
    """The day as a customer reads it: `Tuesday 1 December 2026`."""
    local = moment.astimezone(LONDON)
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
