"""Invented people, each with an address of their own."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from random import Random
from typing import Self
from uuid import UUID

from local.samples import names
from local.samples.councils import Cells, Council

EXPORTED_AT = datetime(2019, 10, 21, 6, 0, tzinfo=UTC)
ANNOUNCED_AT = datetime(2019, 11, 1, tzinfo=UTC)
_OLDEST = datetime(2013, 4, 2, 8, 0, tzinfo=UTC)


@dataclass(frozen=True)
class Person:
    """A person who is in no other case."""

    given_name: str
    surname: str
    email: str

    def named(self, given_name: str = "", surname: str = "") -> Self:
        """Return the same person under another name. Empty parts stay as they are."""
        return replace(self, given_name=given_name or self.given_name, surname=surname or self.surname)


@dataclass
class Maker:
    """Makes people, rows and ids for one council, all from one source of chance."""

    council: Council
    rng: Random
    serials: Iterator[int]

    def person(self) -> Person:
        """A new person whose names the council's file can hold."""
        given = self._make_writable(names.GIVEN)
        surname = self._make_writable(names.SURNAMES)
        return Person(given, surname, self._make_address(given, surname))

    def row(self, person: Person, **changes: str) -> Cells:
        """The person's row in the export, with these cells as given."""
        created = self.draw_time(_OLDEST, EXPORTED_AT)
        cells = {
            "source_id": self.source_id(),
            "email": person.email,
            "given_name": person.given_name,
            "surname": person.surname,
            "email_verified": self.council.verified[True],
            "status": self.council.statuses["open"],
            "created": self.council.dated(created),
            "last_sign_in": self.council.dated(self.draw_time(created, EXPORTED_AT)),
            "postcode": names.make_postcode(self.rng),
            "phone": names.make_phone(self.rng),
            "notes": self.rng.choice(names.NOTES),
        }
        return {**cells, **changes}

    def untidy(self, row: Cells) -> Cells:
        """The row as some are typed: spaces round cells, capitals in the address. It means the same."""
        changed = dict(row)
        if self.rng.random() < 0.08:  # noqa: PLR2004 - one row in twelve or so
            changed["email"] = self.capitals(row["email"])
        if self.rng.random() < 0.06:  # noqa: PLR2004 - one row in sixteen or so
            for column in self.rng.sample(("source_id", "email", "given_name", "surname", "status", "postcode"), 2):
                changed[column] = self.rng.choice((" {}", "{} ", "  {}  ")).format(changed[column])
        return changed

    def capitals(self, address: str) -> str:
        """Return the same address in other letters: Ada.Bell7@Example.ORG."""
        return self.rng.choice((address.upper(), address.title()))

    def source_id(self) -> str:
        """A customer number of this council that no other row has."""
        return self.council.source_id.format(next(self.serials))

    def uuid(self) -> str:
        """An object id."""
        return str(UUID(int=self.rng.getrandbits(128), version=4))

    def digits(self, length: int) -> str:
        """A number that means nothing, as providers name their users."""
        return "1" + "".join(self.rng.choices("0123456789", k=length - 1))

    def draw_time(self, start: datetime, end: datetime) -> datetime:
        """Some second from start to end."""
        return start + timedelta(seconds=self.rng.randrange(int((end - start).total_seconds()) + 1))

    def _make_writable(self, pool: tuple[str, ...]) -> str:
        while not self.council.can_write(name := self.rng.choice(pool)):
            pass
        return name

    def _make_address(self, given_name: str, surname: str) -> str:
        given, last, serial = (
            names.ascii_letters(given_name),
            names.ascii_letters(surname),
            next(self.serials),
        )
        pattern = self.rng.choice(("{0}.{1}{2}", "{0}{2}.{1}", "{3}{1}{2}", "{0}_{1}-{2}", "{1}{2}", "{0}.{1}+{2}"))
        return f"{pattern.format(given, last, serial, given[0])}@{self.rng.choice(names.DOMAINS)}"


def count_serials() -> Iterator[int]:
    """Numbers that are each given out once."""
    return count(1001)
