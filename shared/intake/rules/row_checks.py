"""What happens to one row: it is accepted, or rejected with a reason. Pure."""

import re
import unicodedata
from typing import Final

from shared.intake.rules.csv_reader import CsvRecord
from shared.model.email_address import SIGN_IN_NAME_LENGTH, InvalidAddress, email_key
from shared.model.migration import Layout
from shared.model.profile import Profile
from shared.model.row import Person, Rejected

ROW_LIMIT: Final = 64 * 1024
CELL_LIMIT: Final = 1000
"""Characters of a cell that we keep."""
OTHER_CELL_LIMIT: Final = 10_000
"""Characters of a cell that we do not keep."""
NAME_LIMIT: Final = 64
SOURCE_ID_LIMIT: Final = 200
STATUS: Final = re.compile(r"[A-Za-z][A-Za-z _-]{0,29}")
OTHER_STATUS: Final = "source_other"


def judge_record(record: CsvRecord, layout: Layout, profile: Profile) -> Person | Rejected:
    """Judge one record alone. Duplicates are found later, beside the other rows."""
    cells = named_cells(record.cells, layout)
    source_id = _make_printable(cells.get("source_id", ""))
    reason = check_shape(record, layout, cells) or _check_content(cells, profile)
    if reason:
        return Rejected(reason, source_id)
    return Person(
        source_id=cells["source_id"],
        email=cells["email"],
        given_name=cells.get("given_name", ""),
        surname=cells.get("surname", ""),
        verified=_read_verified(cells.get("email_verified"), profile),
        created=cells.get("created", ""),
        last_sign_in=cells.get("last_sign_in", ""),
        postcode=cells.get("postcode", ""),
    )


def named_cells(cells: list[str], layout: Layout) -> dict[str, str]:
    """The cells of our columns, by our names."""
    return {ours: cells[index].strip() for ours, index in layout.columns if index < len(cells)}


def check_shape(record: CsvRecord, layout: Layout, cells: dict[str, str]) -> str:
    """Return why a record cannot be read, or an empty text if it can."""
    if record.size > ROW_LIMIT:
        return "row_too_long"
    if len(record.cells) != layout.width:
        return "missing_cells" if len(record.cells) < layout.width else "extra_cells"
    if any("\x00" in cell for cell in record.cells) or any(map(_has_control_character, cells.values())):
        return "control_character"
    if any(len(cell) > OTHER_CELL_LIMIT for cell in record.cells):
        return "cell_too_long"
    return "cell_too_long" if any(len(cell) > CELL_LIMIT for cell in cells.values()) else ""


def check_reference(cells: dict[str, str]) -> str:
    """Return why the customer reference cannot be used, or an empty text if it can."""
    if not cells["source_id"]:
        return "missing_source_id"
    if any(unicodedata.category(character) == "Cf" for character in cells["source_id"]):
        return "control_character"
    return "source_id_too_long" if len(cells["source_id"]) > SOURCE_ID_LIMIT else ""


def _check_content(cells: dict[str, str], profile: Profile) -> str:
    if refused := check_reference(cells):
        return refused
    if "status" in cells and cells["status"].casefold() not in {s.casefold() for s in profile.export.migrate_status}:
        return f"source_{_make_status_reason(cells['status'])}"
    if not cells["email"]:
        return "missing_email"
    try:
        email_key(cells["email"])
    except InvalidAddress:
        return "email_invalid"
    if len(cells["email"]) > SIGN_IN_NAME_LENGTH:
        return "email_too_long"
    if any(len(cells.get(name, "")) > NAME_LIMIT for name in ("given_name", "surname")):
        return "name_too_long"
    return ""


def _read_verified(cell: str | None, profile: Profile) -> bool | None:
    if cell is None:
        return None
    return cell.casefold() in {value.casefold() for value in profile.export.verified_values}


def _make_status_reason(status: str) -> str:
    if not STATUS.fullmatch(status):
        # Not a status word: a row whose cells are shifted may have somebody's address here.
        return OTHER_STATUS.removeprefix("source_") if status else "without_status"
    return re.sub(r"[^a-z0-9]+", "_", status.lower()).strip("_")


def _has_control_character(text: str) -> bool:
    return any(unicodedata.category(character) in {"Cc", "Cs"} for character in text)


def _make_printable(text: str) -> str:
    """A rejected row's reference as far as a report can show it."""
    kept = "".join(c for c in text if unicodedata.category(c) not in {"Cc", "Cs"})
    return kept[:SOURCE_ID_LIMIT]
