"""Looking people up in the stand-in directory: filters, pages, what B2C refuses, and the shapes of the answers."""

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import yaml
from kiota_abstractions.base_request_configuration import RequestConfiguration
from msgraph.generated.models.o_data_errors.o_data_error import ODataError
from openapi_schema_validator import OAS30Validator

from local.standins.graph.properties import DEFAULT_SET, PROPERTIES
from tests.local.conftest_directory import (
    ADMINISTRATOR,
    EXTENSION,
    REFERENCE,
    TENANT,
    WIDE,
    Served,
    UserQuery,
    by_identity,
    identity,
    payload,
    person,
    serve,
)

pytestmark = pytest.mark.enable_socket


@pytest_asyncio.fixture
async def standin() -> AsyncIterator[Served]:
    async with serve() as served:
        yield served


COMPONENTS = yaml.safe_load((Path(__file__).parent / "graph-openapi-users.yaml").read_text(encoding="utf-8"))[
    "components"
]
ERROR = "microsoft.graph.ODataErrors.ODataError"
USER = "microsoft.graph.user"
PAGE = "microsoft.graph.userCollectionResponse"


def described_properties() -> dict[str, dict[str, Any]]:
    properties: dict[str, dict[str, Any]] = COMPONENTS["schemas"][USER]["allOf"][1]["properties"]
    return properties


def assert_shape(document: object, name: str) -> None:
    schema = {"$ref": f"#/components/schemas/{name}", "components": COMPONENTS}
    assert [error.message for error in OAS30Validator(schema).iter_errors(document)] == []


async def refusal(standin: Served, address: str, **headers: str) -> tuple[int, str, str]:
    answer = await standin.http.get(f"/v1.0{address}", headers=headers)
    assert_shape(answer.json(), ERROR)
    error = answer.json()["error"]
    return answer.status_code, error["code"], error["message"]


async def filter_refusal(standin: Served, text: str) -> tuple[str, str]:
    with pytest.raises(ODataError) as caught:
        await standin.find(text)
    assert caught.value.response_status_code == 400
    assert caught.value.error
    return caught.value.error.code or "", caught.value.error.message or ""


def names(users: list[Any]) -> list[str | None]:
    return [user.display_name for user in users]


# 2. Eventual visibility


async def test_a_new_user_shows_in_filters_and_lists_only_after_the_lag(standin: Served) -> None:
    standin.turn(visibility_lag_seconds=20)
    created = await standin.create()

    assert await standin.find(by_identity("ann@example.org")) == []
    assert (await standin.page()).value == []
    assert await standin.graph.users.by_user_id(created.id or "").get()
    standin.clock.passes(20)
    assert [user.id for user in await standin.find(by_identity("ann@example.org"))] == [created.id]


async def test_a_changed_user_is_found_by_its_old_values_until_the_lag_is_over(standin: Served) -> None:
    created = await standin.create(person(**{REFERENCE: "old"}))
    standin.turn(visibility_lag_seconds=20)
    standin.clock.passes(60)

    for value in ("newer", "newest"):
        await standin.patch(created.id, {REFERENCE: value})

    assert len(await standin.find(f"{REFERENCE} eq 'old'")) == 1
    assert await standin.find(f"{REFERENCE} eq 'newest'") == []
    standin.clock.passes(20)
    assert await standin.find(f"{REFERENCE} eq 'old'") == []
    assert len(await standin.find(f"{REFERENCE} eq 'newest'")) == 1


async def test_a_deleted_user_is_still_listed_during_the_lag(standin: Served) -> None:
    created = await standin.create()
    standin.clock.passes(60)
    standin.turn(visibility_lag_seconds=20, permissions=WIDE, roles=[ADMINISTRATOR])

    await standin.graph.users.by_user_id(created.id or "").delete()

    assert len((await standin.page()).value or []) == 1
    standin.clock.passes(20)
    assert (await standin.page()).value == []


async def test_a_new_id_answers_404_until_the_direct_lag_is_over(standin: Served) -> None:
    standin.turn(direct_lag_seconds=5)
    created = await standin.create()

    with pytest.raises(ODataError) as caught:
        await standin.graph.users.by_user_id(created.id or "").get()
    early = await standin.patch(created.id, {"surname": "New"})
    standin.clock.passes(5)
    later = await standin.patch(created.id, {"surname": "New"})

    assert caught.value.response_status_code == 404
    assert caught.value.error
    assert caught.value.error.code == "Request_ResourceNotFound"
    assert f"Resource '{created.id}' does not exist" in (caught.value.error.message or "")
    assert (early.status_code, later.status_code) == (404, 204)


