"""The directory's administrator runs `python3 -m infra.directory`."""

import base64
import json
import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PrivateFormat, pkcs12
from cryptography.x509.oid import NameOID

from infra.directory import attributes, credentials
from infra.directory.__main__ import PROFILES, Wish, main, set_up
from infra.directory.permissions import Stage
from infra.graph import AzureCli, CannotGoOnError, Changes
from shared.adapters.graph.attributes import Attributes
from shared.model.profile import read_profiles
from tests.unit.infra.tenant import CUSTOM, DOMAIN, EXTENSIONS_APP, NARROW, READING, TENANT, Tenant

CERTIFICATE = base64.b64encode(b"\x30\x82one").decode()
RENEWED = base64.b64encode(b"\x30\x82two").decode()


def run(tenant: Tenant, stage: Stage = Stage.ASSESS, /, *, dry: bool = False, **more: object) -> list[str]:
    """Set the tenant up; returns what was said."""
    said: list[str] = []
    wish = {"tenant": DOMAIN, "name": "Migration", "prefixes": ["SouthNorfolk"], **more}
    set_up(tenant, Changes(tenant, said.append, dry=dry), Wish(stage=stage, **wish))  # type: ignore[arg-type]
    return said


def test_before_the_plan_is_signed_the_app_may_only_read() -> None:
    tenant = Tenant()
    run(tenant)
    assert tenant.permissions() == set(READING)


def test_for_the_waves_it_may_create_and_mark_too_and_nothing_else() -> None:
    tenant = Tenant()
    run(tenant)
    run(tenant, Stage.WAVE)
    assert tenant.permissions() == {*READING, *NARROW}


def test_a_tenant_without_the_narrow_permissions_grants_the_wide_one() -> None:
    tenant = Tenant(offers=[*READING, "User.ReadWrite.All"])
    run(tenant, Stage.WAVE)
    assert tenant.permissions() == {*READING, "User.ReadWrite.All"}


def test_in_the_end_writing_is_taken_away() -> None:
    tenant = Tenant()
    run(tenant, Stage.WAVE)
    said = run(tenant, Stage.CLOSED)
    assert tenant.permissions() == set(READING)
    assert "  take User.Create away" in said


def test_a_right_that_somebody_added_is_taken_away_at_any_stage() -> None:
    tenant = Tenant()
    run(tenant, Stage.WAVE)
    path = f"servicePrincipals/{tenant.principal()['id']}/appRoleAssignments"
    extra = {"resourceId": tenant.microsoft["id"], "appRoleId": tenant.offers["User.DeleteRestore.All"]}
    tenant.ask("post", path, extra)
    run(tenant, Stage.WAVE)
    assert tenant.permissions() == {*READING, *NARROW}


def test_the_registration_asks_for_what_is_granted_so_that_a_consent_in_the_portal_grants_no_more() -> None:
    tenant = Tenant()
    run(tenant, Stage.WAVE)
    (asked,) = tenant.ours()["requiredResourceAccess"]
    assert {each["id"] for each in asked["resourceAccess"]} == {tenant.offers[name] for name in (*READING, *NARROW)}


@pytest.mark.parametrize("stage", Stage)
def test_running_it_twice_changes_nothing(stage: Stage) -> None:
    tenant = Tenant()
    run(tenant, stage, certificate=CERTIFICATE)
    tenant.writes.clear()
    assert run(tenant, stage, certificate=CERTIFICATE) == []
    assert tenant.writes == []


def test_a_dry_run_says_everything_and_does_nothing() -> None:
    tenant = Tenant()
    said = run(tenant, Stage.WAVE, dry=True, certificate=CERTIFICATE)
    assert tenant.writes == []
    assert [line.strip() for line in said] == [
        "would define the attribute SouthNorfolkAccount (String)",
        "would define the attribute SouthNorfolkCustomerRef (String)",
        "would define the attribute MustResetPassword (Boolean)",
        'would make the app registration "Migration"',
        "would make its service principal",
        "would trust this certificate",
        "would have the registration ask for User.Read.All, Organization.Read.All, User.Create, User.ReadUpdate.All",
        "would grant User.Read.All",
        "would grant Organization.Read.All",
        "would grant User.Create",
        "would grant User.ReadUpdate.All",
    ]


