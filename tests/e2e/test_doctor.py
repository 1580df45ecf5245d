"""Each fault planted alone, in a healthy stack: the doctor finds it, says how to mend it, and finds nothing else."""

import base64
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest
from azure.data.tables import TableClient, TableServiceClient
from azure.storage.blob import BlobServiceClient
from azure.storage.queue import QueueServiceClient
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import NameOID

from local.samples.generate import Order, generate_samples
from local.stack import PSEUDONYM_KEY, ROOT, Process, Stack, free_port, get_json, run_stack, send_json
from local.standins.notify import services
from local.standins.notify.templates import BUILT_IN_FILE
from shared import names
from shared.model.pseudonyms import Pseudonyms
from shared.settings.schedules import RECONCILE, RELEASE_ACCOUNTS

pytestmark = [pytest.mark.e2e, pytest.mark.azurite, pytest.mark.xdist_group("doctor")]

EXTENSIONS: Final = [
    "SouthNorfolkCustomerRef:String",
    "SouthNorfolkAccount:String",
    "GreatYarmouthCustomerRef:String",
    "GreatYarmouthAccount:String",
    "MustResetPassword:Boolean",
]
NEW_YEAR: Final = "0 0 0 1 1 *"
"""When timers run that have nothing to do here."""
READING: Final = ["User.Read.All", "Organization.Read.All"]
WIDE: Final = ["User.ReadWrite.All", "Organization.Read.All"]


