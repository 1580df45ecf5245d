"""The flow of an export as SVG: its rows on the left, their outcomes on the right, the directory below.

Everything has one scale. Very small numbers stay visible, and a zero is written but not drawn. Every label has its own
space, so that labels never overlap.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from shared.model.counts.directory_counts import DirectoryCounts
from shared.model.lifecycle import Outcome

WORDS: Final = {
    Outcome.LINK: ("Joined to an existing account", "#1d70b8"),
    Outcome.CREATE: ("New account, sets a password", "#00703c"),
    Outcome.UNCHANGED: ("Moved before, unchanged", "#505a5f"),
    Outcome.REVIEW: ("Needs a person", "#b58800"),
    Outcome.REJECT: ("Cannot be moved as it stands", "#b3261e"),
    Outcome.DUPLICATE: ("Same customer again in the file", "#6f5c91"),
}
"""The name and colour of each outcome. No text is on a coloured area: all text is black on white."""
LIGHT: Final = "#b1b4b6"
FLOW: Final = 260
"""Height of all rows together."""
MIN_LINE_WIDTH: Final = 2
"""The smallest thickness of a line that stands for at least one row."""
SLOT: Final = 50
"""Height that a label needs."""
GAP: Final = 8
TOP: Final = 34
BAR: Final = 16


@dataclass(frozen=True, slots=True)
class Shape:
    """The positions of the parts, for a width of the paper."""

    name: str
    width: int
    ribbon: int
    """The distance from the left bar to the right bars."""
    font: int

    @property
    def label_x(self) -> int:
        """The x position where labels begin."""
        return BAR + self.ribbon + BAR + 12


WIDE: Final = Shape("wide", 760, 400, 17)
NARROW: Final = Shape("narrow", 360, 68, 15)


@dataclass(frozen=True, slots=True)
class Ribbon:
    """The band of one outcome, from its part of the left bar to its own bar on the right."""

    words: str
    colour: str
    count: int
    share: str
    thickness: float
    left: float
    right: float
    label: float
    path: str


@dataclass(frozen=True, slots=True)
class PicturePart:
    """A part of the bar for the directory, with the line that explains it."""

    words: str
    colour: str
    count: int
    x: float
    width: float
    y: float


@dataclass(frozen=True, slots=True)
class Picture:
    """All that the template draws."""

    shape: Shape
    height: float
    left_top: float
    left_height: float
    ribbons: Sequence[Ribbon]
    directory_y: float
    directory: Sequence[PicturePart]


def draw_picture(rows: int, outcomes: Mapping[Outcome, int], directory: DirectoryCounts, shape: Shape) -> Picture:
    """Lay the picture out."""
    ribbons = _make_ribbons(rows, outcomes, shape)
    below = ribbons[-1].label + SLOT + GAP
    parts = _make_directory_parts(outcomes, directory, shape, below + 74)
    return Picture(
        shape=shape,
        height=parts[-1].y + 18,
        left_top=ribbons[0].left,
        left_height=sum(ribbon.thickness for ribbon in ribbons),
        ribbons=ribbons,
        directory_y=below + 32,
        directory=parts,
    )


def _make_ribbons(rows: int, outcomes: Mapping[Outcome, int], shape: Shape) -> list[Ribbon]:
    thick = {o: _scale_count(outcomes.get(o, 0), rows, FLOW) for o in WORDS}
    slots = {o: max(thick[o], SLOT) for o in WORDS}
    right = float(TOP)
    left = TOP + (sum(slots.values()) + GAP * (len(WORDS) - 1) - sum(thick.values())) / 2
    found: list[Ribbon] = []
    for outcome, (words, colour) in WORDS.items():
        count = outcomes.get(outcome, 0)
        bar = right + (slots[outcome] - thick[outcome]) / 2
        found.append(
            Ribbon(
                words=words,
                colour=colour,
                count=count,
                share=format_share(count, rows),
                thickness=round(thick[outcome], 1),
                left=round(left, 1),
                right=round(bar, 1),
                label=round(right + (slots[outcome] - SLOT) / 2, 1),
                path=_make_path(left, bar, thick[outcome], shape) if count else "",
            )
        )
        left += thick[outcome]
        right += slots[outcome] + GAP
    return found


def _scale_count(count: int, of: int, length: float) -> float:
    return max(MIN_LINE_WIDTH, length * count / max(of, 1)) if count else 0.0


def _make_path(left: float, right: float, thickness: float, shape: Shape) -> str:
    """A band that bends halfway."""
    start, end = BAR, BAR + shape.ribbon
    middle = (start + end) / 2
    upper = f"M{start} {left:.1f}C{middle} {left:.1f} {middle} {right:.1f} {end} {right:.1f}"
    low, high = left + thickness, right + thickness
    return f"{upper}V{high:.1f}C{middle} {high:.1f} {middle} {low:.1f} {start} {low:.1f}Z"


def _make_directory_parts(
    outcomes: Mapping[Outcome, int], directory: DirectoryCounts, shape: Shape, y: float
) -> list[PicturePart]:
    """Return the parts of the directory.

    Users to be linked, users left alone, and users with the council's owner marker.
    """
    joined = min(outcomes.get(Outcome.LINK, 0), directory.without_mark)
    told = (
        ("will be joined", WORDS[Outcome.LINK][1], joined),
        ("others, left alone", LIGHT, directory.without_mark - joined),
        ("moved or joined before", WORDS[Outcome.UNCHANGED][1], directory.users - directory.without_mark),
    )
    parts: list[PicturePart] = []
    x = 0.0
    least = sum(MIN_LINE_WIDTH for *_, count in told if count)
    for number, (words, colour, count) in enumerate(told):
        width = (MIN_LINE_WIDTH + (shape.width - least) * count / directory.users) if count else 0.0
        parts.append(PicturePart(words, colour, count, round(x, 1), round(width, 1), round(y + number * 26, 1)))
        x += width
    return parts


def format_share(count: int, of: int) -> str:
    """Return a share in per cent. A small share is never shown as 0, and an incomplete one never as 100."""
    if not count or not of:
        return "0 %"
    percent = 100 * count / of
    if percent < 0.1:  # noqa: PLR2004 - what one decimal shows
        return "under 0.1 %"
    if count < of and percent > 99.9:  # noqa: PLR2004 - the same
        return "over 99.9 %"
    return "100 %" if count == of else f"{percent:.1f} %"