# 3. What is shown unasked


def test_the_default_set_and_the_types_are_those_of_the_published_description() -> None:
    described = described_properties()

    assert set(DEFAULT_SET) - {"id"} == {name for name, each in described.items() if each["x-default-select"]}
    for name in PROPERTIES.keys() & described.keys() - {"identities", "passwordProfile", "signInActivity"}:
        assert PROPERTIES[name].operators <= set(re.findall(r"\w+", described[name].get("x-filter", "")))


async def test_only_the_default_properties_are_shown_unasked(standin: Served) -> None:
    created = await standin.create(person(**{REFERENCE: "SN-1"}))

    unasked = (await standin.http.get(f"/v1.0/users/{created.id}")).json()
    asked = (await standin.http.get(f"/v1.0/users/{created.id}?$select=identities,{REFERENCE},createdDateTime")).json()

    assert unasked.keys() == {"@odata.context", *DEFAULT_SET}
    assert asked.keys() == {"@odata.context", "identities", REFERENCE, "createdDateTime"}
    assert_shape(unasked, USER)
    assert_shape(asked, USER)


async def test_a_user_is_read_by_its_principal_name_too(standin: Served) -> None:
    created = await standin.create()

    found = await standin.graph.users.by_user_id(created.user_principal_name or "").get()

    assert found
    assert found.id == created.id


async def test_selecting_what_a_user_does_not_have_is_refused(standin: Served) -> None:
    status, code, message = await refusal(standin, "/users?$select=id,nickname")

    assert (status, code) == (400, "BadRequest")
    assert "Could not find a property named 'nickname'" in message


async def test_sign_in_activity_is_not_for_this_tenant(standin: Served) -> None:
    status, code, _ = await refusal(standin, "/users?$select=signInActivity")

    assert (status, code) == (403, "Authentication_RequestFromNonPremiumTenantOrB2CTenant")


# 4. What B2C refuses


@pytest.mark.parametrize("address", ["/users/delta", "/users/delta()", "/users/microsoft.graph.delta()"])
async def test_delta_is_refused(standin: Served, address: str) -> None:
    assert await refusal(standin, address) == (
        400,
        "Request_UnsupportedQuery",
        "Change enumeration is not supported for requested tenant.",
    )


async def test_delta_is_refused_to_the_sdk(standin: Served) -> None:
    with pytest.raises(ODataError) as caught:
        await standin.graph.users.delta.get()

    assert caught.value.response_status_code == 400


@pytest.mark.parametrize(
    "text",
    [
        "displayName ne 'Ann'",
        "not(displayName eq 'Ann')",
        "endsWith(mail,'@example.org')",
        "otherMails/$count ne 0",
    ],
)
async def test_advanced_filters_are_refused_even_with_the_header(standin: Served, text: str) -> None:
    status, code, message = await refusal(standin, f"/users?$filter={text}", consistencylevel="eventual")

    assert (status, code) == (400, "Request_UnsupportedQuery")
    assert "is not supported because the required parameters might be missing" in message


async def test_count_and_search_are_refused_but_the_header_alone_is_not(standin: Served) -> None:
    header = {"consistencylevel": "eventual"}

    assert (await refusal(standin, "/users/$count", **header))[2] == "$count is not currently supported."
    assert (await refusal(standin, "/users?$count=true", **header))[0] == 400
    assert (await refusal(standin, '/users?$search="displayName:Ann"', **header))[1] == "Request_UnsupportedQuery"
    assert (await standin.http.get("/v1.0/users", headers=header)).status_code == 200
    assert (await standin.http.get("/v1.0/users?$count=true")).status_code == 200


async def test_advanced_filters_work_where_switched_and_asked_for(standin: Served) -> None:
    standin.turn(advanced_queries_accepted=True)
    await standin.create()
    query = UserQuery(filter="endsWith(displayName,'invented')", count=True)
    asked = RequestConfiguration(query_parameters=query)
    asked.headers.add("ConsistencyLevel", "eventual")

    page = await standin.graph.users.get(asked)

    assert page
    assert names(page.value or []) == ["Ann Invented"]


