"""A stand-in directory on a free loopback port, the real SDK pointed at it, and builders of invented people."""

import ssl
import warnings
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import httpx
from aiohttp import web
from kiota_abstractions.api_error import APIError
from kiota_abstractions.authentication.anonymous_authentication_provider import AnonymousAuthenticationProvider
from kiota_abstractions.authentication.authentication_provider import AuthenticationProvider
from kiota_abstractions.base_request_configuration import RequestConfiguration
from kiota_http.middleware.options import RetryHandlerOption
from msgraph.generated.models.object_identity import ObjectIdentity
from msgraph.generated.models.password_profile import PasswordProfile
from msgraph.generated.models.user import User
from msgraph.generated.models.user_collection_response import UserCollectionResponse
from msgraph.graph_request_adapter import GraphRequestAdapter, options
from msgraph.graph_service_client import GraphServiceClient
from msgraph_core import GraphClientFactory

from local.standins.graph.rules import Rules, change_rules
from local.standins.graph.server import build_app
from local.standins.graph.state import Directory

# The SDK warns of its own deprecated classes when each of its builders is first imported, which it puts off to the
# first call; warnings are errors here, so that is done now.
with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
    UserQuery = import_module(
        "msgraph.generated.users.users_request_builder"
    ).UsersRequestBuilder.UsersRequestBuilderGetQueryParameters
    for builder in (
        "directory.deleted_items.item.directory_object_item_request_builder",
        "directory.deleted_items.item.restore.restore_request_builder",
        "directory.deleted_items.deleted_items_request_builder",
        "directory.directory_request_builder",
        "users.delta.delta_request_builder",
        "users.item.user_item_request_builder",
    ):
        import_module(f"msgraph.generated.{builder}")

NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # made once: reading the root certificates takes longer than a test
TENANT = "norfolkidentity.onmicrosoft.com"
EXTENSION = "extension_0123456789abcdef0123456789abcdef_"
REFERENCE = EXTENSION + "SouthNorfolkCustomerRef"
MARK = EXTENSION + "SouthNorfolkAccount"
ACCOUNT = EXTENSION + "SouthNorfolkAccount"
MUST_RESET = EXTENSION + "MustResetPassword"
PASSWORD = "Invented-Pass-1"
ADMINISTRATOR = "User Administrator"
WIDE = ("User.ReadWrite.All", "Organization.Read.All")
"""What a tenant grants that does not show the narrow permissions."""
IDENTITIES = (*WIDE, "User.ManageIdentities.All")


class Clock:
    """Time that passes when the test says so."""

    def __init__(self) -> None:
        self.seconds = 1_800_000_000.0

    def __call__(self) -> float:
        return self.seconds

    def passes(self, seconds: float) -> None:
        self.seconds += seconds


@dataclass(frozen=True)
class Served:
    """A running directory, the SDK's client and a plain one."""

    directory: Directory
    clock: Clock
    address: str
    graph: GraphServiceClient
    http: httpx.AsyncClient

    def turn(self, **switches: object) -> None:
        self.directory.turn(switches)

    async def fault(self, **fault: object) -> None:
        answer = await self.http.post("/_standin/faults", json=fault)
        assert answer.status_code == 200, answer.text

    async def create(self, user: User | None = None) -> User:
        created = await self.graph.users.post(user or person())
        assert created
        assert created.id
        return created

    async def find(self, filter_: str, *select: str) -> list[User]:
        page = await self.page(filter=filter_, select=list(select) or None)
        return page.value or []

    async def page(self, **query: Any) -> UserCollectionResponse:  # noqa: ANN401 - the SDK's own parameters
        page = await self.graph.users.get(RequestConfiguration(query_parameters=UserQuery(**query)))
        assert page
        return page

    async def raw(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = (await self.http.get("/_standin/users")).json()
        return found

    async def patch(self, user_id: str | None, body: Mapping[str, object]) -> httpx.Response:
        return await self.http.patch(f"/v1.0/users/{user_id}", json=body)

    async def post(self, body: Mapping[str, object]) -> httpx.Response:
        return await self.http.post("/v1.0/users", json=body)


def graph_client(
    address: str, client: httpx.AsyncClient, provider: AuthenticationProvider | None = None, retries: int = 0
) -> GraphServiceClient:
    """The SDK's client as it is in life, but without waiting between tries."""
    retry = RetryHandlerOption(delay=0, max_retries=retries)
    wired = GraphClientFactory.create_with_default_middleware(
        options={**options, RetryHandlerOption.get_key(): retry}, client=client
    )
    adapter = GraphRequestAdapter(provider or AnonymousAuthenticationProvider(), client=wired)
    adapter.base_url = f"{address}/v1.0"
    return GraphServiceClient(request_adapter=adapter)


@asynccontextmanager
async def serve(folder: Path | None = None, retries: int = 0, **switches: object) -> AsyncIterator[Served]:
    """A directory as it is by default, or with other switches, a folder, or the SDK's own retries."""
    clock = Clock()
    directory = Directory(change_rules(Rules(), switches), folder, clock)
    runner = web.AppRunner(build_app(directory), access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        address = f"http://127.0.0.1:{runner.addresses[0][1]}"
        # kiota puts its own transport in the client's place and forgets the one below: both are closed here.
        transport = httpx.AsyncHTTPTransport(verify=NO_TLS)
        wire = httpx.AsyncClient(transport=transport, verify=NO_TLS)
        async with transport, wire, httpx.AsyncClient(base_url=address, verify=NO_TLS) as plain:
            yield Served(directory, clock, address, graph_client(address, wire, retries=retries), plain)
    finally:
        await runner.cleanup()


def identity(held: str, kind: str = "emailAddress", issuer: str = TENANT) -> ObjectIdentity:
    """One sign-in identity."""
    return ObjectIdentity(sign_in_type=kind, issuer=issuer, issuer_assigned_id=held)


def person(email: str = "ann@example.org", /, *identities: ObjectIdentity, **extensions: object) -> User:
    """An invented customer with a local account; ``identities`` replace the e-mail."""
    return User(
        display_name="Ann Invented",
        given_name="Ann",
        surname="Invented",
        identities=list(identities) or [identity(email)],
        password_profile=PasswordProfile(password=PASSWORD, force_change_password_next_sign_in=False),
        password_policies="DisablePasswordExpiration",
        additional_data=dict(extensions),
    )


def payload(email: str = "ann@example.org", /, **changes: object) -> dict[str, Any]:
    """The same customer as JSON. A change to None leaves the property out."""
    body: dict[str, Any] = {
        "displayName": "Ann Invented",
        "identities": [{"signInType": "emailAddress", "issuer": TENANT, "issuerAssignedId": email}],
        "passwordProfile": {"password": PASSWORD, "forceChangePasswordNextSignIn": False},
        "passwordPolicies": "DisablePasswordExpiration",
    }
    return {name: value for name, value in (body | changes).items() if value is not None}


def by_identity(held: str, issuer: str = TENANT) -> str:
    """The documented filter."""
    doubled = held.replace("'", "''")
    return f"identities/any(c:c/issuerAssignedId eq '{doubled}' and c/issuer eq '{issuer}')"


def headers_of(error: APIError) -> Mapping[str, str]:
    """The headers of a refused request."""
    assert error.response_headers is not None
    return error.response_headers
