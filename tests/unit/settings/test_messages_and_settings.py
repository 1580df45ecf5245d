"""What comes from outside the code: messages and settings; junk is refused, and never repeated."""

import json

import pytest

from shared import names
from shared.errors import BadMessage, BadSetting
from shared.model.account import Authority
from shared.model.messages import AccountMessage, ReceiveExport, StageRows, decode_message, decode_upload
from shared.settings.settings import read_settings

ACCOUNT = "a" + "0" * 40
SUBJECT = "/blobServices/default/containers/exports/blobs/south-norfolk/Portal export.csv"
EVENT = {"eventType": "Microsoft.Storage.BlobCreated", "subject": SUBJECT, "data": {"api": "PutBlob"}}
CLOUD_EVENT = {"type": "Microsoft.Storage.BlobCreated", "subject": SUBJECT, "specversion": "1.0"}
GOOD = {
    "DIRECTORY_KIND": "b2c",
    "DIRECTORY_TENANT": "norfolkidentity.onmicrosoft.com",
    "DIRECTORY_GRAPH_URL": "http://127.0.0.1:7001/v1.0",
    "DIRECTORY_EXTENSIONS_APP_ID": "0123456789abcdef0123456789abcdef",
    "NOTIFY_PROVIDER": "none",
    "PSEUDONYM_KEY": "ab" * 32,
}


@pytest.mark.parametrize("event", [EVENT, [EVENT], CLOUD_EVENT, {"blob": "south-norfolk/Portal export.csv"}])
def test_an_upload_is_told_by_an_event_or_by_ourselves(event: object) -> None:
    found = decode_upload(json.dumps(event).encode())
    assert found == ReceiveExport(blob="south-norfolk/Portal export.csv")


@pytest.mark.parametrize(
    "junk",
    [
        b"",
        b"junk",
        b"\xff\xfe",
        b"5",
        b"[]",
        json.dumps([EVENT, EVENT]).encode(),
        json.dumps({**EVENT, "eventType": "Microsoft.Storage.BlobDeleted"}).encode(),
        json.dumps({**EVENT, "subject": SUBJECT.replace("exports", "reports")}).encode(),
        json.dumps({**EVENT, "subject": 5}).encode(),
        json.dumps({"blob": "x", "secret": "canary@example.org"}).encode(),
        json.dumps({"v": 2, "blob": "x"}).encode(),
    ],
)
def test_what_is_no_upload_is_refused_and_not_repeated(junk: bytes) -> None:
    with pytest.raises(BadMessage) as refused:
        decode_upload(junk)
    assert "canary" not in str(refused.value)


@pytest.mark.parametrize(
    "message",
    [
        ReceiveExport(blob="x"),
        StageRows.model_validate({"authority": "south-norfolk", "migration": "m", "piece": 3}),
        AccountMessage.model_validate(
            {"kind": names.NOTIFY_CUSTOMER, "authority": "south-norfolk", "account": ACCOUNT, "release": 1}
        ),
    ],
)
def test_our_own_messages_are_read_back(message: ReceiveExport | StageRows | AccountMessage) -> None:
    assert decode_message(message.model_dump_json().encode()) == message


@pytest.mark.parametrize(
    "changed",
    [
        {"account": "canary@example.org"},
        {"account": ACCOUNT.upper()},
        {"release": 0},
        {"kind": "receive-export"},
        {"v": 2},
        {"more": "canary"},
        {"authority": None},
    ],
)
def test_a_message_of_another_shape_is_refused_and_not_repeated(changed: dict[str, object]) -> None:
    body = {"kind": names.CLASSIFY_ACCOUNT, "authority": "south-norfolk", "account": ACCOUNT, "release": 1, **changed}
    with pytest.raises(BadMessage) as refused:
        decode_message(json.dumps(body).encode())
    assert "canary" not in str(refused.value)


