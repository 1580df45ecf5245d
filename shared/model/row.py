"""The rows of an export, and the person of each accepted row."""

from dataclasses import dataclass

from shared.model.account import AccountId, Authority, MigrationId, shard_of
from shared.model.lifecycle import Outcome


@dataclass(frozen=True, slots=True)
class Person:
    """The personal data of an accepted row. Only the table `Rows` holds it."""

    source_id: str
    email: str
    given_name: str = ""
    surname: str = ""
    verified: bool | None = None
    """True if the portal verified the address. None if the export does not say."""
    created: str = ""
    last_sign_in: str = ""
    postcode: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """One data row of an export, and its result."""

    authority: Authority
    migration: MigrationId
    number: int
    """From 1."""
    source_id: str = ""
    account: AccountId | None = None
    """None for a rejected row."""
    outcome: Outcome | None = None
    """The outcome that the row itself decides (reject, duplicate, unchanged, review). None: the outcome of its account
    counts.
    """
    reason: str = ""
    duplicate_of: int = 0
    person: Person | None = None

    @property
    def shard(self) -> str:
        """Return the shard of its account. Rows without an account are spread by their number."""
        return shard_of(self.account) if self.account else f"{self.number % 16:x}"


@dataclass(frozen=True, slots=True)
class Rejected:
    """The row cannot be moved as it stands."""

    reason: str
    source_id: str
