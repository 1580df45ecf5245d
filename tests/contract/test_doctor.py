"""The inspectors against stand-ins: what each answer of a service comes to, and that looking changes nothing."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, Self

import httpx
import pytest
from aiohttp import web
from azure.core.credentials import AccessToken
from azure.core.exceptions import ClientAuthenticationError, ServiceRequestError, ServiceResponseError

from local.azurite import Azurite
from local.standins.graph.server import build_app
from local.standins.graph.state import Directory as Tenant
from local.standins.notify import services
from shared import names
from shared.adapters.inspection.asking import Asker
from shared.adapters.inspection.directory_inspector import DirectoryInspector, read_claim
from shared.adapters.inspection.message_inspector import MessageInspector
from shared.adapters.inspection.storage_inspector import StorageInspector
from shared.adapters.memory import ManualClock
from shared.adapters.storage.clients import connect_storage
from shared.model.account import Authority
from shared.ports.doctor_facts import (
    CallResult,
    DirectoryFacts,
    KeyTrouble,
    MessageFacts,
    Presence,
    Right,
    Sending,
    StorageFacts,
)
from shared.readiness.rules.attribute_checks import list_wanted_attributes
from shared.runtime.wiring import SystemClock, find_notify_setting
from tests.contract.conftest import connected
from tests.contract.notify import KEYS, message_service
from tests.contract.records import SOUTH, YARMOUTH
from tests.contract.standin import ATTRIBUTES, PROFILES, served, standing_in

WANTED = list_wanted_attributes(ATTRIBUTES.app, PROFILES.values())
USER_ADMINISTRATOR = "fe930be7-5e62-47db-91af-98c3a49a38b1"


def jwt(**claims: object) -> str:
    """A token as Microsoft Entra shapes it; its signature is nobody's business here."""
    middle = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"e30.{middle}.c2ln"


@dataclass
class Credential:
    """A credential that gives this token, or fails as the libraries do."""

    token: str = ""
    error: Exception | None = None
    closed: int = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        self.closed += 1

    async def get_token(self, *_scopes: str, **_: Any) -> AccessToken:  # noqa: ANN401
        if self.error:
            raise self.error
        return AccessToken(self.token, 0)


async def look(address: str, clock: ManualClock, credential: Credential | None = None) -> DirectoryFacts:
    return await DirectoryInspector(f"{address}/v1.0", (lambda: credential) if credential else None, clock).look(WANTED)


@asynccontextmanager
async def answering(answer: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> AsyncIterator[str]:
    """A service that gives every request the same answer."""
    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", answer)
    async with served(app) as address:
        yield address


async def test_a_healthy_directory_tells_everything_and_is_left_as_it_was(clock: ManualClock) -> None:
    async with standing_in(clock) as standin:
        facts = await look(standin.address, clock)
        assert facts.sign_in == facts.unreachable == facts.silent == facts.quota_trouble == ""
        assert {right for right, answer in facts.may.items() if answer is CallResult.YES} == {
            Right.READ,
            Right.CREATE,
            Right.UPDATE,
        }
        assert facts.attributes == WANTED
        assert (facts.used, facts.total) == (0, 1_250_000)
        assert facts.granted is None
        assert facts.clock is not None
        assert abs(facts.clock.ahead.total_seconds()) <= 1
        assert standin.stored == []


async def test_with_every_right_nothing_is_changed_either(clock: ManualClock) -> None:
    async with standing_in(clock) as standin:
        every = ["Directory.ReadWrite.All", "Application.ReadWrite.All", "User.ManageIdentities.All"]
        standin.turn(permissions=every, roles=["User Administrator"])
        facts = await look(standin.address, clock)
        assert set(facts.may.values()) == {CallResult.YES}
        assert standin.stored == []


async def test_the_token_is_sent_and_read_and_the_credential_closed(clock: ManualClock) -> None:
    async with standing_in(clock, require_token=True) as standin:
        credential = Credential(jwt(roles=["User.Read.All"], wids=[USER_ADMINISTRATOR]))
        facts = await look(standin.address, clock, credential)
    assert facts.sign_in == ""
    assert facts.granted == frozenset({"User.Read.All"})
    assert facts.roles == frozenset({USER_ADMINISTRATOR})
    assert credential.closed == 1


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (ClientAuthenticationError("AADSTS7000222: the secret of canary@example.org expired"), "AADSTS7000222"),
        (ClientAuthenticationError("canary@example.org"), "ClientAuthenticationError"),
        (ValueError("no key in canary@example.org"), "ValueError"),
    ],
)
async def test_no_token_is_told_by_microsofts_code_alone(clock: ManualClock, error: Exception, says: str) -> None:
    facts = await look("http://127.0.0.1:9", clock, Credential(error=error))
    assert facts.sign_in == f"no token ({says})"
    assert "canary" not in repr(facts)