def _environment(monkeypatch: pytest.MonkeyPatch, **changed: str | None) -> None:
    for name, value in {**GOOD, **changed}.items():
        if value is None:
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DIRECTORY_KIND", None),
        ("DIRECTORY_KIND", "entra"),
        ("DIRECTORY_KIND", "external-id"),
        ("DIRECTORY_TENANT", None),
        ("DIRECTORY_TENANT", "norfolk identity"),
        ("DIRECTORY_GRAPH_URL", "http://graph.microsoft.com/v1.0"),
        ("DIRECTORY_GRAPH_URL", "ftp://127.0.0.1"),
        ("DIRECTORY_GRAPH_URL", "https://"),
        ("DIRECTORY_EXTENSIONS_APP_ID", None),
        ("DIRECTORY_EXTENSIONS_APP_ID", "xyz"),
        ("DIRECTORY_WRITE_LIMIT", "0"),
        ("DIRECTORY_WRITE_LIMIT", "many"),
        ("DIRECTORY_WRITE_WINDOW_SECONDS", "-1"),
        ("DIRECTORY_WRITE_SHARE", "1.1"),
        ("DIRECTORY_READ_LIMIT", "0"),
        ("DIRECTORY_READ_WINDOW_SECONDS", "inf"),
        ("DIRECTORY_READ_SHARE", "0"),
        ("NOTIFY_RATE_PER_MINUTE", "-3000"),
        ("NOTIFY_PROVIDER", "pigeon"),
        ("NOTIFY_URL", "http://api.notifications.service.gov.uk"),
        ("PSEUDONYM_KEY", None),
        ("PSEUDONYM_KEY", "ab" * 31),
        ("PSEUDONYM_KEY", "canarykey" * 8),
        ("NOTIFY_API_KEY", f"@Microsoft.KeyVault(SecretUri=https://canary.vault.azure.net/secrets/{'k' * 73})"),
    ],
)
def test_a_wrong_setting_is_named_in_one_line_that_does_not_repeat_it(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str | None
) -> None:
    _environment(monkeypatch, **{name: value})
    with pytest.raises(BadSetting) as refused:
        read_settings()
    line = str(refused.value)
    assert line.startswith(name)
    assert "\n" not in line
    assert "canary" not in line


@pytest.mark.parametrize("name", ["DIRECTORY_TENANT_ID", "DIRECTORY_CLIENT_ID", "DIRECTORY_CLIENT_CERTIFICATE"])
def test_the_real_directory_needs_a_credential(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    real = {
        "DIRECTORY_GRAPH_URL": None,
        "DIRECTORY_TENANT_ID": "t",
        "DIRECTORY_CLIENT_ID": "c",
        "DIRECTORY_CLIENT_CERTIFICATE": "Y2FuYXJ5",
        "DIRECTORY_CLIENT_SECRET": None,
    }
    _environment(monkeypatch, **real)
    assert not read_settings().on_loopback
    _environment(monkeypatch, **{**real, name: None})
    with pytest.raises(BadSetting, match=f"^{name} is missing"):
        read_settings()


def test_secrets_are_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    _environment(monkeypatch, NOTIFY_API_KEY="canarykey")
    assert "canarykey" not in repr(read_settings())
    assert "abab" not in repr(read_settings())


def test_each_council_may_have_a_key_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    _environment(monkeypatch, NOTIFY_API_KEY="common", NOTIFY_API_KEY_SOUTH_NORFOLK="own")
    settings = read_settings()
    assert settings.notify_key(Authority("south-norfolk")) == "own"
    assert settings.notify_key(Authority("great-yarmouth")) == "common"


def test_the_host_and_the_worker_agree_on_the_last_attempt() -> None:
    from tests.support.world import ROOT  # noqa: PLC0415 - the world is large, and this is all that is wanted of it

    host = json.loads((ROOT / "host.json").read_text(encoding="utf-8"))
    assert host["extensions"]["queues"]["maxDequeueCount"] == names.MAX_DEQUEUE_COUNT
