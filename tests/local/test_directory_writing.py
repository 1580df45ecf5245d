"""Creating, changing and deleting users in the stand-in directory, by the documented rules."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from msgraph.generated.models.o_data_errors.o_data_error import ODataError
from msgraph.generated.models.password_profile import PasswordProfile
from msgraph.generated.models.user import User

from infra.directory.permissions import NARROW, READING
from local.standins.graph.rules import Rules
from tests.local.conftest_directory import (
    ACCOUNT,
    ADMINISTRATOR,
    EXTENSION,
    IDENTITIES,
    MUST_RESET,
    PASSWORD,
    REFERENCE,
    TENANT,
    WIDE,
    Served,
    by_identity,
    headers_of,
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


FEDERATED = {"signInType": "federated", "issuer": "facebook.com", "issuerAssignedId": "5eecb0cd"}


def details(error: ODataError) -> list[tuple[str | None, str | None]]:
    assert error.error
    return [(each.code, each.target) for each in error.error.details or []]


async def refused(standin: Served, body: dict[str, Any]) -> tuple[int, str, str]:
    answer = await standin.post(body)
    error = answer.json()["error"]
    assert await standin.raw() == []
    return answer.status_code, error["code"], error["message"]


# 1. Conflicts


async def test_a_second_user_with_the_same_email_is_a_400_object_conflict(standin: Served) -> None:
    await standin.create(person("ann@example.org"))

    with pytest.raises(ODataError) as caught:
        await standin.create(person("ANN@example.org"))

    assert caught.value.response_status_code == 400
    assert details(caught.value) == [("ObjectConflict", "proxyAddresses")]
    assert caught.value.error
    assert caught.value.error.inner_error
    assert caught.value.error.inner_error.request_id == headers_of(caught.value)["request-id"]
    assert len(await standin.raw()) == 1


@pytest.mark.parametrize("status", [400, 409])
async def test_the_property_and_status_of_a_conflict_are_switches(standin: Served, status: int) -> None:
    standin.turn(conflict_property="signInNames", conflict_status=status)
    await standin.create()

    with pytest.raises(ODataError) as caught:
        await standin.create()

    assert caught.value.response_status_code == status
    assert details(caught.value) == [("ObjectConflict", "signInNames")]


async def test_a_conflict_is_found_although_the_holder_is_not_visible_yet(standin: Served) -> None:
    standin.turn(visibility_lag_seconds=30)
    await standin.create()

    with pytest.raises(ODataError) as caught:
        await standin.create()

    assert details(caught.value)[0][0] == "ObjectConflict"
    assert await standin.find(by_identity("ann@example.org")) == []


async def test_a_user_name_equal_to_an_email_identity_of_the_same_issuer_conflicts(standin: Served) -> None:
    await standin.create(person("", identity("ann", "userName")))

    with pytest.raises(ODataError) as caught:
        await standin.create(person("", identity("Ann", "custom")))

    assert details(caught.value)[0][0] == "ObjectConflict"


async def test_federated_ids_that_differ_in_case_are_two_people_unless_switched(standin: Served) -> None:
    for held in ("ab", "AB"):
        body = payload(identities=[FEDERATED | {"issuerAssignedId": held}], passwordProfile=None)
        assert (await standin.post(body)).status_code == 201
    standin.turn(federated_case_sensitive=False)

    body = payload(identities=[FEDERATED | {"issuerAssignedId": "Ab"}], passwordProfile=None)

    assert (await standin.post(body)).json()["error"]["details"][0]["code"] == "ObjectConflict"


async def test_a_second_user_with_the_same_mail_conflicts_on_proxy_addresses(standin: Served) -> None:
    standin.turn(conflict_property="identities")
    await standin.post(payload("ann@example.org", mail="shared@example.org"))

    answer = await standin.post(payload("bob@example.org", mail="Shared@example.org"))

    assert answer.json()["error"]["details"][0]["target"] == "proxyAddresses"


# 3. What a new user is


async def test_a_created_user_has_what_graph_adds(standin: Served) -> None:
    created = await standin.create(person("Ann@example.org", **{REFERENCE: "SN-0012", MUST_RESET: True}))

    (stored,) = await standin.raw()
    name = f"{created.id}@{TENANT}"
    assert stored["identities"] == [
        {"signInType": "emailAddress", "issuer": TENANT, "issuerAssignedId": "Ann@example.org"},
        {"signInType": "userPrincipalName", "issuer": TENANT, "issuerAssignedId": name},
    ]
    assert stored["userPrincipalName"] == created.user_principal_name == name
    assert (stored["creationType"], stored["accountEnabled"]) == ("LocalAccount", True)
    assert stored["createdDateTime"] == stored["lastPasswordChangeDateTime"] == standin.directory.stamp()
    assert (stored[REFERENCE], stored[MUST_RESET]) == ("SN-0012", True)


async def test_a_password_is_neither_kept_nor_returned(standin: Served) -> None:
    answer = await standin.post(payload())

    (stored,) = await standin.raw()
    assert "passwordProfile" not in answer.json()
    assert "passwordProfile" not in stored
    assert PASSWORD not in str(stored)
    assert stored["passwordLength"] == len(PASSWORD)
    shown = await standin.http.get(f"/v1.0/users/{answer.json()['id']}?$select=passwordProfile")
    assert shown.json()["passwordProfile"] is None


@pytest.mark.parametrize("shown", [True, False])
async def test_whether_a_create_returns_identities_is_a_switch(standin: Served, *, shown: bool) -> None:
    standin.turn(create_returns_identities=shown)

    answer = await standin.post(payload())

    assert answer.status_code == 201
    assert ("identities" in answer.json()) is shown
    assert answer.json()["@odata.context"] == f"{standin.address}/v1.0/$metadata#users/$entity"


async def test_a_federated_only_user_has_no_password_and_no_creation_type(standin: Served) -> None:
    await standin.post(payload(identities=[FEDERATED], passwordProfile=None, passwordPolicies=None))

    (stored,) = await standin.raw()
    assert stored["creationType"] is None
    assert "lastPasswordChangeDateTime" not in stored


async def test_a_work_account_is_created_by_its_user_principal_name(standin: Served) -> None:
    body = payload(identities=None, accountEnabled=True, mailNickname="ann", userPrincipalName=f"ann@{TENANT}")

    assert (await standin.post(body)).status_code == 201
    again = await standin.post(body)
    assert again.json()["error"]["details"][0] == {
        "code": "ObjectConflict",
        "message": "Another object with the same value for property userPrincipalName already exists.",
        "target": "userPrincipalName",
    }


# What a create refuses


@pytest.mark.parametrize("missing", ["displayName", "passwordProfile"])
async def test_a_local_account_needs_a_name_and_a_password(standin: Served, missing: str) -> None:
    status, _, message = await refused(standin, payload(**{missing: None}))

    assert (status, missing in message) == (400, True)


@pytest.mark.parametrize("password", ["Sh0rt!a", "alllowercase1", "A1!" + "x" * 62])
async def test_a_weak_password_is_refused(standin: Served, password: str) -> None:
    _, code, message = await refused(standin, payload(passwordProfile={"password": password}))

    assert code == "Request_BadRequest"
    assert message.startswith("The specified password does not comply with password complexity requirements.")


async def test_a_plain_password_passes_where_the_policy_waives_strength(standin: Served) -> None:
    body = payload(
        passwordProfile={"password": "alllowercase"},
        passwordPolicies="DisablePasswordExpiration, DisableStrongPassword",
    )

    assert (await standin.post(body)).status_code == 201


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("displayName", "x" * 257),
        ("displayName", "Ann <b>"),
        ("givenName", "x" * 65),
        ("surname", "x" * 65),
        ("postalCode", "x" * 41),
        ("streetAddress", "x" * 1025),
        ("otherMails", ["x" * 251]),
        ("otherMails", ["jörg@example.org"]),
        ("otherMails", [f"a{n}@example.org" for n in range(251)]),
        ("mail", "né@example.org"),
        ("passwordPolicies", "Nonsense"),
        ("passwordPolicies", "DisableStrongPassword"),
        ("creationType", "LocalAccount"),
        (REFERENCE, "x" * 257),
        (REFERENCE, 12),
        (MUST_RESET, "true"),
    ],
)
async def test_a_value_beyond_its_limits_is_refused_by_name(standin: Served, name: str, value: object) -> None:
    status, code, message = await refused(standin, payload(**{name: value}))

    assert (status, code) == (400, "Request_BadRequest")
    assert message == f"Invalid value specified for property '{name}' of resource 'User'."


@pytest.mark.parametrize(
    ("kind", "held"),
    [
        ("emailAddress", "not an address"),
        ("emailAddress1", "ann@nowhere"),
        ("emailAddress", "a" * 53 + "@example.org"),
        ("userName", "ann.invented"),
        ("userName", "-ann"),
    ],
)
async def test_an_identity_that_breaks_its_rule_is_refused(standin: Served, kind: str, held: str) -> None:
    broken = [{"signInType": kind, "issuer": TENANT, "issuerAssignedId": held}]

    _, _, message = await refused(standin, payload(identities=broken))

    assert message == "Invalid value specified for property 'identities' of resource 'User'."


async def test_the_marks_of_an_email_pass_as_a_user_name_where_switched(standin: Served) -> None:
    standin.turn(strict_user_names=False)

    await standin.create(person("", identity("ann.invented", "userName")))

    assert len(await standin.raw()) == 1


async def test_an_email_of_64_characters_is_the_longest_that_signs_in(standin: Served) -> None:
    await standin.create(person("a" * 52 + "@example.org"))

    assert len(await standin.raw()) == 1


async def test_more_than_ten_identities_are_refused(standin: Served) -> None:
    many = [{"signInType": "federated", "issuer": "mail", "issuerAssignedId": f"{n}"} for n in range(11)]

    assert (await refused(standin, payload(identities=many, passwordProfile=None)))[0] == 400


async def test_a_local_identity_of_another_issuer_is_refused(standin: Served) -> None:
    foreign = [{"signInType": "emailAddress", "issuer": "other.onmicrosoft.com", "issuerAssignedId": "a@b.org"}]

    _, _, message = await refused(standin, payload(identities=foreign))

    assert message == "Issuer should match tenants domainName for non federated identity."


@pytest.mark.parametrize("identities", ["ann", ["ann"], [{"signInType": "userName"}]])
async def test_identities_of_another_shape_are_refused(standin: Served, identities: object) -> None:
    _, code, message = await refused(standin, payload(identities=identities))

    assert code == "BadRequest"
    assert message == "Property identities in payload has a value that does not match schema."


@pytest.mark.parametrize("name", ["id", "createdDateTime", "proxyAddresses", "lastPasswordChangeDateTime", "nick"])
async def test_read_only_and_unknown_properties_are_refused(standin: Served, name: str) -> None:
    status, _, message = await refused(standin, payload(**{name: "x"}))

    assert (status, name in message) == (400, True)


@pytest.mark.parametrize(
    ("switch", "body"),
    [
        ("password_expiry_must_be_disabled", payload(passwordPolicies=None)),
        ("federated_password_refused", payload(identities=[FEDERATED])),
    ],
)
async def test_what_the_pages_only_imply_is_refused_unless_switched(
    standin: Served, switch: str, body: dict[str, Any]
) -> None:
    assert (await standin.post(body)).status_code == 400

    standin.turn(**{switch: False})

    assert (await standin.post(body)).status_code == 201


# 4. Forced change


async def test_force_change_on_create_is_accepted_and_remembered(standin: Served) -> None:
    user = person()
    user.password_profile = PasswordProfile(password=PASSWORD, force_change_password_next_sign_in=True)

    await standin.create(user)

    assert (await standin.raw())[0]["forceChangePasswordNextSignIn"] is True


async def test_force_change_on_create_is_refused_where_switched(standin: Served) -> None:
    standin.turn(force_change_accepted=False)
    profile = {"password": PASSWORD, "forceChangePasswordNextSignIn": True}

    _, _, message = await refused(standin, payload(passwordProfile=profile))

    assert message == "Invalid value specified for property 'passwordProfile' of resource 'User'."


# 5. Changing identities


@pytest.fixture
def manager(standin: Served) -> Served:
    standin.turn(permissions=IDENTITIES)
    return standin


async def test_a_patch_replaces_the_whole_collection_of_identities(manager: Served) -> None:
    created = await manager.create(person("ann@example.org"))
    (stored,) = await manager.raw()

    answer = await manager.patch(created.id, {"identities": [stored["identities"][1], FEDERATED]})

    assert (answer.status_code, answer.content) == (204, b"")
    assert (await manager.raw())[0]["identities"] == [stored["identities"][1], FEDERATED]
    await manager.create(person("ann@example.org"))


async def test_a_patch_of_identities_without_the_principal_name_is_refused(manager: Served) -> None:
    created = await manager.create()
    before = await manager.raw()

    answer = await manager.patch(created.id, {"identities": [before[0]["identities"][0], FEDERATED]})

    assert answer.status_code == 400
    assert await manager.raw() == before


async def test_a_federated_identity_is_added_to_a_local_account_by_the_sdk(manager: Served) -> None:
    created = await manager.create()
    found = await manager.graph.users.by_user_id(created.id or "").get()
    (stored,) = await manager.find(by_identity("ann@example.org"), "id", "identities")
    assert found
    change = User(identities=[*(stored.identities or []), identity("5eecb0cd", "federated", "facebook.com")])

    assert await manager.graph.users.by_user_id(created.id or "").patch(change) is None

    assert FEDERATED in (await manager.raw())[0]["identities"]


async def test_a_local_account_cannot_be_added_to_a_federated_one(manager: Served) -> None:
    await manager.post(payload(identities=[FEDERATED], passwordProfile=None))
    (stored,) = await manager.raw()
    local = {"signInType": "emailAddress", "issuer": TENANT, "issuerAssignedId": "ann@example.org"}

    answer = await manager.patch(stored["id"], {"identities": [*stored["identities"], local]})

    assert answer.json()["error"]["message"].startswith("Adding a non-federated user signInType is not permitted")
    assert await manager.raw() == [stored]


async def test_an_identity_of_another_user_cannot_be_taken_by_a_patch(manager: Served) -> None:
    await manager.create(person("ann@example.org"))
    bob = await manager.create(person("bob@example.org"))
    held = (await manager.raw())[1]["identities"]

    answer = await manager.patch(bob.id, {"identities": [held[1], held[0] | {"issuerAssignedId": "ann@example.org"}]})

    assert answer.json()["error"]["details"][0]["code"] == "ObjectConflict"


# Changing the rest


async def test_a_patch_writes_and_removes_extensions_and_leaves_the_rest(standin: Served) -> None:
    created = await standin.create(person(**{REFERENCE: "SN-1", MUST_RESET: True}))
    change = User(additional_data={ACCOUNT: "77", REFERENCE: None, MUST_RESET: False})

    await standin.graph.users.by_user_id(created.id or "").patch(change)

    (stored,) = await standin.raw()
    assert REFERENCE not in stored
    assert (stored[ACCOUNT], stored[MUST_RESET], stored["surname"]) == ("77", False, "Invented")


async def test_a_patch_that_is_partly_wrong_changes_nothing(standin: Served) -> None:
    created = await standin.create()
    before = await standin.raw()

    for wrong in ({"displayName": None}, {"surname": "New", "givenName": "x" * 65}, {"surname": 5}):
        assert (await standin.patch(created.id, wrong)).status_code == 400

    assert await standin.raw() == before


async def test_other_mails_are_replaced_as_a_whole(standin: Served) -> None:
    answer = await standin.post(payload(otherMails=["a@example.org", "b@example.org"]))

    await standin.patch(answer.json()["id"], {"otherMails": ["c@example.org"]})

    assert (await standin.raw())[0]["otherMails"] == ["c@example.org"]


# 10. Permissions and the quota


async def test_a_password_change_needs_the_role(standin: Served) -> None:
    standin.turn(permissions=WIDE)
    created = await standin.create()
    change = {"passwordProfile": {"password": "Another-Pass-22", "forceChangePasswordNextSignIn": True}}

    denied = await standin.patch(created.id, change)
    standin.turn(roles=[ADMINISTRATOR])
    standin.clock.passes(60)
    accepted = await standin.patch(created.id, change)

    assert (denied.status_code, denied.json()["error"]["code"]) == (403, "Authorization_RequestDenied")
    assert accepted.status_code == 204
    (stored,) = await standin.raw()
    assert (stored["passwordLength"], stored["forceChangePasswordNextSignIn"]) == (15, True)
    assert stored["lastPasswordChangeDateTime"] > stored["createdDateTime"]


async def test_a_delete_needs_the_role(standin: Served) -> None:
    standin.turn(permissions=WIDE)
    created = await standin.create()

    with pytest.raises(ODataError) as caught:
        await standin.graph.users.by_user_id(created.id or "").delete()

    assert caught.value.response_status_code == 403
    assert caught.value.error
    assert caught.value.error.message == "Insufficient privileges to complete the operation."
    assert (await standin.http.get("/_standin/health")).json()["users"] == 1


@pytest.mark.parametrize(
    ("granted", "create", "read", "change", "identities", "quota"),
    [
        ([], 403, 403, 403, 403, 403),
        (["User.Read.All"], 403, 200, 403, 403, 403),
        (["Organization.Read.All"], 403, 403, 403, 403, 200),
        (["Directory.Read.All"], 403, 200, 403, 403, 200),
        (["User.Create"], 201, 403, 403, 403, 403),
        (["User.ReadUpdate.All"], 403, 200, 204, 403, 403),
        ([*READING, *NARROW], 201, 200, 204, 403, 200),
        (["User.ReadWrite.All"], 201, 200, 204, 403, 403),
        (["User.ManageIdentities.All"], 403, 403, 403, 403, 403),
        (["User.ReadWrite.All", "User.ManageIdentities.All"], 201, 200, 204, 204, 403),
    ],
)
async def test_each_permission_allows_what_is_documented(
    standin: Served, granted: list[str], create: int, read: int, change: int, identities: int, quota: int
) -> None:
    made = await standin.create()
    held = (await standin.raw())[0]["identities"]
    standin.turn(permissions=granted)

    assert (await standin.post(payload("bob@example.org"))).status_code == create
    assert (await standin.http.get("/v1.0/users")).status_code == read
    assert (await standin.patch(made.id, {"surname": "New"})).status_code == change
    assert (await standin.patch(made.id, {ACCOUNT: "a1"})).status_code == change
    assert (await standin.patch(made.id, {"identities": [*held, FEDERATED]})).status_code == identities
    assert (await standin.http.get("/beta/organization?$select=directorySizeQuota")).status_code == quota


def test_at_first_the_caller_may_do_what_the_stage_of_the_waves_grants() -> None:
    assert set(Rules().permissions) == {*READING, *NARROW}


async def test_sensitive_properties_need_their_own_permission_where_switched(standin: Served) -> None:
    created = await standin.create()
    assert (await standin.patch(created.id, {"accountEnabled": False})).status_code == 204

    standin.turn(sensitive_need_own_permission=True)

    assert (await standin.patch(created.id, {"otherMails": []})).status_code == 403


async def test_a_full_tenant_refuses_a_create() -> None:
    async with serve(object_limit=2) as standin:
        await standin.create(person("ann@example.org"))
        await standin.create(person("bob@example.org"))

        with pytest.raises(ODataError) as caught:
            await standin.create(person("cat@example.org"))

        assert caught.value.response_status_code == 403
        assert caught.value.error
        assert caught.value.error.code == "Directory_QuotaExceeded"
        quota = (await standin.http.get("/beta/organization?$select=directorySizeQuota")).json()["value"][0]
        assert quota["directorySizeQuota"] == {"used": 2, "total": 2}


# 11. The recycle bin


@pytest.fixture
def bin_of(standin: Served) -> Served:
    standin.turn(permissions=WIDE, roles=[ADMINISTRATOR])
    return standin


@pytest.mark.parametrize("segment", ["graph.user", "microsoft.graph.user"])
async def test_a_deleted_user_is_listed_and_restored(bin_of: Served, segment: str) -> None:
    created = await bin_of.create()
    await bin_of.graph.users.by_user_id(created.id or "").delete()
    assert (await bin_of.page()).value == []

    listed = (await bin_of.http.get(f"/v1.0/directory/deletedItems/{segment}?$select=id,deletedDateTime")).json()
    restored = await bin_of.graph.directory.deleted_items.by_directory_object_id(created.id or "").restore.post()

    assert listed["value"] == [{"id": created.id, "deletedDateTime": bin_of.directory.stamp()}]
    assert restored
    assert restored.id == created.id
    assert [each.id for each in (await bin_of.page()).value or []] == [created.id]


async def test_a_purged_user_is_gone_and_frees_its_identities(bin_of: Served) -> None:
    created = await bin_of.create()
    item = bin_of.graph.directory.deleted_items.by_directory_object_id(created.id or "")
    await bin_of.graph.users.by_user_id(created.id or "").delete()

    await item.delete()

    assert await bin_of.raw() == []
    with pytest.raises(ODataError) as caught:
        await item.restore.post()
    assert caught.value.response_status_code == 404
    await bin_of.create()


async def test_a_deleted_user_counts_a_quarter_against_the_quota(bin_of: Served) -> None:
    made = [await bin_of.create(person(f"p{n}@example.org")) for n in range(5)]
    for each in made[:4]:
        await bin_of.graph.users.by_user_id(each.id or "").delete()

    quota = (await bin_of.http.get("/beta/organization")).json()["value"][0]["directorySizeQuota"]

    assert quota["used"] == 2
    assert "directorySizeQuota" not in (await bin_of.http.get("/v1.0/organization")).json()["value"][0]


@pytest.mark.parametrize("held", [True, False])
async def test_whether_the_recycle_bin_holds_identities_is_a_switch(bin_of: Served, *, held: bool) -> None:
    bin_of.turn(soft_deleted_hold_identities=held)
    created = await bin_of.create()
    await bin_of.graph.users.by_user_id(created.id or "").delete()

    again = await bin_of.post(payload("ann@example.org"))

    assert again.status_code == (400 if held else 201)
    restored = await bin_of.http.post(f"/v1.0/directory/deletedItems/{created.id}/restore")
    assert restored.status_code == (200 if held else 400)


# 13. Extensions


@pytest.mark.parametrize(
    "name", [EXTENSION + "Unknown", "extension_ffffffffffffffffffffffffffffffff_SouthNorfolkCustomerRef"]
)
async def test_an_unknown_extension_is_not_available(standin: Served, name: str) -> None:
    with pytest.raises(ODataError) as caught:
        await standin.create(person(**{name: "x"}))

    assert caught.value.error
    assert caught.value.error.message == f"The following extension properties are not available: {name}."


async def test_a_new_extension_can_be_written_only_after_a_while(standin: Served) -> None:
    name = EXTENSION + "NorwichRef"
    standin.clock.passes(60)
    standin.turn(extension_not_ready_seconds=60, extensions=[*standin.directory.rules.extensions, "NorwichRef:String"])

    early = await standin.post(payload(**{name: "N-1"}))
    older = await standin.post(payload(**{REFERENCE: "SN-1"}))
    standin.clock.passes(60)
    later = await standin.patch(older.json()["id"], {name: "N-1"})

    assert early.json()["error"]["message"] == f"The following extension properties are not available: {name}."
    assert (older.status_code, later.status_code) == (201, 204)


async def test_the_preflight_lists_the_registered_extensions(standin: Served) -> None:
    answer = await standin.http.post("/v1.0/directoryObjects/getAvailableExtensionProperties", json={})

    assert {each["name"]: each["dataType"] for each in answer.json()["value"]}[MUST_RESET] == "Boolean"
