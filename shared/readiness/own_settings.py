"""The settings and profiles of this process, including wrong ones: the doctor continues without them."""

import os
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final, get_args, get_origin

from pydantic import BaseModel

from shared.errors import BadSetting
from shared.model.account import Authority
from shared.model.profile import Profile, read_profile
from shared.names import STORAGE_CONNECTION
from shared.ports.doctor_facts import ProfileFacts, SettingFacts
from shared.settings.schedules import find_wrong_schedules
from shared.settings.settings import ROOT, Settings, read_settings
from shared.settings.storage_address import check_storage
from shared.telemetry.settings import wrong_settings

HARMLESS: Final[Mapping[str, Any]] = {
    "DIRECTORY_KIND": "b2c",
    "DIRECTORY_TENANT": "unknown.invalid",
    "DIRECTORY_TENANT_ID": "unknown",
    "DIRECTORY_CLIENT_ID": "unknown",
    "DIRECTORY_CLIENT_CERTIFICATE": None,
    "DIRECTORY_CLIENT_SECRET": "unknown",
    "DIRECTORY_GRAPH_URL": "http://127.0.0.1:9/v1.0",
    "DIRECTORY_EXTENSIONS_APP_ID": "0" * 32,
    "DIRECTORY_WRITE_LIMIT": 3000,
    "DIRECTORY_WRITE_WINDOW_SECONDS": 150,
    "DIRECTORY_WRITE_SHARE": 0.98,
    "DIRECTORY_READ_LIMIT": 3500,
    "DIRECTORY_READ_WINDOW_SECONDS": 10,
    "DIRECTORY_READ_SHARE": 0.5,
    "NOTIFY_PROVIDER": "none",
    "NOTIFY_URL": "http://127.0.0.1:9",
    "NOTIFY_RATE_PER_MINUTE": 3000,
    "PSEUDONYM_KEY": "0" * 64,
    "AUTHORITIES_FOLDER": "authorities",
}
"""Values in place of wrong settings, so that the other settings can be read. What depends on a wrong setting is not
examined.
"""


def setting_facts(environment: Mapping[str, str] = os.environ) -> SettingFacts:
    """All that is wrong with the settings, one sentence each."""
    wrong: dict[str, str] = {}
    settings = _read_settings(wrong)
    wrong |= dict(wrong_settings(environment)) | dict(find_wrong_schedules(environment))
    try:
        check_storage(environment)
    except BadSetting as bad:
        return SettingFacts({**wrong, _find_setting_name(bad, STORAGE_CONNECTION): str(bad)}, settings, storage=False)
    return SettingFacts(wrong, settings, storage=True)


def _read_settings(wrong: dict[str, str]) -> Settings | None:
    """Read again without what is wrong, until nothing is."""
    for _ in HARMLESS:
        try:
            return read_settings(**_replace_wrong(wrong))
        except BadSetting as bad:
            name = _find_setting_name(bad, "")
            known = name in HARMLESS and name not in wrong
            wrong[name or "settings"] = str(bad)
            if not known:
                return None
    return None


def _replace_wrong(wrong: Mapping[str, str]) -> dict[str, Any]:
    """Replace wrong settings. A wrong certificate is left out, and then a secret is put in its place."""
    secret = {"DIRECTORY_CLIENT_SECRET": "unknown"} if "DIRECTORY_CLIENT_CERTIFICATE" in wrong else {}
    return {**secret, **{name: HARMLESS[name] for name in wrong}}


def _find_setting_name(bad: BadSetting, otherwise: str) -> str:
    """The setting that a refusal names: its first word."""
    first = str(bad).partition(" ")[0].rstrip(":")
    return first if first.isupper() or first.startswith(STORAGE_CONNECTION) else otherwise


def profile_facts(folder: Path, running: Mapping[Authority, Profile] | None = None) -> ProfileFacts:
    """The profiles of a folder, file by file: a wrong one does not hide the others."""
    profiles: dict[Authority, Profile] = {}
    wrong: dict[str, str] = {}
    for path in sorted(folder.glob("*.toml")):
        try:
            profiles[Authority(path.stem)] = read_profile(path)
        except BadSetting as bad:
            wrong[path.name] = str(bad)
    if not profiles and not wrong:
        wrong["AUTHORITIES_FOLDER"] = f"AUTHORITIES_FOLDER: there is no profile (*.toml) in {_shorten_path(folder)}"
    wrong |= _same_attributes(profiles)
    close = {file: meant for file, sentence in wrong.items() if (meant := _find_meant_key(sentence))}
    changed = {name for name, profile in profiles.items() if running is not None and running.get(name) != profile}
    return ProfileFacts(profiles, wrong, close, frozenset(changed))


def _shorten_path(folder: Path) -> str:
    return folder.relative_to(ROOT).as_posix() if folder.is_relative_to(ROOT) else folder.name


def _same_attributes(profiles: Mapping[Authority, Profile]) -> dict[str, str]:
    first: dict[str, Authority] = {}
    wrong: dict[str, str] = {}
    for authority, profile in profiles.items():
        other = first.setdefault(profile.attribute_prefix.casefold(), authority)
        if other != authority:
            wrong[f"{authority}.toml"] = f"{authority}.toml: directory.attributes: {other} has the same"
    return wrong


def _find_meant_key(sentence: str) -> str:
    """The key that was probably meant, of a sentence like `a.toml: export.colums: no such key`."""
    parts = sentence.split(": ")
    if len(parts) < 3 or not parts[-1].startswith("no such key"):  # noqa: PLR2004 - file, key, what is wrong
        return ""
    return next(iter(get_close_matches(parts[1], _list_keys(Profile), n=1, cutoff=0.6)), "")


def _list_keys(model: type[BaseModel], before: str = "") -> list[str]:
    """All keys of a profile, as they are written with dots."""
    keys: list[str] = []
    for name, field in model.model_fields.items():
        keys.append(f"{before}{name}")
        part = field.annotation
        if isinstance(part, type) and issubclass(part, BaseModel):
            keys += _list_keys(part, f"{before}{name}.")
        elif get_origin(part) is dict:
            keys += [f"{before}{name}.{key}" for key in get_args(get_args(part)[0])]
    return keys
