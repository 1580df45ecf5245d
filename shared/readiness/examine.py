"""The whole examination: inspectors look all at once, pure checks judge, one cause gives one finding."""

import asyncio
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from shared.errors import unexpected
from shared.model.account import Authority
from shared.model.profile import Profile
from shared.ports import Clock, Ledger
from shared.ports.doctor_facts import DirectoryFacts, KeyTrouble, MessageFacts, ProfileFacts, SettingFacts, StorageFacts
from shared.ports.inspectors import InspectsDirectory, InspectsMessages, InspectsStorage
from shared.readiness import canary_checks
from shared.readiness.key_checks import SETTING as KEY
from shared.readiness.key_checks import NotedKey, check_key, noted_key
from shared.readiness.planned_creates import planned_creates
from shared.readiness.rules.attribute_checks import EXTENSIONS_APP, Planned, attributes_wanted
from shared.readiness.rules.certificate import NAME as CERTIFICATE
from shared.readiness.rules.certificate import check_certificate
from shared.readiness.rules.clock_checks import check_clock
from shared.readiness.rules.directory_checks import check_directory
from shared.readiness.rules.message_checks import check_messages, check_messages_off, telling
from shared.readiness.rules.report import Area, Check, Code, Purpose, Status, missing, not_checked
from shared.readiness.rules.setting_checks import check_profiles, check_settings, resting_on
from shared.readiness.rules.storage_checks import check_storage

CREDENTIAL: Final = (
    "DIRECTORY_GRAPH_URL",
    "DIRECTORY_TENANT_ID",
    "DIRECTORY_CLIENT_ID",
    "DIRECTORY_CLIENT_CERTIFICATE",
    "DIRECTORY_CLIENT_SECRET",
)
MESSAGES: Final = ("NOTIFY_PROVIDER", "NOTIFY_URL")
SECONDS: Final = 10
"""So long the tables may take: one that takes the call and never answers is the commonest fault of a network."""


@dataclass(frozen=True, slots=True)
class Inspectors:
    """Who looks at what. None: a setting without which nobody can look is wrong, or it is switched off."""

    clock: Clock
    directory: InspectsDirectory | None = None
    messages: InspectsMessages | None = None
    storage: InspectsStorage | None = None
    ledger: Ledger | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """What is asked, and what is known before anybody looks."""

    purpose: Purpose
    authority: str
    """Empty for all."""
    settings: SettingFacts
    profiles: ProfileFacts | None
    """None: the setting that names their folder is wrong."""

    @property
    def known(self) -> Mapping[Authority, Profile]:
        """Every profile that reads."""
        return self.profiles.profiles if self.profiles else {}

    @property
    def chosen(self) -> Mapping[Authority, Profile]:
        """Those whose own things are looked at."""
        return {name: profile for name, profile in self.known.items() if self.authority in {"", name}}

    @property
    def app(self) -> str:
        """App id of the b2c-extensions-app, empty where the setting is wrong."""
        settings = self.settings.settings
        wrong = settings is None or EXTENSIONS_APP in self.settings.wrong
        return "" if wrong or settings is None else settings.directory_extensions_app_id.replace("-", "").lower()


@dataclass(frozen=True, slots=True)
class Found:
    """What the inspectors say; None where nobody looked."""

    directory: DirectoryFacts | None = None
    messages: MessageFacts | None = None
    storage: StorageFacts | None = None
    creates: int = 0
    canaries: Mapping[Authority, canary_checks.Known] = field(default_factory=dict)
    key: NotedKey = field(default_factory=NotedKey)
    broken: tuple[Check, ...] = ()
    """Inspectors that broke down: a bug, which must not hide the others."""
    unread: tuple[Check, ...] = ()
    """Records that are in the tables and cannot be read."""


async def examine(case: Case, inspectors: Inspectors) -> list[Check]:
    """Every check for this purpose; of one council's own things only where one is named."""
    return judge(case, await _look(case, inspectors), inspectors.clock.now())


async def _look(case: Case, inspectors: Inspectors) -> Found:
    broken: list[Check] = []
    unread: list[Check] = []
    messages = inspectors.messages if case.purpose is not Purpose.CLOSED else None
    wave = case.chosen.values() if case.purpose is Purpose.WAVE else ()
    wanted = attributes_wanted(case.app, case.chosen.values()) if case.app else {}
    found = await asyncio.gather(
        _safely(Area.DIRECTORY, inspectors.directory.look(wanted) if inspectors.directory else None, broken),
        _safely(
            Area.MESSAGES, messages.look(telling(case.known), frozenset(case.chosen)) if messages else None, broken
        ),
        _safely(Area.STORAGE, inspectors.storage.look() if inspectors.storage else None, broken),
        _of_tables("planned accounts", planned_creates(inspectors.ledger, case.known), 0, unread),
        _of_tables("canaries", canary_checks.known(inspectors.ledger, wave), canary_checks.unknown(wave), unread),
        _of_tables("the noted key", noted_key(inspectors.ledger), NotedKey(readable=False), unread),
    )
    return Found(*found, tuple(broken), tuple(unread))


