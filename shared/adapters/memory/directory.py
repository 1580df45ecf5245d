"""The directory in memory."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import count

from shared.adapters.memory.clock import ManualClock
from shared.errors import DirectoryRefused
from shared.model.account import AccountId, Authority, DirectoryId
from shared.model.counts.directory_counts import Counting, DirectoryCounts
from shared.model.directory_user import DirectoryUser, Identity
from shared.model.profile import Profile
from shared.ports import NewUser


@dataclass
class MemoryDirectory:
    """A directory in memory with the rules on which the app depends: unique identities, owner markers, late reads."""

    clock: ManualClock
    tenant: str = "norfolkidentity.onmicrosoft.com"
    users: dict[DirectoryId, DirectoryUser] = field(default_factory=dict)
    hidden: set[DirectoryId] = field(default_factory=set)
    """Users that reads do not show yet."""
    writes: int = 0
    fail: list[Exception] = field(default_factory=list)
    """Raised by the next writes, one each, before anything is stored."""
    fail_after: list[Exception] = field(default_factory=list)
    """Raised by the next writes, one each, after storing."""
    fail_reads: list[Exception] = field(default_factory=list)
    resets: Mapping[str, bool] = field(default_factory=dict)
    bin: dict[DirectoryId, DirectoryUser] = field(default_factory=dict)
    """Users that were deleted."""
    bin_holds_addresses: bool = False
    may_delete: bool = False
    full: float = 0.0
    """The load that its answers name."""
    _ids: Callable[[], int] = field(default_factory=lambda: count(1).__next__)

    def strain(self) -> float:
        """Return the load that a test has set."""
        return self.full

    def add(self, user: DirectoryUser) -> DirectoryUser:
        """Put a user there, as if it had always been."""
        self.users[user.id] = user
        return user

    def local_user(self, address: str, given_name: str, surname: str, created: datetime) -> DirectoryUser:
        """Add a user who signed up with an e-mail address."""
        identity = Identity("emailAddress", self.tenant, address)
        return self.add(DirectoryUser(self._make_id(), (identity,), (), given_name, surname, created=created))

    def _make_id(self) -> DirectoryId:
        return DirectoryId(f"00000000-0000-4000-8000-{self._ids():012d}")

    def _list_visible(self) -> list[DirectoryUser]:
        return [user for user in self.users.values() if user.id not in self.hidden]

    async def _answer_request(self) -> None:
        await asyncio.sleep(0)
        if self.fail_reads:
            raise self.fail_reads.pop(0)

    async def with_address(self, address: str) -> tuple[DirectoryUser, ...]:
        """Return the users with this sign-in name or contact address."""
        await self._answer_request()
        return tuple(
            user
            for user in self._list_visible()
            if any(i.assigned_id.lower() == address.lower() and i.issuer == self.tenant for i in user.identities)
            or any(mail.lower() == address.lower() for mail in user.other_mails)
        )

    async def with_owner_marker(self, authority: Authority, account: AccountId) -> tuple[DirectoryUser, ...]:
        """Return the users with an authority's owner marker."""
        await self._answer_request()
        return tuple(user for user in self._list_visible() if user.owner_markers.get(authority) == account)

    async def get(self, user: DirectoryId) -> DirectoryUser | None:
        """Return the user with this id."""
        await self._answer_request()
        return self.users.get(user) if user not in self.hidden else None

    async def create(self, profile: Profile, user: NewUser) -> DirectoryId:
        """Create a user, unless another user has the address."""
        if self.fail:
            raise self.fail.pop(0)
        holders = [*self.users.values(), *(self.bin.values() if self.bin_holds_addresses else ())]
        if any(i.assigned_id.lower() == user.address for holder in holders for i in holder.identities):
            raise DirectoryRefused(
                "Request_BadRequest", conflict=True, attribute=False, setting=False, target="proxyAddresses"
            )
        self.writes += 1
        created = DirectoryUser(
            self._make_id(),
            (Identity("emailAddress", self.tenant, user.address),),
            (),
            user.given_name,
            user.surname,
            user.display_name,
            created=self.clock.now(),
            password_changed=self.clock.now(),
            must_reset=True if profile.directory.password_reset == "flag" else None,  # noqa: S105 - a choice
            owner_markers={profile.authority: user.account},
            customer_refs={profile.authority: user.customer_ref},
        )
        self.users[created.id] = created
        if self.fail_after:
            raise self.fail_after.pop(0)
        return created.id

    async def link(self, profile: Profile, user: DirectoryId, account: AccountId, customer_ref: str) -> bool:
        """Write one authority's attributes."""
        if self.fail:
            raise self.fail.pop(0)
        found = self.users.get(user)
        if found is None:
            return False
        self.writes += 1
        self.users[user] = replace(
            found,
            owner_markers={**found.owner_markers, profile.authority: account},
            customer_refs={**found.customer_refs, profile.authority: customer_ref},
        )
        if self.fail_after:
            raise self.fail_after.pop(0)
        return True

    async def retire(self, profile: Profile, user: DirectoryId, display_name: str) -> bool:
        """Take one authority's attributes off, and rename."""
        if self.fail:
            raise self.fail.pop(0)
        found = self.users.get(user)
        if found is None:
            return False
        self.writes += 1
        owner_markers = {
            name: owner_marker for name, owner_marker in found.owner_markers.items() if name != profile.authority
        }
        refs = {name: ref for name, ref in found.customer_refs.items() if name != profile.authority}
        self.users[user] = replace(found, owner_markers=owner_markers, customer_refs=refs, display_name=display_name)
        if self.fail_after:
            raise self.fail_after.pop(0)
        return True

    async def delete(self, user: DirectoryId) -> bool:
        """To the bin, if the app may."""
        if self.fail:
            raise self.fail.pop(0)
        if not self.may_delete:
            return False
        self.writes += 1
        self.bin_user(user)
        if self.fail_after:
            raise self.fail_after.pop(0)
        return True

    def bin_user(self, user: DirectoryId) -> None:
        """Delete a user as an administrator does in the portal."""
        if user in self.users:
            self.bin[user] = self.users.pop(user)

    async def count_users(self, authority: Authority) -> DirectoryCounts:
        """Count all visible users."""
        await self._answer_request()
        counting = Counting()
        for user in self._list_visible():
            ours = bool(user.owner_markers.get(authority) or user.customer_refs.get(authority))
            counting.add(user.identities, self.tenant, user.owner_markers.keys() - {authority}, ours=ours)
        return counting.total()
