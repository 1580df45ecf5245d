"""A profile is read, or refused in one line that names file and key."""

from pathlib import Path

import pytest

from shared.errors import BadSetting
from shared.model.profile import read_profile, read_profiles, suggest_authority

SHIPPED = Path(__file__).parents[3] / "authorities"
GOOD = """
name = "South Norfolk Council"
[export.columns]
source_id = "customer_ref"
email = "email"
"""


def _refusal(folder: Path, text: str, name: str = "south-norfolk.toml") -> str:
    (folder / name).write_text(text, encoding="utf-8")
    with pytest.raises(BadSetting) as refused:
        read_profile(folder / name)
    return str(refused.value)


def test_the_shipped_profiles_are_read() -> None:
    profiles = read_profiles(SHIPPED)
    assert {profile.attribute_prefix for profile in profiles.values()} == {"SouthNorfolk", "GreatYarmouth"}


def test_the_least_profile_has_safe_defaults(tmp_path: Path) -> None:
    (tmp_path / "south-norfolk.toml").write_text(GOOD, encoding="utf-8")
    [profile] = read_profiles(tmp_path).values()
    assert profile.directory.password_reset == "force-change"
    assert profile.messages.templates == {}
    assert (profile.plan.review_minutes, profile.plan.calls_percent) == (10, 3.0)
    assert not profile.matching.sign_up_verifies_mailbox
    assert profile.export.columns.named() == {"source_id": "customer_ref", "email": "email"}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("name = ", "south-norfolk.toml is not a TOML file"),
        (GOOD.replace("name", "nmae"), "south-norfolk.toml: "),
        (GOOD + 'emial = "x"\n', "south-norfolk.toml: export.columns.emial: no such key"),
        (GOOD.replace('email = "email"\n', ""), "south-norfolk.toml: export.columns.email: Field required"),
        (GOOD.replace('"email"', '" "'), "export.columns.email: "),
        (GOOD + "[matching]\nannounced_on = 5\n", "matching.announced_on: "),
        (GOOD + '[directory]\npassword_reset = "x"\n', "directory.password_reset: "),
        (GOOD + '[directory]\nattributes = "south norfolk"\n', "directory.attributes: "),
        (GOOD + '[plan]\napproval = "maybe"\n', "plan.approval: "),
        (GOOD + '[plan]\napproval = "required"\nuploader = "maybe"\n', "plan.uploader: "),
        (GOOD + '[plan]\nuploader = "required"\n', 'uploader = "required" goes with approval = "required"'),
        (
            GOOD
            + '[[plan.waves]]\nname = "a"\ntakes = 5\nstarts = 2027-03-08T10:00:00\n'
            + '[[plan.waves]]\nname = "b"\ntakes = "rest"\nstarts = 2027-03-02T10:00:00\n',
            'wave "b" starts before the one ahead of it',
        ),
        (GOOD + "[plan]\nreview_minutes = 0\n", "plan.review_minutes: "),
        (GOOD + "[plan]\ncalls_percent = 101\n", "plan.calls_percent: "),
        (GOOD + '[messages.templates]\nhello = "x"\n', "messages.templates.hello"),
        (GOOD + "[typo]\n", "typo: no such key"),
    ],
)
def test_a_wrong_profile_is_refused_in_one_line_with_file_and_key(tmp_path: Path, text: str, says: str) -> None:
    line = _refusal(tmp_path, text)
    assert says in line
    assert "\n" not in line


@pytest.mark.parametrize("name", ["South-Norfolk.toml", "south_norfolk.toml", "south norfolk.toml", "-x.toml"])
def test_an_authority_is_spelt_one_way(tmp_path: Path, name: str) -> None:
    assert "lower case with hyphens" in _refusal(tmp_path, GOOD, name)


def test_a_file_in_another_encoding_is_refused(tmp_path: Path) -> None:
    (tmp_path / "south-norfolk.toml").write_bytes(GOOD.replace("Norfolk", "N\xf6rfolk").encode("cp1252"))
    with pytest.raises(BadSetting, match="is not a TOML file"):
        read_profile(tmp_path / "south-norfolk.toml")


def test_a_mark_of_utf8_is_forgiven(tmp_path: Path) -> None:
    (tmp_path / "south-norfolk.toml").write_bytes(b"\xef\xbb\xbf" + GOOD.encode())
    assert read_profile(tmp_path / "south-norfolk.toml").name == "South Norfolk Council"


def test_a_folder_without_profiles_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadSetting, match="AUTHORITIES_FOLDER: no profile"):
        read_profiles(tmp_path)


def test_two_councils_never_share_attributes(tmp_path: Path) -> None:
    (tmp_path / "south-norfolk.toml").write_text(GOOD, encoding="utf-8")
    (tmp_path / "other.toml").write_text(GOOD + '[directory]\nattributes = "SouthNorfolk"\n', encoding="utf-8")
    with pytest.raises(BadSetting, match=r"same directory\.attributes"):
        read_profiles(tmp_path)


@pytest.mark.parametrize("spelt", ["South Norfolk", "southnorfolk", "south_norfolk", "south-norfolks", "SOUTH-NORFOLK"])
def test_a_misspelt_council_is_recognised(spelt: str) -> None:
    assert suggest_authority(spelt, ["great-yarmouth", "south-norfolk"]) == "did you mean `south-norfolk`?"


def test_a_council_nobody_knows_gets_the_list() -> None:
    assert suggest_authority("zzz", ["a-council", "b-council"]) == "known are: `a-council`, `b-council`"