async def _of_tables[T](what: str, looking: Awaitable[T], otherwise: T, unread: list[Check]) -> T:
    """What only the tables say. That they do not answer is told by the storage account's own checks."""
    try:
        async with asyncio.timeout(SECONDS):
            return await looking
    except TimeoutError:
        return otherwise
    except Exception as error:  # noqa: BLE001 - what cannot be read is a finding, and hides no other
        found = f"what the tables say of {what} cannot be read ({unexpected(error)})"
        mend = "Somebody else wrote there, or another version of the app: tell the developers what stands here."
        unread.append(missing(Area.STORAGE, what, Code.STORAGE_UNREACHABLE, found, mend))
        return otherwise


async def _safely[T](area: Area, looking: Awaitable[T] | None, broken: list[Check]) -> T | None:
    if looking is None:
        return None
    try:
        return await looking
    except Exception as error:  # noqa: BLE001 - a probe that breaks down is a finding, and hides no other
        code = {
            Area.DIRECTORY: Code.DIRECTORY_UNREACHABLE,
            Area.MESSAGES: Code.MESSAGES_UNREACHABLE,
        }.get(area, Code.STORAGE_UNREACHABLE)
        found = f"it could not be looked at: the doctor itself failed ({unexpected(error)})"
        broken.append(
            missing(area, f"all of {area}", code, found, "This is a bug: tell the developers what stands here.")
        )
        return None


def judge(case: Case, found: Found, now: datetime) -> list[Check]:
    """Facts in, checks out. What follows from another finding is not checked, so that each cause is told once."""
    clock = _clock(found)
    certificate = check_certificate(
        case.settings.settings, now, resting_on(case.settings, "DIRECTORY_CLIENT_CERTIFICATE")
    )
    checks = [
        *check_settings(case.settings),
        check_key(case.settings.settings, found.key, resting_on(case.settings, KEY)),
        *check_profiles(case.profiles, case.authority, case.purpose),
        *_unless_broken(found, Area.STORAGE, check_storage(found.storage, resting_on(case.settings, "*"))),
        clock,
        certificate,
        *_unless_broken(found, Area.DIRECTORY, _directory(case, found, _excuse(found, clock, certificate))),
        *_unless_broken(found, Area.MESSAGES, _messages(case, found, clock)),
        *found.broken,
        *found.unread,
    ]
    for authority, known in found.canaries.items():
        checks.append(canary_checks.check_canary(case.known[authority], known, now))
    return checks


def _unless_broken(found: Found, area: Area, checks: list[Check]) -> list[Check]:
    return [] if any(check.area is area for check in found.broken) else checks


def _clock(found: Found) -> Check:
    facts = (found.directory, found.messages, found.storage)
    readings = [each.clock for each in facts if each is not None and each.clock is not None]
    services = found.messages.services.values() if found.messages else ()
    return check_clock(readings, refused=any(service.trouble is KeyTrouble.CLOCK for service in services))


def _excuse(found: Found, clock: Check, certificate: Check) -> str:
    """A finding by which nobody is let in to the directory; empty when somebody is, or for no other reason."""
    if found.directory is None or not found.directory.sign_in:
        return ""
    if certificate.finding:
        return f"nobody is let in, for the {CERTIFICATE} above"
    return "nobody is let in while the clocks differ" if clock.finding else ""


def _directory(case: Case, found: Found, excuse: str) -> list[Check]:
    because = resting_on(case.settings, *CREDENTIAL)
    if found.directory is None or because:
        return [not_checked(Area.DIRECTORY, "everything in it", because or "the settings cannot be read")]
    planned = Planned(case.app, list(case.chosen.values()), found.creates)
    return check_directory(found.directory, planned, case.purpose, excuse)


def _messages(case: Case, found: Found, clock: Check) -> list[Check]:
    if case.purpose is Purpose.CLOSED:
        return []
    because = resting_on(case.settings, *MESSAGES)
    settings = case.settings.settings
    if because or settings is None or (case.profiles is None):
        return [not_checked(Area.MESSAGES, "message service", because or "settings or profiles cannot be read")]
    profiles = list(case.chosen.values())
    if not profiles:
        return [not_checked(Area.MESSAGES, "message service", "no profile of a council reads")]
    if settings.notify_provider == "none":
        return check_messages_off(profiles, case.purpose)
    if found.messages is None:
        return [not_checked(Area.MESSAGES, "message service", "nobody could look")]
    return check_messages(found.messages, profiles, clock_off=clock.status is Status.MISSING)
