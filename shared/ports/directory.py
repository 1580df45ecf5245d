"""The shared directory."""

from dataclasses import dataclass
from typing import Protocol

from shared.model.account import AccountId, Authority, DirectoryId
from shared.model.counts.directory_counts import DirectoryCounts
from shared.model.directory_user import DirectoryUser
from shared.model.profile import Profile


@dataclass(frozen=True, slots=True)
class NewUser:
    """A user to be created. The password is made inside the call and exists nowhere else."""

    address: str
    given_name: str
    surname: str
    account: AccountId
    customer_ref: str

    @property
    def display_name(self) -> str:
        """Never empty, and without the brackets that the directory refuses there."""
        return f"{self.given_name} {self.surname}".translate({ord("<"): None, ord(">"): None}).strip() or "Customer"


class Directory(Protocol):
    """The shared directory. Reads may lag behind writes.

    Every request may raise `TryLater` (no answer), `Throttled` or `Stop`. Writes may also raise `DirectoryRefused` and
    `AnswerLost`.
    """

    def strain(self) -> float:
        """Return the highest share of a limit that an answer of the last seconds named, or 0. This makes no request."""
        ...

    async def with_address(self, address: str) -> tuple[DirectoryUser, ...]:
        """Users that sign in with this address or have it as a contact address (2 requests)."""
        ...

    async def with_owner_marker(self, authority: Authority, account: AccountId) -> tuple[DirectoryUser, ...]: ...

    async def get(self, user: DirectoryId) -> DirectoryUser | None: ...

    async def create(self, profile: Profile, user: NewUser) -> DirectoryId: ...

    async def link(self, profile: Profile, user: DirectoryId, account: AccountId, customer_ref: str) -> bool:
        """Write this authority's attributes and nothing else. Return False if there is no such user."""
        ...

    async def count_users(self, authority: Authority) -> DirectoryCounts:
        """All users, counted in one pass, as this authority sees them (1 request for every 999)."""
        ...

    async def retire(self, profile: Profile, user: DirectoryId, display_name: str) -> bool:
        """Remove this authority's attributes from a test user and rename it. Return False if there is no such user."""
        ...

    async def delete(self, user: DirectoryId) -> bool:
        """Delete a test user. Return False if the app has no right to delete, as it should be.

        A missing user counts as deleted.
        """
        ...
