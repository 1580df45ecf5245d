"""The whole examination: inspectors look at the same time, pure checks judge, and each cause gives one finding."""

import asyncio
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from shared.errors import describe_unexpected
from shared.model.account import Authority
from shared.model.profile import Profile
from shared.ports import Clock, Ledger
from shared.ports.doctor_facts import DirectoryFacts, KeyTrouble, MessageFacts, ProfileFacts, SettingFacts, StorageFacts
from shared.ports.inspectors import InspectsDirectory, InspectsMessages, InspectsStorage
from shared.readiness import canary_checks
from shared.readiness.key_checks import SETTING as KEY
from shared.readiness.key_checks import NotedKey, check_key, noted_key
from shared.readiness.planned_creates import count_planned_creates
from shared.readiness.rules.attribute_checks import EXTENSIONS_APP, Planned, list_wanted_attributes
from shared.readiness.rules.certificate import NAME as CERTIFICATE
from shared.readiness.rules.certificate import check_certificate
from shared.readiness.rules.clock_checks import check_clock
from shared.readiness.rules.directory_checks import check_directory
from shared.readiness.rules.message_checks import check_messages, check_messages_off, list_telling
from shared.readiness.rules.report import Area, Check, CheckStatus, Code, Purpose, report_missing, report_unchecked
from shared.readiness.rules.setting_checks import check_profiles, check_settings, find_wrong_setting
from shared.readiness.rules.storage_checks import check_storage_account

CREDENTIAL: Final = (
    "DIRECTORY_GRAPH_URL",
    "DIRECTORY_TENANT_ID",
    "DIRECTORY_CLIENT_ID",
    "DIRECTORY_CLIENT_CERTIFICATE",
    "DIRECTORY_CLIENT_SECRET",
)
MESSAGES: Final = ("NOTIFY_PROVIDER", "NOTIFY_URL")
SECONDS: Final = 10
"""How long the tables may take. A network that accepts the call and never answers is a common fault."""


@dataclass(frozen=True, slots=True)
class Inspectors:
    """The inspectors. None: a setting that the inspector needs is wrong, or the service is switched off."""

    clock: Clock
    directory: InspectsDirectory | None = None
    messages: InspectsMessages | None = None
    storage: InspectsStorage | None = None
    ledger: Ledger | None = None


@dataclass(frozen=True, slots=True)
class Examination:
    """The request for an examination, and what is known before it."""

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
        """Return the councils whose own things are examined."""
        return {name: profile for name, profile in self.known.items() if self.authority in {"", name}}

    @property
    def app(self) -> str:
        """App id of the b2c-extensions-app, empty if the setting is wrong."""
        settings = self.settings.settings
        wrong = settings is None or EXTENSIONS_APP in self.settings.wrong
        return "" if wrong or settings is None else settings.directory_extensions_app_id.replace("-", "").lower()


@dataclass(frozen=True, slots=True)
class Found:
    """What the inspectors found. None if nobody looked."""

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


async def examine_case(case: Examination, inspectors: Inspectors) -> list[Check]:
    """Run every check for this purpose. If a council is named, only its own things are checked."""
    return judge_findings(case, await _inspect_all(case, inspectors), inspectors.clock.now())


async def _inspect_all(case: Examination, inspectors: Inspectors) -> Found:
    broken: list[Check] = []
    unread: list[Check] = []
    messages = inspectors.messages if case.purpose is not Purpose.CLOSED else None
    wave = case.chosen.values() if case.purpose is Purpose.WAVE else ()
    wanted = list_wanted_attributes(case.app, case.chosen.values()) if case.app else {}
    found = await asyncio.gather(
        _inspect_safely(Area.DIRECTORY, inspectors.directory.look(wanted) if inspectors.directory else None, broken),
        _inspect_safely(
            Area.MESSAGES, messages.look(list_telling(case.known), frozenset(case.chosen)) if messages else None, broken
        ),
        _inspect_safely(Area.STORAGE, inspectors.storage.look() if inspectors.storage else None, broken),
        _read_tables("planned accounts", count_planned_creates(inspectors.ledger, case.known), 0, unread),
        _read_tables(
            "canaries",
            canary_checks.read_canaries(inspectors.ledger, wave),
            canary_checks.make_unread_canaries(wave),
            unread,
        ),
        _read_tables("the noted key", noted_key(inspectors.ledger), NotedKey(readable=False), unread),
    )
    return Found(*found, tuple(broken), tuple(unread))


