"""The shared directory on Microsoft Graph (Azure AD B2C), by msgraph-sdk.

msgraph is imported only where it is used: the import is slow, and the app must be indexed fast.
"""

import secrets
import string
from collections.abc import AsyncIterator, Awaitable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from shared.adapters.graph.attributes import Attributes
from shared.adapters.graph.reading import ReadUser
from shared.adapters.graph.requests import GraphRequests, NoSuchUser
from shared.errors import AnswerLost, Stop, TryLater
from shared.model.account import AccountId, Authority, DirectoryId
from shared.model.counts.directory_counts import Counting, DirectoryCounts
from shared.model.directory_user import DirectoryUser
from shared.model.profile import Profile
from shared.ports import Clock, NewUser

if TYPE_CHECKING:
    from azure.core.credentials_async import AsyncTokenCredential
    from msgraph.generated.models.user import User

PASSWORD_LENGTH: Final = 32
SYMBOLS: Final = "!#$%&*+-=?@^_~"
DISPLAY_NAME_LIMIT: Final = 256
PAGE: Final = 999
SELECTED: Final = (
    *("id", "displayName", "givenName", "surname", "identities", "otherMails", "accountEnabled"),
    *("createdDateTime", "lastPasswordChangeDateTime"),
)
"""The properties of a user that the app reads, beside the attributes of the councils."""


