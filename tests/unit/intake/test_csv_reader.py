"""Reading an export: what a csv.writer wrote is read back, whole or from any record; what is broken is refused."""

import codecs
import csv
import io
from itertools import batched

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.intake.rules import csv_reader
from shared.intake.rules.csv_reader import RECORD_LIMIT, CsvRecord, FirstPass, RecordReader, RefusedFile
from shared.model.migration import Layout
from shared.model.profile import Columns

COLUMNS = Columns(source_id="customer_ref", email="email", surname="last_name")
HEADER = "customer_ref,email,last_name"
cp1252_text = st.text(
    st.characters(codec="cp1252", exclude_characters="\r\x81\x8d\x8f\x90\x9d", exclude_categories=["Cs"]), max_size=12
)
any_text = st.text(st.characters(codec="utf-8", exclude_characters="\r", exclude_categories=["Cs"]), max_size=12)


def _first_pass(data: bytes, size: int = 4096) -> Layout:
    first_pass = FirstPass(COLUMNS)
    for start in range(0, len(data), size):
        first_pass.feed(data[start : start + size])
    return first_pass.close()


def _records(data: bytes, layout: Layout, offset: int, size: int = 4096) -> list[CsvRecord]:
    reader = RecordReader(layout.separator, layout.encoding, offset)
    found: list[CsvRecord] = []
    for start in range(offset, len(data), size):
        found += reader.feed(data[start : start + size])
    return found + list(reader.close())


def _refusal(data: bytes, size: int = 4096) -> tuple[str, str]:
    with pytest.raises(RefusedFile) as refused:
        _first_pass(data, size)
    return refused.value.reason, refused.value.detail


@st.composite
def _files(draw: st.DrawFn) -> tuple[bytes, list[list[str]], str, str]:
    encoding = draw(st.sampled_from(["utf-8", "utf-8-sig", "cp1252"]))
    text = cp1252_text if encoding == "cp1252" else any_text
    separator = draw(st.sampled_from([",", ";", "\t"]))
    always = draw(st.booleans())
    rows = draw(st.lists(st.lists(text, min_size=3, max_size=3), min_size=1, max_size=8))
    # A row that equals the header would be taken for a joined file.
    rows = [row for row in rows if row != HEADER.split(",")] or [["1", "2", "3"]]
    out = io.StringIO()
    writer = csv.writer(
        out,
        delimiter=separator,
        quoting=csv.QUOTE_ALL if always else csv.QUOTE_MINIMAL,
        lineterminator=draw(st.sampled_from(["\n", "\r\n"])),
    )
    writer.writerows([HEADER.split(","), *rows])
    body = out.getvalue()
    if draw(st.booleans()):
        body = body.rstrip("\r\n") if not rows[-1][-1].endswith("\n") else body
    return body.encode(encoding), rows, separator, encoding.removesuffix("-sig")


@given(_files(), st.integers(1, 200))
@settings(max_examples=300)
def test_what_a_csv_writer_wrote_is_read_back_at_any_chunk_size(
    file: tuple[bytes, list[list[str]], str, str], size: int
) -> None:
    data, rows, separator, encoding = file
    layout = _first_pass(data, size)
    assert (layout.rows, layout.separator, layout.width) == (len(rows), separator, 3)
    assert data.isascii() or layout.encoding == encoding or _could_be_utf8(data)
    if layout.encoding == encoding or data.isascii():
        assert [record.cells for record in _records(data, layout, layout.start, size)] == rows


def _could_be_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


@given(_files(), st.integers(1, 50))
@settings(max_examples=150)
def test_reading_goes_on_after_every_record(file: tuple[bytes, list[list[str]], str, str], size: int) -> None:
    data, _, _, _ = file
    layout = _first_pass(data)
    whole = _records(data, layout, layout.start)
    for number, record in enumerate(whole, 1):
        rest = _records(data, layout, record.end, size)
        assert [r.cells for r in rest] == [r.cells for r in whole[number:]]
        assert [r.end for r in rest] == [r.end for r in whole[number:]]


