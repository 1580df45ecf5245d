"""Durable state."""

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from shared.model.account import Account, AccountId, AddressKey, Authority, Change, DirectoryId, MigrationId, Place
from shared.model.counts.progress import Progress
from shared.model.counts.summary import ShardSummary
from shared.model.lifecycle import State
from shared.model.migration import Migration
from shared.model.pacing.rate_limit import Lane, Pace
from shared.model.pacing.work_query import Line
from shared.model.row import Row
from shared.model.safeguards.backup import Record
from shared.model.safeguards.canary import Canary
from shared.model.safeguards.rebuild import Anchors, Rebuild
from shared.model.safeguards.timer_failure import Trouble


@dataclass(frozen=True, slots=True)
class Mending:
    """How what a copy says enters the new tables."""

    account: Callable[[Account], tuple[Account, Change | None]]
    migration: Callable[[Migration], Migration]


@dataclass(frozen=True, slots=True)
class Stored[T]:
    """A record and the ETag it had when it was read."""

    record: T
    etag: str
    history: str = ""
    """The record's history as the adapter stores it beside the record. Only the adapter reads it."""


class MigrationRecords(Protocol):
    """Migrations: one record for each upload."""

    async def get(self, authority: Authority, migration: MigrationId) -> Migration | None: ...

    async def get_recent(self, authority: Authority, migration: MigrationId) -> Migration | None:
        """The same as it was at most a second ago, for what is asked of every account."""
        ...

    def list_all(self, authority: Authority) -> AsyncIterator[Migration]: ...

    async def insert(self, migration: Migration) -> bool:
        """Insert; False (and nothing written) when it is there already."""
        ...

    async def change(
        self, authority: Authority, migration: MigrationId, change: Callable[[Migration], Migration]
    ) -> Migration:
        """Read, change, save; again when somebody else was faster. `change` may run several times.

        Raises:
            KeyError: there is no such migration.
        """
        ...

    async def list_refused(self) -> list[Migration]:
        """Uploads of councils that have no profile."""
        ...


class AccountRecords(Protocol):
    """Accounts and their histories."""

    async def get(self, place: Place, account: AccountId) -> Stored[Account] | None: ...

    async def save(self, before: Stored[Account], account: Account, change: Change | None) -> Stored[Account]:
        """Save an account and, in the same transaction, an entry of its history.

        Raises:
            StaleWrite: somebody else changed it first; nothing was written.
        """
        ...

    async def save_all(self, changes: Sequence[tuple[Stored[Account], Account, Change | None]]) -> list[Account]:
        """Save accounts, those of one shard together; returns those that were saved."""
        ...

    async def insert(self, accounts: Sequence[tuple[Account, Change]]) -> list[AccountId]:
        """Insert accounts of one shard of one place; returns those that exist already, which are left as they are."""
        ...

    def list_shard(self, place: Place, shard: str) -> AsyncIterator[Stored[Account]]: ...

    def list_projections(self, place: Place, shard: str) -> AsyncIterator[Account]:
        """The same, as far as gate and counts need them, in half the time. Never save one: the rest is left out."""
        ...

    def list_due(
        self, place: Place, shard: str, of: Line, before: datetime, limit: int
    ) -> AsyncIterator[Stored[Account]]:
        """At most `limit` accounts of this line that wait for a moment, and may have one by `before`."""
        ...

    async def is_any_in_state(self, place: Place, shard: str, migration: MigrationId, states: Sequence[State]) -> bool:
        """Return True if the shard holds an account of this migration in one of these states."""
        ...

    async def list_history(self, place: Place, account: AccountId) -> list[Change]: ...


class RowRecords(Protocol):
    """Rows of exports. Only these records hold anything personal."""

    async def put(self, rows: Sequence[Row]) -> None: ...

    async def get(self, account: Account) -> Row | None: ...

    def list_shard(self, authority: Authority, shard: str, migration: MigrationId) -> AsyncIterator[Row]:
        """The rows of one shard of one export, without what is personal."""
        ...

    def list_with_people(self, authority: Authority, shard: str, migration: MigrationId) -> AsyncIterator[Row]:
        """The same rows with what is personal: for lists of people alone."""
        ...


class AddressRecords(Protocol):
    """Which accounts have an address."""

    async def put(self, place: Place, pairs: Iterable[tuple[AddressKey, AccountId]]) -> None: ...

    async def drop(self, place: Place, address: AddressKey, account: AccountId) -> None: ...

    async def list_accounts(self, place: Place, address: AddressKey) -> list[AccountId]: ...

    async def may_be_shared(self, migration: Migration, address: AddressKey) -> bool:
        """Whether several accounts have this address, or had it within the last ten minutes.

        Only for a migration that has been staged whole: then nobody adds to its addresses any more.
        """
        ...


class IdentityClaimRecords(Protocol):
    """Which accounts match a directory user."""

    async def claim(self, place: Place, user: DirectoryId, account: AccountId) -> list[AccountId]:
        """Note that this account matches this user; returns the others that ever did.

        Of two accounts, the one that claims later is told of the earlier.
        """
        ...

    async def list_accounts(self, place: Place, user: DirectoryId) -> list[AccountId]:
        """Every account that ever matched this user."""
        ...


