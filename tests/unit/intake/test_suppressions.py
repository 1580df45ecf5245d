"""Lists of people to be left alone: what one line says."""

import pytest

from shared.intake.rules.csv_reader import FirstPass, RecordReader, RefusedFile
from shared.intake.rules.suppressions import Exclusion, RejectedExclusion, exclusion_columns, read_exclusion
from shared.model.account import Authority
from shared.model.pseudonyms import Pseudonyms
from shared.model.reasons import explain_reason
from tests.support.world import World

SOUTH = Authority("south-norfolk")
KEY = Pseudonyms(b"k" * 32)


def read(body: str) -> list[Exclusion | RejectedExclusion]:
    """All lines of a list."""
    data = body.encode()
    first = FirstPass(exclusion_columns(World().profiles[SOUTH]))
    first.feed(data)
    layout = first.close()
    reader = RecordReader(layout.separator, layout.encoding, layout.start)
    records = [*reader.feed(data[layout.start :]), *reader.close()]
    return [read_exclusion(record, layout, SOUTH, KEY) for record in records]


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        ("deceased", "excluded_deceased"),
        (" Objecting ", "excluded_objecting"),
        ("court order", "excluded_court_order"),
        ("Safeguarding  concern", "excluded_safeguarding_concern"),
        ("safe-guarding", "excluded_safe_guarding"),
        ("Ada Example", "excluded_other"),
        ("mother of Jane Smith", "excluded_other"),
        ("", "excluded_other"),
        ("4", "excluded_other"),
        ("ada@example.org", "excluded_other"),
        ("x" * 31, "excluded_other"),
        ("Ada's brother rang, and said so", "excluded_other"),
        ("none", ""),
        (" NONE ", ""),
    ],
)
def test_the_word_becomes_a_reason_and_a_story_does_not(cell: str, reason: str) -> None:
    [found] = read(f'customer_ref,why\nC1,"{cell}"\n')
    assert found == Exclusion(KEY.account(SOUTH, "C1"), reason)


def test_the_header_may_be_spelt_and_ordered_as_people_do() -> None:
    [found] = read(" Why ;note;CUSTOMER_REF\nobjecting;rang on Monday;C1\n")
    assert found == Exclusion(KEY.account(SOUTH, "C1"), "excluded_objecting")


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (",deceased", "missing_source_id"),
        ("C1", "missing_cells"),
        ("C1,deceased,more", "extra_cells"),
        ("x" * 201 + ",deceased", "source_id_too_long"),
        ("C\x011,deceased", "control_character"),
        ("C\u200b1,deceased", "control_character"),
    ],
)
def test_a_line_that_names_nobody_is_rejected(row: str, reason: str) -> None:
    assert read(f"customer_ref,why\n{row}\n") == [RejectedExclusion(reason)]


def test_a_file_without_the_word_is_refused() -> None:
    with pytest.raises(RefusedFile) as refused:
        read("customer_ref,reason\nC1,deceased\n")
    assert (refused.value.reason, refused.value.detail) == ("missing_column", "why")


def test_people_read_a_sentence() -> None:
    told = explain_reason("excluded_court_order")
    assert told.sentence == "The council asked to leave this customer alone: court order."
    assert told.remedy == "Nothing. Nobody writes to the customer."
