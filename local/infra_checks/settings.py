"""App settings: what the code reads is set, secrets come from the vault, and no setting is unused."""

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict

from local.infra_checks import words
from local.infra_checks.code import Code
from local.infra_checks.deployment import Deployed
from local.infra_checks.findings import Finding
from local.infra_checks.values import Reference, Unknown, Value, get_value, is_known, write_value

RULE: Final = "settings"
FILE: Final = Path(__file__).parent / "allowed/settings.toml"
LIST: Final = "local/infra_checks/allowed/settings.toml"
SETTINGS_FILE: Final = "shared/settings/settings.py"
SITES: Final = "microsoft.web/sites"
CONFIG: Final = "microsoft.web/sites/config"
HOST: Final = "AzureWebJobsStorage"
"""The connection of the Functions host itself."""
SERVICES: Final = ("blob", "queue", "table")
PARTS: Final = (*(f"{service}ServiceUri" for service in SERVICES), "credential", "clientId")
"""The parts of a connection by a user-assigned identity. If one is missing, a trigger never fires."""
COUNCIL_KEY: Final = "NOTIFY_API_KEY_"
FROM_VAULT: Final = "@Microsoft.KeyVault("
NAMED: Final = re.compile(r"%([^%]+)%")


class Platform(BaseModel):
    """A setting that libraries or the platform read. `value` is the value that it must have, if only one is right."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    why: str
    value: str = ""


class Lists(BaseModel):
    """The lists."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    platform: Mapping[str, Platform]
    without: Mapping[str, str]


@cache
def read_lists() -> Lists:
    """Settings of the platform, and those that the app may go without. A reason for each."""
    return Lists.model_validate(tomllib.loads(FILE.read_text(encoding="utf-8")))


@dataclass(frozen=True, slots=True)
class AppSettings:
    """All app settings of the site, and the resource that sets them."""

    values: Mapping[str, Value]
    holder: Deployed

    def finding(self, wrong: str, mend: str) -> Finding:
        """Something that is wrong with them."""
        return self.holder.finding(RULE, wrong, mend)


def check_settings(deployed: Sequence[Deployed], code: Code) -> Iterator[Finding]:
    """Everything about the app settings."""
    found = app_settings(deployed)
    if found is None:
        wrong = "no app settings are set"
        yield Finding(
            "infra/main.bicep", 1, RULE, wrong, "declare Microsoft.Web/sites/config with the name appsettings"
        )
        return
    yield from _check_missing(found, code)
    yield from _check_platform(found)
    yield from _check_refused(found)
    yield from _check_connections(found, code)
    yield from _check_unknown(found, code)
    yield from _open_secrets(found, code)


def app_settings(deployed: Iterable[Deployed]) -> AppSettings | None:
    """Return the settings of the site, from both ways to set them."""
    values: dict[str, Value] = {}
    holder: Deployed | None = None
    for each in deployed:
        mine = _read_settings_of(each)
        if mine is not None and each.certain:
            values |= mine
            holder = each if mine else holder
    return None if holder is None else AppSettings(values, holder)


def _read_settings_of(each: Deployed) -> dict[str, Value] | None:
    if each.existing:
        return None
    properties = get_value(dict(each.properties), "properties")
    if each.type.lower() == CONFIG and each.name.rpartition("/")[2] == "appsettings":
        return properties if isinstance(properties, dict) else {write_value(properties): properties}
    listed = get_value(properties, "siteConfig", "appSettings") if each.type.lower() == SITES else None
    if not isinstance(listed, list):
        return None if listed is None else {write_value(listed): listed}
    return {write_value(get_value(one, "name")): get_value(one, "value") for one in listed}


def list_connections(code: Code) -> list[str]:
    """Every connection: the host's, the data's, and what bindings name."""
    named = (str(binding["connection"]) for binding in code.bindings if binding.get("connection"))
    return list(dict.fromkeys([HOST, code.connection, *named]))


def council_keys(code: Code) -> dict[str, str]:
    """The setting of each council's own Notify key."""
    return {f"{COUNCIL_KEY}{council.upper().replace('-', '_')}": council for council in code.authorities}


def in_bindings(code: Code) -> dict[str, str]:
    """Settings that a binding names as %SETTING%, and the function."""
    return {
        setting: str(binding["function"])
        for binding in code.bindings
        for value in binding.values()
        if isinstance(value, str)
        for setting in NAMED.findall(value)
    }


