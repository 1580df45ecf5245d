"""The shared directory on Microsoft Graph (Azure AD B2C), by msgraph-sdk.

msgraph is imported only where a client is made: the import is slow, and the app must be indexed fast. The library's
own retries, log lines and spans are off: retries would hide throttling, and spans carry whole URLs, filters and all.
"""

import asyncio
import re
import secrets
import string
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Final

import httpx
from azure.core.exceptions import AzureError, ClientAuthenticationError
from kiota_abstractions.api_error import APIError
from opentelemetry.trace import NoOpTracer

from shared.adapters.graph_reading import ReadUser, parse_nodes
from shared.domain.account import AccountId, Authority, DirectoryId
from shared.domain.headcount import Counting, Headcount
from shared.domain.matching import DirectoryUser
from shared.domain.profile import Profile
from shared.errors import AnswerLost, Cannot, DirectoryRefused, MigrationError, Stop, Throttled, TryLater
from shared.ports import Clock, NewUser
from shared.telemetry import metrics

if TYPE_CHECKING:
    from azure.core.credentials_async import AsyncTokenCredential
    from msgraph.generated.models.user import User
    from msgraph.graph_service_client import GraphServiceClient

PASSWORD_LENGTH: Final = 32
SYMBOLS: Final = "!#$%&*+-=?@^_~"
DISPLAY_NAME_LIMIT: Final = 256
TIMEOUT: Final = httpx.Timeout(15, connect=5)
DEADLINE: Final = 25
"""Seconds for a whole request, whatever trickles in."""
PAGE: Final = 999
STRAIN_LASTS: Final = timedelta(seconds=5)
HIGHEST_STRAIN: Final = 10
"""The documentation speaks of up to 1.8; what is far beyond is no share."""
LONGEST_PAUSE: Final = 15 * 60
"""Seconds; the directory's own windows are minutes."""
NOT_FOUND: Final = 404
CONFLICT: Final = 409
TOO_MANY: Final = 429
SERVER_ERROR: Final = 500
MUST_RESET: Final = "MustResetPassword"


@dataclass(frozen=True, slots=True)
class Attributes:
    """The names of our extension attributes in one directory."""

    app: str
    """App id of the b2c-extensions-app without hyphens."""
    prefixes: Mapping[Authority, str]

    def mark(self, authority: Authority) -> str:
        """Holds our account id: the proof that a user is ours."""
        return f"extension_{self.app}_{self.prefixes[authority]}Account"

    def customer_ref(self, authority: Authority) -> str:
        """Holds the council's own customer reference."""
        return f"extension_{self.app}_{self.prefixes[authority]}CustomerRef"

    @property
    def must_reset(self) -> str:
        """Boolean for custom policies that force the reset themselves."""
        return f"extension_{self.app}_{MUST_RESET}"

    @property
    def all(self) -> list[str]:
        """All of them."""
        each = [name for authority in self.prefixes for name in (self.mark(authority), self.customer_ref(authority))]
        return [*each, self.must_reset]


