"""assessment.html: the picture of a migration before anything changes; stands alone, prints, needs no JavaScript."""

from functools import cache
from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from shared.domain.assessment import Assessment
from shared.domain.lifecycle import Outcome
from shared.domain.reasons import explain

WORDS: Final = {
    Outcome.CREATE: ("New account, sets a password", "#00703c"),
    Outcome.LINK: ("Joined to an existing account", "#1d70b8"),
    Outcome.UNCHANGED: ("Moved before, unchanged", "#505a5f"),
    Outcome.REVIEW: ("Needs a person", "#b58800"),
    Outcome.REJECT: ("Cannot be moved as it stands", "#b3261e"),
    Outcome.DUPLICATE: ("Same customer again in the file", "#6f5c91"),
}
"""What people call each outcome, and its colour; every colour has at least 4.5:1 against white text but review's."""
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
WIDTH: Final = 720
BAR: Final = 34


@cache
def _template() -> Template:
    folder = Path(__file__).parent
    return Environment(
        loader=FileSystemLoader(folder), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    ).get_template("assessment.html.jinja")


def render(picture: Assessment) -> bytes:
    """The page as bytes."""
    largest = max([*picture.outcomes.values(), 1])
    bars = [
        {
            "outcome": outcome.value,
            "words": WORDS[outcome][0],
            "colour": WORDS[outcome][1],
            "count": picture.outcomes[outcome],
            "share": f"{100 * picture.outcomes[outcome] / max(picture.rows, 1):.1f}",
            "width": round(WIDTH * picture.outcomes[outcome] / largest),
            "y": number * (BAR + 22),
            "example": EXAMPLES[outcome],
        }
        for number, outcome in enumerate(WORDS)
    ]
    reasons = [
        {"code": code, "count": count, "sentence": explain(code).sentence, "remedy": explain(code).remedy}
        for code, count in picture.reasons.items()
    ]
    page = _template().render(picture=picture, bars=bars, reasons=reasons, height=len(bars) * (BAR + 22), bar=BAR)
    return page.encode()
