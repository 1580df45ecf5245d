"""The whole directory: users, switches, faults, quota and journal under one name."""

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from typing import Any

from local.standins.graph.faults import Faults
from local.standins.graph.filter_syntax import Properties
from local.standins.graph.identities import has_local, upn_identity, upn_of
from local.standins.graph.journal import Journal
from local.standins.graph.quota import Quota
from local.standins.graph.rules import Rules, change_rules
from local.standins.graph.store import Entry, Store


class Directory:
    """One tenant. With a folder its users survive a restart; switches, faults and the journal do not."""

    def __init__(
        self, rules: Rules | None = None, folder: Path | None = None, clock: Callable[[], float] = time.time
    ) -> None:
        self.rules = rules or Rules()
        self.store = Store(folder)
        self.faults = Faults()
        self.quota = Quota()
        self.journal = Journal()
        self.now = clock
        self.pages = 0
        self._registered = dict.fromkeys(self.rules.extension_types(), clock())

    def turn(self, wanted: Mapping[str, object]) -> None:
        """Turn switches while running. Raises ``RuleError`` and turns none if one is wrong."""
        self.rules = change_rules(self.rules, wanted)
        for name in self.rules.extension_types():
            self._registered.setdefault(name, self.now())

    def seed(self, users: Iterable[Mapping[str, Any]]) -> int:
        """Fill an empty directory. A directory that has users is left alone. Returns how many were stored."""
        if len(self.store):
            return 0
        self.store.seed(_make_seeded(user, self.rules) for user in users)
        return len(self.store)

    def add(self, users: list[Mapping[str, Any]]) -> int:
        """Store users who signed up by themselves. Returns how many."""
        self.store.seed(_make_seeded(user, self.rules) for user in users)
        return len(users)

    def put(self, entry: Entry) -> Entry:
        """Store a user as of now."""
        return self.store.put(entry, self.now(), self.rules.visibility_lag_seconds)

    def visible(self, entries: Iterable[Entry] | None = None) -> Iterator[tuple[int, Properties]]:
        """Yield the users that lists show now, each with its number, in the order of creation."""
        now, lag = self.now(), self.rules.visibility_lag_seconds
        for entry in self.store if entries is None else entries:
            properties = entry.seen(now, lag)
            if properties is not None and not properties.get("deletedDateTime"):
                yield entry.number, properties

    def direct(self, key: str) -> Entry | None:
        """A living user by id or userPrincipalName, unless it is too new to be found."""
        entry = self.store.get(key)
        if entry is None or entry.deleted or self.now() < entry.created_at + self.rules.direct_lag_seconds:
            return None
        return entry

    def unavailable(self, names: Iterable[str]) -> list[str]:
        """Return the extension names that cannot be written now: unknown, or registered too recently."""
        ready = self.now() - self.rules.extension_not_ready_seconds
        known = self.rules.extension_types()
        return [name for name in names if name not in known or self._registered[name] > ready]

    def objects(self) -> float:
        """Return what counts against the object quota."""
        deleted = self.store.deleted
        return len(self.store) - deleted + deleted * self.rules.deleted_object_weight

    def stamp(self) -> str:
        """Now, as Graph writes it."""
        return self._count_told().strftime("%Y-%m-%dT%H:%M:%SZ")

    def date(self) -> str:
        """Return the time as the Date header gives it."""
        return format_datetime(self._count_told(), usegmt=True)

    def _count_told(self) -> datetime:
        return datetime.fromtimestamp(self.now() + self.rules.clock_ahead_seconds, UTC)

    def close(self) -> None:
        """Let hanging requests and the file go."""
        self.faults.clear()
        self.store.close()


def read_seed(path: Path) -> list[Mapping[str, Any]]:
    """The users of a seed file. Raises ``ValueError`` with a sentence when it is not one."""
    if not path.is_file():
        raise ValueError(f"there is no seed file {path}")
    found = json.loads(path.read_text(encoding="utf-8"))
    users = found.get("users") if isinstance(found, dict) else None
    if not isinstance(users, list) or not all(isinstance(user, dict) and "id" in user for user in users):
        raise ValueError(f'{path} is not {{"users": [{{"id": …}}, …]}}')
    return users


def _make_seeded(user: Mapping[str, Any], rules: Rules) -> Entry:
    """A user as given, with what every user has. Only the length of a password is kept."""
    properties = {"accountEnabled": True, "userType": "Member", **user}
    profile = properties.pop("passwordProfile", None) or {}
    name = properties.setdefault("userPrincipalName", f"{user['id']}@{rules.tenant}")
    identities = list(properties.get("identities") or ())
    if upn_of(identities) is None:
        identities.append(upn_identity(name, rules))
    properties["identities"] = identities
    if has_local(identities):
        properties.setdefault("creationType", "LocalAccount")
    return Entry(
        properties,
        force_change=bool(profile.get("forceChangePasswordNextSignIn")),
        password_length=len(profile.get("password") or ""),
    )
