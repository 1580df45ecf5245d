"""How each council writes its export: columns, separator, encoding, words and dates."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

type Cells = Mapping[str, str]
"""One row by our names of the columns: source_id, email, given_name, … and the council's own extra ones."""


@dataclass(frozen=True)
class Council:
    """The export format of a council. `columns` maps our names to the council's, in the order of the file."""

    slug: str
    columns: Mapping[str, str]
    separator: str
    encoding: str
    source_id: str
    statuses: Mapping[str, str]
    verified: Mapping[bool, str]
    date: str
    default_rows: int

    @property
    def header(self) -> list[str]:
        """The first line of the file."""
        return list(self.columns.values())

    def cells(self, row: Cells) -> list[str]:
        """A row in the order of the file. Columns that this council does not have are left out."""
        return [row[column] for column in self.columns]

    def dated(self, at: datetime) -> str:
        """Return a time as this council writes it."""
        return at.strftime(self.date)

    def can_write(self, text: str) -> bool:
        """Return True if the encoding of the file has all these characters."""
        try:
            text.encode(self.encoding)
        except UnicodeEncodeError:
            return False
        return True


SOUTH_NORFOLK: Final = Council(
    slug="south-norfolk",
    columns={
        "source_id": "customer_ref",
        "email": "email",
        "given_name": "first_name",
        "surname": "last_name",
        "email_verified": "email_verified",
        "status": "status",
        "created": "created",
        "last_sign_in": "last_login",
        "postcode": "postcode",
        "phone": "phone",
        "notes": "notes",
    },
    separator=",",
    encoding="utf-8",
    source_id="SN-{:07d}",
    statuses={"open": "active", "closed": "closed", "suspended": "suspended"},
    verified={True: "true", False: "false"},
    date="%Y-%m-%dT%H:%M:%SZ",
    default_rows=1200,
)

GREAT_YARMOUTH: Final = Council(
    slug="great-yarmouth",
    columns={
        "source_id": "AccountNo",
        "email": "E-mail",
        "given_name": "Forename",
        "surname": "Surname",
        "email_verified": "Verified",
        "status": "State",
        "created": "Opened",
        "last_sign_in": "LastSeen",
        "postcode": "Postcode",
    },
    separator=";",
    encoding="cp1252",
    source_id="GY/{:06d}",
    statuses={"open": "Open", "closed": "Closed", "suspended": "Suspended"},
    verified={True: "Yes", False: "No"},
    date="%d/%m/%Y %H:%M",
    default_rows=400,
)

COUNCILS: Final = {council.slug: council for council in (SOUTH_NORFOLK, GREAT_YARMOUTH)}