@dataclass
class Ward:
    """A healthy stack, and the doctor in it."""

    stack: Stack
    folder: Path

    def asked(self, purpose: str = "wave", authority: str = "") -> dict[str, Any]:
        """What the app itself says."""
        found: dict[str, Any] = get_json(f"{self.stack.hosts[0].url}/api/doctor?for={purpose}&authority={authority}")
        return found

    def ops(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """The command as a person types it."""
        return self._run("ops", "doctor", *arguments, OPS_URL=f"http://127.0.0.1:{free_port()}", COLUMNS="160")

    def here(self, purpose: str = "wave", **settings: str | None) -> dict[str, Any]:
        """What the examination says that `ops doctor` runs where no app answers, with some settings changed."""
        return self._report(self._run("shared.runtime.doctor", "--for", purpose, "--json", **settings))

    def here_by_ops(self, purpose: str = "wave") -> dict[str, Any]:
        """The same by the command itself."""
        done = self.ops("--for", purpose, "--json")
        assert "No app answers" in done.stderr
        return self._report(done)

    def _report(self, done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
        """What it says; its exit status tells whether there are findings."""
        assert done.returncode in {0, 2}, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        assert done.returncode == (2 if found["findings"] else 0)
        return found

    def _run(self, module: str, *arguments: str, **settings: str | None) -> subprocess.CompletedProcess[str]:
        environment = {**self.stack.environment(), **settings}
        return subprocess.run(  # noqa: S603 - our own command
            [sys.executable, "-m", module, *arguments],
            cwd=ROOT,
            env={name: value for name, value in environment.items() if value is not None},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    @contextmanager
    def directory(self, **rules: object) -> Iterator[None]:
        with self._turned(self.stack.directory, rules):
            yield

    @contextmanager
    def notify(self, **rules: object) -> Iterator[None]:
        with self._turned(self.stack.notify, rules):
            yield

    @contextmanager
    def _turned(self, where: Process, rules: dict[str, object]) -> Iterator[None]:
        address = f"{where.url}/_standin/rules"
        before = get_json(address)
        send_json(address, rules, "PATCH")
        try:
            yield
        finally:
            send_json(address, {name: before[name] for name in rules}, "PATCH")


@pytest.fixture(scope="module")
def ward(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ward]:
    folder = tmp_path_factory.mktemp("doctor")
    generate_samples(Order({"south-norfolk": 100, "great-yarmouth": 100}, 7, 100), folder / "samples")
    with run_stack(folder / "run", seed=folder / "samples" / "directory.json") as started:
        started.settings |= dict.fromkeys((RELEASE_ACCOUNTS, RECONCILE), NEW_YEAR)
        started.add_host()
        yield Ward(started, folder)


def the_finding(report: dict[str, Any]) -> dict[str, Any]:
    """The one finding that there is."""
    found = [check for check in report["checks"] if check["status"] in {"missing", "too_much"}]
    assert len(found) == 1, found
    assert report["findings"] == 1
    assert found[0]["mend"]
    assert found[0]["anchor"] == f"docs/runbook.md#doctor-{found[0]['code'].replace('_', '-')}"
    one: dict[str, Any] = found[0]
    return one


def test_a_healthy_stack_has_no_finding(ward: Ward) -> None:
    users = get_json(f"{ward.stack.directory.url}/_standin/users")
    for report in (ward.asked(), ward.here(), ward.here_by_ops()):
        assert [check for check in report["checks"] if check["status"] != "ok"] == []
        assert report["findings"] == 0
    assert get_json(f"{ward.stack.directory.url}/_standin/users") == users
    assert get_json(f"{ward.stack.notify.url}/_standin/notifications") == []


def test_before_approval_and_at_the_end_every_write_right_is_too_many(ward: Ward) -> None:
    for purpose in ("assess", "closed"):
        found = the_finding(ward.asked(purpose))
        assert found["status"] == "too_much"
        assert "create users and change users" in found["found"]
        with ward.directory(permissions=READING):
            assert ward.asked(purpose)["findings"] == 0


def test_the_wide_permission_will_do_where_a_tenant_shows_no_narrow_ones(ward: Ward) -> None:
    with ward.directory(permissions=WIDE):
        assert ward.asked()["findings"] == 0


def test_no_token(ward: Ward) -> None:
    with ward.directory(require_token=True):
        report = ward.asked()
    found = the_finding(report)
    assert found["code"] == "directory_sign_in"
    assert "DIRECTORY_CLIENT_ID" in found["mend"]
    unseen = [check["name"] for check in report["checks"] if check["status"] == "not_checked"]
    assert "rights that are needed" in unseen
    assert "attribute MustResetPassword" in unseen


@pytest.mark.parametrize(
    ("permissions", "says"),
    [
        (READING, "may not create users or change users"),
        ([*READING, "User.Create"], "may not change users"),
        ([*READING, "User.ReadUpdate.All"], "may not create users"),
        (["User.Create"], "may not read users or change users"),
    ],
)
def test_a_missing_permission(ward: Ward, permissions: list[str], says: str) -> None:
    with ward.directory(permissions=permissions):
        found = the_finding(ward.asked())
    assert found["code"] == "permission_missing"
    assert says in found["found"]
    assert "admin consent" in found["mend"]


@pytest.mark.parametrize(
    ("rules", "says"),
    [
        ({"permissions": WIDE, "roles": ["User Administrator"]}, "delete users and change passwords"),
        ({"permissions": [*WIDE, "User.ManageIdentities.All"]}, "change how users sign in"),
        ({"permissions": [*WIDE, "Directory.ReadWrite.All"]}, "create groups"),
        ({"permissions": [*WIDE, "Application.ReadWrite.All"]}, "register applications"),
    ],
)
def test_a_right_too_many(ward: Ward, rules: dict[str, object], says: str) -> None:
    with ward.directory(**rules):
        found = the_finding(ward.asked())
    assert found["status"] == "too_much"
    assert says in found["found"]
    assert "Take away" in found["mend"]


@pytest.mark.parametrize(
    ("extensions", "says"),
    [
        (EXTENSIONS[1:], "not defined: SouthNorfolkCustomerRef (String)"),
        (EXTENSIONS[:-1], "not defined: MustResetPassword (Boolean)"),
        (EXTENSIONS[2:], "SouthNorfolkAccount (String), SouthNorfolkCustomerRef (String)"),
        ([], "none of ours"),
        (
            ["SouthNorfolkCustomerRef:Integer", *EXTENSIONS[1:]],
            "SouthNorfolkCustomerRef is Integer and should be String",
        ),
        ([*EXTENSIONS[:-1], "MustResetPassword:String"], "MustResetPassword is String and should be Boolean"),
    ],
)
def test_an_extension_attribute_that_is_missing_or_of_another_type(
    ward: Ward, extensions: list[str], says: str
) -> None:
    with ward.directory(extensions=extensions):
        found = the_finding(ward.asked())
    assert found["code"] == "attribute_missing"
    assert says in found["found"]


def test_attributes_are_searched_for_where_their_list_is_refused(ward: Ward) -> None:
    lacking = {"extensions_list_needs_directory_read": True, "unknown_extension_filter_refused": True}
    with ward.directory(**lacking):
        assert ward.asked()["findings"] == 0
        with ward.directory(extensions=EXTENSIONS[1:]):
            assert "SouthNorfolkCustomerRef (String)" in the_finding(ward.asked())["found"]
        with ward.directory(unknown_extension_filter_refused=False):
            assert the_finding(ward.asked())["code"] == "attributes_unseen"


def test_a_directory_that_is_almost_full(ward: Ward) -> None:
    users = len(get_json(f"{ward.stack.directory.url}/_standin/users"))
    with ward.directory(object_limit=users + 5):
        found = the_finding(ward.asked())
        assert ward.asked("assess")["findings"] == 2, "at this time the write rights are too many as well"
    assert found["code"] == "directory_almost_full"
    assert f"{users} of {users + 5} objects" in found["found"]


def test_a_missing_queue(ward: Ward) -> None:
    with QueueServiceClient.from_connection_string(ward.stack.storage.connection_string) as queues:
        for name in ("stage-rows", "notify-customer-poison"):
            queues.delete_queue(name)
            try:
                found = the_finding(ward.asked())
            finally:
                queues.create_queue(name)
            assert found["code"] == "queue_missing"
            assert found["found"] == f"not there: {name}"
            assert name in found["mend"]


def test_a_missing_table(ward: Ward) -> None:
    with TableServiceClient.from_connection_string(ward.stack.storage.connection_string) as tables:
        tables.delete_table(names.ROWS)
        try:
            found = the_finding(ward.asked())
        finally:
            tables.create_table(names.ROWS)
    assert found["code"] == "table_missing"
    assert found["found"] == "not there: Rows"


def test_another_key_than_the_one_of_the_accounts(ward: Ward) -> None:
    key = {"PartitionKey": "app|key", "RowKey": "fingerprint"}
    right = Pseudonyms(bytes.fromhex(PSEUDONYM_KEY)).fingerprint()
    with TableClient.from_connection_string(ward.stack.storage.connection_string, names.MIGRATIONS) as migrations:
        migrations.create_entity({**key, "fingerprint": right})
        try:
            assert ward.asked()["findings"] == 0
            found = the_finding(ward.here(PSEUDONYM_KEY="cafe" * 16))
        finally:
            migrations.delete_entity(key["PartitionKey"], key["RowKey"])
    assert found["code"] == "pseudonym_key_changed"
    assert "escrow" in found["mend"]


def test_a_missing_container(ward: Ward) -> None:
    with BlobServiceClient.from_connection_string(ward.stack.storage.connection_string) as blobs:
        blobs.delete_container(names.BACKUPS)
        try:
            found = the_finding(ward.asked())
        finally:
            blobs.create_container(names.BACKUPS)
    assert found["code"] == "container_missing"
    assert "backups" in found["mend"]


def test_a_clock_that_is_off_by_a_minute(ward: Ward) -> None:
    with ward.directory(clock_ahead_seconds=60):
        found = the_finding(ward.asked())
    assert found["code"] == "clock_off"
    assert "the clock of the directory is" in found["found"]
    with ward.notify(clock_ahead_seconds=-60):
        found = the_finding(ward.asked())
    assert "the clock of the message service is" in found["found"]
    assert "behind ours" in found["found"]


def test_a_message_key_of_another_service(ward: Ward) -> None:
    report = ward.here(NOTIFY_API_KEY_SOUTH_NORFOLK=services.GREAT_YARMOUTH_LIVE_KEY)
    found = the_finding(report)
    assert found["code"] == "message_key_foreign"
    assert "NOTIFY_API_KEY_SOUTH_NORFOLK" in found["found"]
    assert "it is the service of great-yarmouth" in found["found"]
    assert report["by"] == "process"
    assert services.GREAT_YARMOUTH.keys[0].secret not in json.dumps(report)


@pytest.mark.deep
def test_a_council_without_a_key_and_one_whose_key_was_revoked(ward: Ward) -> None:
    assert the_finding(ward.here(NOTIFY_API_KEY_SOUTH_NORFOLK=None))["code"] == "message_key_missing"
    revoked = services.SOUTH_NORFOLK_LIVE_KEY[:-1] + "9"
    assert the_finding(ward.here(NOTIFY_API_KEY_SOUTH_NORFOLK=revoked))["code"] == "message_key_refused"
    without = ward.here(NOTIFY_API_KEY_SOUTH_NORFOLK=None, NOTIFY_API_KEY_GREAT_YARMOUTH=None)
    assert "NOTIFY_API_KEY_GREAT_YARMOUTH" in the_finding(without)["found"]


@pytest.mark.deep
def test_a_template_with_a_placeholder_that_nobody_fills(ward: Ward) -> None:
    changed = BUILT_IN_FILE.read_text().replace("Choose a new password.", "Use the code ((reset code)).", 1)
    file = ward.folder / "templates.toml"
    file.write_text(changed)
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "local.standins.notify", "--port", str(port), "--templates", str(file)]
    other = Process("notify-2", command, ward.stack.environment(), ward.folder / "n.log", url, f"{url}/_standin/health")
    other.start()
    try:
        found = the_finding(ward.here(NOTIFY_URL=url))
    finally:
        other.stop()
    assert found["code"] == "template_unfit"
    assert found["name"] == "template set-your-password of south-norfolk"
    assert "((reset code))" in found["found"]
    assert "((first_name)) and ((last_name)) are filled in" in found["mend"]


def certificate(days: int, *, packed: bool) -> str:
    """A new certificate with its key, as PEM or as base64 PKCS#12."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "migration")])
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=300))
        .not_valid_after(now + timedelta(days=days))
        .sign(key, hashes.SHA256())
    )
    if packed:
        content = pkcs12.serialize_key_and_certificates(None, key, made, None, serialization.NoEncryption())
        return base64.b64encode(content).decode()
    pem = serialization.Encoding.PEM
    plain = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return (plain + made.public_bytes(pem)).decode()


@pytest.mark.parametrize(
    "packed", [pytest.param(False, id="pem", marks=pytest.mark.deep), pytest.param(True, id="pkcs12")]
)
def test_a_certificate_that_expires_in_20_days(ward: Ward, packed: bool) -> None:  # noqa: FBT001
    found = the_finding(ward.here(DIRECTORY_CLIENT_CERTIFICATE=certificate(20, packed=packed)))
    assert found["code"] == "certificate_expiring"
    assert "it expires in 20 days" in found["found"]
    assert "DIRECTORY_CLIENT_CERTIFICATE" in found["mend"]
    assert ward.here(DIRECTORY_CLIENT_CERTIFICATE=certificate(200, packed=packed))["findings"] == 0


@contextmanager
def changed_profile(ward: Ward, old: str, new: str) -> Iterator[Path]:
    """The councils' profiles, one of them changed."""
    folder = ward.folder / "authorities"
    folder.mkdir(exist_ok=True)
    for file in (ROOT / "authorities").glob("*.toml"):
        text = file.read_text()
        (folder / file.name).write_text(text.replace(old, new) if file.stem == "south-norfolk" else text)
    yield folder


def test_a_profile_with_a_wrong_key(ward: Ward) -> None:
    with changed_profile(ward, "given_name", "givenname") as folder:
        report = ward.here(AUTHORITIES_FOLDER=str(folder))
    found = the_finding(report)
    assert found["code"] == "profile_wrong"
    assert "south-norfolk.toml: export.columns.givenname" in found["found"]
    assert "probably meant to be `export.columns.given_name`" in found["mend"]
    assert any(check["name"] == "key of great-yarmouth" and check["status"] == "ok" for check in report["checks"])


@pytest.mark.deep
def test_a_profile_that_went_wrong_since_the_app_started(ward: Ward) -> None:
    with changed_profile(ward, "nothing", "") as folder:
        host = Stack(ward.folder, ward.stack.storage, ward.stack.directory, ward.stack.notify)
        host.settings["AUTHORITIES_FOLDER"] = str(folder)
        app = host.add_host()
        try:
            assert get_json(f"{app.url}/api/doctor?for=wave")["findings"] == 0
            with changed_profile(ward, "password_reset", "password_rest"):
                found = the_finding(get_json(f"{app.url}/api/doctor?for=wave"))
            assert "directory.password_rest" in found["found"]
        finally:
            app.stop()


@pytest.mark.deep
def test_a_reply_to_address_that_the_service_does_not_know(ward: Ward) -> None:
    unknown = "00000000-0000-4000-8000-00000000dead"
    with changed_profile(
        ward, "[messages.templates]", f'[messages]\nreply_to = "{unknown}"\n[messages.templates]'
    ) as folder:
        found = the_finding(ward.here(AUTHORITIES_FOLDER=str(folder)))
    assert found["code"] == "reply_to_unknown"
    assert unknown in found["found"]
    known = services.SOUTH_NORFOLK.reply_to_id
    with changed_profile(
        ward, "[messages.templates]", f'[messages]\nreply_to = "{known}"\n[messages.templates]'
    ) as folder:
        assert ward.here(AUTHORITIES_FOLDER=str(folder))["findings"] == 0


def test_a_canary_that_a_profile_asks_for_and_nobody_ran(ward: Ward) -> None:
    with changed_profile(ward, "[directory]", "[directory]\ncanary_within_days = 14") as folder:
        found = the_finding(ward.here(AUTHORITIES_FOLDER=str(folder)))
    assert found["code"] == "canary_due"
    assert "ops canary --authority south-norfolk" in found["mend"]


def test_a_wrong_setting_hides_nothing_else(ward: Ward) -> None:
    report = ward.here(PSEUDONYM_KEY="0123")
    found = the_finding(report)
    assert found["name"] == "PSEUDONYM_KEY"
    unseen = [check["name"] for check in report["checks"] if check["status"] == "not_checked"]
    assert unseen == ["PSEUDONYM_KEY of the accounts"], "which rests on it"
    report = ward.here(DIRECTORY_EXTENSIONS_APP_ID=None)
    assert the_finding(report)["name"] == "DIRECTORY_EXTENSIONS_APP_ID"
    assert any(check["name"] == "rights that are needed" and check["status"] == "ok" for check in report["checks"])


@pytest.mark.deep
def test_services_that_do_not_answer_hide_nothing_else(ward: Ward) -> None:
    nobody = f"http://127.0.0.1:{free_port()}"
    assert the_finding(ward.here(DIRECTORY_GRAPH_URL=f"{nobody}/v1.0"))["code"] == "directory_unreachable"
    assert the_finding(ward.here(NOTIFY_URL=nobody))["code"] == "messages_unreachable"
    away = ward.stack.storage.connection_string.replace(":1", ":2")
    gone = ";".join(
        f"{part.partition('://')[0]}://127.0.0.1:{free_port()}/devstoreaccount1" if "Endpoint=" in part else part
        for part in away.split(";")
    )
    assert the_finding(ward.here(MigrationStorage=gone))["code"] == "storage_unreachable"


def test_the_page_for_people_shows_what_to_mend_under_each_finding(ward: Ward) -> None:
    with ward.directory(permissions=READING):
        done = ward.ops("--for", "wave", "--url", ward.stack.hosts[0].url)
    assert done.returncode == 2
    assert "The app looked" in done.stdout
    assert "✗ missing" in done.stdout
    assert "Mend: Grant the app registration" in done.stdout
    assert "1 finding" in done.stdout


def test_one_council_alone_and_a_council_that_nobody_knows(ward: Ward) -> None:
    checks = ward.asked(authority="south-norfolk")["checks"]
    assert any("south-norfolk" in check["name"] for check in checks)
    assert not any("great-yarmouth" in check["name"] for check in checks)
    for where in (("--here",), ("--url", ward.stack.hosts[0].url)):
        done = ward.ops("--for", "wave", "--authority", "norwich", *where)
        assert done.returncode == 1
        assert "No council `norwich` has a profile" in done.stderr