class GraphDirectory:
    """The `Directory` port on Microsoft Graph. Belongs to one event loop."""

    def __init__(
        self, url: str, tenant: str, attributes: Attributes, credential: "AsyncTokenCredential | None", clock: Clock
    ) -> None:
        self._client = _client(url, credential, self._note_strain)
        self._tenant = tenant
        self._attributes = attributes
        self._clock = clock
        self._blocked_until: datetime | None = None
        self._strains: deque[tuple[datetime, float]] = deque()
        """When the directory said that it is how full: each fuller than those after it."""

    def strain(self) -> float:
        """The highest share of a limit that an answer of the last seconds spoke of."""
        self._forget_strains()
        return self._strains[0][1] if self._strains else 0.0

    async def _note_strain(self, response: httpx.Response) -> None:
        """Of every answer, whatever it says: the share stands there from four fifths of the limit on."""
        try:
            share = float(response.headers.get("x-ms-throttle-limit-percentage", ""))
        except ValueError:
            return
        if not 0 < share <= HIGHEST_STRAIN:
            return
        self._forget_strains()
        while self._strains and self._strains[-1][1] <= share:
            self._strains.pop()
        self._strains.append((self._clock.now(), share))

    def _forget_strains(self) -> None:
        while self._strains and self._strains[0][0] + STRAIN_LASTS < self._clock.now():
            self._strains.popleft()

    async def with_address(self, address: str) -> tuple[DirectoryUser, ...]:
        """By sign-in name, then by contact address."""
        value = _quoted(address)
        # Graph ignores the issuer here and does not tell e-mail from user name: the caller compares identities.
        sign_in = f"identities/any(c:c/issuerAssignedId eq {value} and c/issuer eq {_quoted(self._tenant)})"
        found = await self._find(sign_in)
        found += await self._find(f"otherMails/any(x:x eq {value})")
        return tuple({user.id: user for user in found}.values())

    async def with_mark(self, authority: Authority, account: AccountId) -> tuple[DirectoryUser, ...]:
        """By our mark."""
        return tuple(await self._find(f"{self._attributes.mark(authority)} eq {_quoted(account)}"))

    async def get(self, user: DirectoryId) -> DirectoryUser | None:
        """By id; None when reads do not show such a user (yet)."""
        from msgraph.generated.users.item.user_item_request_builder import UserItemRequestBuilder  # noqa: PLC0415

        query = UserItemRequestBuilder.UserItemRequestBuilderGetQueryParameters(select=self._select())
        try:
            found: Any = await self._read(self._client.users.by_user_id(user).get(_configured(query)))
        except _NoSuchUser:
            return None
        return self._user(found) if found else None

    async def create(self, profile: Profile, user: NewUser) -> DirectoryId:
        """Create a local account whose owner must set a password. The password is made here and kept nowhere."""
        try:
            created = await self._write(self._client.users.post(self._new(profile, user)))
        except _NoSuchUser:
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
        except _NoSuchUser:
            return False
        return True

    async def headcount(self, authority: Authority) -> Headcount:
        """Read the whole directory in pages; a page may be short or empty and still have a next one.

        Of the identities only type and issuer are looked at; Graph gives them whole or not at all.
        """
        from msgraph.generated.users.users_request_builder import UsersRequestBuilder  # noqa: PLC0415

        names = self._attributes
        marks = {other: names.mark(other) for other in names.prefixes}
        ours = (names.mark(authority), names.customer_ref(authority))
        select = ["id", "identities", *dict.fromkeys([*marks.values(), *ours])]
        query = UsersRequestBuilder.UsersRequestBuilderGetQueryParameters(select=select, top=PAGE)
        counting = Counting()
        async for user in self._users(query):
            extra = user.extra
            theirs = [other for other, name in marks.items() if other != authority and extra.get(name)]
            counting.add(user.identities, self._tenant, theirs, ours=any(map(extra.get, ours)))
        return counting.total()

    async def retire(self, profile: Profile, user: DirectoryId, display_name: str) -> bool:
        """Take this authority's attributes off and rename; null is how Graph removes an extension attribute."""
        from msgraph.generated.models.user import User  # noqa: PLC0415

        names = self._attributes
        nothing = {names.mark(profile.authority): None, names.customer_ref(profile.authority): None}
        try:
            await self._write(
                self._client.users.by_user_id(user).patch(User(display_name=display_name, additional_data=nothing))
            )
        except _NoSuchUser:
            return False
        return True

    async def delete(self, user: DirectoryId) -> bool:
        """Delete; False when the app may not."""
        try:
            await self._write(self._client.users.by_user_id(user).delete())
        except _NoSuchUser:
            return True
        except Stop as stop:
            if stop.reason != "permission_missing":
                raise
            return False
        return True

    def _select(self) -> list[str]:
        plain = ["id", "displayName", "givenName", "surname", "identities", "otherMails", "accountEnabled"]
        return [*plain, "createdDateTime", "lastPasswordChangeDateTime", *self._attributes.all]

    async def _find(self, condition: str) -> list[DirectoryUser]:
        from msgraph.generated.users.users_request_builder import UsersRequestBuilder  # noqa: PLC0415

        query = UsersRequestBuilder.UsersRequestBuilderGetQueryParameters(filter=condition, select=self._select())
        return [self._user(user) async for user in self._users(query)]

    async def _users(self, query: object) -> AsyncIterator[ReadUser]:
        """All pages of a list. An answer without a list is no answer: "nobody" must have been said."""
        request: Awaitable[Any] | None = self._client.users.get(_configured(query))
        while request is not None:
            try:
                page = await self._read(request)
            except _NoSuchUser:
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
            created=_utc(user.created),
            password_changed=_utc(user.password_changed),
            must_reset=must_reset if isinstance(must_reset, bool) else None,
            marks={a: AccountId(str(extra[names.mark(a)])) for a in names.prefixes if extra.get(names.mark(a))},
            customer_refs={
                a: str(extra[names.customer_ref(a)]) for a in names.prefixes if extra.get(names.customer_ref(a))
            },
        )

    def _marks(self, authority: Authority, account: AccountId, customer_ref: str) -> dict[str, Any]:
        return {self._attributes.mark(authority): account, self._attributes.customer_ref(authority): customer_ref}

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

    async def _read[T](self, request: Awaitable[T]) -> T:
        try:
            return await self._ask(request)
        except _Lost:
            raise TryLater("directory_unreachable") from None
        except DirectoryRefused as refused:
            if refused.attribute:
                raise Stop("attribute_unknown", refused.code) from None
            raise Cannot("directory_refused", refused.code) from None

    async def _write[T](self, request: Awaitable[T]) -> T:
        try:
            return await self._ask(request)
        except _Lost:
            raise AnswerLost from None

    async def _ask[T](self, request: Awaitable[T]) -> T:
        """One request. What the SDK raises may quote what we sent, so nothing of it goes on."""
        self._wait_while_throttled(request)
        trouble: MigrationError
        try:
            async with asyncio.timeout(DEADLINE):
                answer = await request
        except APIError as error:
            trouble = self._meaning(error)
        except (httpx.ConnectError, httpx.ConnectTimeout):
            trouble = TryLater("directory_unreachable")
        except (httpx.HTTPError, TimeoutError, ValueError):
            trouble = _Lost()
        except ClientAuthenticationError:
            trouble = Stop("directory_sign_in_refused")
        except AzureError:
            # Nothing but the token is fetched by Azure's libraries: the directory was not asked.
            trouble = TryLater("directory_unreachable")
        else:
            metrics.add(metrics.DIRECTORY_REQUESTS, result=metrics.Result.OK)
            return answer
        metrics.add(metrics.DIRECTORY_REQUESTS, result=_result(trouble))
        raise trouble

    def _wait_while_throttled(self, request: Awaitable[object]) -> None:
        """A throttling is everybody's: requests made meanwhile would only count against us."""
        if self._blocked_until and self._clock.now() < self._blocked_until:
            if asyncio.iscoroutine(request):
                request.close()
            raise Throttled("directory_throttled", self._blocked_until - self._clock.now(), known=True)

    def _meaning(self, error: APIError) -> MigrationError:
        status = error.response_status_code or 0
        code, told = _told(error)
        if status == TOO_MANY:
            after = _retry_after(error)
            self._blocked_until = self._clock.now() + (after or timedelta(seconds=5))
            return Throttled("directory_throttled", after)
        if code == "Directory_QuotaExceeded":
            return Stop("directory_full", code)
        if status == NOT_FOUND:
            return _NoSuchUser()
        if status == httpx.codes.UNAUTHORIZED:
            return Stop("directory_sign_in_refused", code)
        if status == httpx.codes.FORBIDDEN:
            return Stop("permission_missing", code)
        if status >= SERVER_ERROR or status < httpx.codes.BAD_REQUEST or status == httpx.codes.REQUEST_TIMEOUT:
            return _Lost()
        return DirectoryRefused(
            code,
            conflict=status == CONFLICT or "ObjectConflict" in told or "already exists" in told,
            # Only whether it names what we named; its wording may change.
            attribute=any(name.lower() in told.lower() for name in self._attributes.all) and "InvalidValue" not in told,
            setting=any(word in told for word in ("passwordProfile", "forceChangePassword", "Issuer", "issuer")),
            target=_target(error, told),
        )