@pytest.mark.parametrize("error", [ServiceRequestError("canary"), ServiceResponseError("canary"), TimeoutError()])
async def test_where_the_sign_in_cannot_be_reached_nobody_was_refused(clock: ManualClock, error: Exception) -> None:
    facts = await look("http://127.0.0.1:9", clock, Credential(error=error))
    assert facts.sign_in == ""
    assert facts.unreachable.startswith("login.microsoftonline.com ")
    assert not facts.address_wrong
    assert "canary" not in repr(facts)


async def test_an_answer_that_drips_is_given_up(clock: ManualClock) -> None:
    async def drip(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-type": "application/json"})
        await response.prepare(request)
        with suppress(ConnectionError):
            while True:
                await response.write(b" ")
                await asyncio.sleep(0.02)
        return response

    async with answering(drip) as address, httpx.AsyncClient() as http:
        reply = await Asker("the directory", clock, http, seconds=0.3).ask("GET", address)
    assert (reply.status, reply.trouble) == (0, "it does not answer (TimeoutError)")


async def test_an_answer_nested_too_deep_is_an_answer_without_content(clock: ManualClock) -> None:
    async def deep(_: web.Request) -> web.StreamResponse:
        return web.Response(body=b"[" * 200_000, content_type="application/json")

    async with answering(deep) as address, httpx.AsyncClient() as http:
        reply = await Asker("the directory", clock, http).ask("GET", address)
    assert (reply.status, reply.body) == (200, {})


@pytest.mark.parametrize("token", ["", "opaque", "a.b", "a.!!!.c", f"e30.{base64.urlsafe_b64encode(b'[]').decode()}.x"])
def test_a_token_that_shows_nothing_names_no_permission(token: str) -> None:
    assert read_claim(token, "roles") is None


async def test_throttling_after_the_first_question_is_said_and_no_right_is_made_of_it(clock: ManualClock) -> None:
    async with standing_in(clock) as standin:
        standin.fault("throttle-storm", methods=["POST", "PATCH", "DELETE"], retry_after=1)
        facts = await look(standin.address, clock)
    assert facts.silent == "HTTP 429 TooManyRequests"
    assert facts.may[Right.READ] is CallResult.YES
    assert {answer for right, answer in facts.may.items() if right is not Right.READ} == {CallResult.FAILED}


@pytest.mark.parametrize("kind", ["html-502", "empty-500", "drop-before-store", "unavailable-before-store"])
async def test_a_directory_that_is_not_well_is_unreachable(clock: ManualClock, kind: str) -> None:
    async with standing_in(clock) as standin:
        standin.fault(kind)
        facts = await look(standin.address, clock)
    assert facts.unreachable
    assert not facts.sign_in
    assert facts.may == {}


async def test_a_page_that_is_not_graph_is_a_wrong_address(clock: ManualClock) -> None:
    async def page(_: web.Request) -> web.StreamResponse:
        return web.Response(text="<h1>Welcome</h1>", content_type="text/html")

    async with answering(page) as address:
        facts = await look(address, clock)
    assert facts.address_wrong
    assert "not Microsoft Graph" in facts.unreachable


async def test_a_full_directory_does_not_look_like_a_missing_right(clock: ManualClock) -> None:
    async def full(request: web.Request) -> web.StreamResponse:
        if request.method == "GET":
            return web.json_response({"value": []})
        return web.json_response({"error": {"code": "Directory_QuotaExceeded", "message": "full"}}, status=403)

    async with answering(full) as address:
        facts = await look(address, clock)
    assert facts.may[Right.CREATE] is CallResult.YES


async def test_an_empty_list_of_attributes_is_not_believed_where_a_search_tells_more(clock: ManualClock) -> None:
    """In a tenant with more than 1,000 service principals the list is empty."""
    tenant = Tenant(None, None, lambda: clock.now().timestamp())
    tenant.turn({"unknown_extension_filter_refused": True})
    app = build_app(tenant)

    @web.middleware
    async def empty(request: web.Request, handler: Any) -> web.StreamResponse:  # noqa: ANN401
        listing = request.path.endswith("getAvailableExtensionProperties")
        return web.json_response({"value": []}) if listing else await handler(request)

    app.middlewares.append(empty)
    async with served(app) as address:
        assert (await look(address, clock)).attributes == dict.fromkeys(WANTED, "")
        tenant.turn({"extensions": ["SouthNorfolkAccount:String", "MustResetPassword:String"]})
        found = (await look(address, clock)).attributes
    assert found is not None
    assert {name.rpartition("_")[2] for name in found} == {"SouthNorfolkAccount"}


# The message service


def key_of(authority: Authority) -> str | None:
    return KEYS.get(authority)


async def ask(address: str, keys: Callable[[Authority], str | None] = key_of) -> MessageFacts:
    inspector = MessageInspector(address, keys, find_notify_setting, SystemClock())
    return await inspector.look(PROFILES, frozenset(PROFILES))


async def test_a_healthy_message_service_shows_each_council_its_templates_and_keeps_nothing(clock: ManualClock) -> None:
    async with message_service(clock) as service:
        facts = await ask(service.address)
        assert {each.trouble for each in facts.services.values()} == {KeyTrouble.NONE}
        assert {each.sending for each in facts.services.values()} == {Sending.ACCEPTED}
        for authority, profile in PROFILES.items():
            templates = facts.services[authority].templates
            for id_ in profile.messages.templates.values():
                assert templates[id_].type == "email"
                assert templates[id_].placeholders == ("first_name", "last_name")
        assert service.messages == []
        assert facts.clock is not None


async def test_a_key_of_another_council_is_seen_to_be_of_its_service(clock: ManualClock) -> None:
    async with message_service(clock) as service:
        facts = await ask(service.address, lambda _: services.GREAT_YARMOUTH_TEST_KEY)
    assert facts.services[SOUTH].same_service == {YARMOUTH}
    assert not set(PROFILES[SOUTH].messages.templates.values()) & set(facts.services[SOUTH].templates)
    assert facts.services[SOUTH].sending is Sending.UNTRIED


@pytest.mark.parametrize(
    ("kind", "trouble"),
    [
        ("clock-wrong", KeyTrouble.CLOCK),
        ("suspended", KeyTrouble.SUSPENDED),
        ("bad-gateway", KeyTrouble.UNREACHABLE),
        ("rate-limited", KeyTrouble.UNREACHABLE),
        ("drop-before-store", KeyTrouble.UNREACHABLE),
    ],
)
async def test_why_a_key_cannot_be_used(clock: ManualClock, kind: str, trouble: KeyTrouble) -> None:
    async with message_service(clock) as service:
        service.fault(kind, on="template")
        facts = await ask(service.address)
    assert {each.trouble for each in facts.services.values()} == {trouble}


async def test_keys_that_are_none_are_not_sent(clock: ManualClock) -> None:
    keys = {SOUTH: "short", YARMOUTH: services.GREAT_YARMOUTH_LIVE_KEY[:-1] + "0"}
    async with message_service(clock) as service:
        facts = await ask(service.address, keys.get)
        assert service.requests == 1
    assert facts.services[SOUTH].trouble is KeyTrouble.MALFORMED
    assert facts.services[YARMOUTH].trouble is KeyTrouble.REFUSED
    assert "short" not in repr(facts)
    assert services.GREAT_YARMOUTH.keys[0].secret not in repr(facts)


@pytest.mark.parametrize(
    ("kind", "sending"),
    [
        ("suspended", Sending.REFUSED),
        ("daily-limit", Sending.FAILED),
        ("error-500-before-store", Sending.FAILED),
        ("drop-before-store", Sending.FAILED),
    ],
)
async def test_a_message_to_nobody_that_is_not_taken(clock: ManualClock, kind: str, sending: Sending) -> None:
    async with message_service(clock) as service:
        service.fault(kind, on="send")
        facts = await ask(service.address)
    assert {each.sending for each in facts.services.values()} == {sending}


# The storage account


async def inspect(azurite: Azurite) -> StorageFacts:
    async with connected(azurite) as storage:
        return await StorageInspector(storage, SystemClock()).look()


@pytest.mark.azurite
async def test_an_empty_storage_account_and_a_whole_one(clean_azurite: Azurite) -> None:
    assert {thing.presence for thing in (await inspect(clean_azurite)).things} == {Presence.ABSENT}
    async with connected(clean_azurite) as storage:
        for container in names.CONTAINERS:
            await storage.blobs.create_container(container)
        for queue in names.EVERY_QUEUE:
            await storage.queues.create_queue(queue)
        for table in names.TABLES:
            await storage.tables.create_table(table)
    whole = await inspect(clean_azurite)
    assert {thing.presence for thing in whole.things} == {Presence.THERE}
    assert len(whole.things) == len(names.CONTAINERS) + len(names.EVERY_QUEUE) + len(names.TABLES)
    assert whole.clock is not None
    assert abs(whole.clock.ahead.total_seconds()) < 30


@pytest.mark.filterwarnings("ignore:Testing an element's truth value:DeprecationWarning")  # azure-data-tables itself
@pytest.mark.azurite
async def test_a_key_that_the_storage_account_refuses_is_no_absence(clean_azurite: Azurite) -> None:
    wrong = base64.b64encode(b"0" * 64).decode()
    text = ";".join(
        f"AccountKey={wrong}" if part.startswith("AccountKey=") else part
        for part in clean_azurite.connection_string.split(";")
    )
    storage = connect_storage({names.STORAGE_CONNECTION: text})
    try:
        facts = await StorageInspector(storage, SystemClock()).look()
    finally:
        await storage.close()
    assert {thing.presence for thing in facts.things} == {Presence.REFUSED}
    assert {thing.detail for thing in facts.things} == {"HTTP 403"}
