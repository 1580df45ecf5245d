"""What the inspectors found, without a judgement. No value here is personal or secret."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from shared.model.account import Authority
from shared.model.profile import Profile
from shared.settings.settings import Settings


@dataclass(frozen=True, slots=True)
class SettingFacts:
    """The settings of this process."""

    wrong: Mapping[str, str]
    """For each wrong setting, the sentence that names it and says what it should be."""
    settings: Settings | None
    """The settings, with harmless values in place of the wrong ones. None if they could not be read at all."""
    storage: bool
    """True if the storage connection is complete."""


@dataclass(frozen=True, slots=True)
class ProfileFacts:
    """The councils' profiles, read from the folder now."""

    profiles: Mapping[Authority, Profile] = field(default_factory=dict)
    wrong: Mapping[str, str] = field(default_factory=dict)
    """File (or setting) -> the sentence that names file and key."""
    close: Mapping[str, str] = field(default_factory=dict)
    """File -> the key that was probably meant."""
    changed: frozenset[Authority] = frozenset()
    """Profiles that the running app has read otherwise."""


@dataclass(frozen=True, slots=True)
class ClockReading:
    """The time that a service gave, and the time `ours` on this machine."""

    service: str
    theirs: datetime
    ours: datetime

    @property
    def ahead(self) -> timedelta:
        """Return how far the clock of the service is ahead of ours."""
        return self.theirs - self.ours


class Presence(StrEnum):
    """What an inspector found in the storage account."""

    THERE = "there"
    ABSENT = "absent"
    REFUSED = "refused"
    UNREACHABLE = "unreachable"


@dataclass(frozen=True, slots=True)
class Thing:
    """A container, queue or table."""

    kind: str
    name: str
    presence: Presence
    detail: str = ""


@dataclass(frozen=True, slots=True)
class StorageFacts:
    """The data storage account."""

    things: tuple[Thing, ...]
    clock: ClockReading | None = None


class Right(StrEnum):
    """What the app may do in the directory, in words that follow `may`."""

    READ = "read users"
    CREATE = "create users"
    UPDATE = "change users"
    DELETE = "delete users"
    PASSWORD = "change passwords"  # noqa: S105 - the name of a right
    IDENTITIES = "change how users sign in"
    GROUPS = "create groups"
    APPLICATIONS = "register applications"


class CallResult(StrEnum):
    """The result of a harmless call."""

    YES = "yes"
    NO = "no"
    UNTOLD = "untold"
    """The directory does not know such a call."""
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class DirectoryFacts:
    """The directory, as the app's own credential sees it."""

    sign_in: str = ""
    """Why nobody can sign in. Empty if sign-in works."""
    unreachable: str = ""
    """Why no question was answered. Empty if the service answers."""
    address_wrong: bool = False
    silent: str = ""
    """The result of a question that was not answered, if other questions were."""
    granted: frozenset[str] | None = None
    """The permissions in the token. None if no token lists them."""
    roles: frozenset[str] | None = None
    """Ids of the directory roles in the token. None if the token lists none."""
    may: Mapping[Right, CallResult] = field(default_factory=dict)
    attributes: Mapping[str, str] | None = None
    """Type of each extension attribute, empty if only the name is known. None: the directory does not list them."""
    used: int | None = None
    total: int | None = None
    quota_trouble: str = ""
    clock: ClockReading | None = None


class KeyTrouble(StrEnum):
    """Why a key of the message service could not be used."""

    NONE = ""
    ABSENT = "absent"
    MALFORMED = "malformed"
    UNREACHABLE = "unreachable"
    CLOCK = "clock"
    SUSPENDED = "suspended"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class FoundTemplate:
    """A template of the message service."""

    type: str
    placeholders: tuple[str, ...]


class Sending(StrEnum):
    """The result of sending a message to an address that belongs to nobody."""

    UNTRIED = "untried"
    ACCEPTED = "accepted"
    REPLY_TO = "reply_to"
    RESTRICTED = "restricted"
    """Trial mode, or a key that reaches the team only."""
    REFUSED = "refused"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class ServiceFacts:
    """The message service as one council's key sees it."""

    setting: str
    """The name of the setting that holds the key. It is never the key."""
    trouble: KeyTrouble = KeyTrouble.NONE
    detail: str = ""
    templates: Mapping[str, FoundTemplate] = field(default_factory=dict)
    """All templates of the key's service, by id in lower case."""
    same_service: frozenset[Authority] = frozenset()
    """The councils whose keys belong to the same service."""
    sending: Sending = Sending.UNTRIED
    sending_detail: str = ""


@dataclass(frozen=True, slots=True)
class MessageFacts:
    """The message service, by council."""

    services: Mapping[Authority, ServiceFacts] = field(default_factory=dict)
    clock: ClockReading | None = None
