"""From a council's profile to the waves of one plan: who goes apart, who goes when. Pure."""

from collections.abc import Iterable
from datetime import UTC, date, datetime
from typing import Final

from shared.intake.rules.row_checks import Person
from shared.model.account import Band
from shared.model.calendar import london
from shared.model.profile import BANDS, Plan, PlannedWave
from shared.model.wave import POSITIONS, Census, Slice, Wave

EVERYBODY: Final = "everybody"
DATES: Final = ("%Y-%m-%d", "%d/%m/%Y", "%d-%m-%Y", "%d.%m.%Y", "%d %b %Y", "%d %B %Y")
"""How portals write a day. A British export never means month, day, year."""
MONTHS: Final = 12


def band_of(person: Person, planned: Plan, uploaded_at: datetime, *, late: bool) -> Band:
    """The band of somebody, whether or not it has a wave of its own. `late`: joined after an earlier plan."""
    if person.source_id in planned.pilot:
        return Band.PILOT
    if late:
        return Band.LATE
    if planned.dormant_months and _dormant(person, planned.dormant_months, uploaded_at.date()):
        return Band.DORMANT
    return Band.NONE


def _dormant(person: Person, months: int, today: date) -> bool:
    """Whether the last sign-in, or the registration where nobody ever signed in, is so many months ago."""
    last = day_of(person.last_sign_in) or day_of(person.created)
    return last is not None and _months(last) + months <= _months(today) - (last.day > today.day)


def _months(day: date) -> int:
    return day.year * MONTHS + day.month


def day_of(text: str) -> date | None:
    """The day in a cell, with or without a time of day; None where it cannot be read."""
    text = text.strip()
    try:
        return datetime.fromisoformat(text).date()
    except ValueError:
        pass
    for form in DATES:
        for part in (text, text.partition(" ")[0]):
            try:
                return datetime.strptime(part, form).replace(tzinfo=UTC).date()
            except ValueError:
                continue
    return None


def own_bands(planned: Plan) -> frozenset[Band]:
    """The bands that have a wave of their own; who is in another one goes by position."""
    return frozenset(Band(wave.takes) for wave in planned.waves if wave.takes in BANDS)


def schedule(planned: Plan, census: Census) -> tuple[Wave, ...]:
    """The waves of everybody whom the census counted, in the profile's order."""
    known = planned.waves or (PlannedWave(name=EVERYBODY, takes="rest"),)
    bounds = iter(census.bounds([Slice.read(wave.takes) for wave in known if wave.takes not in BANDS]))
    return tuple(_wave(number, wave, planned, census, bounds) for number, wave in enumerate(known, 1))


def _wave(
    number: int, wave: PlannedWave, planned: Plan, census: Census, bounds: Iterable[tuple[int, int, int]]
) -> Wave:
    local = planned.starts(wave)
    starts_at = london(local) if local is not None else None
    if wave.takes in BANDS:
        band = Band(wave.takes)
        return Wave(number, wave.name, band, 0, 0, starts_at, census.in_band(band))
    lower, upper, accounts = next(iter(bounds))
    return Wave(number, wave.name, Band.NONE, lower, min(upper, POSITIONS), starts_at, accounts)