# 6. The identities filter


@pytest.mark.parametrize("issuer", [TENANT, TENANT.upper(), "somebody.else"])
async def test_the_issuer_is_ignored_for_local_identities(standin: Served, issuer: str) -> None:
    await standin.create(person("", identity("ann@example.org"), identity("ann-1", "userName")))

    assert names(await standin.find(by_identity("ANN@example.org", issuer))) == ["Ann Invented"]
    assert names(await standin.find(by_identity("ann-1", issuer))) == ["Ann Invented"]


async def test_the_issuer_of_a_local_identity_counts_where_switched(standin: Served) -> None:
    standin.turn(filter_ignores_local_issuer=False)
    await standin.create()

    assert await standin.find(by_identity("ann@example.org", "somebody.else")) == []
    assert len(await standin.find(by_identity("ann@example.org"))) == 1


async def test_a_federated_identity_is_found_by_issuer_and_exact_id(standin: Served) -> None:
    await standin.create(person("", identity("ann@example.org"), identity("aB", "federated", "facebook.com")))

    assert len(await standin.find(by_identity("aB", "facebook.com"))) == 1
    assert await standin.find(by_identity("ab", "facebook.com")) == []
    assert await standin.find(by_identity("aB", "google.com")) == []
    assert len(await standin.find("identities/any(c:c/issuer eq 'facebook.com')")) == 1


async def test_a_principal_name_is_found_only_by_its_property(standin: Served) -> None:
    created = await standin.create()
    name = created.user_principal_name or ""

    assert await standin.find(by_identity(name)) == []
    assert len(await standin.find(f"userPrincipalName eq '{name}'")) == 1


@pytest.mark.parametrize("held", ["o'brien@example.org", "o+b@example.org", "o&b=c#d%20@example.org"])
async def test_marks_in_an_address_arrive_whole_through_the_sdk(standin: Served, held: str) -> None:
    await standin.create(person(held))

    assert len(await standin.find(by_identity(held))) == 1


async def test_a_raw_plus_is_a_space_and_finds_nobody(standin: Served) -> None:
    await standin.create(person("o+b@example.org"))
    text = by_identity("o+b@example.org").replace(" ", "%20")

    raw = await standin.http.get(f"/v1.0/users?$filter={text}")
    encoded = await standin.http.get(f"/v1.0/users?$filter={text.replace('+', '%2B')}")

    assert (raw.status_code, raw.json()["value"]) == (200, [])
    assert len(encoded.json()["value"]) == 1


@pytest.mark.parametrize(
    "text",
    [
        "identities/any(c:c/issuerAssignedId eq 'a')",
        "identities/any(c:c/issuer eq 'other.example')",
        "identities/any(c:c/issuerAssignedId eq 'a' and c/signInType eq 'userName')",
        "identities/any(c:c/issuerAssignedId ne 'a' and c/issuer eq 'b')",
        "identities/any(c:c/issuerAssignedId in ('a','b') and c/issuer eq 'c')",
        f"{by_identity('a')} or {by_identity('b')}",
    ],
)
async def test_other_questions_about_identities_are_refused(standin: Served, text: str) -> None:
    code, message = await filter_refusal(standin, text)

    assert (code, message) == ("Request_UnsupportedQuery", "Unsupported query on property 'ObjectIdentity'.")


async def test_a_prefix_of_an_identity_is_refused_in_its_own_words(standin: Served) -> None:
    text = f"identities/any(c:startswith(c/issuerAssignedId,'a') and c/issuer eq '{TENANT}')"

    _, message = await filter_refusal(standin, text)

    assert message.endswith("combination of property and operation occured")


async def test_several_identities_in_one_filter_are_a_switch(standin: Served) -> None:
    standin.turn(identities_or_accepted=True)
    for each in ("a@example.org", "b@example.org", "c@example.org"):
        await standin.create(person(each))

    assert len(await standin.find(f"{by_identity('a@example.org')} or {by_identity('b@example.org')}")) == 2


async def test_whether_the_filter_minds_case_is_a_switch(standin: Served) -> None:
    standin.turn(filter_case_sensitive=True)
    await standin.create()

    assert await standin.find(by_identity("Ann@example.org")) == []
    assert len(await standin.find(by_identity("ann@example.org"))) == 1


