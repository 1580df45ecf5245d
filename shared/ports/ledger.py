"""Durable state."""

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from shared.model.account import Account, AccountId, AddressKey, Authority, Change, DirectoryId, MigrationId, Partition
from shared.model.counts.progress import Progress
from shared.model.counts.summary import ShardSummary
from shared.model.lifecycle import State
from shared.model.migration import Migration
from shared.model.pacing.rate_limit import Limiter, Pace
from shared.model.pacing.work_query import WorkQuery
from shared.model.row import Row
from shared.model.safeguards.backup import BackupRecord
from shared.model.safeguards.canary import Canary
from shared.model.safeguards.rebuild import Anchors, Rebuild
from shared.model.safeguards.timer_failure import TimerFailure


@dataclass(frozen=True, slots=True)
class Mending:
    """How the records of a copy are changed when they enter the new tables."""

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
        """Return the migration as it was at most a second ago. Steps that ask for every account use this."""
        ...

    def list_all(self, authority: Authority) -> AsyncIterator[Migration]: ...

    async def insert(self, migration: Migration) -> bool:
        """Insert a migration. Return False, and write nothing, if it exists already."""
        ...

    async def change(
        self, authority: Authority, migration: MigrationId, change: Callable[[Migration], Migration]
    ) -> Migration:
        """Read, change and save, and do it again if another process was faster. `change` may run several times.

        Raises:
            KeyError: there is no such migration.
        """
        ...

    async def list_refused(self) -> list[Migration]:
        """Uploads of councils that have no profile."""
        ...


class AccountRecords(Protocol):
    """Accounts and their histories."""

    async def get(self, partition: Partition, account: AccountId) -> Stored[Account] | None: ...

    async def save(self, before: Stored[Account], account: Account, change: Change | None) -> Stored[Account]:
        """Save an account with an entry of its history, in one write.

        Raises:
            StaleWrite: another process changed it first. Nothing was written.
        """
        ...

    async def save_all(self, changes: Sequence[tuple[Stored[Account], Account, Change | None]]) -> list[Account]:
        """Save accounts, those of one shard together. Returns the accounts that were saved."""
        ...

    async def insert(self, accounts: Sequence[tuple[Account, Change]]) -> list[AccountId]:
        """Insert accounts of one shard of one partition. Returns those that exist already, which are not changed."""
        ...

    def list_shard(self, partition: Partition, shard: str) -> AsyncIterator[Stored[Account]]: ...

    def list_projections(self, partition: Partition, shard: str) -> AsyncIterator[Account]:
        """Yield the accounts with only the columns for gate and counts, in half the time. Never save one of these."""
        ...

    def list_due(
        self, partition: Partition, shard: str, of: WorkQuery, before: datetime, limit: int
    ) -> AsyncIterator[Stored[Account]]:
        """Yield at most `limit` accounts of this query that wait for release and may be released by `before`."""
        ...

    async def is_any_in_state(
        self, partition: Partition, shard: str, migration: MigrationId, states: Sequence[State]
    ) -> bool:
        """Return True if the shard holds an account of this migration in one of these states."""
        ...

    async def list_history(self, partition: Partition, account: AccountId) -> list[Change]: ...


class RowRecords(Protocol):
    """Rows of exports. Only these records hold anything personal."""

    async def put(self, rows: Sequence[Row]) -> None: ...

    async def get(self, account: Account) -> Row | None: ...

    def list_shard(self, authority: Authority, shard: str, migration: MigrationId) -> AsyncIterator[Row]:
        """The rows of one shard of one export, without what is personal."""
        ...

    def list_with_people(self, authority: Authority, shard: str, migration: MigrationId) -> AsyncIterator[Row]:
        """Yield the same rows with their personal data. Only for personal lists."""
        ...


class AddressRecords(Protocol):
    """Which accounts use an e-mail address."""

    async def put(self, partition: Partition, pairs: Iterable[tuple[AddressKey, AccountId]]) -> None: ...

    async def drop(self, partition: Partition, address: AddressKey, account: AccountId) -> None: ...

    async def list_accounts(self, partition: Partition, address: AddressKey) -> list[AccountId]: ...

    async def may_be_shared(self, migration: Migration, address: AddressKey) -> bool:
        """Return True if several accounts use this address, or did within the last ten minutes.

        Only for a migration that was staged completely: after that, no address is added.
        """
        ...


class IdentityClaimRecords(Protocol):
    """Which accounts match a directory user."""

    async def claim(self, partition: Partition, user: DirectoryId, account: AccountId) -> list[AccountId]:
        """Record that this account matches this user, and return the other accounts that ever did.

        Of two accounts, the later one learns of the earlier one.
        """
        ...

    async def list_accounts(self, partition: Partition, user: DirectoryId) -> list[AccountId]:
        """Every account that ever matched this user."""
        ...


