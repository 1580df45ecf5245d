"""The page of the picture: stands alone, says everything in words, and no drawing of it overlaps."""

import xml.etree.ElementTree as ET
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from itertools import pairwise

import pytest

from shared.messaging.rules.shown_message import ShownMessage
from shared.model.counts.directory_counts import DirectoryCounts
from shared.model.lifecycle import Outcome
from shared.planning.assessment_page import hours_in_words, minutes_in_words, render_page
from shared.planning.flow_picture import NARROW, SLOT, WIDE, Shape, draw_picture, format_share
from shared.planning.rules.assessment import Assessment, Extract, Findings
from shared.planning.rules.estimate import Effort, Prediction
from shared.reporting.rules.encoding_check import Letters

NOW = datetime(2026, 6, 2, 9, 0, tzinfo=UTC)
FULL = dict(zip(Outcome, (7810, 3120, 611, 402, 57, 0), strict=True))
CASES = {
    "full": FULL,
    "nothing": dict.fromkeys(Outcome, 0),
    "one of each": dict.fromkeys(Outcome, 1),
    "nearly all of one": dict.fromkeys(Outcome, 1) | {Outcome.CREATE: 1_000_000},
    "all of one": dict.fromkeys(Outcome, 0) | {Outcome.REJECT: 12},
}


def picture(outcomes: dict[Outcome, int] = FULL, **more: object) -> Assessment:
    shown = ShownMessage(Outcome.CREATE, "set-your-password", "t1", 3, "Hello <you>", "# Dear Ada\n<script>x</script>")
    found = Findings(DirectoryCounts(100, 90, {"other": 90}, {"nobody": 90}), Letters(2, 1, (("é", 2),)), (shown,))
    whole = Assessment(
        migration="2026-06-02-a-abcd",
        authority="south-norfolk",
        council="South Norfolk Council",
        file="south-norfolk/a<b>.csv",
        uploaded_at=NOW,
        assessed_at=NOW,
        rows=sum(outcomes.values()),
        outcomes=outcomes,
        reasons={"names_differ": outcomes[Outcome.REVIEW]} if outcomes[Outcome.REVIEW] else {},
        found=found,
        prediction=Prediction(7.8, 10_930, 101.8, 328),
        effort=Effort(10, 3.0),
        plan_hash="abc",
    )
    return replace(whole, **more)  # type: ignore[arg-type]  # what a test says of it


class Reader(HTMLParser):
    """What a browser would make of the page."""

    VOID = frozenset({"meta", "br"})

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.headings: list[int] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag in {"h1", "h2", "h3", "h4"}:
            self.headings.append(int(tag[1]))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data

    def count(self, tag: str) -> int:
        return sum(name == tag for name, _ in self.tags)