async def test_an_email_in_the_issuers_own_domain_is_hidden_where_switched(standin: Served) -> None:
    await standin.create(person(f"ann@{TENANT}"))
    assert len(await standin.find(by_identity(f"ann@{TENANT}"))) == 1

    standin.turn(own_domain_email_hidden=True)

    assert await standin.find(by_identity(f"ann@{TENANT}")) == []


# Other filters


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("displayName eq 'ann'", ["Ann"]),
        ("startsWith(displayName,'b')", ["Bob"]),
        ("displayName ge 'b'", ["Bob", "Cat"]),
        ("displayName in ('Ann', 'Cat')", ["Ann", "Cat"]),
        ("displayName eq 'Ann' or (displayName eq 'Bob' and accountEnabled eq true)", ["Ann", "Bob"]),
        ("accountEnabled eq false", ["Cat"]),
        ("otherMails/any(x:x eq 'b@other.org')", ["Bob"]),
        ("otherMails/any(m:startswith(m,'b@'))", ["Bob"]),
        (f"{REFERENCE} eq 'SN-2'", ["Bob"]),
        (f"{REFERENCE} eq null", ["Ann", "Cat"]),
        ("creationType eq 'LocalAccount'", ["Ann", "Bob", "Cat"]),
        ("createdDateTime ge 2020-01-01T00:00:00Z and createdDateTime le 2020-12-31", ["Cat"]),
        ("mail eq null and surname eq 'nobody'", []),
    ],
)
async def test_plain_filters_find_whom_they_mean(standin: Served, text: str, found: list[str]) -> None:
    cat = payload("cat@example.org", displayName="Cat", accountEnabled=False)
    standin.directory.seed(
        [cat | {"id": "00000000-0000-4000-8000-000000000003", "createdDateTime": "2020-06-01T00:00:00Z"}]
    )
    await standin.post(payload("ann@example.org", displayName="Ann"))
    await standin.post(payload("bob@example.org", displayName="Bob", otherMails=["B@other.org"], **{REFERENCE: "SN-2"}))

    assert sorted(map(str, names(await standin.find(text)))) == found


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("passwordPolicies eq 'DisablePasswordExpiration'", "Request_UnsupportedQuery"),
        ("lastPasswordChangeDateTime ge 2020-01-01T00:00:00Z", "Request_UnsupportedQuery"),
        ("displayName gt 'a'", "Request_UnsupportedQuery"),
        (f"startsWith({REFERENCE},'a')", "Request_UnsupportedQuery"),
        ("otherMails eq 'a@b.org'", "Request_UnsupportedQuery"),
        ("displayName/any(x:x eq 'a')", "Request_UnsupportedQuery"),
        ("nickname eq 'a'", "BadRequest"),
        ("displayName eq", "BadRequest"),
        ("displayName is 'a'", "BadRequest"),
        ("displayName eq 'a' and", "BadRequest"),
        ("displayName eq 'o'brien'", "BadRequest"),
        ("(displayName eq 'a'", "BadRequest"),
        ('displayName eq "a"', "BadRequest"),
        ("createdDateTime ge 2020-13-01", "BadRequest"),
    ],
)
async def test_other_filters_are_refused(standin: Served, text: str, code: str) -> None:
    assert (await filter_refusal(standin, text))[0] == code


# 9. Pages


async def people(standin: Served, count: int) -> list[str]:
    for n in range(count):
        await standin.post(payload(f"p{n}@example.org", displayName=f"P{n}"))
    return [f"P{n}" for n in range(count)]


async def all_pages(standin: Served, **query: Any) -> list[list[str | None]]:  # noqa: ANN401 - the SDK's own parameters
    page = await standin.page(**query)
    found = [names(page.value or [])]
    while page.odata_next_link:
        following = await standin.graph.users.with_url(page.odata_next_link).get()
        assert following
        page = following
        found.append(names(page.value or []))
    return found


async def test_pages_are_followed_to_the_end_by_their_links(standin: Served) -> None:
    everyone = await people(standin, 5)

    pages = await all_pages(standin, top=2, select=["displayName"], filter="startsWith(displayName,'P')")

    assert pages == [everyone[:2], everyone[2:4], everyone[4:]]


