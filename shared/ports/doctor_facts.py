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
    """Setting -> the sentence that names it and says what it should be."""
    settings: Settings | None
    """With something harmless in place of what is wrong; None where not even that could be read."""
    storage: bool
    """Whether the storage connection is whole."""


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
    """What a service said its time was when it was `ours` here."""

    service: str
    theirs: datetime
    ours: datetime

    @property
    def ahead(self) -> timedelta:
        """How far the service is ahead of us."""
        return self.theirs - self.ours


class Presence(StrEnum):
    """What became of the attempt to look at something in the storage account."""

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


class Answer(StrEnum):
    """What a harmless call came to."""

    YES = "yes"
    NO = "no"
    UNTOLD = "untold"
    """The directory does not know such a call."""
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class DirectoryFacts:
    """The directory, as the app's own credential sees it."""

    sign_in: str = ""
    """Why nobody is let in; empty when somebody is."""
    unreachable: str = ""
    """Why nothing could be asked; empty when it answers."""
    address_wrong: bool = False
    silent: str = ""
    """It answers, but not every question: what one of those came to."""
    granted: frozenset[str] | None = None
    """The permissions in the token; None where there is no token that says so."""
    roles: frozenset[str] | None = None
    """Ids of the directory roles in the token; None where it says nothing of them."""
    may: Mapping[Right, Answer] = field(default_factory=dict)
    attributes: Mapping[str, str] | None = None
    """Names of extension attributes -> type, empty where only the name is known. None: nobody tells."""
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
class Template:
    """A template of the message service."""

    type: str
    placeholders: tuple[str, ...]


class Sending(StrEnum):
    """What became of a message to the address that nobody has."""

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
    """The setting that holds the key; never the key."""
    trouble: KeyTrouble = KeyTrouble.NONE
    detail: str = ""
    templates: Mapping[str, Template] = field(default_factory=dict)
    """By id, in lower case: all of the key's service."""
    same_service: frozenset[Authority] = frozenset()
    """Councils whose keys are of the same service."""
    sending: Sending = Sending.UNTRIED
    sending_detail: str = ""


@dataclass(frozen=True, slots=True)
class MessageFacts:
    """The message service, by council."""

    services: Mapping[Authority, ServiceFacts] = field(default_factory=dict)
    clock: ClockReading | None = None
