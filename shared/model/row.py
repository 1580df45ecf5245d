"""The rows of an export, and the person of each accepted row."""

from dataclasses import dataclass

from shared.model.account import AccountId, Authority, MigrationId, shard_of
from shared.model.lifecycle import Outcome


@dataclass(frozen=True, slots=True)
class Person:
    """What is personal of an accepted row. Lives in `Rows` alone."""

    source_id: str
    email: str
    given_name: str = ""
    surname: str = ""
    verified: bool | None = None
    """Whether the portal verified the address; None where it does not say."""
    created: str = ""
    last_sign_in: str = ""
    postcode: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """One data row of an export and what became of it."""

    authority: Authority
    migration: MigrationId
    number: int
    """From 1."""
    source_id: str = ""
    account: AccountId | None = None
    """None for a rejected row."""
    outcome: Outcome | None = None
    """Settled by the row itself (reject, duplicate, unchanged, review); None: its account's outcome is its own."""
    reason: str = ""
    duplicate_of: int = 0
    person: Person | None = None

    @property
    def shard(self) -> str:
        """The shard of its account; rows without one are spread by their number."""
        return shard_of(self.account) if self.account else f"{self.number % 16:x}"


@dataclass(frozen=True, slots=True)
class Rejected:
    """The row cannot be moved as it stands."""

    reason: str
    source_id: str