class _NoSuchUser(MigrationError):
    """404."""


class _Lost(MigrationError):
    """No answer, or none that can be read."""


def _result(trouble: MigrationError) -> metrics.Result:
    """What a request that went wrong counts as."""
    match trouble:
        case _NoSuchUser():
            return metrics.Result.OK
        case Throttled():
            return metrics.Result.THROTTLED
        case _Lost() | TryLater():
            return metrics.Result.LOST
        case _:
            return metrics.Result.REFUSED


def _told(error: APIError) -> tuple[str, str]:
    """Graph's error code, and all that the answer says, to look for names of ours in it."""
    main = getattr(error, "error", None)
    if main is None:
        return f"HTTP {error.response_status_code}", ""
    details = [f"{d.code} {d.target} {d.message}" for d in main.details or []]
    return str(main.code or ""), " ".join([str(main.code), str(main.message), str(main.target), *details])


def _target(error: APIError, told: str) -> str:
    """The property that an answer names; only what can be the name of one, so never anything personal."""
    main = getattr(error, "error", None)
    named = [detail.target for detail in main.details or []] + [main.target] if main else []
    named += re.findall(r"property '?([A-Za-z_]+)", told)
    named += [name for name in ("forceChangePasswordNextSignIn", "passwordProfile", "issuer") if name in told]
    return next((name for name in named if name and re.fullmatch(r"[A-Za-z_.]{1,60}", name)), "")