def test_chunks_may_be_cut_anywhere() -> None:
    data = f'{HEADER}\r\n1,a@b.de,"Mül\nler ""x"""\r\n\r\n2,c@d.de,Ö'.encode()
    for cut in range(len(data)):
        first_pass = FirstPass(COLUMNS)
        first_pass.feed(data[:cut])
        first_pass.feed(data[cut:])
        layout = first_pass.close()
        assert layout.rows == 2
        reader = RecordReader(layout.separator, layout.encoding, layout.start)
        start = max(cut, layout.start)
        found = [*reader.feed(data[layout.start : start]), *reader.feed(data[start:]), *reader.close()]
        assert [r.cells for r in found] == [["1", "a@b.de", 'Mül\nler "x"'], ["2", "c@d.de", "Ö"]]


def test_columns_are_found_in_any_order_case_and_space() -> None:
    layout = _first_pass(b"x; LAST_NAME ;EMAIL;Customer_Ref \n1;2;3;4\n")
    assert layout.columns == (("source_id", 3), ("email", 2), ("surname", 1))
    assert (layout.column("email"), layout.column("postcode")) == (2, None)


def test_a_column_of_the_profile_may_hold_letters_of_any_encoding() -> None:
    columns = Columns(source_id="Straße", email="E-Mail")
    for encoding in ("utf-8", "utf-8-sig", "cp1252"):
        first_pass = FirstPass(columns)
        first_pass.feed("Straße;E-Mail\n1;2\n".encode(encoding))
        assert first_pass.close().columns == (("source_id", 0), ("email", 1))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b"\n\r\n\n", "empty"),
        (codecs.BOM_UTF8, "empty"),
        (f"{HEADER}\n".encode(), "no_rows"),
        (HEADER.encode(), "no_rows"),
        (f"{HEADER}\n\n\r\n".encode(), "no_rows"),
        (f"{HEADER}\n1,2,3\n".encode("utf-16"), "utf16"),
        (f"{HEADER}\n1,2,3\n".encode("utf-16-le"), "utf16"),
        (f"{HEADER}\n1,2,3\n".encode("utf-16-be"), "utf16"),
        (codecs.BOM_UTF16_BE + f"{HEADER}\n1,2,3\n".encode("utf-16-be"), "utf16"),
        (f"{HEADER}\x00\n1,2,3\n".encode(), "not_csv"),
        (b"PK\x03\x04\x14\x00\x06\x00\x08\x81\x8d\x00", "not_csv"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\x81", "not_csv"),
        (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\x81", "not_csv"),
        (b"\x1f\x8b\x08\x00\x81\x00\x8d", "not_csv"),
        (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x81", "not_csv"),
        (f"{HEADER}\n1,\x81é,3\n".encode("latin-1"), "encoding"),
        (b"a,b,c\n1,2,3\n", "not_csv"),
        (b"customer_ref,email\n1,2\n", "missing_column"),
        (f"{HEADER},Email\n1,2,3,4\n".encode(), "duplicate_column"),
        (f"{HEADER}\n1,2,3\n{HEADER}\n4,5,6\n".encode(), "duplicate_header"),
        (f'{HEADER}\n1,"2"x,3\n4,5,6\n'.encode(), "quoting"),
        (f'{HEADER}\n1,"2"x,3'.encode(), "quoting"),
        (f"{HEADER}\n1,2\r2,3\n4,5,6\n".encode(), "quoting"),
        (f'{HEADER}\n1,2,"3\n'.encode(), "cut_off"),
        (f'{HEADER}\n1,2,"3'.encode(), "cut_off"),
        (f'{HEADER}\n1,2,"3\n4,5,6\n7,8,9'.encode(), "cut_off"),
        (f"{HEADER}\r1,2,3\r".encode(), "not_csv"),
    ],
)
@pytest.mark.parametrize("size", [1, 1000])
def test_what_is_broken_is_refused_with_the_reason(data: bytes, reason: str, size: int) -> None:
    assert _refusal(data, size)[0] == reason


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (f'{HEADER}\n1,2,"{"x" * RECORD_LIMIT}"\n'.encode(), "record_too_long"),
        (f'{HEADER}\n1,2,"{"x\n" * RECORD_LIMIT}'.encode(), "record_too_long"),
        (b"x" * (RECORD_LIMIT + 2), "not_csv"),
    ],
)
@pytest.mark.parametrize("size", [300_000, 4 * 1024 * 1024])
def test_what_is_too_long_is_refused(data: bytes, reason: str, size: int) -> None:
    assert _refusal(data, size)[0] == reason


