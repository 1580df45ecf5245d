"""Which cohort of the plan a customer belongs to. Pure."""

from datetime import UTC, date, datetime
from typing import Final

from shared.model.account import Cohort
from shared.model.profile import PlanSettings
from shared.model.row import Person


def choose_cohort(person: Person, planned: PlanSettings, uploaded_at: datetime, *, late: bool) -> Cohort:
    """Return the cohort of a customer, even if the cohort has no wave of its own. `late`.

    Joined after an earlier plan.
    """
    if person.source_id in planned.pilot:
        return Cohort.PILOT
    if late:
        return Cohort.LATE
    if planned.dormant_months and _is_dormant(person, planned.dormant_months, uploaded_at.date()):
        return Cohort.DORMANT
    return Cohort.NONE


def _is_dormant(person: Person, months: int, today: date) -> bool:
    """Return True if the last sign-in was at least this many months ago. Without a sign-in, the registration counts."""
    last = parse_day(person.last_sign_in) or parse_day(person.created)
    return last is not None and _count_months(last) + months <= _count_months(today) - (last.day > today.day)


def _count_months(day: date) -> int:
    return day.year * MONTHS + day.month


MONTHS: Final = 12


def parse_day(text: str) -> date | None:
    """Return the day in a cell, which may have a time of day. None if it cannot be read."""
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


DATES: Final = ("%Y-%m-%d", "%d/%m/%Y", "%d-%m-%Y", "%d.%m.%Y", "%d %b %Y", "%d %B %Y")
"""How portals write a day. A British export never means month, day, year."""
