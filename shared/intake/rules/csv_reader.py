"""Read an export: records from bytes, the whole first pass, or one piece.

Pure and strict, at the speed of the csv module.

Bytes are fed as they arrive. A record is complete when the csv reader yields it without asking for a line that has not
arrived yet, so quoted line breaks need no rules of our own, and every record's end is known as a byte offset.
"""

import codecs
import csv
import unicodedata
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final, Protocol

from shared.errors import MigrationError
from shared.model.migration import Layout

RECORD_LIMIT: Final = 1024 * 1024
SEPARATORS: Final = (",", ";", "\t")
UTF16_MARKS: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
BINARY_MARKS: Final = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0", b"%PDF", b"\x1f\x8b", b"\x89PNG")
UNDEFINED_IN_CP1252: Final = bytes((0x81, 0x8D, 0x8F, 0x90, 0x9D))
ANY_BYTES: Final = "latin-1"
"""Separators, quotes and line ends are ASCII, so a pass that only counts may read any of our encodings with this."""

FEWEST_CELLS: Final = 3
"""In a narrower file a line of a cell may look like a row by chance."""
NAMED_AT_MOST: Final = 20
END_IN_QUOTES: Final = "unexpected end of data"
"""The csv module's error for a file that ends within a quoted cell. A test compares the text."""

csv.field_size_limit(2 * RECORD_LIMIT)


class FoundColumns(Protocol):
    """The columns that a file has to have."""

    def named(self) -> dict[str, str]:
        """Return our names of the columns, and the council's names."""
        ...