def test_the_place_of_a_refusal_is_a_row_and_nothing_else() -> None:
    assert _refusal(f'{HEADER}\n1,2,3\n4,"5"x,6\n'.encode()) == ("quoting", "data row 2")
    assert _refusal(f"{HEADER}\n1,2,3\n{HEADER}\n".encode()) == ("duplicate_header", "data row 2")
    assert _refusal(b"customer_ref,last_name\n1,2\n") == ("missing_column", "email")


def test_a_file_without_a_header_shows_nobody() -> None:
    reason, detail = _refusal(b"C1,ada@example.org,Ada\nC2,bob@example.org,Bob\n")
    assert reason == "not_csv"
    assert "ada" not in detail.lower()


def test_a_file_that_says_it_is_utf8_and_is_not_is_no_windows_file() -> None:
    assert _refusal(codecs.BOM_UTF8 + f"{HEADER}\n1,2,Núñez\n".encode("cp1252"))[0] == "encoding"


def test_files_joined_with_the_mark_of_the_second_are_refused() -> None:
    one = codecs.BOM_UTF8 + f"{HEADER}\n1,2,3\n".encode()
    assert _refusal(one + one)[0] == "duplicate_header"


def test_nul_in_a_row_is_a_matter_of_the_row() -> None:
    layout = _first_pass(f"{HEADER}\n1,\x00,3\n".encode())
    assert layout.rows == 1


def test_blank_lines_are_no_rows() -> None:
    data = f"\n{HEADER}\n\n1,2,3\r\n\r\n4,5,6\n\n".encode()
    layout = _first_pass(data)
    assert layout.rows == 2
    assert [r.cells[0] for r in _records(data, layout, layout.start)] == ["1", "4"]


def test_line_ends_of_a_text_mode_transfer_are_forgiven() -> None:
    data = f"{HEADER}\r\r\n1,2,3\r\r\n".encode()
    assert _first_pass(data).rows == 1


def test_a_record_of_the_longest_allowed_size_is_taken_at_any_chunk_size() -> None:
    data = f'{HEADER}\n1,2,"{"x" * (RECORD_LIMIT - 7)}"\n2,3,4\n'.encode()
    for size in (RECORD_LIMIT - 1, RECORD_LIMIT + 1, 300_000):
        layout = _first_pass(data, size)
        assert layout.rows == 2


def test_separators_of_other_countries_are_found_by_the_known_columns() -> None:
    for separator in csv_reader.SEPARATORS:
        line = HEADER.replace(",", separator)
        rows = separator.join(["1", "a,b;c" if separator == "\t" else "a", "x"])
        assert _first_pass(f"{line}\n{rows}\n".encode()).separator == separator


def test_feeding_byte_by_byte_takes_the_same_records() -> None:
    data = f'{HEADER}\n1,"2\n3",4\n5,6,7\n'.encode()
    layout = _first_pass(data, 1)
    reader = RecordReader(layout.separator, layout.encoding, layout.start)
    found = [r.cells for byte in batched(data[layout.start :], 1, strict=True) for r in reader.feed(bytes(byte))]
    assert found == [["1", "2\n3", "4"], ["5", "6", "7"]]


def test_rows_that_a_stray_quote_swallows_refuse_the_file() -> None:
    columns = Columns(source_id="a", email="b", given_name="c")
    body = b'a,b,c\n1,x,y\n2,"x,y\n3,x,y\n4,x,y\n5,x",y\n'
    first_pass = FirstPass(columns)
    with pytest.raises(RefusedFile) as refused:
        first_pass.feed(body)
    assert refused.value.reason == "quoting"
