"""The directory by the real SDK alone: what goes over the wire, and whatever the other side may answer."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from typing import Self

import pytest
from aiohttp import web
from azure.core.credentials import AccessToken
from azure.core.credentials_async import AsyncTokenCredential
from azure.core.exceptions import ClientAuthenticationError, ServiceRequestError
from azure.identity import CredentialUnavailableError
from kiota_abstractions.api_error import APIError

from shared.adapters.graph import directory, requests
from shared.adapters.memory import ManualClock
from shared.errors import AnswerLost, DirectoryRefused, MigrationError, Stop, Throttled, TryLater
from shared.ports import Directory, NewUser
from tests.contract.records import SOUTH, YARMOUTH, account_id
from tests.contract.standin import (
    ADA,
    ATTRIBUTES,
    GREAT_YARMOUTH,
    NOBODY,
    READS,
    REQUESTS,
    SOUTH_NORFOLK,
    WRITES,
    StandIn,
    asking,
    flagged,
    properties,
    served,
    somebody,
    standing_in,
)

type Request = Callable[[Directory], Awaitable[object]]

each_request = pytest.mark.parametrize("request_", REQUESTS.values(), ids=REQUESTS)
each_read = pytest.mark.parametrize("request_", READS.values(), ids=READS)
each_write = pytest.mark.parametrize("request_", WRITES.values(), ids=WRITES)
NO_ANSWER = ("unavailable-before-store", "html-502", "empty-500", "drop-before-store")
ANSWER_LOST = ("unavailable-after-store", "gateway-timeout-after-store", "drop-after-store")


@pytest.fixture
async def standin(clock: ManualClock) -> AsyncIterator[StandIn]:
    async with standing_in(clock) as found:
        yield found


# what goes over the wire


async def test_a_create_says_what_is_needed_and_no_more(standin: StandIn) -> None:
    await standin.graph.create(SOUTH_NORFOLK, ADA)
    [body] = standin.sent
    password = body.pop("passwordProfile")
    assert body == {
        "@odata.type": "#microsoft.graph.user",
        "displayName": "Ada Larter",
        "givenName": "Ada",
        "surname": "Larter",
        "identities": [
            {
                "signInType": "emailAddress",
                "issuer": "norfolkidentity.onmicrosoft.com",
                "issuerAssignedId": "ada@example.org",
            }
        ],
        "passwordPolicies": "DisablePasswordExpiration",
        ATTRIBUTES.owner_marker(SOUTH): account_id(1),
        ATTRIBUTES.customer_ref(SOUTH): "REF1",
    }
    assert password.keys() == {"password", "forceChangePasswordNextSignIn"}


async def test_both_ways_to_force_the_reset(standin: StandIn) -> None:
    await standin.graph.create(SOUTH_NORFOLK, ADA)
    [body] = standin.sent
    [user] = standin.stored
    assert body["passwordProfile"]["forceChangePasswordNextSignIn"] is True
    assert (user["force"], user.get(ATTRIBUTES.must_reset)) == (True, None)
    standin.tenant.store.purge(user["id"])
    await standin.graph.create(flagged(SOUTH_NORFOLK), ADA)
    [user] = standin.stored
    assert standin.sent[1]["passwordProfile"]["forceChangePasswordNextSignIn"] is False
    assert (user["force"], user[ATTRIBUTES.must_reset]) == (False, True)


async def test_every_password_is_long_strong_and_another(standin: StandIn) -> None:
    users = [NewUser(f"x{n}@example.org", "", "", account_id(n), f"R{n}") for n in range(20)]
    for user in users:
        await standin.graph.create(SOUTH_NORFOLK, user)
    passwords = [body["passwordProfile"]["password"] for body in standin.sent]
    assert len(set(passwords)) == len(users)
    assert all(24 <= user["password_length"] <= 64 for user in standin.stored)
    classes = (str.islower, str.isupper, str.isdigit, lambda c: not c.isalnum())
    assert all(any(map(kind, password)) for password in passwords for kind in classes)
    assert not [password for password in passwords if not password.isascii() or not password.isprintable()]


async def test_a_link_sends_our_two_attributes_alone(standin: StandIn) -> None:
    user = await standin.graph.create(SOUTH_NORFOLK, ADA)
    await standin.graph.link(GREAT_YARMOUTH, user, account_id(2), "Y2")
    attributes = {ATTRIBUTES.owner_marker(YARMOUTH): account_id(2), ATTRIBUTES.customer_ref(YARMOUTH): "Y2"}
    body = {name: value for name, value in standin.sent[1].items() if name != "@odata.type"}
    assert body == attributes


async def test_what_the_plan_counts_in_requests(standin: StandIn) -> None:
    requests = {}
    for name, request in REQUESTS.items():
        before = standin.requests
        await request(standin.graph)
        requests[name] = standin.requests - before
    expected = {
        "with_address": 2,
        "with_owner_marker": 1,
        "get": 1,
        "count_users": 1,
        "create": 1,
        "link": 1,
        "retire": 1,
    }
    assert requests == expected


async def test_pages_are_read_to_the_end_also_when_one_is_empty(
    clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(directory, "PAGE", 3)
    async with standing_in(clock, empty_page_every=2) as standin:
        standin.tenant.seed([properties(somebody(number)) for number in range(10)])
        await standin.graph.link(SOUTH_NORFOLK, somebody(9).id, account_id(1), "REF1")
        before = standin.requests
        counted = await standin.graph.count_users(SOUTH)
        assert (counted.without_mark, counted.users) == (9, 10)
        assert standin.requests - before > 4
        for _ in range(2):  # one of them begins with an empty page
            assert [user.id for user in await standin.graph.with_owner_marker(SOUTH, account_id(1))] == [somebody(9).id]


# no answer


@each_read
@pytest.mark.parametrize("kind", NO_ANSWER)
async def test_a_read_without_an_answer_is_for_later_and_was_asked_once(
    standin: StandIn, request_: Request, kind: str
) -> None:
    standin.fault(kind)
    with pytest.raises(TryLater) as caught:
        await request_(standin.graph)
    assert (type(caught.value), caught.value.cause) == (TryLater, "directory_unreachable")
    assert standin.requests == 1


@each_write
@pytest.mark.parametrize("kind", NO_ANSWER)
async def test_a_write_without_an_answer_is_in_doubt_and_was_sent_once(
    standin: StandIn, request_: Request, kind: str
) -> None:
    standin.fault(kind)
    with pytest.raises(AnswerLost):
        await request_(standin.graph)
    assert standin.requests == 1
    assert standin.stored == []


@pytest.mark.parametrize("kind", ANSWER_LOST)
async def test_what_was_stored_without_an_answer_is_found_by_its_mark(standin: StandIn, kind: str) -> None:
    standin.fault(kind, count=1)
    with pytest.raises(AnswerLost):
        await standin.graph.create(SOUTH_NORFOLK, ADA)
    [user] = await standin.graph.with_owner_marker(SOUTH, account_id(1))
    standin.fault(kind, count=1)
    with pytest.raises(AnswerLost):
        await standin.graph.link(GREAT_YARMOUTH, user.id, account_id(2), "Y2")
    [user] = await standin.graph.with_owner_marker(YARMOUTH, account_id(2))
    assert (len(standin.sent), len(standin.stored)) == (2, 1)


@each_request
async def test_a_request_that_hangs_ends(standin: StandIn, request_: Request, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requests, "DEADLINE", 0.2)
    standin.fault("hang")
    with pytest.raises(AnswerLost if request_ in WRITES.values() else TryLater):
        await asyncio.wait_for(request_(standin.graph), 5)


@each_request
async def test_a_directory_that_is_away_was_not_asked(clock: ManualClock, request_: Request) -> None:
    async with standing_in(clock) as gone:
        address = gone.address
    async with asking(address, clock) as graph:
        with pytest.raises(TryLater) as caught:
            await request_(graph)
    assert caught.value.cause == "directory_unreachable"


# throttled


@each_request
async def test_while_the_directory_asks_to_wait_nobody_asks_it(
    standin: StandIn, clock: ManualClock, request_: Request
) -> None:
    standin.fault("throttle-storm", count=1, retry_after=30)
    with pytest.raises(Throttled) as caught:
        await request_(standin.graph)
    assert caught.value.after == timedelta(seconds=30)
    clock.tick(timedelta(seconds=29))
    for other in REQUESTS.values():
        with pytest.raises(Throttled) as caught:
            await other(standin.graph)
        assert caught.value.after == timedelta(seconds=1)
    assert standin.requests == 1
    clock.tick(timedelta(seconds=1))
    await request_(standin.graph)
    assert standin.requests > 1


@pytest.mark.parametrize("retry_after", [None, 0])
async def test_a_throttling_that_does_not_say_how_long_is_waited_out_for_a_little(
    standin: StandIn, clock: ManualClock, retry_after: int | None
) -> None:
    standin.fault("throttle-storm", count=1, retry_after=retry_after)
    with pytest.raises(Throttled) as caught:
        await standin.graph.create(SOUTH_NORFOLK, ADA)
    assert not caught.value.after
    with pytest.raises(Throttled):
        await standin.graph.get(NOBODY)
    assert standin.requests == 1
    clock.tick(timedelta(seconds=5))
    assert await standin.graph.get(NOBODY) is None


@pytest.mark.parametrize(
    "text", ["soon", "-5", "Fri, 31 Dec 99999999999999999999 23:59:59 GMT", "Fri, 27 Nov 2026 23:59:59"]
)
def test_a_time_to_wait_that_cannot_be_read_is_none(text: str) -> None:
    error = APIError()
    error.response_headers = {"retry-after": text}
    assert requests._retry_after(error) is None  # noqa: SLF001


async def test_the_write_quota_is_answered_with_the_time_to_wait(clock: ManualClock) -> None:
    async with standing_in(clock, write_limit=1, write_window_seconds=100.0) as standin:
        await standin.graph.create(SOUTH_NORFOLK, ADA)
        with pytest.raises(Throttled) as caught:
            await standin.graph.link(GREAT_YARMOUTH, NOBODY, account_id(2), "Y2")
        assert caught.value.after
        assert timedelta(seconds=90) < caught.value.after <= timedelta(seconds=101)


async def test_only_what_the_directory_itself_refused_is_news(standin: StandIn) -> None:
    standin.fault("throttle-storm", count=1, retry_after=30)
    known = []
    for _ in range(2):
        with pytest.raises(Throttled) as caught:
            await standin.graph.get(NOBODY)
        known.append(caught.value.known)
    assert known == [False, True]


# how full it is


async def test_every_request_asks_for_low_priority(clock: ManualClock) -> None:
    priorities = []

    async def answer(request: web.Request) -> web.Response:
        priorities.append(request.headers.get("x-ms-throttle-priority"))
        return web.json_response({"error": {"code": "Request_BadRequest", "message": "no"}}, status=400)

    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", answer)
    async with served(app) as address, asking(address, clock) as graph:
        for request in REQUESTS.values():
            with pytest.raises(MigrationError):
                await request(graph)
    assert len(priorities) >= len(REQUESTS)
    assert set(priorities) == {"low"}


async def test_answers_that_succeed_tell_how_full_the_directory_is(clock: ManualClock) -> None:
    async with standing_in(clock, write_limit=10, write_window_seconds=1000.0) as standin:
        assert standin.graph.strain() == 0
        for number in range(10):
            user = NewUser(f"x{number}@example.org", "", "", account_id(number), f"R{number}")
            await standin.graph.create(SOUTH_NORFOLK, user)
            assert standin.graph.strain() == (pytest.approx((number + 1) / 10) if number >= 8 else 0)
        with pytest.raises(Throttled):
            await standin.graph.create(SOUTH_NORFOLK, ADA)
        assert standin.graph.strain() >= 1
        clock.tick(timedelta(seconds=6))
        assert standin.graph.strain() == 0


async def test_the_fullest_of_the_last_seconds_counts_and_what_is_no_share_does_not(clock: ManualClock) -> None:
    said = iter(["0.9", "1.4", "junk", "nan", "-1", "1e9", "0.85"])

    async def answer(request: web.Request) -> web.Response:
        del request
        headers = {"x-ms-throttle-limit-percentage": next(said)}
        return web.json_response({"value": []}, headers=headers)

    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", answer)
    async with served(app) as address, asking(address, clock) as graph:
        for expected in (0.9, 1.4, 1.4, 1.4, 1.4, 1.4):
            await graph.with_owner_marker(SOUTH, account_id(1))
            assert graph.strain() == expected
        clock.tick(timedelta(seconds=3))
        await graph.with_owner_marker(SOUTH, account_id(1))
        assert graph.strain() == 1.4
        clock.tick(timedelta(seconds=3))
        assert graph.strain() == 0.85


# stop


@each_request
async def test_a_refused_token_stops(standin: StandIn, request_: Request) -> None:
    standin.fault("unauthorized")
    assert await stopped(standin, request_) == "directory_sign_in_refused"


@each_request
async def test_a_missing_permission_stops(clock: ManualClock, request_: Request) -> None:
    async with standing_in(clock, permissions=()) as standin:
        assert await stopped(standin, request_) == "permission_missing"


async def test_a_full_directory_stops(clock: ManualClock) -> None:
    async with standing_in(clock, object_limit=1) as standin:
        await standin.graph.link(SOUTH_NORFOLK, NOBODY, account_id(1), "x")
        standin.tenant.seed([properties(somebody(1))])
        before = standin.requests
        with pytest.raises(Stop) as caught:
            await standin.graph.create(SOUTH_NORFOLK, ADA)
        assert (caught.value.reason, standin.requests - before) == ("directory_full", 1)


async def stopped(standin: StandIn, request: Request) -> str:
    with pytest.raises(Stop) as caught:
        await request(standin.graph)
    assert standin.requests == 1
    return caught.value.reason


# refused


async def refusal(standin: StandIn, request: Request) -> tuple[bool, bool, bool]:
    with pytest.raises(DirectoryRefused) as caught:
        await request(standin.graph)
    assert caught.value.code
    return caught.value.conflict, caught.value.attribute, caught.value.setting


@pytest.mark.parametrize("status", [400, 409])
@pytest.mark.parametrize("named", ["proxyAddresses", "identities", "signInNames", "userPrincipalName"])
async def test_a_conflict_is_known_whatever_property_it_names(clock: ManualClock, status: int, named: str) -> None:
    async with standing_in(clock, conflict_status=status, conflict_property=named) as standin:
        await standin.graph.create(SOUTH_NORFOLK, ADA)
        assert await refusal(standin, WRITES["create"]) == (True, False, False)


async def test_an_attribute_that_the_directory_does_not_know_is_named(clock: ManualClock) -> None:
    async with standing_in(clock, extensions=("SouthNorfolkCustomerRef:String",)) as standin:
        standin.tenant.seed([properties(somebody(1))])
        assert await refusal(standin, WRITES["create"]) == (False, True, False)
        link: Request = lambda graph: graph.link(SOUTH_NORFOLK, somebody(1).id, account_id(1), "REF1")  # noqa: E731
        assert await refusal(standin, link) == (False, True, False)
        assert [user["id"] for user in standin.stored] == [somebody(1).id]


@each_read
async def test_a_read_does_not_notice_an_attribute_that_the_directory_does_not_know(
    clock: ManualClock, request_: Request
) -> None:
    async with standing_in(clock, extensions=()) as standin:
        await request_(standin.graph)
        assert await standin.graph.with_owner_marker(SOUTH, account_id(1)) == ()


async def test_an_issuer_that_is_not_the_tenants_is_a_setting(clock: ManualClock) -> None:
    async with standing_in(clock, tenant="other.onmicrosoft.com") as standin:
        assert await refusal(standin, WRITES["create"]) == (False, False, True)


async def test_a_way_to_force_the_reset_that_is_not_accepted_is_a_setting(clock: ManualClock) -> None:
    async with standing_in(clock, force_change_accepted=False) as standin:
        assert await refusal(standin, WRITES["create"]) == (False, False, True)
        await standin.graph.create(flagged(SOUTH_NORFOLK), ADA)


async def test_a_value_that_one_user_alone_has_is_no_setting(standin: StandIn) -> None:
    long = NewUser("ada@example.org", "Ada", "x" * 65, account_id(1), "REF1")
    assert await refusal(standin, lambda graph: graph.create(SOUTH_NORFOLK, long)) == (False, False, False)


# not the directory at all


def answering(status: int, body: str) -> web.Application:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=status, text=body, content_type="application/json")

    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", answer)
    return app


@pytest.mark.parametrize("body", ["{}", '{"value": null}', "[]", '"hello"', "null", "", "{"])
@pytest.mark.parametrize("name", ["with_address", "with_owner_marker", "count_users"])
async def test_an_answer_without_a_list_does_not_say_that_nobody_is_there(
    clock: ManualClock, name: str, body: str
) -> None:
    async with served(answering(200, body)) as address, asking(address, clock) as graph:
        with pytest.raises(TryLater):
            await READS[name](graph)


@pytest.mark.parametrize("body", ["{}", "[]", '"hello"', "null", "", "{", '{"id": ""}'])
async def test_a_create_without_an_id_is_in_doubt(clock: ManualClock, body: str) -> None:
    async with served(answering(201, body)) as address, asking(address, clock) as graph:
        with pytest.raises(AnswerLost):
            await WRITES["create"](graph)


@pytest.mark.parametrize("name", ["with_address", "with_owner_marker", "count_users", "create"])
async def test_an_address_where_no_directory_is_stops(clock: ManualClock, name: str) -> None:
    body = '{"error": {"code": "BadRequest", "message": "Resource not found for the segment"}}'
    async with served(answering(404, body)) as address, asking(address, clock) as graph:
        with pytest.raises(Stop) as caught:
            await REQUESTS[name](graph)
        assert caught.value.reason == "setting_refused"


# the token


class Credential(AsyncTokenCredential):
    """Gives a token, or the trouble that it was made with."""

    def __init__(self, trouble: Exception | None = None) -> None:
        self.trouble = trouble
        self.scopes: list[str] = []

    async def get_token(self, *scopes: str, **_: object) -> AccessToken:
        self.scopes += scopes
        if self.trouble:
            raise self.trouble
        return AccessToken("a-token", 2**31)

    async def close(self) -> None:
        """Nothing is open."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        """Nothing is open."""


async def test_a_token_is_fetched_for_graph_whatever_the_address(clock: ManualClock) -> None:
    credential = Credential()
    async with standing_in(clock, require_token=True) as standin:
        async with asking(standin.address, clock, credential=credential) as graph:
            await graph.create(SOUTH_NORFOLK, ADA)
        assert set(credential.scopes) == {"https://graph.microsoft.com/.default"}
        assert await stopped_with(standin, READS["get"]) == "directory_sign_in_refused"


async def stopped_with(standin: StandIn, request: Request) -> str:
    with pytest.raises(Stop) as caught:
        await request(standin.graph)
    return caught.value.reason


@each_request
@pytest.mark.parametrize(
    ("trouble", "meaning"),
    [
        (ClientAuthenticationError("AADSTS7000215: invalid secret of ada@example.org"), Stop),
        (CredentialUnavailableError("no certificate"), Stop),
        (ServiceRequestError("cannot connect to login.microsoftonline.com"), TryLater),
    ],
)
async def test_where_no_token_is_to_be_had_the_directory_is_not_asked(
    standin: StandIn, clock: ManualClock, request_: Request, trouble: Exception, meaning: type[MigrationError]
) -> None:
    async with asking(standin.address, clock, credential=Credential(trouble)) as graph:
        with pytest.raises(meaning) as caught:
            await request_(graph)
    assert "ada" not in str(caught.value)
    assert standin.requests == 0
