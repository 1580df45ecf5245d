"""The stand-in directory on a free loopback port, what came over the wire, and the real adapter pointed at it."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web
from azure.core.credentials_async import AsyncTokenCredential

from local.standins.graph.faults import read_fault
from local.standins.graph.rules import Rules, change_rules
from local.standins.graph.server import build_app
from local.standins.graph.state import Directory as Tenant
from shared.adapters.graph.attributes import Attributes
from shared.adapters.graph.directory import GraphDirectory
from shared.adapters.memory import ManualClock
from shared.model.account import DirectoryId
from shared.model.directory_user import DirectoryUser, Identity
from shared.model.profile import Profile, read_profiles
from shared.ports import Directory, NewUser
from tests.contract.records import SOUTH, YARMOUTH, account_id

TENANT = "norfolkidentity.onmicrosoft.com"
PROFILES = read_profiles(Path(__file__).parents[2] / "authorities")
SOUTH_NORFOLK, GREAT_YARMOUTH = PROFILES[SOUTH], PROFILES[YARMOUTH]
ATTRIBUTES = Attributes(
    "0123456789abcdef0123456789abcdef", {name: profile.attribute_prefix for name, profile in PROFILES.items()}
)
NOBODY = DirectoryId("00000000-0000-4000-8000-00000000dead")
ADA = NewUser("ada@example.org", "Ada", "Larter", account_id(1), "REF1")

type Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def flagged(profile: Profile) -> Profile:
    """The profile of a council whose custom policy forces the reset."""
    return profile.model_copy(update={"directory": profile.directory.model_copy(update={"password_reset": "flag"})})


@dataclass
class StandIn:
    """A running directory, and the adapter that asks it."""

    tenant: Tenant
    address: str
    graph: GraphDirectory
    sent: list[dict[str, Any]] = field(default_factory=list)
    """Bodies of all writes as they came over the wire."""

    def fault(self, kind: str, **more: object) -> None:
        self.tenant.faults.add(read_fault({"kind": kind, **more}), self.tenant.now())

    def turn(self, **switches: object) -> None:
        self.tenant.turn(switches)

    @property
    def requests(self) -> int:
        """Requests so far, those without an answer included."""
        return len(self.tenant.journal.as_json()["entries"])

    @property
    def stored(self) -> list[dict[str, Any]]:
        return [
            {**entry.properties, "force": entry.force_change, "password_length": entry.password_length}
            for entry in self.tenant.store
        ]


@asynccontextmanager
async def served(app: web.Application) -> AsyncIterator[str]:
    """This application on a free loopback port."""
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def asking(
    address: str, clock: ManualClock, tenant: str = TENANT, credential: AsyncTokenCredential | None = None
) -> AsyncIterator[GraphDirectory]:
    """The adapter, its connections closed in the end."""
    graph = GraphDirectory(f"{address}/v1.0", tenant, ATTRIBUTES, credential, clock)
    try:
        yield graph
    finally:
        # The app's clients live as long as its process, so the adapter has no way to close them; and the SDK's
        # transport does not close the one below it.
        client: Any = graph._client  # noqa: SLF001
        http = client.request_adapter._http_client  # noqa: SLF001
        for transport in (http._transport, *http._mounts.values()):  # noqa: SLF001
            if transport is not None:
                await transport.transport.aclose()


@asynccontextmanager
async def standing_in(clock: ManualClock, tenant: str = TENANT, **switches: object) -> AsyncIterator[StandIn]:
    """A directory by its own rules, some of them changed. It lives by the same clock as the adapter."""
    directory = Tenant(change_rules(Rules(), switches), None, lambda: clock.now().timestamp())
    sent: list[dict[str, Any]] = []

    @web.middleware
    async def overhear(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.method in {"POST", "PATCH"}:
            sent.append(json.loads(await request.read()))
        return await handler(request)

    app = build_app(directory)
    app.middlewares.append(overhear)
    async with served(app) as address, asking(address, clock, tenant) as graph:
        yield StandIn(directory, address, graph, sent)


def properties(user: DirectoryUser) -> dict[str, Any]:
    """A user as Graph holds it."""
    extensions = {
        ATTRIBUTES.owner_marker(authority): str(owner_marker) for authority, owner_marker in user.owner_markers.items()
    }
    extensions |= {ATTRIBUTES.customer_ref(authority): ref for authority, ref in user.customer_refs.items()}
    return {
        "id": user.id,
        "displayName": user.display_name or "unknown",
        "givenName": user.given_name or None,
        "surname": user.surname or None,
        "identities": [
            {"signInType": i.sign_in_type, "issuer": i.issuer, "issuerAssignedId": i.assigned_id}
            for i in user.identities
        ],
        "otherMails": list(user.other_mails),
        "accountEnabled": user.enabled,
        "createdDateTime": user.created and user.created.strftime("%Y-%m-%dT%H:%M:%SZ"),
        **extensions,
    }


def somebody(
    number: int, *identities: Identity, other_mails: Iterable[str] = (), enabled: bool = True
) -> DirectoryUser:
    """A user who was there before us."""
    id_ = DirectoryId(f"00000000-0000-4000-9000-{number:012d}")
    return DirectoryUser(id_, identities, tuple(other_mails), "Ada", "Larter", "Ada Larter", enabled=enabled)


def by_email(address: str) -> Identity:
    return Identity("emailAddress", TENANT, address)


READS: dict[str, Callable[[Directory], Awaitable[object]]] = {
    "with_address": lambda directory: directory.with_address("ada@example.org"),
    "with_owner_marker": lambda directory: directory.with_owner_marker(SOUTH, account_id(1)),
    "get": lambda directory: directory.get(NOBODY),
    "count_users": lambda directory: directory.count_users(SOUTH),
}
WRITES: dict[str, Callable[[Directory], Awaitable[object]]] = {
    "create": lambda directory: directory.create(SOUTH_NORFOLK, ADA),
    "link": lambda directory: directory.link(SOUTH_NORFOLK, NOBODY, account_id(1), "REF1"),
    "retire": lambda directory: directory.retire(SOUTH_NORFOLK, NOBODY, "To be deleted"),
}
REQUESTS = READS | WRITES