@pytest.mark.parametrize("outcomes", CASES.values(), ids=CASES)
def test_the_page_is_whole_and_needs_nothing_else(outcomes: dict[Outcome, int]) -> None:
    text = render_page(picture(outcomes)).decode()
    page = Reader(text)
    assert page.open == []
    assert "script" not in {tag for tag, _ in page.tags}
    assert not [attrs for _, attrs in page.tags if {"src", "href"} & attrs.keys()]
    assert page.headings[0] == 1
    assert page.headings.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(page.headings))
    assert page.count("table") == page.count("caption")
    assert all("scope" in attrs for tag, attrs in page.tags if tag == "th")
    ids = [attrs["id"] for _, attrs in page.tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    named = {word for _, attrs in page.tags for word in (attrs.get("aria-labelledby") or "").split()}
    assert named <= set(ids)


def test_what_others_wrote_is_shown_and_never_taken_for_markup() -> None:
    text = render_page(picture()).decode()
    assert "<script>" not in text
    assert "a<b>" not in text
    assert "# Dear Ada\n<script>x</script>" in Reader(text).text


def test_what_is_wanted_of_people_is_on_top_and_at_the_end() -> None:
    plain = Reader(render_page(picture()).decode()).text
    assert "Before anybody signs" not in plain
    assert "Signatures wanted" not in plain
    waves = (("pilot", NOW, 50), ("rest", NOW + timedelta(days=7), 12_000))
    warnings = (("14 % fewer rows.", "Look at the file."),)
    full = Reader(render_page(picture(warnings=warnings, waves=waves, wanted=("data-owner",))).decode()).text
    assert full.index("14 % fewer rows.") < full.index("In figures")
    assert "2 June 2026, 10:00" in full[full.index("Waves") :]
    assert "data-owner" in full[full.index("Signatures wanted") :]


def test_a_message_that_cannot_be_shown_says_why() -> None:
    shown = ShownMessage(Outcome.LINK, "now-one-account", "t2", trouble="No answer.")
    text = Reader(render_page(picture(found=replace(picture().found, messages=(shown,)))).decode()).text
    assert "No answer." in text


def test_a_dated_wave_with_an_announcement_makes_two_messages() -> None:
    shown = ShownMessage(Outcome.LINK, "accounts-become-one", "t2", 1, "Soon", "Your accounts become one.")
    found = replace(picture().found, messages=(shown,))
    undated, dated = (
        Reader(render_page(picture(found=found, waves=(("all", at, 50),))).decode()).text for at in (None, NOW)
    )
    assert "one message each, and one before anything changes" in dated
    assert "and one before anything changes" not in undated
    assert "as Ben Example would read it before anything changes" in dated


def test_earlier_extracts_stand_beside_this_one() -> None:
    earlier = Extract("m0", "south-norfolk/first.csv", NOW - timedelta(days=28), 11_000, FULL, 95)
    shown = picture(found=replace(picture().found, earlier=(earlier,)), new=7, missing=0)
    text = Reader(render_page(shown).decode()).text
    beside = text[text.index("Beside earlier extracts") :]
    assert beside.index("first.csv") < beside.index("a<b>.csv")
    assert "5 May 2026" in beside
    assert "11,000" in beside


@pytest.mark.parametrize("shape", [WIDE, NARROW], ids=lambda shape: shape.name)
@pytest.mark.parametrize("outcomes", CASES.values(), ids=CASES)
def test_no_two_labels_and_no_two_bars_meet(outcomes: dict[Outcome, int], shape: Shape) -> None:
    drawn = draw_picture(sum(outcomes.values()), outcomes, DirectoryCounts(10, 9), shape)
    for above, below in pairwise(drawn.ribbons):
        assert below.label - above.label >= SLOT
        assert below.right >= above.right + above.thickness
        assert below.left == pytest.approx(above.left + above.thickness, abs=0.2)
    assert all(bool(ribbon.path) == bool(ribbon.count) for ribbon in drawn.ribbons)
    assert drawn.ribbons[-1].label + SLOT < drawn.directory_y
    assert sum(part.width for part in drawn.directory) == pytest.approx(shape.width, abs=1)
    assert drawn.height > drawn.directory[-1].y


def test_a_drawing_says_in_words_what_it_shows() -> None:
    text = render_page(picture()).decode()
    svg = ET.fromstring(text[text.index("<svg") : text.index("</svg>") + 6])  # noqa: S314 - ours
    title, words = svg[0], svg[1]
    assert (title.tag, words.tag) == ("title", "desc")
    assert "needs a person 611" in (words.text or "")


def test_the_smallest_is_not_nothing_and_the_largest_not_all() -> None:
    told = [format_share(count, 1_000_000) for count in (0, 1, 1000, 500_000, 999_999, 1_000_000)]
    assert told == ["0 %", "under 0.1 %", "0.1 %", "50.0 %", "over 99.9 %", "100 %"]
    assert format_share(0, 0) == "0 %"


def test_time_is_told_as_exactly_as_it_is_known() -> None:
    told = [minutes_in_words(minutes) for minutes in (0, 0.13, 1.2, 7.83, 119, 150, 2000, 4320)]
    assert told == [
        "none", "under a minute", "1 minute", "8 minutes", "119 minutes", "2.5 hours", "33.3 hours", "3.0 days",
    ]  # fmt: skip
    assert [hours_in_words(hours) for hours in (0, 0.2, 101.8, 2000)] == [
        "none",
        "12 minutes",
        "102 hours",
        "2,000 hours",
    ]