class SuppressionRecords(Protocol):
    """Customers whom the council has excluded from the migration."""

    async def put(self, authority: Authority, found: Mapping[AccountId, str], at: datetime) -> set[AccountId]:
        """Record the accounts to exclude and the reason for each. An empty reason takes the account off the list.

        `at` is when the list was uploaded. An entry of a newer list stays as it is. Returns the accounts that another
        list had excluded before.
        """
        ...

    async def list_shard(self, authority: Authority, shard: str) -> dict[AccountId, str]:
        """Return the excluded accounts, each with a reason code."""
        ...


class SummaryRecords(Protocol):
    """The counts of each shard of a migration."""

    async def get(self, authority: Authority, migration: MigrationId, shard: str) -> ShardSummary | None: ...

    async def put(self, authority: Authority, migration: MigrationId, summary: ShardSummary) -> None: ...

    async def list_all(self, authority: Authority, migration: MigrationId) -> list[ShardSummary]: ...


class ProgressRecords(Protocol):
    """How many accounts of a migration were done at which time."""

    async def get(self, authority: Authority, migration: MigrationId) -> Progress | None: ...

    async def put(self, authority: Authority, migration: MigrationId, progress: Progress) -> None:
        """Save the progress of a migration. The latest write counts."""
        ...


class RateLimitRecords(Protocol):
    """The slots of a rate limit that are given away, shared by all instances."""

    async def get(self, limiter: Limiter) -> Stored[Pace] | None: ...

    async def save(self, limiter: Limiter, before: Stored[Pace] | None, pace: Pace) -> bool:
        """Save the shared pace of a rate limiter. Return False if another process was faster."""
        ...

    async def get_recent(self, limiter: Limiter, now: datetime) -> Pace | None:
        """Return the pace of a rate limiter as it was at most some seconds ago. Every step can afford to ask."""
        ...


class FirstMessageRecords(Protocol):
    """When the first message of an authority was sent."""

    async def get(self, authority: Authority) -> datetime | None: ...

    async def note(self, authority: Authority, at: datetime) -> None:
        """Record when this authority's first message was sent. Only the first record counts."""
        ...

    async def restore(self, authority: Authority, at: datetime) -> None:
        """Record again when the first message was sent, even if this process remembers something from lost tables."""
        ...


class LossRecords(Protocol):
    """The anchors that show whether a table was emptied, and the rebuild that is under way."""

    async def get_anchors(self, authority: Authority) -> Anchors:
        """Return the tables that still have this authority's anchor.

        A missing anchor shows that a table was emptied.
        """
        ...

    async def leave_anchors(self, authority: Authority) -> None:
        """Write an anchor into every table that has none."""
        ...

    async def begin_rebuild(self, authority: Authority, rebuild: Rebuild) -> Rebuild:
        """Record that a rebuild has started. Return the recorded one, which may be from another process."""
        ...

    async def move_rebuild(self, authority: Authority, before: Rebuild, after: Rebuild) -> None:
        """Record the progress of a rebuild, unless another process recorded something else meanwhile."""
        ...

    async def end_rebuild(self, authority: Authority) -> None:
        """The tables are made again: leave the anchors, and only then forget the note."""
        ...


class BackupRecords(Protocol):
    """Records as a nightly copy holds them."""

    def list_partitions(self, authority: Authority) -> list[tuple[str, str]]:
        """(table, partition) of all that a copy holds of an authority: accounts first, migrations last."""
        ...

    def list_records(self, table: str, partition: str) -> AsyncIterator[BackupRecord]:
        """Yield the records of a partition, without data that must not be in a copy that nobody can change."""
        ...

    async def restore(self, records: Sequence[BackupRecord], mending: Mending) -> int:
        """Insert records of one partition that do not exist. Returns how many. Existing records are newer and stay."""
        ...


class PseudonymKeyRecords(Protocol):
    """The fingerprint of the key with which the account ids are made."""

    async def get_fingerprint(self) -> str | None:
        """Return the fingerprint of the key with which the accounts are made. None before the first account.

        It never changes.
        """
        ...

    async def note(self, fingerprint: str) -> str:
        """Record the fingerprint if none is recorded, even if this process remembers lost tables.

        Return the recorded one.
        """
        ...


class TimerFailureRecords(Protocol):
    """Timers that fail."""

    async def list_all(self) -> list[TimerFailure]:
        """Timers that have not run well since they failed."""
        ...

    async def note(self, timer: str, error: str, at: datetime) -> None:
        """Record one more failure of a timer. `error` is its type and place."""
        ...

    async def end(self, timer: str) -> None:
        """Forget the failures of a timer that ran well.

        Failures that another process recorded are forgotten within five minutes.
        """
        ...


class CanaryRecords(Protocol):
    """The newest canary of each authority."""

    async def get(self, authority: Authority) -> Stored[Canary] | None: ...

    async def save(self, before: Stored[Canary] | None, canary: Canary) -> Stored[Canary]:
        """Save the canary of an authority.

        Raises:
            StaleWrite: another process changed it first. Nothing was written.
        """
        ...


@dataclass(frozen=True, slots=True)
class Ledger:
    """The durable state, with one part for each kind of record.

    Every change of an existing record depends on its ETag.
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
