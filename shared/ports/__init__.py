"""What the steps need from outside: protocols of a few methods, with the promises that every adapter keeps.

There is one file for each service. Import its names from this package.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from shared.model.account import Authority
from shared.model.pacing.held_slots import Ahead
from shared.model.pacing.rate_limit import Quotas
from shared.model.profile import Profile
from shared.model.pseudonyms import Pseudonyms
from shared.ports.clock import Clock
from shared.ports.containers import Backups, Blob, Exports, Reports
from shared.ports.directory import Directory, NewUser
from shared.ports.ledger import Ledger, Mending, Stored
from shared.ports.notifier import Letter, Notice, Notifier, Preview
from shared.ports.outbox import Outbox, PoisonMessage

__all__ = [
    "Backups",
    "Blob",
    "Clock",
    "Directory",
    "Exports",
    "Ledger",
    "Letter",
    "Mending",
    "NewUser",
    "Notice",
    "Notifier",
    "Outbox",
    "PoisonMessage",
    "Ports",
    "Preview",
    "Reports",
    "Stored",
]


@dataclass(frozen=True, slots=True)
class Ports:
    """All that a step may touch, and what the settings say. Made by `wiring`, or by a test."""

    clock: Clock
    exports: Exports
    reports: Reports
    backups: Backups
    ledger: Ledger
    outbox: Outbox
    directory: Directory
    notifier: Notifier | None
    """None: the message service is off, and nobody is notified."""
    profiles: Mapping[Authority, Profile]
    pseudonyms: Pseudonyms
    quotas: Quotas
    tenant: str
    """Issuer of the directory's local identities."""
    jitter: Callable[[], float]
    """Returns a number between 0 and 1, which spreads retries that would otherwise come together."""
    certificate_ends: datetime | None = None
    """When the certificate for the directory sign-in ends. None if there is no certificate."""
    signed_in: bool = False
    """True if callers sign in and are known by an object id. On a laptop people say who they are."""
    ahead: Ahead = field(default_factory=Ahead)
    """The slots to come that this process gave to accounts."""
