"""The council's engineer runs `python3 -m infra.sign_in`."""

import pytest

from infra.graph import CannotGoOnError, Changes
from infra.sign_in import manifest
from infra.sign_in.__main__ import Wish, main, make_parser, set_up
from shared.access.roles import Role
from tests.unit.infra.tenant import DOMAIN, TENANT, Tenant

URL = "https://func-migration-x.azurewebsites.net"
IDENTITY = "22222222-0000-4000-8000-000000000000"
ANOTHER = "22222222-0000-4000-8000-000000000001"
GROUP = "33333333-0000-4000-8000-000000000000"
NOBODY = "44444444-0000-4000-8000-000000000000"


def a_tenant() -> Tenant:
    """The council's tenant, with two managed identities and a group."""
    tenant = Tenant(b2c=False)
    for identity in (IDENTITY, ANOTHER):
        tenant.know(f"servicePrincipals/{identity}", displayName="app", servicePrincipalType="ManagedIdentity")
    tenant.know(f"directoryObjects/{GROUP}", **{"@odata.type": "#microsoft.graph.group"})
    return tenant


def run(
    tenant: Tenant, *, dry: bool = False, identity: str = IDENTITY, assign: str = "", holder: str = GROUP
) -> list[str]:
    """Make the registration; returns what was said."""
    said: list[str] = []
    pairs = [(assign, holder)] if assign else []
    set_up(tenant, Changes(tenant, said.append, dry=dry), Wish(DOMAIN, URL, identity, "Sign-in", pairs))
    return said


def test_the_app_roles_are_those_that_the_app_asks_for() -> None:
    assert set(manifest.ROLES) == {role.value for role in Role}


def test_the_registration_says_its_roles_its_way_back_and_its_scope() -> None:
    tenant = a_tenant()
    run(tenant)
    ours = tenant.ours()
    assert {role["value"] for role in ours["appRoles"]} == set(manifest.ROLES)
    assert ours["web"]["redirectUris"] == [f"{URL}/.auth/login/aad/callback"]
    assert ours["identifierUris"] == [f"api://{ours['appId']}"]
    (scope,) = ours["api"]["oauth2PermissionScopes"]
    (client,) = ours["api"]["preAuthorizedApplications"]
    assert client == {"appId": manifest.AZURE_CLI, "delegatedPermissionIds": [scope["id"]]}


def test_the_managed_identity_vouches_for_it_so_there_is_no_secret() -> None:
    tenant = a_tenant()
    run(tenant)
    (voucher,) = tenant.lists[f"applications/{tenant.ours()['id']}/federatedIdentityCredentials"]
    assert voucher["subject"] == IDENTITY
    assert voucher["issuer"] == f"https://login.microsoftonline.com/{TENANT}/v2.0"
    assert "passwordCredentials" not in tenant.ours()


def test_whoever_has_no_role_gets_no_token() -> None:
    tenant = a_tenant()
    run(tenant)
    assert tenant.principal()["appRoleAssignmentRequired"] is True


def test_a_group_is_given_a_role_once() -> None:
    tenant = a_tenant()
    run(tenant, assign="operator")
    run(tenant, assign="operator")
    (given,) = tenant.lists[f"servicePrincipals/{tenant.principal()['id']}/appRoleAssignedTo"]
    (role,) = (each["id"] for each in tenant.ours()["appRoles"] if each["value"] == "operator")
    assert (given["principalId"], given["appRoleId"]) == (GROUP, role)


def test_running_it_twice_changes_nothing() -> None:
    tenant = a_tenant()
    run(tenant, assign="viewer")
    tenant.writes.clear()
    assert run(tenant, assign="viewer") == []
    assert tenant.writes == []


def test_a_dry_run_does_nothing() -> None:
    tenant = a_tenant()
    said = run(tenant, dry=True, assign="viewer")
    assert tenant.writes == []
    assert len(said) == 7


def test_another_identity_takes_the_place_of_the_one_that_vouched() -> None:
    tenant = a_tenant()
    run(tenant)
    run(tenant, identity=ANOTHER)
    (voucher,) = tenant.lists[f"applications/{tenant.ours()['id']}/federatedIdentityCredentials"]
    assert voucher["subject"] == ANOTHER


@pytest.mark.parametrize("dry", [True, False])
def test_an_identity_that_is_not_there_is_told_before_anything_is_made(*, dry: bool) -> None:
    tenant = a_tenant()
    with pytest.raises(CannotGoOnError, match=f"no managed identity {NOBODY}. Take IDENTITY_PRINCIPAL_ID"):
        run(tenant, identity=NOBODY, dry=dry)
    assert tenant.writes == []


def test_a_client_id_in_place_of_the_identitys_object_id_is_told_with_the_right_one() -> None:
    tenant = a_tenant()
    client = tenant.objects[f"servicePrincipals/{IDENTITY}"]["appId"]
    with pytest.raises(CannotGoOnError, match=f"{client} is a client id; its object id is {IDENTITY}"):
        run(tenant, identity=client)
    assert tenant.writes == []


def test_an_application_does_not_vouch() -> None:
    tenant = a_tenant()
    tenant.know(f"servicePrincipals/{NOBODY}", displayName="Payroll", servicePrincipalType="Application")
    with pytest.raises(CannotGoOnError, match='is "Payroll", which is no managed identity'):
        run(tenant, identity=NOBODY)


@pytest.mark.parametrize("dry", [True, False])
def test_a_role_for_somebody_who_is_not_there_is_told_before_anything_is_made(*, dry: bool) -> None:
    tenant = a_tenant()
    with pytest.raises(CannotGoOnError, match=f"no person or group {NOBODY}"):
        run(tenant, assign="viewer", holder=NOBODY, dry=dry)
    assert tenant.writes == []


def test_a_role_is_for_people_and_groups() -> None:
    tenant = a_tenant()
    tenant.know(f"directoryObjects/{NOBODY}", **{"@odata.type": "#microsoft.graph.servicePrincipal"})
    with pytest.raises(CannotGoOnError, match="is a servicePrincipal: roles are given to people and groups"):
        run(tenant, assign="viewer", holder=NOBODY)


def test_a_role_that_is_there_keeps_its_id_and_a_foreign_one_stays() -> None:
    there = [{"value": "viewer", "id": "old"}, {"value": "auditor", "id": "theirs"}]
    roles = {role["value"]: role["id"] for role in manifest.make_roles(there)}
    assert roles["viewer"] == "old"
    assert roles["auditor"] == "theirs"


@pytest.mark.parametrize(
    "wrong",
    ["--assign=chief=1", "--assign=viewer", "--assign=viewer=typo", "--url=http://app", "--identity=not-an-id"],
)
def test_a_wrong_option_is_refused_with_an_example(wrong: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        make_parser().parse_args(["--tenant", DOMAIN, "--identity", IDENTITY, "--url", URL, wrong])
    assert "should be" in capsys.readouterr().err


def test_help_teaches_with_examples(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(["--help"])
    assert "--assign operator=" in capsys.readouterr().out
