"""A suppression list: customer references of people to leave alone, each with a word that says why. Pure."""

import re
from dataclasses import dataclass
from typing import Final

from shared.intake.rules.csv_reader import CsvRecord
from shared.intake.rules.row_checks import check_reference, check_shape, named_cells
from shared.model.account import AccountId, Authority
from shared.model.migration import Layout
from shared.model.profile import Profile
from shared.model.pseudonyms import Pseudonyms

WHY: Final = "why"
NONE: Final = "none"
"""The reason that takes a customer off the list again."""
OTHER: Final = "other"
PHRASES: Final = frozenset(
    {"court order", "legal hold", "moved away", "no contact", "opted out", "safeguarding concern"}
)
"""Reasons that are allowed although they have more than one word."""
WORD: Final = re.compile(r"[a-z][a-z_]{0,29}")
EXCLUDED: Final = "excluded_"
"""How the reason code of an excluded customer begins."""


@dataclass(frozen=True, slots=True)
class ExclusionColumns:
    """The columns of such a list: the council's own name of the customer reference, and `why`."""

    source_id: str

    def named(self) -> dict[str, str]:
        """Return our names of the columns, and the council's names."""
        return {"source_id": self.source_id, WHY: WHY}


def exclusion_columns(profile: Profile) -> ExclusionColumns:
    """The columns of this council's lists."""
    return ExclusionColumns(profile.export.columns.source_id)


@dataclass(frozen=True, slots=True)
class Exclusion:
    """One customer to be left alone from now on, or no longer."""

    account: AccountId
    reason: str
    """`excluded_<why>`, or an empty text that takes the customer off the list."""


@dataclass(frozen=True, slots=True)
class RejectedExclusion:
    """A line of a list that has no usable customer reference."""

    reason: str


def read_exclusion(
    record: CsvRecord, layout: Layout, authority: Authority, pseudonyms: Pseudonyms
) -> Exclusion | RejectedExclusion:
    """Read one record of a list."""
    cells = named_cells(record.cells, layout)
    refused = check_shape(record, layout, cells) or check_reference(cells)
    if refused:
        return RejectedExclusion(refused)
    account = pseudonyms.account(authority, cells["source_id"])
    return Exclusion(account, _read_reason(cells.get(WHY, "")))


def _read_reason(cell: str) -> str:
    why = " ".join(cell.lower().split())
    if why == NONE:
        return ""
    # Not a single word: somebody may have written a name there, or a whole story about the customer.
    word = re.sub(r"[ -]+", "_", why) if " " not in why or why in PHRASES else OTHER
    return f"{EXCLUDED}{word if WORD.fullmatch(word) else OTHER}"
