"""The pages as text."""

import io

import pytest
from rich.console import Console, RenderableType

from ops import show, words
from ops.answers import Migration
from tests.ops.kit import a_cause, a_migration, a_refusal, a_status, read, read_migration


def _text(page: RenderableType, width: int = 160) -> str:
    out = io.StringIO()
    Console(file=out, width=width, highlight=False).print(page)
    return out.getvalue()


def test_a_page_into_a_pipe_has_no_colour_codes() -> None:
    assert "\x1b" not in _text(show.make_overview(read(a_status(a_migration(failures=[a_cause("host_lost", 2)])))))


def test_what_the_app_says_is_never_taken_for_markup() -> None:
    found = a_migration(file="south-norfolk/[red]x[/].csv", next="[bold]go[/bold]")
    page = _text(show.make_overview(read(a_status(found))))
    assert "south-norfolk/[red]x[/].csv" in page
    assert "Next: [bold]go[/bold]" in page


def test_earlier_uploads_take_one_line_each() -> None:
    older = a_migration(migration="2026-02-01-first-bbbb", uploaded_at="2026-02-01T09:00:00Z")
    replaced = a_migration(migration="2026-01-01-zero-cccc", phase="superseded", refused=a_cause("newer_upload"))
    page = _text(show.make_overview(read(a_status(a_migration(), older, replaced))))
    assert "Earlier and other uploads" in page
    assert "replaced by another upload: newer_upload" in page
    assert page.count("Next:") == 1


def test_a_council_that_has_no_profile_is_called_by_its_folder() -> None:
    refused = a_refusal(council="", authority="_refused", file="south_norfolk/x.csv")
    assert "south_norfolk · 2026-03-01-old-aaaa" in _text(show.make_overview(read(a_status(refused))))


def test_the_oldest_that_waits_and_the_age_of_the_counts_are_told() -> None:
    page = _text(show.make_overview(read(a_status(a_migration(phase="running", oldest_waiting_seconds=192)))))
    assert "The oldest account has waited for 3 min. Counted 10 s ago." in page


def test_a_word_that_is_not_known_yet_is_shown_as_it_is() -> None:
    found = a_migration(phase="waiting", outcomes={"exclude": 4}, states={"excluded": 4})
    page = _text(show.make_overview(read(a_status(found))))
    assert "exclude" in page
    assert "waiting" in page


def test_a_narrow_window_loses_no_number() -> None:
    page = _text(show.make_overview(read(a_status(a_migration()))), width=60)
    assert "800" in page
    assert "1,100" in page


@pytest.mark.parametrize(
    ("found", "share"),
    [
        (read_migration(phase="staging", staged=300, states={}), "300 of 1,200 (25 %)"),
        (read_migration(phase="classifying", states={"staged": 900, "classified": 300}), "300 of 1,200 (25 %)"),
        (read_migration(phase="running", states={"classified": 600, "told": 600}), "600 of 1,200 (50 %)"),
        (read_migration(), "1,200 of 1,200 (100 %)"),
        (read_migration(phase="refused", rows=0, states={}), ""),
    ],
)
def test_how_far_a_migration_is(found: Migration, share: str) -> None:
    assert show.progress_cells(found)[2] == share


@pytest.mark.parametrize(
    ("seconds", "said"), [(0, "0 s"), (59, "59 s"), (60, "1 min"), (7500, "2 h 5 min"), (172_800, "2 days")]
)
def test_a_duration_is_as_exact_as_a_person_needs_it(seconds: int, said: str) -> None:
    assert words.format_duration(seconds) == said