async def _read_tables[T](what: str, looking: Awaitable[T], otherwise: T, unread: list[Check]) -> T:
    """Return what only the tables say. If they do not answer, the checks of the storage account report it."""
    try:
        async with asyncio.timeout(SECONDS):
            return await looking
    except TimeoutError:
        return otherwise
    except Exception as error:  # noqa: BLE001 - what cannot be read is a finding, and hides no other
        found = f"what the tables say of {what} cannot be read ({describe_unexpected(error)})"
        mend = "Somebody else wrote there, or another version of the app: tell the developers what stands here."
        unread.append(report_missing(Area.STORAGE, what, Code.STORAGE_UNREACHABLE, found, mend))
        return otherwise


async def _inspect_safely[T](area: Area, looking: Awaitable[T] | None, broken: list[Check]) -> T | None:
    if looking is None:
        return None
    try:
        return await looking
    except Exception as error:  # noqa: BLE001 - a probe that breaks down is a finding, and hides no other
        code = {
            Area.DIRECTORY: Code.DIRECTORY_UNREACHABLE,
            Area.MESSAGES: Code.MESSAGES_UNREACHABLE,
        }.get(area, Code.STORAGE_UNREACHABLE)
        found = f"it could not be looked at: the doctor itself failed ({describe_unexpected(error)})"
        broken.append(
            report_missing(area, f"all of {area}", code, found, "This is a bug: tell the developers what stands here.")
        )
        return None


def judge_findings(case: Examination, found: Found, now: datetime) -> list[Check]:
    """Judge facts and return checks.

    What follows from another finding is not checked, so that each cause is reported once.
    """
    clock = _check_clock(found)
    certificate = check_certificate(
        case.settings.settings, now, find_wrong_setting(case.settings, "DIRECTORY_CLIENT_CERTIFICATE")
    )
    checks = [
        *check_settings(case.settings),
        check_key(case.settings.settings, found.key, find_wrong_setting(case.settings, KEY)),
        *check_profiles(case.profiles, case.authority, case.purpose),
        *_unless_broken(
            found, Area.STORAGE, check_storage_account(found.storage, find_wrong_setting(case.settings, "*"))
        ),
        clock,
        certificate,
        *_unless_broken(found, Area.DIRECTORY, _check_directory(case, found, _find_excuse(found, clock, certificate))),
        *_unless_broken(found, Area.MESSAGES, _check_messages(case, found, clock)),
        *found.broken,
        *found.unread,
    ]
    for authority, known in found.canaries.items():
        checks.append(canary_checks.check_canary(case.known[authority], known, now))
    return checks


def _unless_broken(found: Found, area: Area, checks: list[Check]) -> list[Check]:
    return [] if any(check.area is area for check in found.broken) else checks


def _check_clock(found: Found) -> Check:
    facts = (found.directory, found.messages, found.storage)
    readings = [each.clock for each in facts if each is not None and each.clock is not None]
    services = found.messages.services.values() if found.messages else ()
    return check_clock(readings, refused=any(service.trouble is KeyTrouble.CLOCK for service in services))


def _find_excuse(found: Found, clock: Check, certificate: Check) -> str:
    """Return a finding that explains why the directory lets nobody in, or an empty text."""
    if found.directory is None or not found.directory.sign_in:
        return ""
    if certificate.finding:
        return f"nobody is let in, for the {CERTIFICATE} above"
    return "nobody is let in while the clocks differ" if clock.finding else ""


def _check_directory(case: Examination, found: Found, excuse: str) -> list[Check]:
    because = find_wrong_setting(case.settings, *CREDENTIAL)
    if found.directory is None or because:
        return [report_unchecked(Area.DIRECTORY, "everything in it", because or "the settings cannot be read")]
    planned = Planned(case.app, list(case.chosen.values()), found.creates)
    return check_directory(found.directory, planned, case.purpose, excuse)


def _check_messages(case: Examination, found: Found, clock: Check) -> list[Check]:
    if case.purpose is Purpose.CLOSED:
        return []
    because = find_wrong_setting(case.settings, *MESSAGES)
    settings = case.settings.settings
    if because or settings is None or (case.profiles is None):
        return [report_unchecked(Area.MESSAGES, "message service", because or "settings or profiles cannot be read")]
    profiles = list(case.chosen.values())
    if not profiles:
        return [report_unchecked(Area.MESSAGES, "message service", "no profile of a council reads")]
    if settings.notify_provider == "none":
        return check_messages_off(profiles, case.purpose)
    if found.messages is None:
        return [report_unchecked(Area.MESSAGES, "message service", "nobody could look")]
    return check_messages(found.messages, profiles, clock_off=clock.status is CheckStatus.MISSING)
