"""A user of the shared directory, as far as the app looks."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from shared.model.account import AccountId, Authority, DirectoryId


@dataclass(frozen=True, slots=True)
class Identity:
    """One way in which a user signs in (Graph `objectIdentity`)."""

    sign_in_type: str
    issuer: str
    assigned_id: str


@dataclass(frozen=True, slots=True)
class DirectoryUser:
    """A user of the shared directory, as far as we look."""

    id: DirectoryId
    identities: tuple[Identity, ...] = ()
    other_mails: tuple[str, ...] = ()
    given_name: str = ""
    surname: str = ""
    display_name: str = ""
    enabled: bool = True
    created: datetime | None = None
    password_changed: datetime | None = None
    must_reset: bool | None = None
    owner_markers: Mapping[Authority, AccountId] = field(default_factory=dict)
    """For each authority, the account for which this user was created or to which it was linked (the owner markers)."""
    customer_refs: Mapping[Authority, str] = field(default_factory=dict)
