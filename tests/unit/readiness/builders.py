"""Healthy facts, of which a test changes one thing."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from shared import names
from shared.model.account import Authority
from shared.model.profile import Profile, read_profiles
from shared.ports.doctor_facts import (
    CallResult,
    ClockReading,
    DirectoryFacts,
    FoundTemplate,
    MessageFacts,
    Presence,
    ProfileFacts,
    Right,
    Sending,
    ServiceFacts,
    SettingFacts,
    StorageFacts,
    Thing,
)
from shared.readiness.rules.attribute_checks import list_wanted_attributes
from shared.readiness.rules.report import Check, Purpose
from shared.readiness.rules.right_checks import NEEDED
from shared.settings.settings import read_settings

NOW: Final = datetime(2026, 3, 2, 9, tzinfo=UTC)
APP: Final = "0123456789abcdef0123456789abcdef"
PROFILES: Final = read_profiles(Path(__file__).parents[3] / "authorities")
SOUTH, YARMOUTH = Authority("south-norfolk"), Authority("great-yarmouth")
GOOD: Final = {
    "DIRECTORY_KIND": "b2c",
    "DIRECTORY_TENANT": "norfolkidentity.onmicrosoft.com",
    "DIRECTORY_GRAPH_URL": "http://127.0.0.1:9/v1.0",
    "DIRECTORY_EXTENSIONS_APP_ID": APP,
    "NOTIFY_PROVIDER": "govuk-notify",
    "PSEUDONYM_KEY": "ab" * 32,
    "MigrationStorage": "UseDevelopmentStorage=true",
}


def settings(**wrong: str) -> SettingFacts:
    read = read_settings(**{name: value for name, value in GOOD.items() if name != names.STORAGE_CONNECTION})
    return SettingFacts(wrong, read, storage=names.STORAGE_CONNECTION not in wrong)


def profiles(**changes: Profile) -> ProfileFacts:
    return ProfileFacts({**PROFILES, **{Authority(name.replace("_", "-")): each for name, each in changes.items()}})


def reading(service: str, ahead: float = 0) -> ClockReading:
    return ClockReading(service, NOW + timedelta(seconds=ahead), NOW)


def directory(
    purpose: Purpose = Purpose.WAVE,
    *,
    ahead: float = 0,
    **changes: object,
) -> DirectoryFacts:
    may = {right: CallResult.YES if right in {Right.READ, *NEEDED[purpose]} else CallResult.NO for right in Right}
    good = {
        "may": may,
        "attributes": list_wanted_attributes(APP, PROFILES.values()),
        "used": 100,
        "total": 10_000,
        "clock": reading("the directory", ahead),
    }
    return DirectoryFacts(**{**good, **changes})  # type: ignore[arg-type]


def things(**changes: Presence) -> tuple[Thing, ...]:
    """Everything there, but for what is changed by its name (hyphens as underscores)."""
    every = [("container", name) for name in names.CONTAINERS]
    every += [("queue", name) for name in names.EVERY_QUEUE] + [("table", name) for name in names.TABLES]
    return tuple(
        Thing(kind, name, changes.get(name.replace("-", "_"), Presence.THERE), "HTTP 403") for kind, name in every
    )


def storage(ahead: float = 0, **changes: Presence) -> StorageFacts:
    return StorageFacts(things(**changes), reading("the storage account", ahead))


def service(authority: Authority, **changes: object) -> ServiceFacts:
    found = {
        id_: FoundTemplate("email", ("first_name", "last_name"))
        for id_ in PROFILES[authority].messages.templates.values()
    }
    setting = f"NOTIFY_API_KEY_{authority.upper().replace('-', '_')}"
    good = {"setting": setting, "templates": found, "sending": Sending.ACCEPTED}
    return ServiceFacts(**{**good, **changes})  # type: ignore[arg-type]


def messages(ahead: float = 0, **changes: object) -> MessageFacts:
    """Both councils well; `changes` are those of South Norfolk."""
    services = {SOUTH: service(SOUTH, **changes), YARMOUTH: service(YARMOUTH)}
    return MessageFacts(services, reading("the message service", ahead))


def found_in(checks: list[Check]) -> list[Check]:
    return [check for check in checks if check.finding]
