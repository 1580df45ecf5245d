"""assessment.html: the picture of a migration before anything changes.

The page needs no other file and no JavaScript, and it can be printed.
"""

import unicodedata
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from shared.messaging.rules.shown_message import INVENTED
from shared.model.lifecycle import Outcome
from shared.model.reasons import explain_reason
from shared.model.step import ANNOUNCEMENTS
from shared.planning.flow_picture import NARROW, WIDE, WORDS, draw_picture, format_share
from shared.planning.rules.assessment import Assessment
from shared.reporting.rules.personal_lists import FOLDER, LISTS, NAMES

if TYPE_CHECKING:
    from jinja2 import Template

EXAMPLES: Final = {
    Outcome.CREATE: "Ada Example has an account with the council and none in the shared directory. She gets a new one "
    "and a message which tells her, step by step, how to set a password.",
    Outcome.LINK: "Ben Example has an account on both sides, with the same verified address and name. From now on his "
    "one account opens both; he signs in the way he already does, and a message says so.",
    Outcome.UNCHANGED: "Cal Example was moved by an earlier export. Nothing happens and nobody writes to him.",
    Outcome.REVIEW: "Dee Example has the address of somebody in the directory, but the names differ. Nothing happens "
    "until a person has looked at both sides.",
    Outcome.REJECT: "Eli Example has no e-mail address in the export. The row is reported and nothing happens.",
    Outcome.DUPLICATE: "Flo Example stands twice in the file. The first row counts.",
}
LONDON: Final = ZoneInfo("Europe/London")
HOUR: Final = 60
HOURS_TOLD: Final = 48
"""Longer times than this are shown in days."""


@cache
def _load_template() -> "Template":
    # Imported here: it is slow to import, and the functions are to be indexed in less than a second.
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # noqa: PLC0415

    folder = Path(__file__).parent
    environment = Environment(
        loader=FileSystemLoader(folder), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    environment.filters.update(
        count=_format_count, time=_format_time, day=_format_day, minutes=minutes_in_words, hours=hours_in_words
    )
    return environment.get_template("assessment.html.jinja")


def render_page(picture: Assessment) -> bytes:
    """The page as bytes."""
    directory = picture.found.directory
    page = _load_template().render(
        picture=picture,
        directory=directory,
        letters=[(letter, _name_letter(letter), count) for letter, count in picture.found.letters.letters],
        drawings=[draw_picture(picture.rows, picture.outcomes, directory, shape) for shape in (WIDE, NARROW)],
        outcomes=[
            {
                "outcome": outcome.value,
                "words": words,
                "colour": colour,
                "count": picture.outcomes.get(outcome, 0),
                "share": format_share(picture.outcomes.get(outcome, 0), picture.rows),
                "example": EXAMPLES[outcome],
                "list": f"{FOLDER}/{outcome}.csv" if outcome in LISTS else "",
            }
            for outcome, (words, colour) in WORDS.items()
        ],
        reasons=[(code, count, explain_reason(code)) for code, count in picture.reasons.items()],
        extracts=[*picture.found.earlier, picture.extract],
        kinds=list(Outcome),
        announcements=frozenset(ANNOUNCEMENTS.values()),
        invented={outcome: " ".join(name) for outcome, name in INVENTED.items()},
        words={outcome: words for outcome, (words, _) in WORDS.items()},
        names_list=f"{FOLDER}/{NAMES}",
    )
    return page.encode()


def _format_count(number: int | None) -> str:
    """Return a number like 12,000. An unknown number is a dash."""
    return "\u2013" if number is None else f"{number:,}"


def _format_time(at: datetime) -> str:
    """Return a time in London time."""
    local = at.astimezone(LONDON)
    return f"{local.day} {local:%B %Y, %H:%M}"


def _format_day(at: datetime) -> str:
    local = at.astimezone(LONDON)
    return f"{local.day} {local:%b %Y}"


def minutes_in_words(minutes: float) -> str:
    """Return a number of minutes in words, only as exactly as it can be known: minutes, hours or days."""
    if not minutes:
        return "none"
    if minutes < 1:
        return "under a minute"
    if minutes < 2 * HOUR:
        whole = round(minutes)
        return f"{whole} minute{'s' * (whole != 1)}"
    if minutes < HOURS_TOLD * HOUR:
        return f"{minutes / HOUR:.1f} hours"
    return f"{minutes / HOUR / 24:.1f} days"


def hours_in_words(hours: float) -> str:
    """Return hours of work in words. A working day is not a day of the clock, so hours stay hours."""
    if hours * HOUR < 2 * HOUR:
        return minutes_in_words(hours * HOUR)
    return f"{hours:,.0f} hours"


def _name_letter(letter: str) -> str:
    return unicodedata.name(letter, f"U+{ord(letter):04X}").lower()
