"""Which cases an export has, the order of its rows, and who else is in the directory."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Final

from local.samples import directory
from local.samples.cases import CASES, KNOWN, NEW, Case, Expected, Line, Made, expect_review
from local.samples.directory import User
from local.samples.people import Maker, Person

BLOCK_ROWS: Final = 1000
"""Rows are mixed within blocks, so that memory does not grow with the file."""
_KNOWN_SHARE: Final = 0.3
_REMEMBERED: Final = 500
_UNCLAIMED_OF_THOUSAND: Final = 50
_THREE_COUNCILS_OF_THOUSAND: Final = 40


@dataclass
class Joined:
    """Some customers of an earlier council, who may be customers of a later one too."""

    created: list[Person] = field(default_factory=list)
    linked: list[tuple[Person, str]] = field(default_factory=list)

    def remember(self, made: Made) -> None:
        """Keep a plain customer in mind, if there is room."""
        expected = made.lines[0].expected
        if made.person and expected.outcome == "create" and len(self.created) < _REMEMBERED:
            self.created.append(made.person)
        if made.person and expected.outcome == "link" and len(self.linked) < _REMEMBERED:
            self.linked.append((made.person, expected.directory_id))

    def cases(self, maker: Maker) -> tuple[Case, ...]:
        """Return those customers that this council's file can hold, as cases."""
        created = [person for person in self.created if _is_writable(maker, person)]
        linked = [(person, user) for person, user in self.linked if _is_writable(maker, person)]
        return (
            Case(
                "created for an earlier council, not claimed",
                min(_UNCLAIMED_OF_THOUSAND, len(created)),
                lambda maker: _make_alone(maker, created.pop(), expect_review("unclaimed_other_authority")),
                meets=1,
            ),
            Case(
                "customer of the County and both councils",
                min(_THREE_COUNCILS_OF_THOUSAND, len(linked)),
                lambda maker: _linked_again(maker, *linked.pop()),
                meets=1,
            ),
        )


def make_block(maker: Maker, size: int, cases: Sequence[Case], users_left: int) -> list[tuple[Case, Made]]:
    """Return cases for this number of rows, with no more users than are left."""
    chosen: list[tuple[Case, Made]] = []
    rows_left = size
    for case in cases:
        wanted = max(case.at_least, round(case.of_thousand * size / BLOCK_ROWS))
        number = min(wanted, rows_left // case.rows, users_left // case.users if case.users else wanted)
        chosen += [(case, case.make(maker)) for _ in range(number)]
        rows_left -= number * case.rows
        users_left -= number * case.users
    known = min(round(rows_left * _KNOWN_SHARE), users_left)
    chosen += [(KNOWN, KNOWN.make(maker)) for _ in range(known)]
    chosen += [(NEW, NEW.make(maker)) for _ in range(rows_left - known)]
    return chosen


def mix_rows(chosen: Sequence[tuple[Case, Made]], rng: Random) -> Iterator[tuple[Case, Line]]:
    """Return the rows in random order. The rows of one case keep their order."""
    places = [index for index, (_, made) in enumerate(chosen) for _ in made.lines]
    rng.shuffle(places)
    lines = [iter(made.lines) for _, made in chosen]
    return ((chosen[index][0], next(lines[index])) for index in places)


def make_bystanders(maker: Maker, number: int) -> Iterator[User]:
    """County customers who are on no council's export: of every kind, some of them with a twin."""
    while number > 0:
        users = maker.rng.choices(_KINDS, _WEIGHTS)[0](maker, maker.person())[:number]
        number -= len(users)
        yield from users


def _is_writable(maker: Maker, person: Person) -> bool:
    return maker.council.can_write(person.given_name + person.surname)


def _make_alone(maker: Maker, person: Person, expected: Expected) -> Made:
    return Made((Line(maker.untidy(maker.row(person)), expected),))


def _linked_again(maker: Maker, person: Person, user_id: str) -> Made:
    return _make_alone(maker, person, Expected("link", directory_id=user_id))


def _make_twins(maker: Maker, person: Person) -> list[User]:
    return [directory.make_local_user(maker, person), directory.make_google_user(maker, person)]


type _Kind = Callable[[Maker, Person], list[User]]

_MIX: Final[Iterable[tuple[int, _Kind]]] = (
    (66, lambda m, p: [directory.make_local_user(m, p)]),
    (10, lambda m, p: [directory.make_google_user(m, p)]),
    (8, lambda m, p: [directory.make_facebook_user(m, p)]),
    (4, lambda m, p: [directory.with_user_name(m, p, p.email.partition("@")[0])]),
    (1, lambda m, p: [directory.with_user_name(m, p, p.email)]),
    (3, lambda m, p: [directory.disable_user(directory.make_local_user(m, p))]),
    (3, lambda m, p: [directory.remove_names(directory.make_local_user(m, p))]),
    (4, lambda m, p: [directory.signed_up_late(m, directory.make_local_user(m, p))]),
    (1, _make_twins),
)
_WEIGHTS: Final = [weight for weight, _ in _MIX]
_KINDS: Final = [kind for _, kind in _MIX]


def cases_of(maker: Maker, joined: Joined, *, first: bool) -> Sequence[Case]:
    """The catalogue for a block. The first has every case at least once, and those who come back."""
    if not first:
        return CASES
    return tuple(case.required() for case in (*CASES, *joined.cases(maker)) if case.of_thousand)