class SuppressionRecords(Protocol):
    """Customers whom a council wants left alone."""

    async def put(self, authority: Authority, found: Mapping[AccountId, str], at: datetime) -> set[AccountId]:
        """Note who is to be left alone and for which reason; an empty reason takes the account off the list.

        `at` is when the list was uploaded: what a newer one says of somebody who is on it stays. Returns who was
        there already by the word of another list.
        """
        ...

    async def list_shard(self, authority: Authority, shard: str) -> dict[AccountId, str]:
        """Who is to be left alone, and why: a reason code."""
        ...


class SummaryRecords(Protocol):
    """What the sweep counted in each shard of a migration."""

    async def get(self, authority: Authority, migration: MigrationId, shard: str) -> ShardSummary | None: ...

    async def put(self, authority: Authority, migration: MigrationId, summary: ShardSummary) -> None: ...

    async def list_all(self, authority: Authority, migration: MigrationId) -> list[ShardSummary]: ...


class ProgressRecords(Protocol):
    """How many accounts of a migration were done at which time."""

    async def get(self, authority: Authority, migration: MigrationId) -> Progress | None: ...

    async def put(self, authority: Authority, migration: MigrationId, progress: Progress) -> None:
        """Keep how far a migration was when; the latest write counts."""
        ...


class RateLimitRecords(Protocol):
    """The slots of a rate limit that are given away, shared by all instances."""

    async def get(self, lane: Lane) -> Stored[Pace] | None: ...

    async def save(self, lane: Lane, before: Stored[Pace] | None, pace: Pace) -> bool:
        """Save the shared pace of a lane; False when somebody else was faster."""
        ...

    async def get_recent(self, lane: Lane, now: datetime) -> Pace | None:
        """The pace of a lane as it was at most some seconds ago: cheap enough to be asked by every step."""
        ...


class FirstMessageRecords(Protocol):
    """When the first message of an authority went out."""

    async def get(self, authority: Authority) -> datetime | None: ...

    async def note(self, authority: Authority, at: datetime) -> None:
        """Note when this authority's first message went out; only the first note counts."""
        ...

    async def restore(self, authority: Authority, at: datetime) -> None:
        """Note again when the first message went out, whatever this process remembers of lost tables."""
        ...


class LossRecords(Protocol):
    """The anchors that show whether a table was emptied, and the rebuild that is under way."""

    async def get_anchors(self, authority: Authority) -> Anchors:
        """In which tables this authority's anchor is left, by which it is seen that a table was emptied."""
        ...

    async def leave_anchors(self, authority: Authority) -> None:
        """Leave an anchor in every table where there is none."""
        ...

    async def begin_rebuild(self, authority: Authority, rebuild: Rebuild) -> Rebuild:
        """Note that a rebuild is under way; returns the one that is noted, which may be somebody else's."""
        ...

    async def move_rebuild(self, authority: Authority, before: Rebuild, after: Rebuild) -> None:
        """Note how far it is, unless somebody else noted something else meanwhile."""
        ...

    async def end_rebuild(self, authority: Authority) -> None:
        """The tables are made again: leave the anchors, and only then forget the note."""
        ...


class BackupRecords(Protocol):
    """Records as a nightly copy holds them."""

    def list_partitions(self, authority: Authority) -> list[tuple[str, str]]:
        """(table, partition) of all that a copy holds of an authority: accounts first, migrations last."""
        ...

    def list_records(self, table: str, partition: str) -> AsyncIterator[Record]:
        """The records of a partition, without what a copy that nobody can change must not hold."""
        ...

    async def restore(self, records: Sequence[Record], mending: Mending) -> int:
        """Insert records of one partition where nothing is; returns how many. What is there is newer and stays."""
        ...


class PseudonymKeyRecords(Protocol):
    """The fingerprint of the key with which the account ids are made."""

    async def get_fingerprint(self) -> str | None:
        """Of the key with which the accounts are made; None before the first. It never changes."""
        ...

    async def note(self, fingerprint: str) -> str:
        """Note it where none is noted, whatever this process remembers of lost tables; returns the one that counts."""
        ...


class TimerFailureRecords(Protocol):
    """Timers that fail."""

    async def list_all(self) -> list[Trouble]:
        """Timers that have not run well since they failed."""
        ...

    async def note(self, timer: str, error: str, at: datetime) -> None:
        """Note that a timer failed once more; `error` is its type and place."""
        ...

    async def end(self, timer: str) -> None:
        """A timer ran well: forget its trouble, within five minutes where another process noted it."""
        ...


class CanaryRecords(Protocol):
    """The newest canary of each authority."""

    async def get(self, authority: Authority) -> Stored[Canary] | None: ...

    async def save(self, before: Stored[Canary] | None, canary: Canary) -> Stored[Canary]:
        """Save an authority's canary.

        Raises:
            StaleWrite: somebody else changed it first; nothing was written.
        """
        ...


@dataclass(frozen=True, slots=True)
class Ledger:
    """Durable state, one part for each kind of record.

    Every change of an existing record is conditional on its ETag.
    """

    migrations: MigrationRecords
    accounts: AccountRecords
    rows: RowRecords
    addresses: AddressRecords
    identity_claims: IdentityClaimRecords
    suppressions: SuppressionRecords
    summaries: SummaryRecords
    progress: ProgressRecords
    rate_limits: RateLimitRecords
    first_messages: FirstMessageRecords
    losses: LossRecords
    backups: BackupRecords
    pseudonym_keys: PseudonymKeyRecords
    timer_failures: TimerFailureRecords
    canaries: CanaryRecords
