"""The lists under `personal/` of customers whom a person may want to check before anything changes. Pure.

They hold what the export says about people and what our own record says about the decision. What the directory says
about people is not stored, so it is not in the lists. The files are safe to open in a spreadsheet, like result.csv.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from shared.model.account import Account
from shared.model.lifecycle import Outcome
from shared.model.outcome import find_outcome
from shared.model.reasons import explain_reason
from shared.model.row import Person, Row
from shared.reporting.rules import result_file
from shared.reporting.rules.encoding_check import is_damaged

FOLDER: Final = "personal"
NAMES: Final = "names-to-check.csv"
KEPT: Final = 4096
"""Sets of facts whose words are remembered."""
_WHO: Final = ("row", "source_id", "given_name", "surname", "email")
_WHY: Final = ("reason", "sentence", "what_to_do")


@dataclass(frozen=True, slots=True)
class Fate:
    """The result for a row, as far as a list shows it."""

    outcome: str
    reason: str = ""
    directory_id: str = ""
    evidence: str = ""


def find_account_fate(account: Account) -> Fate:
    """The fate of an account."""
    outcome = find_outcome(account)
    return Fate(outcome, account.reason, account.directory_id or "", in_words(account.evidence))


def find_fate(row: Row, accounts: Mapping[str, Fate]) -> Fate:
    """Return the result for a row: its own, or its account's."""
    if row.outcome is not None:
        return Fate(row.outcome, row.reason)
    return accounts.get(row.account or "", Fate(""))


def _list_person_cells(row: Row) -> tuple[object, ...]:
    person = row.person or Person(row.source_id, "")
    return (row.number, row.source_id, person.given_name, person.surname, person.email)


def _list_reason_cells(fate: Fate) -> tuple[object, ...]:
    reason = explain_reason(fate.reason)
    return (fate.reason, reason.sentence, reason.remedy)


@dataclass(frozen=True, slots=True)
class List:
    """One list: the rows of one outcome."""

    columns: Sequence[str]
    cells: Callable[[Row, Fate], Sequence[object]]

    def header(self) -> bytes:
        """The first line."""
        return result_file.csv_lines([self.columns])

    def lines(self, found: Iterable[tuple[Row, Fate]]) -> bytes:
        """Lines, ready to be written."""
        return result_file.csv_lines(self.cells(row, fate) for row, fate in found)


LISTS: Final[Mapping[Outcome, List]] = {
    Outcome.CREATE: List(_WHO, lambda row, _: _list_person_cells(row)),
    Outcome.LINK: List(
        (*_WHO, "directory_id", "evidence"),
        lambda row, fate: (*_list_person_cells(row), fate.directory_id, fate.evidence),
    ),
    Outcome.REVIEW: List(
        (*_WHO, *_WHY, "directory_id", "evidence"),
        lambda row, fate: (*_list_person_cells(row), *_list_reason_cells(fate), fate.directory_id, fate.evidence),
    ),
    Outcome.REJECT: List(
        ("row", "source_id", *_WHY), lambda row, fate: (row.number, row.source_id, *_list_reason_cells(fate))
    ),
    Outcome.DUPLICATE: List(
        ("row", "source_id", "same_as_row"), lambda row, _: (row.number, row.source_id, row.duplicate_of)
    ),
}
"""For each outcome the list `personal/<outcome>.csv`. Unchanged rows have no list, because there is nothing to check.
"""


def names_to_check(rows: Iterable[Row]) -> bytes:
    """The list of names whose spelling a person compares with the portal."""
    cells = [
        (row.number, row.source_id, row.person.given_name, row.person.surname, _judge_spelling(row.person))
        for row in rows
        if row.person
    ]
    return result_file.csv_lines([("row", "source_id", "given_name", "surname", "looks"), *cells])


def _judge_spelling(person: Person) -> str:
    return "damaged" if is_damaged(f"{person.given_name} {person.surname}") else "well"


_KINDS: Final = {
    "local_email": "it is the address with which that user signs in",
    "federated": "it was given by a provider that verifies addresses",
    "unverifying_provider": "it was given by a provider that does not verify addresses",
    "local_username": "it is only the user name of that user",
    "contact_only": "it is only a contact address of that user",
}
_WORDS: Final[Mapping[str, Callable[[str], str]]] = {
    "found": lambda said: f"users with the address: {said}",
    "kind": lambda said: _KINDS.get(said, said),
    "names": lambda said: {"missing": "a name is missing on one side"}.get(said, f"the names {said}"),
    "source_address": lambda said: f"the portal's word on the address: {said}",
    "directory_enabled": lambda said: f"the user is enabled: {said}",
    "directory_created": lambda said: f"the user was made on: {said}",
    "marked_by": lambda said: f"councils that marked the user: {said}",
    "unclaimed_of": lambda said: f"of these, councils whose customer has set no password: {said}",
}


def in_words(evidence: Mapping[str, str]) -> str:
    """Return the evidence of a decision as one line for people.

    A fact without words here is shown as it is recorded.
    """
    return _in_words(tuple(sorted(evidence.items())))


@lru_cache(KEPT)
def _in_words(facts: tuple[tuple[str, str], ...]) -> str:
    """Most accounts share their facts with many others: said once, and kept once."""
    said = dict(facts)
    known = [words(said[key]) for key, words in _WORDS.items() if key in said]
    return "; ".join([*known, *(f"{key}: {fact}" for key, fact in facts if key not in _WORDS)])