class RefusedFile(MigrationError):
    """The file is refused. `reason` is a code. `detail` names the place in the file and nothing personal."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason} {detail}".strip())
        self.reason = reason
        self.detail = detail


class _NeedMore(Exception):
    """The record continues in a line that has not arrived yet."""


@dataclass(frozen=True, slots=True)
class CsvRecord:
    """One record: its cells, and the byte offset just after it."""

    cells: list[str]
    end: int
    size: int


class RecordReader:
    """Turns chunks of bytes into records. Blank lines are passed over."""

    def __init__(self, separator: str, encoding: str, offset: int = 0) -> None:
        self._separator = separator
        self._encoding = encoding
        self._rest = b""
        self._offset = offset

    def feed(self, chunk: bytes) -> Iterator[CsvRecord]:
        """The records that are complete with this chunk."""
        data = self._rest + chunk
        cut = data.rfind(b"\n") + 1
        if not cut:
            self._keep_cell(data)
            return
        yield from self._read_record(data[:cut], data[cut:], last=False)

    def close(self) -> Iterator[CsvRecord]:
        """The record that ends with the file.

        Raises:
            RefusedFile: the file ends within a quoted cell.
        """
        yield from self._read_record(self._rest, b"", last=True)

    def _keep_cell(self, data: bytes) -> None:
        if len(data) > RECORD_LIMIT:
            raise RefusedFile("record_too_long")
        self._rest = data

    def _read_record(self, data: bytes, tail: bytes, *, last: bool) -> Iterator[CsvRecord]:
        lines = _split_lines(data)
        used = 0
        done = 0

        def list_arriving_lines() -> Iterator[str]:
            nonlocal used
            for line in lines:
                used += len(line)
                yield line.decode(self._encoding)
            if not last:
                raise _NeedMore

        reader = csv.reader(list_arriving_lines(), delimiter=self._separator, strict=True)
        while True:
            start = done
            try:
                cells = next(reader)
            except StopIteration:
                break
            except _NeedMore:
                break
            except csv.Error as error:
                raise self._make_broken(used - start, cut_off=str(error) == END_IN_QUOTES) from None
            done = used
            if done - start > RECORD_LIMIT:
                raise RefusedFile("record_too_long")
            if cells:
                yield CsvRecord(cells, self._offset + done, done - start)
        self._offset += done
        self._keep_cell(data[done:] + tail)

    @staticmethod
    def _make_broken(size: int, *, cut_off: bool) -> RefusedFile:
        if size > RECORD_LIMIT:
            return RefusedFile("record_too_long")
        return RefusedFile("cut_off" if cut_off else "quoting")


def _split_lines(data: bytes) -> list[bytes]:
    # bytes.splitlines would also cut at a lone carriage return, which is no line end here.
    parts = data.split(b"\n")
    return [part + b"\n" for part in parts[:-1]] + ([parts[-1]] if parts[-1] else [])


class FirstPass:
    """Reads a whole export once and finds out how to read it, or refuses it. Feed it with chunks, then call `close`."""

    def __init__(self, columns: FoundColumns) -> None:
        self._columns = columns
        self._utf8 = codecs.getincrementaldecoder("utf-8")("strict")
        self._codecs = {"utf-8": True, "cp1252": True}
        self._beyond_ascii = False
        self._head = b""
        self._header: list[str] = []
        self._layout: Layout | None = None
        self._records: RecordReader | None = None
        self._rows = 0

    def feed(self, chunk: bytes) -> None:
        """Read the next chunk.

        Raises:
            RefusedFile: the reader has seen enough to refuse the file.
        """
        if self._records is None:
            self._head += chunk
            # Before the encoding: a spreadsheet is no text in any.
            _refuse_other_kinds(self._head)
        self._check_encoding(chunk)
        if self._records is None:
            chunk = self._find_header(last=False)
        if self._records is not None:
            self._count_records(self._records.feed(chunk))

    def close(self) -> Layout:
        """Return the result for the whole file.

        Raises:
            RefusedFile: with the reason and, if there is one, the place.
        """
        self._check_encoding(b"", last=True)
        if self._records is None:
            chunk = self._find_header(last=True)
            self._count_records(self._get_reader().feed(chunk))
        self._count_records(self._get_reader().close())
        if not self._rows:
            raise RefusedFile("no_rows")
        return self._settle_record()

    def _get_reader(self) -> RecordReader:
        if self._records is None:
            raise RefusedFile("empty")
        return self._records

    def _settle_record(self) -> Layout:
        layout = self._layout
        if layout is None:
            raise RefusedFile("empty")
        encoding = next(name for name, possible in self._codecs.items() if possible)
        return replace(layout, encoding=encoding, rows=self._rows)

    def _count_records(self, records: Iterator[CsvRecord]) -> None:
        try:
            for record in records:
                self._rows += 1
                self._refuse_swallowed(record)
                if len(record.cells) == len(self._header) and _fold_cells(record.cells) == self._header:
                    raise RefusedFile("duplicate_header")  # noqa: TRY301 - the place is added below
        except RefusedFile as refused:
            place = self._rows + (refused.reason != "duplicate_header")
            raise RefusedFile(refused.reason, f"data row {place}") from None

    def _refuse_swallowed(self, record: CsvRecord) -> None:
        """Refuse a file in which a stray quote turns whole rows into one cell.

        Such rows show as lines within the cell.
        """
        layout = self._layout
        if layout is None or layout.width < FEWEST_CELLS:
            return
        for cell in record.cells:
            inner = cell.split("\n")[1:-1] if "\n" in cell else ()
            if any(line.count(layout.separator) >= layout.width - 1 for line in inner):
                raise RefusedFile("quoting")

    def _check_encoding(self, chunk: bytes, *, last: bool = False) -> None:
        if self._codecs["utf-8"]:
            try:
                self._beyond_ascii |= not self._utf8.decode(chunk, final=last).isascii()
            except UnicodeDecodeError:
                if last and self._beyond_ascii:
                    raise RefusedFile("cut_off", "within its last character") from None
                self._codecs["utf-8"] = False
        if self._codecs["cp1252"] and len(chunk) != len(chunk.translate(None, UNDEFINED_IN_CP1252)):
            self._codecs["cp1252"] = False
        if not any(self._codecs.values()):
            raise RefusedFile("encoding")

    def _find_header(self, *, last: bool) -> bytes:
        """Begin to count as soon as the header is whole. Returns what follows the header."""
        head = self._head
        bom = len(codecs.BOM_UTF8) if head.startswith(codecs.BOM_UTF8) else 0
        if bom and not self._codecs["utf-8"]:
            raise RefusedFile("encoding", "it says that it is UTF-8")
        self._codecs["cp1252"] = self._codecs["cp1252"] and not bom
        found = _find_header(head[bom:], self._columns, last=last)
        if found is None:
            if len(head) > RECORD_LIMIT:
                raise RefusedFile("not_csv", "the first line is longer than 1 MiB")
            if last:
                raise RefusedFile("empty")
            return b""
        header, separator = found
        start = bom + header.end
        self._header = _fold_cells(header.cells)
        columns = _find_columns(header.cells, self._columns)
        self._layout = Layout("", separator, columns, len(header.cells), start, 0, bom=bool(bom))
        self._records = RecordReader(separator, ANY_BYTES, start)
        self._head = b""
        return head[start:]


def _refuse_other_kinds(head: bytes) -> None:
    if head.startswith(UTF16_MARKS):
        raise RefusedFile("utf16")
    if head.startswith(BINARY_MARKS):
        raise RefusedFile("not_csv", "it looks like a spreadsheet, an archive or a picture")
    line = head.split(b"\n", 1)[0]
    if b"\x00" in line:
        # Every second byte NUL is UTF-16 without a mark.
        raise RefusedFile("utf16" if line.count(b"\x00") * 3 > len(line) else "not_csv", "the header holds NUL")


def _find_header(head: bytes, columns: FoundColumns, *, last: bool) -> tuple[CsvRecord, str] | None:
    """Return the header, and the separator that fits it best. None if the header is not complete yet."""
    found: list[tuple[int, CsvRecord, str]] = []
    for separator in SEPARATORS:
        reader = RecordReader(separator, ANY_BYTES)
        try:
            record = next(reader.feed(head), None)
            if record is None and last:
                record = next(reader.close(), None)
        except RefusedFile:
            continue
        if record is not None:
            known = {_fold_name(name) for name in columns.named().values()}
            score = len(known & {_fold_name(_decode_cell(cell)) for cell in record.cells})
            found.append((score * 1000 + len(record.cells), record, separator))
    if not found:
        if last and head.strip():
            raise RefusedFile("not_csv", "the first line cannot be read as a header")
        return None
    _, record, separator = max(found, key=lambda item: item[0])
    return record, separator


def _decode_cell(cell: str) -> str:
    """A header cell that was read as single bytes, in its own encoding."""
    raw = cell.encode(ANY_BYTES)
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("cp1252", errors="replace")


def _fold_cells(cells: list[str]) -> list[str]:
    """Return the cells for a comparison with a header, without byte order marks, which joined files have inside."""
    owner_marker = codecs.BOM_UTF8.decode(ANY_BYTES)
    return [_fold_name(_decode_cell(cell)) for cell in (cells[0].removeprefix(owner_marker), *cells[1:])]


def _fold_name(name: str) -> str:
    """Case and space forgiven: ` Customer  Ref ` is `customer ref`."""
    visible = "".join(character for character in name if unicodedata.category(character) != "Cf")
    return " ".join(visible.split()).casefold()


def _find_columns(cells: list[str], columns: FoundColumns) -> tuple[tuple[str, int], ...]:
    names = [_fold_name(_decode_cell(cell)) for cell in cells]
    wanted = columns.named()
    missing = [theirs for theirs in wanted.values() if _fold_name(theirs) not in names]
    if len(missing) == len(wanted):
        raise RefusedFile("not_csv", f"the first line has none of the columns {', '.join(wanted.values())}")
    if missing:
        raise RefusedFile("missing_column", ", ".join(missing))
    # Only now: a file without a header has people's data in its first line, which no report may name.
    twice = sorted(name for name, count in Counter(names).items() if count > 1 and name)
    if twice:
        more = f" and {len(twice) - NAMED_AT_MOST} more" if len(twice) > NAMED_AT_MOST else ""
        raise RefusedFile("duplicate_column", ", ".join(name[:60] for name in twice[:NAMED_AT_MOST]) + more)
    return tuple((ours, names.index(_fold_name(theirs))) for ours, theirs in wanted.items())
