"""What becomes of one row by itself."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.intake.rules.csv_reader import CsvRecord
from shared.intake.rules.row_checks import judge_record
from shared.model.account import AccountId, Authority, MigrationId
from shared.model.migration import Layout
from shared.model.profile import Columns, Export, Profile
from shared.model.row import Person, Rejected, Row

COLUMNS = Columns(
    source_id="id", email="email", given_name="given", surname="surname", email_verified="verified", status="status"
)
PROFILE = Profile(authority=Authority("south-norfolk"), name="South Norfolk", export=Export(columns=COLUMNS))
LAYOUT = Layout("utf-8", ",", tuple((ours, index) for index, ours in enumerate(COLUMNS.named())), 7, 0, 1)
GOOD = ["C1", "Ada@Example.org", "Ada", "Example", "yes", "Active", "not kept"]


def _judge(*cells: str, size: int = 100) -> Person | Rejected:
    return judge_record(CsvRecord(list(cells), 0, size), LAYOUT, PROFILE)


def _with(**changed: str) -> list[str]:
    places = {ours: index for index, ours in enumerate(COLUMNS.named())} | {"other": 6}
    cells = list(GOOD)
    for name, cell in changed.items():
        cells[places[name]] = cell
    return cells


def _reason(*cells: str, size: int = 100) -> str:
    verdict = _judge(*cells, size=size)
    return verdict.reason if isinstance(verdict, Rejected) else ""


def test_a_good_row_is_taken_as_it_is_but_for_spaces_around() -> None:
    person = _judge(*_with(source_id=" C1 ", email=" Ada@Example.org\u00a0"))
    assert person == Person("C1", "Ada@Example.org", "Ada", "Example", verified=True)


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        (GOOD[:6], "missing_cells"),
        ([], "missing_cells"),
        ([*GOOD, ""], "extra_cells"),
        (_with(given_name="A\x00da"), "control_character"),
        (_with(other="\x00"), "control_character"),
        (_with(given_name="A\nda"), "control_character"),
        (_with(source_id="C\x1b1"), "control_character"),
        (_with(given_name="x" * 1001), "cell_too_long"),
        (_with(other="x" * 10_001), "cell_too_long"),
        (_with(source_id=""), "missing_source_id"),
        (_with(source_id="  "), "missing_source_id"),
        (_with(source_id="x" * 201), "source_id_too_long"),
        (_with(status="Closed"), "source_closed"),
        (_with(status=" Gone Away "), "source_gone_away"),
        (_with(status="jane.doe@example.org"), "source_other"),
        (_with(status=""), "source_without_status"),
        (_with(status="?"), "source_other"),
        (_with(email=""), "missing_email"),
        (_with(email=f"{'x' * 53}@example.org"), "email_too_long"),
        (_with(email="ada"), "email_invalid"),
        (_with(email="ada@example"), "email_invalid"),
        (_with(email="ada@example.org, ida@example.org"), "email_invalid"),
        (_with(given_name="x" * 65), "name_too_long"),
        (_with(surname="x" * 65), "name_too_long"),
    ],
)
def test_a_row_that_cannot_be_moved_is_rejected_with_the_reason(cells: list[str], reason: str) -> None:
    assert _reason(*cells) == reason


@pytest.mark.parametrize(
    "cells",
    [
        _with(other="two\nlines\tand a tab"),
        _with(email=f"{'x' * 52}@example.org"),
        _with(given_name="x" * 64),
        _with(source_id="x" * 200),
        _with(status="ACTIVE"),
        _with(email="jürgen@example.org"),
    ],
)
def test_what_only_looks_odd_is_taken(cells: list[str]) -> None:
    assert isinstance(_judge(*cells), Person)


def test_the_first_reason_is_told_in_a_fixed_order() -> None:
    everything = _with(source_id="", email="", status="closed", given_name="x" * 65)
    assert _reason(*everything, "extra", size=65 * 1024) == "row_too_long"
    assert _reason(*everything, "extra") == "extra_cells"
    assert _reason(*everything) == "missing_source_id"
    assert _reason(*_with(email="", status="closed", given_name="x" * 65)) == "source_closed"
    assert _reason(*_with(email="", given_name="x" * 65)) == "missing_email"
    assert _reason(*_with(email="x", given_name="x" * 65)) == "email_invalid"


@pytest.mark.parametrize(("said", "verified"), [("yes", True), ("TRUE", True), ("1", True), ("no", False), ("", False)])
def test_only_the_profiles_words_mean_verified(said: str, verified: bool) -> None:  # noqa: FBT001
    person = _judge(*_with(email_verified=said))
    assert isinstance(person, Person)
    assert person.verified is verified


def test_a_council_that_says_nothing_of_verification_or_status() -> None:
    columns = Columns(source_id="id", email="email")
    profile = PROFILE.model_copy(update={"export": Export(columns=columns)})
    layout = Layout("utf-8", ",", (("source_id", 0), ("email", 1)), 2, 0, 1)
    assert judge_record(CsvRecord(["C1", "a@b.de"], 0, 9), layout, profile) == Person("C1", "a@b.de", verified=None)


@given(st.lists(st.text(max_size=30), max_size=9))
def test_any_cells_get_an_answer_that_can_be_printed(cells: list[str]) -> None:
    verdict = _judge(*cells)
    assert verdict.source_id.isprintable() or not any(c in verdict.source_id for c in "\r\n\t\x00\x1b")


def test_a_row_lives_with_its_account_else_by_its_number() -> None:
    row = Row(Authority("south-norfolk"), MigrationId("m"), 18)
    assert row.shard == "2"
    assert Row(row.authority, row.migration, 18, account=AccountId("ae" + "0" * 39)).shard == "e"