def _retry_after(error: APIError) -> timedelta | None:
    """How long to wait, from seconds or a date; at least a second, and not so long that a slip stops everybody."""
    text = (error.response_headers or {}).get("retry-after", "").strip()
    try:
        seconds = float(text) if text.isascii() and text.isdecimal() else _until(text)
    except (ValueError, TypeError):
        return None
    return timedelta(seconds=min(max(seconds, 1), LONGEST_PAUSE)) if seconds > 0 else None


def _until(text: str) -> float:
    return (parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds()


def _client(
    url: str, credential: "AsyncTokenCredential | None", answered: Callable[[httpx.Response], Awaitable[None]]
) -> "GraphServiceClient":
    import kiota_abstractions.request_information  # noqa: PLC0415
    import kiota_http.httpx_request_adapter  # noqa: PLC0415
    import kiota_http.middleware.middleware  # noqa: PLC0415
    from kiota_abstractions.authentication import AnonymousAuthenticationProvider  # noqa: PLC0415
    from kiota_authentication_azure.azure_identity_authentication_provider import (  # noqa: PLC0415
        AzureIdentityAuthenticationProvider,
    )
    from kiota_http.middleware import ParametersNameDecodingHandler  # noqa: PLC0415
    from msgraph.graph_service_client import GraphServiceClient  # noqa: PLC0415
    from msgraph_core import BaseGraphRequestAdapter, GraphClientFactory  # noqa: PLC0415

    for module in (
        kiota_abstractions.request_information,
        kiota_http.httpx_request_adapter,
        kiota_http.middleware.middleware,
    ):
        module.tracer = NoOpTracer()  # type: ignore[attr-defined]  # its spans carry URLs with people's addresses
    # No retry handler, no redirects: what the directory answers is ours to judge.
    plain = httpx.AsyncClient(
        timeout=TIMEOUT, headers={"x-ms-throttle-priority": "low"}, event_hooks={"response": [answered]}
    )
    http = GraphClientFactory.create_with_custom_middleware([ParametersNameDecodingHandler()], client=plain)
    authentication = (
        AzureIdentityAuthenticationProvider(credential, scopes=["https://graph.microsoft.com/.default"])
        if credential
        else AnonymousAuthenticationProvider()
    )
    adapter = BaseGraphRequestAdapter(authentication, parse_node_factory=parse_nodes(), http_client=http)
    adapter.base_url = url
    return GraphServiceClient(request_adapter=adapter)


def _configured(query: object) -> Any:  # noqa: ANN401 - the SDK's generic configuration
    from kiota_abstractions.base_request_configuration import RequestConfiguration  # noqa: PLC0415

    return RequestConfiguration(query_parameters=query)


def _quoted(value: str) -> str:
    """A literal of a filter; the SDK encodes it for the URL."""
    return "'" + value.replace("'", "''") + "'"


def _new_password() -> str:
    """A strong password that nobody ever learns: one of each class, filled up, shuffled."""
    classes = (string.ascii_lowercase, string.ascii_uppercase, string.digits, SYMBOLS)
    drawn = [secrets.choice(letters) for letters in classes]
    drawn += [secrets.choice("".join(classes)) for _ in range(PASSWORD_LENGTH - len(drawn))]
    secrets.SystemRandom().shuffle(drawn)
    return "".join(drawn)


def _utc(at: datetime | None) -> datetime | None:
    if at is None:
        return None
    return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
