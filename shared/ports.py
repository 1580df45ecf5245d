"""What the steps need of the world: protocols of a few methods, with the promises that every adapter keeps."""

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from shared.domain.account import Account, AccountId, AddressKey, Authority, Change, DirectoryId, MigrationId, Place
from shared.domain.canary import Canary
from shared.domain.copies import Record
from shared.domain.forecast import Progress
from shared.domain.headcount import Headcount
from shared.domain.lines import Line
from shared.domain.matching import DirectoryUser
from shared.domain.migration import Migration
from shared.domain.pace import Lane, Pace, Quotas
from shared.domain.profile import Profile
from shared.domain.pseudonyms import Pseudonyms
from shared.domain.rebuild import Anchors, Rebuild
from shared.domain.rows import Row
from shared.domain.summary import ShardSummary
from shared.domain.trouble import Trouble
from shared.messages import Message


class Clock(Protocol):
    """The time, always UTC and aware."""

    def now(self) -> datetime: ...


@dataclass(frozen=True, slots=True)
class Blob:
    """One blob of `exports`, as it was when it was looked at."""

    name: str
    etag: str
    size: int
    uploaded: datetime
    uploaded_by: str = ""
    """Who uploaded it, as its metadata `uploaded_by` says. A listing does not tell."""


class Exports(Protocol):
    """The container into which councils upload."""

    def all(self) -> AsyncIterator[Blob]: ...

    async def find(self, name: str) -> Blob | None: ...

    def read(self, name: str, etag: str, start: int = 0) -> AsyncIterator[bytes]:
        """The bytes from `start` in chunks of some MiB.

        Raises:
            Superseded: the blob is gone or is not the one with this ETag any more.
        """
        ...


class Reports(Protocol):
    """The container in which people read what happened."""

    async def read(self, path: str) -> bytes | None:
        """A report as it stands, None where there is none."""
        ...

    def all(self, prefix: str) -> AsyncIterator[str]:
        """The paths of all reports that begin so."""
        ...

    async def put(self, path: str, body: bytes, content_type: str) -> None: ...

    async def put_blocks(self, path: str, blocks: Sequence[AsyncIterator[bytes]], content_type: str) -> None:
        """Write a large report block by block and publish it at once: readers see the old or the new one, whole."""
        ...

    async def kept(self, path: str, blocks: Iterable[str]) -> frozenset[str]:
        """Which of these blocks need not be staged: the report has them, or they wait to be published."""
        ...

    async def stage(self, path: str, block: str, parts: AsyncIterator[bytes]) -> bool:
        """Upload a block that nobody sees before it is published; False when there is nothing in it.

        Its name stands for what is in it. A block that is not published within a week is forgotten.
        """
        ...

    async def publish(self, path: str, blocks: Sequence[str], content_type: str) -> None:
        """Make the report of these kept blocks and no others: readers see the old one or the new one, whole.

        Raises:
            LookupError: one of them is not there any more. Nothing was published.
        """
        ...


class Backups(Protocol):
    """The container of the nightly copies: what is written once is never written again, nor taken away by the app."""

    async def add(self, path: str, body: bytes) -> bool:
        """Write a file; False (and nothing written) when it is there already."""
        ...

    async def read(self, path: str) -> bytes | None: ...

    def all(self, prefix: str) -> AsyncIterator[str]:
        """The paths of all files that begin so, in their order; none where there is no such container."""
        ...


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