def _check_missing(found: AppSettings, code: Code) -> Iterator[Finding]:
    for setting in code.settings:
        optional = setting.safe or any(name in read_lists().without for name in setting.names)
        if not optional and not any(name in found.values for name in setting.names):
            mend = f"set it beside the others, or say in {LIST} why the app is safe without it"
            yield found.finding(f"{SETTINGS_FILE} reads `{setting.names[0]}`, and it is not set", mend)
    for name, council in council_keys(code).items():
        if name not in found.values:
            yield found.finding(
                f"`{name}` is not set", f"set it: {council} has a profile, and tells its customers by it"
            )
    for name, function in in_bindings(code).items():
        if name not in found.values:
            yield found.finding(f"function {function} is bound by %{name}%, and it is not set", "set it")


def _check_platform(found: AppSettings) -> Iterator[Finding]:
    """Check settings that our code does not read, so that nothing else would notice their absence."""
    for name, each in read_lists().platform.items():
        if name not in found.values:
            yield found.finding(f"`{name}` is not set", f"set it: {each.why}")
        elif each.value and write_value(found.values[name]) != each.value:
            wrong = f"`{name}` is `{write_value(found.values[name])}`"
            yield found.finding(wrong, f"let it be {each.value}: {each.why}")


def _check_refused(found: AppSettings) -> Iterator[Finding]:
    """Names that are put together are seen here alone."""
    for name in found.values:
        mend = words.find_refused(name)
        if mend is not None:
            yield found.finding(f"`{name}` is set", mend)


def _check_connections(found: AppSettings, code: Code) -> Iterator[Finding]:
    for connection in list_connections(code):
        if connection in found.values:
            wrong = f"`{connection}` is a connection string, so it holds a key"
            yield found.finding(wrong, f"take it away and set {connection}__blobServiceUri and the like")
        for part in PARTS:
            yield from _check_part(found, connection, part)
    uris = [write_value(found.values.get(f"{connection}__blobServiceUri")) for connection in (HOST, code.connection)]
    if uris[0] == uris[1] and code.connection != HOST:
        yield found.finding(
            f"{HOST} and {code.connection} are one account", "keep the host's storage apart from the data"
        )


def _check_part(found: AppSettings, connection: str, part: str) -> Iterator[Finding]:
    name = f"{connection}__{part}"
    if name not in found.values:
        yield found.finding(f"`{name}` is not set", f"set it: a connection by identity has {', '.join(PARTS)}")
        return
    value = found.values[name]
    if part == "credential" and value != "managedidentity":
        yield found.finding(f"`{name}` is `{write_value(value)}`", "set it to managedidentity")
    service = part.removesuffix("ServiceUri")
    if service in SERVICES and not _is_address_of(service, write_value(value)):
        yield found.finding(f"`{name}` is {write_value(value)}", f"give it the address of the {service} service")


def _is_address_of(service: str, text: str) -> bool:
    """False if the text names another of the services, and not this one."""
    parts = set(re.split(r"[^a-z]+", text.lower()))
    return service in parts or not parts & set(SERVICES)


def _check_unknown(found: AppSettings, code: Code) -> Iterator[Finding]:
    keys = council_keys(code)
    functions = {str(binding["function"]) for binding in code.bindings}
    fields = {name for setting in code.settings for name in setting.names}
    parts = {f"{connection}__{part}" for connection in list_connections(code) for part in PARTS}
    fine = {*keys, *fields, *parts, *in_bindings(code), *read_lists().platform}
    for name in found.values:
        if not is_known(name):
            yield found.finding(f"which settings {name} adds cannot be read off the template", "write their names down")
        elif name.startswith(COUNCIL_KEY):
            if name not in keys:
                yield found.finding(f"`{name}` is set, and no council is called so", "take it away, or add its profile")
        elif name.startswith("AzureWebJobs."):
            if name.removeprefix("AzureWebJobs.").removesuffix(".Disabled") not in functions:
                yield found.finding(f"`{name}` is set, and there is no such function", "take it away")
        elif name not in fine and not code.knows(name):
            mend = f"take it away, or say in {LIST} what of the platform reads it"
            yield found.finding(f"`{name}` is set, and nobody reads it", mend)


def _open_secrets(found: AppSettings, code: Code) -> Iterator[Finding]:
    secret = {name for setting in code.settings if setting.secret for name in setting.names} | council_keys(code).keys()
    for name in sorted(secret & found.values.keys()):
        value = found.values[name]
        fine = isinstance(value, str) and (not value or value.startswith(FROM_VAULT))
        if not fine and not isinstance(value, Unknown | Reference):
            yield found.finding(f"`{name}` is not a reference to the vault", "set it to @Microsoft.KeyVault(…)")
        elif isinstance(value, Unknown):
            yield found.finding(
                f"`{name}` comes from {value}", "set it to @Microsoft.KeyVault(…): parameters are logged"
            )