class GraphDirectory(GraphRequests):
    """The `Directory` port on Microsoft Graph. Belongs to one event loop."""

    def __init__(
        self, url: str, tenant: str, attributes: Attributes, credential: "AsyncTokenCredential | None", clock: Clock
    ) -> None:
        super().__init__(url, attributes, credential, clock)
        self._tenant = tenant
        # The addresses of reads are made here: for each request the SDK would expand a template of all options that
        # Graph knows, which takes as long as all the rest of the request.
        self._users_url = f"{url.rstrip('/')}/users"
        self._select = ",".join([*SELECTED, *attributes.all])

    async def with_address(self, address: str) -> tuple[DirectoryUser, ...]:
        """Return the users with this address: first by sign-in name, then by contact address."""
        value = _quote_literal(address)
        # Graph ignores the issuer here and does not tell e-mail from user name: the caller compares identities.
        sign_in = f"identities/any(c:c/issuerAssignedId eq {value} and c/issuer eq {_quote_literal(self._tenant)})"
        found = await self._find(sign_in)
        found += await self._find(f"otherMails/any(x:x eq {value})")
        return tuple({user.id: user for user in found}.values())

    async def with_owner_marker(self, authority: Authority, account: AccountId) -> tuple[DirectoryUser, ...]:
        """Return the users with this owner marker."""
        return tuple(await self._find(f"{self._attributes.owner_marker(authority)} eq {_quote_literal(account)}"))

    async def get(self, user: DirectoryId) -> DirectoryUser | None:
        """Return the user with this id. None if reads do not show such a user (yet)."""
        url = f"{self._users_url}/{quote(user, safe='')}?$select={self._select}"
        try:
            found: Any = await self._read(self._client.users.by_user_id(user).with_url(url).get())
        except NoSuchUser:
            return None
        return self._user(found) if found else None

    async def create(self, profile: Profile, user: NewUser) -> DirectoryId:
        """Create a local account whose owner must set a password. The password is made here and stored nowhere."""
        try:
            created = await self._write(self._client.users.post(self._new(profile, user)))
        except NoSuchUser:
            raise Stop("setting_refused", "DIRECTORY_GRAPH_URL: HTTP 404") from None
        if created is None or not created.id:
            raise AnswerLost
        return DirectoryId(created.id)

    async def link(self, profile: Profile, user: DirectoryId, account: AccountId, customer_ref: str) -> bool:
        """Write this authority's attributes and nothing else."""
        from msgraph.generated.models.user import User  # noqa: PLC0415

        # A new User, never a fetched one: what was fetched would be sent back whole.
        body = User(additional_data=self._marks(profile.authority, account, customer_ref))
        try:
            await self._write(self._client.users.by_user_id(user).patch(body))
        except NoSuchUser:
            return False
        return True

    async def count_users(self, authority: Authority) -> DirectoryCounts:
        """Count the users of the whole directory, page by page.

        A page may be short or empty and still have a next page.

        The app uses only type and issuer of the identities, but Graph sends whole identities or none.
        """
        names = self._attributes
        owner_markers = {other: names.owner_marker(other) for other in names.prefixes}
        ours = (names.owner_marker(authority), names.customer_ref(authority))
        select = ["id", "identities", *dict.fromkeys([*owner_markers.values(), *ours])]
        counting = Counting()
        async for user in self._list_users(f"$select={','.join(select)}&$top={PAGE}"):
            extra = user.extra
            theirs = [other for other, name in owner_markers.items() if other != authority and extra.get(name)]
            counting.add(user.identities, self._tenant, theirs, ours=any(map(extra.get, ours)))
        return counting.total()

    async def retire(self, profile: Profile, user: DirectoryId, display_name: str) -> bool:
        """Remove this authority's attributes from a user and rename it.

        Graph removes an extension attribute that is set to null.
        """
        from msgraph.generated.models.user import User  # noqa: PLC0415

        names = self._attributes
        nothing = {names.owner_marker(profile.authority): None, names.customer_ref(profile.authority): None}
        try:
            await self._write(
                self._client.users.by_user_id(user).patch(User(display_name=display_name, additional_data=nothing))
            )
        except NoSuchUser:
            return False
        return True

    async def delete(self, user: DirectoryId) -> bool:
        """Delete a user. Return False if the app has no right to delete."""
        try:
            await self._write(self._client.users.by_user_id(user).delete())
        except NoSuchUser:
            return True
        except Stop as stop:
            if stop.reason != "permission_missing":
                raise
            return False
        return True

    async def _find(self, condition: str) -> list[DirectoryUser]:
        found = self._list_users(f"$filter={quote(condition, safe='')}&$select={self._select}")
        return [self._user(user) async for user in found]

    async def _list_users(self, query: str) -> AsyncIterator[ReadUser]:
        """Yield the users of all pages of a list. An answer without a list does not count as an empty list."""
        request: Awaitable[Any] | None = self._client.users.with_url(f"{self._users_url}?{query}").get()
        while request is not None:
            try:
                page = await self._read(request)
            except NoSuchUser:
                # There is always a collection of users; only the address of the service can be wrong.
                raise Stop("setting_refused", "DIRECTORY_GRAPH_URL: HTTP 404") from None
            if page is None or page.value is None:
                raise TryLater("directory_unreachable")
            for user in page.value:
                yield user
            request = self._client.users.with_url(page.next_link).get() if page.next_link else None

    def _user(self, user: ReadUser) -> DirectoryUser:
        extra, names = user.extra, self._attributes
        must_reset = extra.get(names.must_reset)
        return DirectoryUser(
            id=DirectoryId(user.id),
            identities=user.identities,
            other_mails=user.other_mails,
            given_name=user.given_name,
            surname=user.surname,
            display_name=user.display_name,
            enabled=user.account_enabled,
            created=_convert_to_utc(user.created),
            password_changed=_convert_to_utc(user.password_changed),
            must_reset=must_reset if isinstance(must_reset, bool) else None,
            owner_markers={
                a: AccountId(str(extra[names.owner_marker(a)]))
                for a in names.prefixes
                if extra.get(names.owner_marker(a))
            },
            customer_refs={
                a: str(extra[names.customer_ref(a)]) for a in names.prefixes if extra.get(names.customer_ref(a))
            },
        )

    def _marks(self, authority: Authority, account: AccountId, customer_ref: str) -> dict[str, Any]:
        return {
            self._attributes.owner_marker(authority): account,
            self._attributes.customer_ref(authority): customer_ref,
        }

    def _new(self, profile: Profile, user: NewUser) -> "User":
        from msgraph.generated.models.object_identity import ObjectIdentity  # noqa: PLC0415
        from msgraph.generated.models.password_profile import PasswordProfile  # noqa: PLC0415
        from msgraph.generated.models.user import User  # noqa: PLC0415

        by_flag = profile.directory.password_reset == "flag"  # noqa: S105 - the name of a choice
        extra = self._marks(profile.authority, user.account, user.customer_ref)
        if by_flag:
            extra[self._attributes.must_reset] = True
        return User(
            display_name=user.display_name[:DISPLAY_NAME_LIMIT],
            given_name=user.given_name or None,
            surname=user.surname or None,
            identities=[
                ObjectIdentity(sign_in_type="emailAddress", issuer=self._tenant, issuer_assigned_id=user.address)
            ],
            password_profile=PasswordProfile(password=_new_password(), force_change_password_next_sign_in=not by_flag),
            password_policies="DisablePasswordExpiration",  # noqa: S106 - a policy's name
            additional_data=extra,
        )


def _quote_literal(value: str) -> str:
    """A literal of a filter, before the filter is encoded for the URL."""
    return "'" + value.replace("'", "''") + "'"


def _new_password() -> str:
    """Return a strong password that nobody ever sees: one character of each class, filled up and shuffled."""
    classes = (string.ascii_lowercase, string.ascii_uppercase, string.digits, SYMBOLS)
    drawn = [secrets.choice(letters) for letters in classes]
    drawn += [secrets.choice("".join(classes)) for _ in range(PASSWORD_LENGTH - len(drawn))]
    secrets.SystemRandom().shuffle(drawn)
    return "".join(drawn)


def _convert_to_utc(at: datetime | None) -> datetime | None:
    if at is None:
        return None
    return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