async def test_a_full_last_page_has_no_link(standin: Served) -> None:
    everyone = await people(standin, 4)

    assert await all_pages(standin, top=2) == [everyone[:2], everyone[2:]]


async def test_a_page_holds_a_hundred_unasked(standin: Served) -> None:
    standin.directory.seed({"id": f"{n}", "displayName": f"P{n}"} for n in range(101))

    assert [len(page) for page in await all_pages(standin)] == [100, 1]
    assert [len(page) for page in await all_pages(standin, top=999)] == [101]


async def test_an_empty_page_with_a_link_hides_nobody(standin: Served) -> None:
    standin.turn(empty_page_every=2)
    everyone = await people(standin, 4)

    pages = await all_pages(standin, top=2)

    assert pages == [everyone[:2], [], everyone[2:]]


async def test_users_deleted_between_pages_shift_nobody_out(standin: Served) -> None:
    standin.turn(permissions=WIDE, roles=[ADMINISTRATOR])
    everyone = await people(standin, 4)
    page = await standin.page(top=2)
    first = (page.value or [])[0]
    await standin.graph.users.by_user_id(first.id or "").delete()

    following = await standin.graph.users.with_url(page.odata_next_link or "").get()

    assert following
    assert names(following.value or []) == everyone[2:]


@pytest.mark.parametrize("query", ["$top=1000", "$top=0", "$top=x", "$skip=5", "$orderby=displayName", "$skiptoken=x"])
async def test_paging_beyond_the_rules_is_refused(standin: Served, query: str) -> None:
    assert (await refusal(standin, f"/users?{query}"))[0] == 400


# 14. Tolerance, addresses and shapes


async def test_annotations_in_a_payload_are_accepted_and_not_stored(standin: Served) -> None:
    body = payload() | {"@odata.type": "#microsoft.graph.user", "otherMails@odata.type": "#Collection(String)"}

    assert (await standin.post(body)).status_code == 201
    assert not any("@" in name for name in (await standin.raw())[0])


@pytest.mark.parametrize(
    ("method", "address", "status"),
    [("PUT", "/users", 405), ("POST", "/users/x", 405), ("GET", "/groups", 400), ("GET", "/users/x/manager", 400)],
)
async def test_other_addresses_and_methods_are_refused(standin: Served, method: str, address: str, status: int) -> None:
    answer = await standin.http.request(method, f"/v1.0{address}")

    assert answer.status_code == status
    assert_shape(answer.json(), ERROR)


@pytest.mark.parametrize("body", [b"", b"{", b"[]"])
async def test_a_body_that_is_no_object_is_refused(standin: Served, body: bytes) -> None:
    answer = await standin.http.post("/v1.0/users", content=body)

    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "BadRequest")


async def test_answers_have_the_published_shapes(standin: Served) -> None:
    standin.turn(permissions=WIDE, roles=[ADMINISTRATOR])
    await people(standin, 3)
    selected = ",".join(name for name in PROPERTIES if name not in {"signInActivity", "passwordProfile"})

    created = await standin.post(payload(**{EXTENSION + "MustResetPassword": True}))
    page = await standin.http.get(f"/v1.0/users?$top=2&$select={selected}")
    await standin.http.delete(f"/v1.0/users/{created.json()['id']}")
    deleted = await standin.http.get("/v1.0/directory/deletedItems/microsoft.graph.user")
    conflict = await standin.post(payload("p1@example.org"))

    assert_shape(created.json(), USER)
    assert_shape(page.json(), PAGE)
    assert_shape(deleted.json(), PAGE)
    assert_shape(conflict.json(), ERROR)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", conflict.json()["error"]["innerError"]["date"])


async def test_the_callers_own_request_id_comes_back(standin: Served) -> None:
    answer = await standin.http.get("/v1.0/users/nobody", headers={"client-request-id": "mine"})

    assert answer.headers["client-request-id"] == answer.json()["error"]["innerError"]["client-request-id"] == "mine"


async def test_a_token_is_asked_for_only_where_switched() -> None:
    async with serve(require_token=True) as standin:
        without = await standin.http.get("/v1.0/users")
        with_one = await standin.http.get("/v1.0/users", headers={"authorization": "Bearer invented"})

        assert (without.status_code, without.json()["error"]["code"]) == (401, "InvalidAuthenticationToken")
        assert with_one.status_code == 200