def test_the_attributes_are_those_that_the_app_writes() -> None:
    tenant = Tenant()
    run(tenant, prefixes=attributes.prefixes_of(PROFILES))
    app = EXTENSIONS_APP.replace("-", "")
    prefixes = {name: profile.attribute_prefix for name, profile in read_profiles(PROFILES).items()}
    assert {f"extension_{app}_{name}" for name in tenant.attributes()} == set(Attributes(app, prefixes).all)
    assert tenant.attributes()["MustResetPassword"] == "Boolean"


def test_an_attribute_of_another_type_stops_it_before_the_app_is_given_anything() -> None:
    tenant = Tenant()
    path = f"applications/{tenant.extensions['id']}/extensionProperties"
    tenant.ask("post", path, {"name": "SouthNorfolkAccount", "dataType": "Integer"})
    with pytest.raises(CannotGoOnError, match="SouthNorfolkAccount is there as Integer and should be String"):
        run(tenant)
    assert tenant.permissions() == set()


def test_a_tenant_that_is_no_b2c_directory_is_refused() -> None:
    with pytest.raises(CannotGoOnError, match="Is this the directory of the customers"):
        run(Tenant(b2c=False))


def test_being_signed_in_to_another_tenant_is_refused_before_anything_is_written() -> None:
    tenant = Tenant()
    with pytest.raises(CannotGoOnError, match=r"not to elsewhere\.onmicrosoft\.com"):
        run(tenant, tenant="elsewhere.onmicrosoft.com")
    assert tenant.writes == []


def test_two_registrations_of_the_same_name_are_for_a_person_to_tell_apart() -> None:
    tenant = Tenant()
    for _ in range(2):
        tenant.ask("post", "applications", {"displayName": "Migration"})
    with pytest.raises(CannotGoOnError, match="There are 2 app registrations"):
        run(tenant)


def test_a_renewed_certificate_stands_beside_the_old_one_until_it_is_to_stand_alone() -> None:
    tenant = Tenant()
    run(tenant, certificate=CERTIFICATE)
    run(tenant, certificate=RENEWED)
    assert [each["key"] for each in tenant.ours()["keyCredentials"]] == [CERTIFICATE, RENEWED]
    run(tenant, certificate=RENEWED, alone=True)
    assert [each["key"] for each in tenant.ours()["keyCredentials"]] == [RENEWED]


def test_a_directory_role_a_secret_and_foreign_permissions_are_told_and_left_alone() -> None:
    tenant = Tenant()
    run(tenant, certificate=CERTIFICATE)
    principal = f"servicePrincipals/{tenant.principal()['id']}"
    role = {"@odata.type": "#microsoft.graph.directoryRole", "displayName": "User Administrator"}
    tenant.lists[f"{principal}/memberOf"] = [role]
    tenant.lists[f"{principal}/appRoleAssignments"].append({"id": "x", "resourceId": "other", "appRoleId": "y"})
    tenant.ours()["passwordCredentials"] = [{"keyId": "z"}]
    tenant.writes.clear()
    said = run(tenant, certificate=CERTIFICATE)
    assert tenant.writes == []
    assert len(said) == 3
    assert any("User Administrator" in line for line in said)


def test_the_council_is_told_the_four_settings_it_needs() -> None:
    tenant = Tenant()
    wish = Wish(DOMAIN, Stage.ASSESS, "Migration", ["SouthNorfolk"])
    assert set_up(tenant, Changes(tenant, print, dry=False), wish) == {
        "DIRECTORY_TENANT": DOMAIN,
        "DIRECTORY_TENANT_ID": TENANT,
        "DIRECTORY_CLIENT_ID": tenant.ours()["appId"],
        "DIRECTORY_EXTENSIONS_APP_ID": EXTENSIONS_APP,
    }