class Ledger(Protocol):
    """Durable state. Every change of an existing record is conditional on its ETag."""

    async def migration(self, authority: Authority, migration: MigrationId) -> Migration | None: ...

    async def recent_migration(self, authority: Authority, migration: MigrationId) -> Migration | None:
        """The same as it was at most a second ago, for what is asked of every account."""
        ...

    def migrations(self, authority: Authority) -> AsyncIterator[Migration]: ...

    async def open_migration(self, migration: Migration) -> bool:
        """Insert; False (and nothing written) when it is there already."""
        ...

    async def change_migration(
        self, authority: Authority, migration: MigrationId, change: Callable[[Migration], Migration]
    ) -> Migration:
        """Read, change, save; again when somebody else was faster. `change` may run several times.

        Raises:
            KeyError: there is no such migration.
        """
        ...

    async def account(self, place: Place, account: AccountId) -> Stored[Account] | None: ...

    async def save(self, before: Stored[Account], account: Account, change: Change | None) -> Stored[Account]:
        """Save an account and, in the same transaction, an entry of its history.

        Raises:
            StaleWrite: somebody else changed it first; nothing was written.
        """
        ...

    async def save_all(self, changes: Sequence[tuple[Stored[Account], Account, Change | None]]) -> list[Account]:
        """Save accounts, those of one shard together; returns those that were saved."""
        ...

    async def insert_accounts(self, accounts: Sequence[tuple[Account, Change]]) -> list[AccountId]:
        """Insert accounts of one shard of one place; returns those that exist already, which are left as they are."""
        ...

    def accounts(self, place: Place, shard: str) -> AsyncIterator[Stored[Account]]: ...

    def glance(self, place: Place, shard: str) -> AsyncIterator[Account]:
        """The same, as far as gate and counts need them, in half the time. Never save one: the rest is left out."""
        ...

    def waiting(
        self, place: Place, shard: str, of: Line, before: datetime, limit: int
    ) -> AsyncIterator[Stored[Account]]:
        """At most `limit` accounts of this line that wait for a moment, and may have one by `before`."""
        ...

    async def history(self, place: Place, account: AccountId) -> list[Change]: ...

    async def put_rows(self, rows: Sequence[Row]) -> None: ...

    async def row(self, account: Account) -> Row | None: ...

    def rows(self, authority: Authority, shard: str, migration: MigrationId) -> AsyncIterator[Row]:
        """The rows of one shard of one export, without what is personal."""
        ...

    def people(self, authority: Authority, shard: str, migration: MigrationId) -> AsyncIterator[Row]:
        """The same rows with what is personal: for lists of people alone."""
        ...

    async def put_addresses(self, place: Place, pairs: Iterable[tuple[AddressKey, AccountId]]) -> None: ...

    async def drop_address(self, place: Place, address: AddressKey, account: AccountId) -> None: ...

    async def accounts_at(self, place: Place, address: AddressKey) -> list[AccountId]: ...

    async def exclude(self, authority: Authority, found: Mapping[AccountId, str], at: datetime) -> None:
        """Note who is to be left alone and for which reason; an empty reason takes the account off the list."""
        ...

    async def exclusions(self, authority: Authority, shard: str) -> dict[AccountId, str]:
        """Who is to be left alone, and why: a reason code."""
        ...

    async def may_be_shared(self, migration: Migration, address: AddressKey) -> bool:
        """Whether several accounts have this address, or had it within the last ten minutes.

        Only for a migration that has been staged whole: then nobody adds to its addresses any more.
        """
        ...

    async def claim_identity(self, place: Place, user: DirectoryId, account: AccountId) -> list[AccountId]:
        """Note that this account matches this user; returns the others that ever did.

        Of two accounts, the one that claims later is told of the earlier.
        """
        ...

    async def claims_on(self, place: Place, user: DirectoryId) -> list[AccountId]:
        """Every account that ever matched this user."""
        ...

    async def summary(self, authority: Authority, migration: MigrationId, shard: str) -> ShardSummary | None: ...

    async def put_summary(self, authority: Authority, migration: MigrationId, summary: ShardSummary) -> None: ...

    async def summaries(self, authority: Authority, migration: MigrationId) -> list[ShardSummary]: ...

    async def progress(self, authority: Authority, migration: MigrationId) -> Progress | None: ...

    async def put_progress(self, authority: Authority, migration: MigrationId, progress: Progress) -> None:
        """Keep how far a migration was when; the latest write counts."""
        ...

    async def pace(self, lane: Lane) -> Stored[Pace] | None: ...

    async def save_pace(self, lane: Lane, before: Stored[Pace] | None, pace: Pace) -> bool:
        """Save the shared pace of a lane; False when somebody else was faster."""
        ...

    async def recent_pace(self, lane: Lane, now: datetime) -> Pace | None:
        """The pace of a lane as it was at most some seconds ago: cheap enough to be asked by every step."""
        ...

    async def first_message_at(self, authority: Authority) -> datetime | None: ...

    async def note_first_message(self, authority: Authority, at: datetime) -> None:
        """Note when this authority's first message went out; only the first note counts."""
        ...

    async def refusals(self) -> list[Migration]:
        """Uploads of councils that have no profile."""
        ...

    async def anchors(self, authority: Authority) -> Anchors:
        """In which tables this authority's anchor is left, by which it is seen that a table was emptied."""
        ...

    async def anchor(self, authority: Authority) -> None:
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

    def partitions(self, authority: Authority) -> list[tuple[str, str]]:
        """(table, partition) of all that a copy holds of an authority: accounts first, migrations last."""
        ...

    def records(self, table: str, partition: str) -> AsyncIterator[Record]:
        """The records of a partition, without what a copy that nobody can change must not hold."""
        ...

    async def put_back(self, records: Sequence[Record], mending: Mending) -> int:
        """Insert records of one partition where nothing is; returns how many. What is there is newer and stays."""
        ...

    async def recall_first_message(self, authority: Authority, at: datetime) -> None:
        """Note again when the first message went out, whatever this process remembers of lost tables."""
        ...

    async def key_fingerprint(self) -> str | None:
        """Of the key with which the accounts are made; None before the first. It never changes."""
        ...

    async def note_key(self, fingerprint: str) -> str:
        """Note it where none is noted, whatever this process remembers of lost tables; returns the one that counts."""
        ...

    async def troubles(self) -> list[Trouble]:
        """Timers that have not run well since they failed."""
        ...

    async def note_trouble(self, timer: str, error: str, at: datetime) -> None:
        """Note that a timer failed once more; `error` is its type and place."""
        ...

    async def end_trouble(self, timer: str) -> None:
        """A timer ran well: forget its trouble, within five minutes where another process noted it."""
        ...

    async def canary(self, authority: Authority) -> Stored[Canary] | None: ...

    async def save_canary(self, before: Stored[Canary] | None, canary: Canary) -> Stored[Canary]:
        """Save an authority's canary.

        Raises:
            StaleWrite: somebody else changed it first; nothing was written.
        """
        ...


