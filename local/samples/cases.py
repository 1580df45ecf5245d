"""The catalogue: every kind of customer that an export holds, made so that the right answer is known.

A case makes one or more rows, each with what must become of it, and the directory's users that belong to
them. Each row has at most one thing wrong, so that exactly one reason is right.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, Literal, Self

from local.samples import directory
from local.samples.councils import Cells
from local.samples.directory import User
from local.samples.people import Maker, Person

type Outcome = Literal["create", "link", "review", "reject", "duplicate"]

OVER_LONG_CELL: Final = 40_000
LONGEST_SIGN_IN_NAME: Final = 64


@dataclass(frozen=True)
class Expected:
    """The right result for a row. `directory_id` is set for a link."""

    outcome: Outcome
    reason: str = ""
    directory_id: str = ""


@dataclass(frozen=True)
class Line:
    """One data row of the file. `cells_more` below zero cuts cells off, above zero adds some."""

    cells: Cells
    expected: Expected
    cells_more: int = 0


@dataclass(frozen=True)
class Made:
    """A case with its rows, in the order of the file, and its users."""

    lines: tuple[Line, ...]
    users: tuple[User, ...] = ()
    person: Person | None = None


type Make = Callable[[Maker], Made]
type Change = Callable[[Maker, Person], str]
type UserOf = Callable[[Maker, Person], User]


@dataclass(frozen=True)
class Case:
    """A kind of customer: how many there are in 1,000 rows, and the rows and users of each."""

    name: str
    of_thousand: int
    make: Make
    rows: int = 1
    users: int = 0
    at_least: int = 0
    meets: int = 0

    def required(self) -> Self:
        """Return the same case, which must occur at least once."""
        return replace(self, at_least=1)


CREATE: Final = Expected("create")
DUPLICATE: Final = Expected("duplicate")


def expect_review(reason: str) -> Expected:
    """A person has to decide."""
    return Expected("review", reason)


def expect_reject(reason: str) -> Expected:
    """The row cannot be moved as it stands."""
    return Expected("reject", reason)


def new_customer(maker: Maker) -> Made:
    """Make a customer who is not in the directory and gets an account."""
    person = maker.person()
    return Made((Line(maker.untidy(maker.row(person)), CREATE),), person=person)


def county_customer(maker: Maker) -> Made:
    """Has a County account under the same address and name, spelt a little differently perhaps."""
    person = maker.person()
    return _make_linked(maker, person, directory.make_local_user(maker, directory.respell_person(maker, person)))


def google_customer(maker: Maker) -> Made:
    """Make the same with a Google sign-in."""
    person = maker.person()
    return _make_linked(maker, person, directory.make_google_user(maker, directory.respell_person(maker, person)))


def _make_linked(maker: Maker, person: Person, user: User) -> Made:
    line = Line(maker.untidy(maker.row(person)), Expected("link", directory_id=user["id"]))
    return Made((line,), (user,), person)


def _make_created(**changes: Change) -> Make:
    """A new customer with something odd in a cell that must not matter."""
    return _make_single(CREATE, **changes)


def _make_rejected(reason: str, **changes: Change) -> Make:
    return _make_single(expect_reject(reason), **changes)


def _make_single(expected: Expected, **changes: Change) -> Make:
    def make(maker: Maker) -> Made:
        person = maker.person()
        changed = {column: change(maker, person) for column, change in changes.items()}
        return Made((Line(maker.row(person, **changed), expected),))

    return make


def _one_of(*texts: str) -> Change:
    return lambda maker, _: maker.rng.choice([text for text in texts if maker.council.can_write(text)])


def _choose_status(name: str) -> Change:
    return lambda maker, _: maker.council.statuses[name]


def _choose_unverified(maker: Maker, _: Person) -> str:
    return maker.council.verified[False]


def _bad_address(maker: Maker, person: Person) -> str:
    local, _, domain = person.email.partition("@")
    shapes = (
        f"{local}.{domain}", f"{local}@@{domain}", f"{local}.@{domain}", f"{local}@localhost",
        f"{local} x@{domain}", f"{local}@example..org", f"@{domain}", f"{local}@", f"<{local}@{domain}>",
        f"{local}@-{domain}", "none", "n/a", f"{local}@{domain};{local}@example.net", f"{local},{domain}",
    )  # fmt: skip
    return maker.rng.choice(shapes)


def _long_address(_maker: Maker, person: Person) -> str:
    local, _, domain = person.email.partition("@")
    return f"{local}.{'x' * (LONGEST_SIGN_IN_NAME - len(local) - 1)}@{domain}"


_LOOK_ALIKES: Final = (
    ("a", "\N{CYRILLIC SMALL LETTER A}"),
    ("e", "\N{CYRILLIC SMALL LETTER IE}"),
    ("o", "ö"),
    ("n", "ñ"),
)


def _look_alike(maker: Maker, person: Person) -> str:
    local, _, domain = person.email.partition("@")
    for plain, other in maker.rng.sample(_LOOK_ALIKES, len(_LOOK_ALIKES)):
        if plain in local and maker.council.can_write(other):
            return f"{local.replace(plain, other, 1)}@{domain}"
    return f"{local}é@{domain}"


def _marked_address(maker: Maker, person: Person) -> str:
    """Legal in an address, and special in a filter, a path or a key."""
    local, _, domain = person.email.partition("@")
    return f"{maker.rng.choice(("o'", 'a/', 'b#', 'c?', 'd%41', 'e&'))}{local}@{domain}"


def _long_name(maker: Maker, _: Person) -> str:
    return "Wolfe" + "schlegelstein" * maker.rng.randint(5, 9)


def _with_control(maker: Maker, person: Person) -> str:
    return person.given_name[:2] + maker.rng.choice("\x00\x07\x1b\x7f") + person.given_name[2:]


def _apostrophe_county_customer(maker: Maker) -> Made:
    """An apostrophe in the address must be doubled in a directory filter."""
    person = maker.person()
    person = Person(person.given_name, "O'Neil", f"o'{person.email}")
    return _make_linked(maker, person, directory.make_local_user(maker, person))


def _wrong_shape(reason: str, cells_more: int) -> Make:
    def make(maker: Maker) -> Made:
        return Made((Line(maker.row(maker.person()), expect_reject(reason), cells_more),))

    return make


def _make_found_case(name: str, of_thousand: int, reason: str, user_of: UserOf, **changes: Change) -> Case:
    """Make a customer who is found in the directory, with one difference that prevents a link."""

    def make(maker: Maker) -> Made:
        person = maker.person()
        changed = {column: change(maker, person) for column, change in changes.items()}
        return Made((Line(maker.row(person, **changed), expect_review(reason)),), (user_of(maker, person),))

    return Case(name, of_thousand, make, users=1)


def _make_nameless(maker: Maker, person: Person) -> User:
    return directory.remove_names(directory.make_local_user(maker, person))


def _make_disabled(maker: Maker, person: Person) -> User:
    return directory.disable_user(directory.make_local_user(maker, person))


def _make_late(maker: Maker, person: Person) -> User:
    return directory.signed_up_late(maker, directory.make_local_user(maker, person))


def _address_as_user_name(maker: Maker, person: Person) -> User:
    return directory.with_user_name(maker, person, person.email)


def _make_relative(maker: Maker, person: Person) -> User:
    others = ("Percival", "Wilhelmina", "Barnaby", "Philippa")
    return directory.make_local_user(maker, person.named(given_name=maker.rng.choice(others)))


def _make_stranger(maker: Maker, person: Person) -> User:
    return directory.make_local_user(maker, person.named("Ottoline", "Featherstonehaugh"))


def _other_mail(maker: Maker, person: Person) -> User:
    """A local account that signs in with another address and only mentions this one."""
    other = directory.make_local_user(maker, Person(person.given_name, person.surname, f"also.{person.email}"))
    return {**other, "otherMails": [person.email]}


def _make_several(maker: Maker) -> Made:
    person = maker.person()
    users = (directory.make_local_user(maker, person), directory.make_google_user(maker, person))
    return Made((Line(maker.row(person), expect_review("several_identities")),), users)


def _make_household(maker: Maker) -> Made:
    """Two customers, one mailbox, written in different letters."""
    first, second = maker.person(), maker.person()
    rows = (maker.row(first), maker.row(second, email=maker.capitals(first.email)))
    return Made(tuple(Line(row, expect_review("shared_address")) for row in rows))


def _household_of_county_customer(maker: Maker) -> Made:
    made = _make_household(maker)
    cells = made.lines[0].cells
    person = Person(cells["given_name"], cells["surname"], cells["email"])
    return Made(made.lines, (directory.make_local_user(maker, person),))


def _make_repeated(maker: Maker) -> Made:
    """Make the same customer number twice. The first row counts."""
    person = maker.person()
    row = maker.row(person)
    again = {**row, "last_sign_in": row["created"], "email": maker.capitals(person.email)}
    return Made((Line(row, CREATE), Line(again, DUPLICATE)))


def _repeated_with_other_address(maker: Maker) -> Made:
    row = maker.row(maker.person())
    return Made((Line(row, CREATE), Line({**row, "email": maker.person().email}, DUPLICATE)))


def _valid_at_second_try(maker: Maker) -> Made:
    """The first row of a customer number is rejected, so the second is the first valid one."""
    person = maker.person()
    row = maker.row(person)
    return Made(
        (Line({**row, "email": _bad_address(maker, person)}, expect_reject("email_invalid")), Line(row, CREATE))
    )


_HOSTILE: Final = (
    "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "=1+2", "=HYPERLINK(A1)", "@SUM(1,2)",
    "+44", "-1", "[Claim your refund](https://refund.example.net)", "https://refund.example.net",
    "{{7*7}}", "((first_name))", "Robert'); DROP TABLE accounts;--", "${jndi:ldap://example.net}",
    "# Heading", "%s%n",
)  # fmt: skip
_QUOTED: Final = ('William "Bill"', "Smith, Jr", "Carter; Sons", 'A "B", C')
_EVERY_SCRIPT: Final = ("Ελένη", "李", "Олена", "Ørsted", "Nguyễn", "Jörg", "Þóra")

CASES: Final = (
    Case("google customer", 40, google_customer, users=1),
    Case("apostrophe in the address, County customer", 3, _apostrophe_county_customer, users=1),
    Case("special characters in the address", 4, _make_created(email=_marked_address)),
    Case("hostile first name", 5, _make_created(given_name=_one_of(*_HOSTILE))),
    Case("hostile last name", 5, _make_created(surname=_one_of(*_HOSTILE))),
    Case("separators and quotes in a name", 4, _make_created(surname=_one_of(*_QUOTED))),
    Case("name in another script", 4, _make_created(given_name=_one_of(*_EVERY_SCRIPT))),
    Case("new, unverified", 12, _make_created(email_verified=_choose_unverified)),
    Case("no customer number", 2, _make_rejected("missing_source_id", source_id=_one_of("", "  "))),
    Case("no address", 4, _make_rejected("missing_email", email=_one_of("", " "))),
    Case("not an address", 6, _make_rejected("email_invalid", email=_bad_address)),
    Case("address too long to sign in with", 2, _make_rejected("email_too_long", email=_long_address)),
    Case("cells missing", 2, _wrong_shape("missing_cells", -3)),
    Case("cells too many", 2, _wrong_shape("extra_cells", 2)),
    Case("control character", 2, _make_rejected("control_character", given_name=_with_control)),
    Case("cell too long", 1, _make_rejected("cell_too_long", postcode=lambda *_: "N" * OVER_LONG_CELL)),
    Case("first name too long", 1, _make_rejected("name_too_long", given_name=_long_name)),
    Case("last name too long", 1, _make_rejected("name_too_long", surname=_long_name)),
    Case("closed", 10, _make_rejected("source_closed", status=_choose_status("closed"))),
    Case("suspended", 3, _make_rejected("source_suspended", status=_choose_status("suspended"))),
    Case("look-alike letters", 2, _make_single(expect_review("email_look_alike"), email=_look_alike)),
    Case("household", 3, _make_household, rows=2),
    Case("household of a County customer", 1, _household_of_county_customer, rows=2, users=1),
    _make_found_case(
        "known, unverified", 6, "source_unverified", directory.make_local_user, email_verified=_choose_unverified
    ),
    _make_found_case("a relative at the same address", 4, "names_differ", _make_relative),
    _make_found_case("a stranger at the same address", 3, "names_differ", _make_stranger),
    _make_found_case("no name in the directory", 4, "names_missing", _make_nameless),
    _make_found_case("disabled in the directory", 3, "directory_disabled", _make_disabled),
    _make_found_case("signed up after the announcement", 5, "created_after_announcement", _make_late),
    _make_found_case("user name that looks like the address", 2, "username_only", _address_as_user_name),
    _make_found_case("address only mentioned", 3, "address_not_sign_in", _other_mail),
    _make_found_case("facebook customer", 6, "provider_unverified", directory.make_facebook_user),
    Case("local and google with one address", 3, _make_several, users=2),
    Case("customer number twice", 4, _make_repeated, rows=2),
    Case("customer number twice, two addresses", 2, _repeated_with_other_address, rows=2),
    Case("valid at the second try", 1, _valid_at_second_try, rows=2),
)  # fmt: skip

NEW: Final = Case("new customer", 0, new_customer)
KNOWN: Final = Case("County customer", 0, county_customer, users=1)