@pytest.mark.parametrize("typed", [CUSTOM, TENANT, DOMAIN.upper()])
def test_whichever_name_of_the_tenant_was_typed_the_council_is_told_its_first_domain(typed: str) -> None:
    tenant = Tenant()
    wish = Wish(typed, Stage.ASSESS, "Migration", ["SouthNorfolk"])
    assert set_up(tenant, Changes(tenant, print, dry=False), wish)["DIRECTORY_TENANT"] == DOMAIN


def test_a_tenant_that_does_not_say_its_first_domain_is_not_guessed_at() -> None:
    tenant = Tenant()
    tenant.domains = [{"name": DOMAIN}]
    with pytest.raises(CannotGoOnError, match="which domain is its first one"):
        run(tenant)
    assert tenant.writes == []


KEY = ec.generate_private_key(ec.SECP256R1())
WITHOUT_PASSWORD = serialization.NoEncryption()


def a_certificate() -> x509.Certificate:
    """Signed by itself, as Key Vault makes one."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "directory")])
    day = datetime(2026, 1, 1, tzinfo=UTC)
    made = x509.CertificateBuilder(name, name, KEY.public_key(), 1, day, day + timedelta(days=365))
    return made.sign(KEY, hashes.SHA256())


def test_a_certificate_is_taken_as_text_or_as_bytes(tmp_path: Path) -> None:
    certificate = a_certificate()
    (tmp_path / "bytes.cer").write_bytes(certificate.public_bytes(Encoding.DER))
    (tmp_path / "text.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
    taken = credentials.public_part(tmp_path / "bytes.cer")
    assert base64.b64decode(taken) == certificate.public_bytes(Encoding.DER)
    assert credentials.public_part(tmp_path / "text.pem") == taken


def _files_with_a_key() -> dict[str, bytes]:
    pfx = pkcs12.serialize_key_and_certificates(b"directory", KEY, a_certificate(), None, WITHOUT_PASSWORD)
    text = b"-----BEGIN CERTIFICATE-----\n" + base64.encodebytes(pfx) + b"-----END CERTIFICATE-----\n"
    return {
        "a .pfx as Key Vault gives it": pfx,
        "a .pfx as text, called a certificate": text,
        "a key, PKCS#8": KEY.private_bytes(Encoding.DER, PrivateFormat.PKCS8, WITHOUT_PASSWORD),
        "a key as OpenSSL writes it": KEY.private_bytes(
            Encoding.DER, PrivateFormat.TraditionalOpenSSL, WITHOUT_PASSWORD
        ),
        "a .pfx of unsaid length": b"\x30\x80\x02\x01\x03" + pfx[7:],
    }


def _files_that_are_not_one_certificate() -> dict[str, bytes]:
    certificate = a_certificate().public_bytes(Encoding.DER)
    password = serialization.BestAvailableEncryption(b"x")
    request = x509.CertificateSigningRequestBuilder(x509.Name([])).sign(KEY, hashes.SHA256())
    pem = a_certificate().public_bytes(Encoding.PEM)
    return {
        "a key under a password": KEY.private_bytes(Encoding.DER, PrivateFormat.PKCS8, password),
        "a request": request.public_bytes(Encoding.DER),
        "a certificate with something behind it": certificate + b"more",
        "half a certificate": certificate[:-1],
        "two certificates": pem + pem,
        "one byte": b"\x30",
        "nothing": b"",
    }


@pytest.mark.parametrize("content", _files_with_a_key().values(), ids=_files_with_a_key())
def test_a_file_that_holds_a_private_key_is_refused_whatever_its_kind(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "directory.cer").write_bytes(content)
    with pytest.raises(CannotGoOnError, match="has a private key in it"):
        credentials.public_part(tmp_path / "directory.cer")


@pytest.mark.parametrize(
    "content", _files_that_are_not_one_certificate().values(), ids=_files_that_are_not_one_certificate()
)
def test_what_is_not_one_certificate_from_end_to_end_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "directory.cer").write_bytes(content)
    with pytest.raises(CannotGoOnError, match="is no certificate"):
        credentials.public_part(tmp_path / "directory.cer")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("-----BEGIN PRIVATE KEY-----", "private key"),
        ("-----BEGIN CERTIFICATE-----\n!!\n", "is no certificate"),
        ("hello", "is no certificate"),
    ],
)
def test_what_is_no_public_part_is_refused(tmp_path: Path, content: str, said: str) -> None:
    file = tmp_path / "file"
    file.write_text(content)
    with pytest.raises(CannotGoOnError, match=said):
        credentials.public_part(file)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(CannotGoOnError, match=r"nowhere\.cer cannot be read"):
        credentials.public_part(tmp_path / "nowhere.cer")


def test_help_teaches_with_examples(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(["--help"])
    assert "--stage assess --dry-run" in capsys.readouterr().out


@pytest.fixture
def az(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Puts a program named `az` on the path that does what it is given in Python; returns where it may write."""

    def install(does: str) -> Path:
        program = tmp_path / "az"
        program.write_text(f"#!{sys.executable}\nimport json, os, sys\nhere = os.path.dirname(__file__)\n{does}\n")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
        return tmp_path

    return install