@dataclass(frozen=True, slots=True)
class PoisonMessage:
    """A message in a poison queue. `message` is None for a text that this app did not write."""

    queue: str
    id: str
    message: Message | None


class Outbox(Protocol):
    """The queues."""

    async def send(self, message: Message, delay: timedelta = timedelta(0)) -> None: ...

    async def depth(self, queue: str) -> int:
        """About how many messages are in a queue, invisible ones included."""
        ...

    async def oldest(self, queue: str) -> datetime | None:
        """When the oldest of the messages at the front that could be taken now came in. Looks, and hides nothing."""
        ...

    async def poisoned(self, queue: str, *, glance: bool = False) -> list[PoisonMessage]:
        """What is in the queue's poison queue; it stays there. A glance shows the first 32 and disturbs nobody."""
        ...

    async def take_poison(self, queue: str, ids: frozenset[str]) -> int:
        """Remove these messages from the queue's poison queue; returns how many."""
        ...


@dataclass(frozen=True, slots=True)
class NewUser:
    """A user to be created. The password is made inside the call and exists nowhere else."""

    address: str
    given_name: str
    surname: str
    account: AccountId
    customer_ref: str

    @property
    def display_name(self) -> str:
        """Never empty, and without the brackets that the directory refuses there."""
        return f"{self.given_name} {self.surname}".translate({ord("<"): None, ord(">"): None}).strip() or "Customer"


class Directory(Protocol):
    """The shared directory. Reads may lag behind writes.

    Every request may raise `TryLater` (no answer), `Throttled` or `Stop`; writes `DirectoryRefused` and `AnswerLost`.
    """

    def strain(self) -> float:
        """The highest share of its limits that answers of the last seconds spoke of; 0 where none did. Asks nobody."""
        ...

    async def with_address(self, address: str) -> tuple[DirectoryUser, ...]:
        """Users that sign in with this address or have it as a contact address (2 requests)."""
        ...

    async def with_mark(self, authority: Authority, account: AccountId) -> tuple[DirectoryUser, ...]: ...

    async def get(self, user: DirectoryId) -> DirectoryUser | None: ...

    async def create(self, profile: Profile, user: NewUser) -> DirectoryId: ...

    async def link(self, profile: Profile, user: DirectoryId, account: AccountId, customer_ref: str) -> bool:
        """Write this authority's attributes, nothing else; False when there is no such user."""
        ...

    async def headcount(self, authority: Authority) -> Headcount:
        """All users, counted in one pass, as this authority sees them (1 request for every 999)."""
        ...

    async def retire(self, profile: Profile, user: DirectoryId, display_name: str) -> bool:
        """Take this authority's attributes off a test user and rename it; False when there is no such user."""
        ...

    async def delete(self, user: DirectoryId) -> bool:
        """Delete a test user; False when the app may not, as it should be. A user who is not there is deleted."""
        ...


@dataclass(frozen=True, slots=True)
class Letter:
    """A message to one customer."""

    template: str
    address: str
    given_name: str
    surname: str
    reference: str
    change_date: str = ""
    """The day on which the account changes, as people write it; only of an announcement."""


@dataclass(frozen=True, slots=True)
class Preview:
    """A message as a customer would read it, and which version of its template that is."""

    subject: str
    body: str
    """In the message service's own Markdown."""
    version: int


@dataclass(frozen=True, slots=True)
class Notice:
    """A message to one of a council's staff: our own words, and nobody's name."""

    template: str
    address: str
    subject: str
    text: str
    reference: str


class Notifier(Protocol):
    """The message service. It does not deduplicate: whoever sends twice tells twice.

    All may raise `TryLater` (nothing was sent), `Throttled` or `Stop`; those that send also `Hold` and `AnswerLost`.
    """

    async def send(self, profile: Profile, letter: Letter) -> str:
        """Send; returns the service's id of the message."""
        ...

    async def send_notice(self, profile: Profile, notice: Notice) -> str:
        """Send to staff; returns the service's id of the message."""
        ...

    async def find(self, profile: Profile, reference: str) -> str | None:
        """The id of a message that was taken with this reference."""
        ...

    def undelivered(self, profile: Profile, since: datetime) -> AsyncIterator[str]:
        """Ids of messages sent since then that did not arrive, as the service knew at most five minutes ago."""
        ...

    async def preview(self, profile: Profile, message: str, given_name: str, surname: str) -> Preview:
        """The message of this name as it would be sent to somebody called so. Sends nothing."""
        ...


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
    """None: the message service is off and nobody is told anything."""
    profiles: Mapping[Authority, Profile]
    pseudonyms: Pseudonyms
    quotas: Quotas
    tenant: str
    """Issuer of the directory's local identities."""
    jitter: Callable[[], float]
    """Between 0 and 1; spreads what would otherwise come back at once."""
    certificate_ends: datetime | None = None
    """When the certificate ends with which we sign in to the directory; None where there is none."""
