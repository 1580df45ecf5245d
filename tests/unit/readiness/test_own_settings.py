"""Whatever is wrong with settings and profiles is told by name, and the rest is still read."""

from pathlib import Path

import pytest

from shared import names
from shared.model.account import Authority
from shared.readiness.own_settings import profile_facts, setting_facts
from shared.readiness.rules.report import Purpose
from shared.readiness.rules.setting_checks import check_profiles
from tests.unit.readiness.builders import GOOD

ROOT = Path(__file__).parents[3]


def environment(monkeypatch: pytest.MonkeyPatch, **changed: str) -> dict[str, str]:
    found = {name: value for name, value in {**GOOD, **changed}.items() if value}
    for name, value in found.items():
        monkeypatch.setenv(name, value)
    return found


def test_good_settings_have_nothing_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    facts = setting_facts(environment(monkeypatch))
    assert facts.wrong == {}
    assert facts.storage
    assert facts.settings is not None


def test_every_wrong_setting_is_told_at_once_and_the_others_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = {"PSEUDONYM_KEY": "canary", "DIRECTORY_TENANT": "", "NOTIFY_PROVIDER": "pigeon", "MigrationStorage": ""}
    facts = setting_facts(environment(monkeypatch, **wrong))
    assert set(facts.wrong) == set(wrong)
    assert all(sentence.startswith(name) for name, sentence in facts.wrong.items())
    assert "canary" not in str(facts.wrong)
    assert not facts.storage
    assert facts.settings is not None
    assert facts.settings.directory_graph_url == GOOD["DIRECTORY_GRAPH_URL"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DIRECTORY_KIND", "external-id"),
        ("DIRECTORY_GRAPH_URL", "http://graph.microsoft.com"),
        ("DIRECTORY_CLIENT_CERTIFICATE", "no base64"),
        ("AUTHORITIES_FOLDER", " "),
        ("DIRECTORY_WRITE_SHARE", "2"),
        ("RECONCILE_SCHEDULE", "every ten seconds"),
    ],
)
def test_one_wrong_setting_is_one(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    facts = setting_facts(environment(monkeypatch, **{name: value}))
    assert list(facts.wrong) == [name]
    assert facts.settings is not None


def test_a_real_directory_without_its_credential_names_each_part(monkeypatch: pytest.MonkeyPatch) -> None:
    facts = setting_facts(environment(monkeypatch, DIRECTORY_GRAPH_URL="https://graph.microsoft.com/v1.0"))
    credential = {"DIRECTORY_TENANT_ID", "DIRECTORY_CLIENT_ID", "DIRECTORY_CLIENT_CERTIFICATE"}
    assert set(facts.wrong) == credential
    assert facts.settings is not None


def test_storage_by_identity_that_lacks_an_address_names_it() -> None:
    facts = setting_facts({f"{names.STORAGE_CONNECTION}__blobServiceUri": "https://a.blob.core.windows.net"})
    assert f"{names.STORAGE_CONNECTION}__queueServiceUri" in facts.wrong


def folder(tmp_path: Path, **texts: str) -> Path:
    for name, text in texts.items():
        (tmp_path / f"{name.replace('_', '-')}.toml").write_text(text)
    return tmp_path


GOOD_PROFILE = (ROOT / "authorities" / "south-norfolk.toml").read_text()


def test_a_wrong_profile_does_not_hide_the_others(tmp_path: Path) -> None:
    broken = GOOD_PROFILE.replace("announced_on", "anounced_on")
    facts = profile_facts(folder(tmp_path, south_norfolk=GOOD_PROFILE, norwich=broken, broadland="name ="))
    assert list(facts.profiles) == [Authority("south-norfolk")]
    assert facts.wrong["norwich.toml"] == "norwich.toml: matching.anounced_on: no such key"
    assert facts.close == {"norwich.toml": "matching.announced_on"}
    assert "is not a TOML file" in facts.wrong["broadland.toml"]


def test_a_message_that_nobody_knows_is_told_by_its_key_and_the_one_that_was_meant(tmp_path: Path) -> None:
    misspelt = f'{GOOD_PROFILE.partition("[messages.templates]")[0]}[messages.templates]\nnow-one-acount = "x"\n'
    facts = profile_facts(folder(tmp_path, south_norfolk=misspelt))
    sentence = "south-norfolk.toml: messages.templates.now-one-acount: no such key"
    assert facts.wrong == {"south-norfolk.toml": sentence}
    assert facts.close == {"south-norfolk.toml": "messages.templates.now-one-account"}


def test_two_councils_with_the_same_attributes_are_told(tmp_path: Path) -> None:
    same = GOOD_PROFILE.replace("[directory]", '[directory]\nattributes = "SouthNorfolk"')
    facts = profile_facts(folder(tmp_path, south_norfolk=GOOD_PROFILE, norwich=same))
    assert list(facts.wrong) == ["south-norfolk.toml"]
    assert "directory.attributes: norwich has the same" in facts.wrong["south-norfolk.toml"]


def test_a_folder_without_profiles_is_told_without_its_path(tmp_path: Path) -> None:
    (sentence,) = profile_facts(tmp_path).wrong.values()
    assert sentence.startswith("AUTHORITIES_FOLDER")
    [check] = check_profiles(profile_facts(tmp_path), "", Purpose.WAVE)
    assert check.mend.startswith("Let AUTHORITIES_FOLDER name the folder")
    assert str(tmp_path.parent) not in sentence


def test_a_profile_that_the_running_app_read_otherwise_is_marked(tmp_path: Path) -> None:
    before = profile_facts(folder(tmp_path, south_norfolk=GOOD_PROFILE))
    folder(tmp_path, south_norfolk=GOOD_PROFILE.replace('"automatic"', '"required"'))
    assert profile_facts(tmp_path, before.profiles).changed == {Authority("south-norfolk")}
    assert profile_facts(tmp_path, profile_facts(tmp_path).profiles).changed == frozenset()