TELLS: Final = "json.dump([sys.argv[1:], sys.stdin.read()], open(here + '/got', 'w')); print('{\"id\": \"1\"}')"


def test_azure_cli_gets_the_body_by_standard_input(az: Callable[[str], Path]) -> None:
    folder = az(TELLS)
    answer = AzureCli().ask("post", "applications", {"name": "x & y"})
    arguments, body = json.loads((folder / "got").read_text())
    assert answer == {"id": "1"}
    assert arguments[arguments.index("--url") + 1] == "https://graph.microsoft.com/v1.0/applications"
    assert arguments[arguments.index("--body") + 1] == "@-"
    assert json.loads(body) == {"name": "x & y"}


def test_no_argument_of_a_question_holds_what_the_shell_of_windows_would_read(az: Callable[[str], Path]) -> None:
    folder = az(TELLS)
    AzureCli().ask("get", "applications?$filter=displayName eq 'A & B'&$select=id,appId")
    arguments, address = json.loads((folder / "got").read_text())
    assert arguments[arguments.index("--url") + 1] == "@-"
    assert address == (
        "https://graph.microsoft.com/v1.0/applications?$filter=displayName%20eq%20'A%20%26%20B'&$select=id,appId"
    )
    assert not [each for each in arguments if set(each) & set("&|<>^%'\" ")]


@pytest.mark.parametrize(
    ("error", "said"),
    [
        ("ERROR: Please run 'az login' to setup account.", "az login --tenant DOMAIN"),
        ('ERROR: Forbidden({"error":{"code":"Authorization_RequestDenied"}})', "Application Administrator"),
        ('ERROR: Not Found({"error":{"code":"Request_ResourceNotFound"}})', "run the same command again"),
        ("ERROR: Bad Request(...)", "refused .GET organization.: ERROR: Bad Request"),
    ],
)
def test_whatever_azure_cli_says_becomes_what_to_do(az: Callable[[str], Path], error: str, said: str) -> None:
    az(f"sys.exit({error!r})")
    with pytest.raises(CannotGoOnError, match=said):
        AzureCli().ask("get", "organization?$select=id")


def test_the_command_ends_with_status_1_and_one_sentence_when_it_cannot_go_on(
    az: Callable[[str], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    az("sys.exit(\"ERROR: Please run 'az login' to setup account.\")")
    assert main(["--tenant", DOMAIN, "--stage", "assess"]) == 1
    assert capsys.readouterr().err.startswith("Stopped: Nobody is signed in.")
