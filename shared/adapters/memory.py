"""Every port in memory, with the limits and refusals of the real ones. For tests, and for reading: each is short."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Final

from shared import names
from shared.adapters.store import TRANSACTION_LIMIT, Conflict, Entity, Query, Values, Verb, Write
from shared.domain.account import AccountId, Authority, DirectoryId
from shared.domain.headcount import Counting, Headcount
from shared.domain.matching import DirectoryUser, Identity
from shared.domain.profile import Profile
from shared.errors import DirectoryRefused, Superseded
from shared.messages import Message, decode, decode_upload
from shared.ports import Blob, Letter, NewUser, Notice, PoisonMessage, Preview

FORBIDDEN_IN_KEYS: Final = re.compile(r"[/\\#?\x00-\x1f\x7f-\x9f%]")
PROPERTY_LIMIT: Final = 32 * 1024
"""UTF-16 units of one text property."""


class ManualClock:
    """A clock that goes on when it is told to."""

    def __init__(self, now: datetime = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)) -> None:
        self._now = now

    def now(self) -> datetime:
        """The moment it stands at."""
        return self._now

    def tick(self, by: timedelta) -> None:
        """Go on."""
        self._now += by


class MemoryTables:
    """A `Store` in dictionaries."""

    def __init__(self) -> None:
        self._tables: dict[tuple[str, str], dict[str, tuple[Values, str]]] = {}
        self._etags = count(1)

    async def get(self, table: str, partition: str, row_key: str) -> Entity | None:
        """One entity by its key."""
        found = self._tables.get((table, partition), {}).get(row_key)
        return Entity(row_key, dict(found[0]), found[1]) if found else None

    async def query(self, table: str, partition: str, query: Query) -> AsyncIterator[Entity]:
        """Entities of a partition in the order of their row keys."""
        given = 0
        for row_key, (values, etag) in sorted(self._tables.get((table, partition), {}).items()):
            outside = query.keys and not query.keys[0] <= row_key < query.keys[1]
            if outside or not row_key.startswith(query.prefix) or not _fits(values, query):
                continue
            wanted = {k: v for k, v in values.items() if not query.select or k in query.select}
            yield Entity(row_key, wanted, etag)
            given += 1
            if given == query.limit:
                return

    async def write(self, table: str, partition: str, writes: Sequence[Write]) -> list[str]:
        """All or none."""
        _check(partition, writes)
        rows = self._tables.setdefault((table, partition), {})
        for index, write in enumerate(writes):
            there = rows.get(write.row_key)
            stale = write.verb is Verb.REPLACE and (there is None or there[1] != write.etag)
            gone = write.verb is Verb.DELETE and there is None and len(writes) > 1
            if stale or gone or (write.verb is Verb.INSERT and there is not None):
                raise Conflict(index)
        etags = [f'W/"{next(self._etags)}"' for _ in writes]
        for write, etag in zip(writes, etags, strict=True):
            if write.verb is Verb.DELETE:
                rows.pop(write.row_key, None)
            else:
                rows[write.row_key] = (dict(write.values), etag)
        return etags

    def empty(self, table: str) -> None:
        """What must never happen: a table loses all that is in it."""
        self._tables = {place: rows for place, rows in self._tables.items() if place[0] != table}

    def everything(self) -> list[tuple[str, str, str, Values]]:
        """(table, partition, row key, columns) of every entity, for tests that look for what must not be there."""
        return [
            (table, partition, row_key, values)
            for (table, partition), rows in self._tables.items()
            for row_key, (values, _) in rows.items()
        ]


def _fits(values: Values, query: Query) -> bool:
    equal = all(values.get(column) == value for column, value in query.equal.items())
    equal = equal and all(values.get(column) in some for column, some in query.one_of.items())
    return equal and all(str(values.get(column, "\uffff")) <= bound for column, bound in query.at_most.items())


def _check(partition: str, writes: Sequence[Write]) -> None:
    keys = [write.row_key for write in writes]
    if not 0 < len(writes) <= TRANSACTION_LIMIT or len(set(keys)) != len(keys):
        raise ValueError("a transaction holds 1 to 100 entities, each once")
    if any(FORBIDDEN_IN_KEYS.search(key) for key in [partition, *keys]):
        raise ValueError("a key holds a character that Table Storage refuses")
    if any(isinstance(v, str) and len(v) > PROPERTY_LIMIT for write in writes for v in write.values.values()):
        raise ValueError("a property is longer than 64 KiB")


@dataclass
class MemoryExports:
    """The uploads: name -> (ETag, bytes, when), and who uploaded."""

    clock: ManualClock
    blobs: dict[str, tuple[str, bytes, datetime]] = field(default_factory=dict)
    uploaders: dict[str, str] = field(default_factory=dict)
    chunk: int = 4 * 1024 * 1024
    _etags: Callable[[], int] = field(default_factory=lambda: count(1).__next__)

    def upload(self, name: str, body: bytes, by: str = "") -> None:
        """Upload, or overwrite."""
        self.uploaders[name] = by
        # Whole seconds, as storage tells them.
        self.blobs[name] = (f'"0x{self._etags():X}"', body, self.clock.now().replace(microsecond=0))

    async def all(self) -> AsyncIterator[Blob]:
        """Every blob."""
        for name in sorted(self.blobs):
            found = await self.find(name)
            if found:
                yield found

    async def find(self, name: str) -> Blob | None:
        """One blob."""
        if name not in self.blobs:
            return None
        etag, body, uploaded = self.blobs[name]
        return Blob(name, etag, len(body), uploaded, self.uploaders.get(name, ""))

    async def read(self, name: str, etag: str, start: int = 0) -> AsyncIterator[bytes]:
        """The bytes, as long as the blob stays the same."""
        at = start
        while True:
            if name not in self.blobs or self.blobs[name][0] != etag:
                raise Superseded
            body = self.blobs[name][1]
            if at >= len(body):
                return
            yield body[at : at + self.chunk]
            at += self.chunk


@dataclass
class MemoryReports:
    """The reports: path -> bytes."""

    files: dict[str, bytes] = field(default_factory=dict)
    blocks: dict[str, dict[str, bytes]] = field(default_factory=dict)
    """Path -> what was published of it, block by block."""
    staged: dict[str, dict[str, bytes]] = field(default_factory=dict)
    """Path -> what waits to be published."""

    async def put(self, path: str, body: bytes, content_type: str) -> None:  # noqa: ARG002 - nothing serves them
        """Write a report."""
        self.files[path] = body
        self.blocks[path], self.staged[path] = {}, {}

    async def kept(self, path: str, blocks: Iterable[str]) -> frozenset[str]:
        """What need not be staged."""
        return frozenset(blocks) & self._known(path).keys()

    async def stage(self, path: str, block: str, parts: AsyncIterator[bytes]) -> bool:
        """Keep a block for the next publication."""
        body = b"".join([part async for part in parts])
        if body:
            self.staged.setdefault(path, {})[block] = body
        return bool(body)

    async def publish(self, path: str, blocks: Sequence[str], content_type: str) -> None:
        """Put a report together; what waits and is not named is forgotten."""
        known = self._known(path)
        kept = {block: known[block] for block in blocks}
        await self.put(path, b"".join(kept.values()), content_type)
        self.blocks[path] = kept

    def _known(self, path: str) -> dict[str, bytes]:
        return self.blocks.get(path, {}) | self.staged.get(path, {})

    async def put_blocks(self, path: str, blocks: Sequence[AsyncIterator[bytes]], content_type: str) -> None:
        """Write a report from blocks."""
        body = b"".join([part for block in blocks async for part in block])
        await self.put(path, body, content_type)

    async def read(self, path: str) -> bytes | None:
        """A report."""
        return self.files.get(path)

    async def all(self, prefix: str) -> AsyncIterator[str]:
        """Their paths."""
        for path in sorted(self.files):
            if path.startswith(prefix):
                yield path


@dataclass
class MemoryBackups:
    """The nightly copies: path -> bytes."""

    files: dict[str, bytes] = field(default_factory=dict)

    async def add(self, path: str, body: bytes) -> bool:
        """Write a file once."""
        if path in self.files:
            return False
        self.files[path] = body
        return True

    async def read(self, path: str) -> bytes | None:
        """A file."""
        return self.files.get(path)

    async def all(self, prefix: str) -> AsyncIterator[str]:
        """Their paths."""
        for path in sorted(self.files):
            if path.startswith(prefix):
                yield path


@dataclass
class Queued:
    """A message in a queue."""

    id: str
    body: bytes
    visible_at: datetime
    dequeued: int = 0
    sent_at: datetime | None = None
    """None: when it could first be taken."""


@dataclass
class MemoryOutbox:
    """The queues, with the host's rules for poison left to whoever takes messages out."""

    clock: ManualClock
    queues: dict[str, list[Queued]] = field(default_factory=lambda: {q: [] for q in names.QUEUES})
    poison: dict[str, list[Queued]] = field(default_factory=lambda: {q: [] for q in names.QUEUES})
    _ids: Callable[[], int] = field(default_factory=lambda: count(1).__next__)

    async def send(self, message: Message, delay: timedelta = timedelta(0)) -> None:
        """Send to the queue of its kind."""
        body = message.model_dump_json().encode()
        now = self.clock.now()
        self.queues[message.kind].append(Queued(f"q{self._ids()}", body, now + delay, sent_at=now))

    async def depth(self, queue: str) -> int:
        """Messages in a queue."""
        name = queue.removesuffix("-poison")
        return len(self.poison[name] if queue != name else self.queues[name])

    async def oldest(self, queue: str) -> datetime | None:
        """The oldest that could be taken."""
        name = queue.removesuffix("-poison")
        found = self.poison[name] if queue != name else self.queues[name]
        return min((m.sent_at or m.visible_at for m in found if m.visible_at <= self.clock.now()), default=None)

    async def poisoned(self, queue: str, *, glance: bool = False) -> list[PoisonMessage]:  # noqa: ARG002 - all at once
        """What is in poison."""
        return [PoisonMessage(queue, item.id, _decoded(queue, item.body)) for item in self.poison[queue]]

    async def take_poison(self, queue: str, ids: frozenset[str]) -> int:
        """Remove from poison."""
        kept = [item for item in self.poison[queue] if item.id not in ids]
        taken = len(self.poison[queue]) - len(kept)
        self.poison[queue] = kept
        return taken


def _decoded(queue: str, body: bytes) -> Message | None:
    try:
        return decode_upload(body) if queue == names.RECEIVE_EXPORT else decode(body)
    except Exception:  # noqa: BLE001 - whatever it is, it is not ours
        return None


@dataclass
class MemoryDirectory:
    """A directory that keeps the rules on which the app relies: unique identities, marks, lagging reads."""

    clock: ManualClock
    tenant: str = "norfolkidentity.onmicrosoft.com"
    users: dict[DirectoryId, DirectoryUser] = field(default_factory=dict)
    hidden: set[DirectoryId] = field(default_factory=set)
    """Users that reads do not show yet."""
    writes: int = 0
    fail: list[Exception] = field(default_factory=list)
    """Raised by the next writes, one each, before anything is stored."""
    fail_after: list[Exception] = field(default_factory=list)
    """Raised by the next writes, one each, after storing."""
    fail_reads: list[Exception] = field(default_factory=list)
    resets: Mapping[str, bool] = field(default_factory=dict)
    bin: dict[DirectoryId, DirectoryUser] = field(default_factory=dict)
    """Users that were deleted."""
    bin_holds_addresses: bool = False
    may_delete: bool = False
    full: float = 0.0
    """How full its answers say that it is."""
    _ids: Callable[[], int] = field(default_factory=lambda: count(1).__next__)

    def strain(self) -> float:
        """As full as a test wants it."""
        return self.full

    def add(self, user: DirectoryUser) -> DirectoryUser:
        """Put a user there, as if it had always been."""
        self.users[user.id] = user
        return user

    def local_user(self, address: str, given_name: str, surname: str, created: datetime) -> DirectoryUser:
        """Somebody who signed up with an e-mail address."""
        identity = Identity("emailAddress", self.tenant, address)
        return self.add(DirectoryUser(self._id(), (identity,), (), given_name, surname, created=created))

    def _id(self) -> DirectoryId:
        return DirectoryId(f"00000000-0000-4000-8000-{self._ids():012d}")

    def _visible(self) -> list[DirectoryUser]:
        return [user for user in self.users.values() if user.id not in self.hidden]

    async def _answer(self) -> None:
        await asyncio.sleep(0)
        if self.fail_reads:
            raise self.fail_reads.pop(0)

    async def with_address(self, address: str) -> tuple[DirectoryUser, ...]:
        """By sign-in name or contact address."""
        await self._answer()
        return tuple(
            user
            for user in self._visible()
            if any(i.assigned_id.lower() == address.lower() and i.issuer == self.tenant for i in user.identities)
            or any(mail.lower() == address.lower() for mail in user.other_mails)
        )

    async def with_mark(self, authority: Authority, account: AccountId) -> tuple[DirectoryUser, ...]:
        """By an authority's mark."""
        await self._answer()
        return tuple(user for user in self._visible() if user.marks.get(authority) == account)

    async def get(self, user: DirectoryId) -> DirectoryUser | None:
        """By id."""
        await self._answer()
        return self.users.get(user) if user not in self.hidden else None

    async def create(self, profile: Profile, user: NewUser) -> DirectoryId:
        """Create, unless somebody has the address."""
        if self.fail:
            raise self.fail.pop(0)
        holders = [*self.users.values(), *(self.bin.values() if self.bin_holds_addresses else ())]
        if any(i.assigned_id.lower() == user.address for holder in holders for i in holder.identities):
            raise DirectoryRefused(
                "Request_BadRequest", conflict=True, attribute=False, setting=False, target="proxyAddresses"
            )
        self.writes += 1
        created = DirectoryUser(
            self._id(),
            (Identity("emailAddress", self.tenant, user.address),),
            (),
            user.given_name,
            user.surname,
            user.display_name,
            created=self.clock.now(),
            password_changed=self.clock.now(),
            must_reset=True if profile.directory.password_reset == "flag" else None,  # noqa: S105 - a choice
            marks={profile.authority: user.account},
            customer_refs={profile.authority: user.customer_ref},
        )
        self.users[created.id] = created
        if self.fail_after:
            raise self.fail_after.pop(0)
        return created.id

    async def link(self, profile: Profile, user: DirectoryId, account: AccountId, customer_ref: str) -> bool:
        """Write one authority's attributes."""
        if self.fail:
            raise self.fail.pop(0)
        found = self.users.get(user)
        if found is None:
            return False
        self.writes += 1
        self.users[user] = replace(
            found,
            marks={**found.marks, profile.authority: account},
            customer_refs={**found.customer_refs, profile.authority: customer_ref},
        )
        if self.fail_after:
            raise self.fail_after.pop(0)
        return True

    async def retire(self, profile: Profile, user: DirectoryId, display_name: str) -> bool:
        """Take one authority's attributes off, and rename."""
        if self.fail:
            raise self.fail.pop(0)
        found = self.users.get(user)
        if found is None:
            return False
        self.writes += 1
        marks = {name: mark for name, mark in found.marks.items() if name != profile.authority}
        refs = {name: ref for name, ref in found.customer_refs.items() if name != profile.authority}
        self.users[user] = replace(found, marks=marks, customer_refs=refs, display_name=display_name)
        if self.fail_after:
            raise self.fail_after.pop(0)
        return True

    async def delete(self, user: DirectoryId) -> bool:
        """To the bin, if the app may."""
        if self.fail:
            raise self.fail.pop(0)
        if not self.may_delete:
            return False
        self.writes += 1
        self.bin_user(user)
        if self.fail_after:
            raise self.fail_after.pop(0)
        return True

    def bin_user(self, user: DirectoryId) -> None:
        """What an administrator does in the portal."""
        if user in self.users:
            self.bin[user] = self.users.pop(user)

    async def headcount(self, authority: Authority) -> Headcount:
        """Everybody who is visible."""
        await self._answer()
        counting = Counting()
        for user in self._visible():
            ours = bool(user.marks.get(authority) or user.customer_refs.get(authority))
            counting.add(user.identities, self.tenant, user.marks.keys() - {authority}, ours=ours)
        return counting.total()


@dataclass
class MemoryNotifier:
    """A message service that takes every letter as often as it is sent."""

    sent: list[Letter] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)
    """What staff were told."""
    fail: list[Exception] = field(default_factory=list)
    fail_after: list[Exception] = field(default_factory=list)
    versions: dict[str, int] = field(default_factory=dict)
    """Version of a template by its id, 1 where nothing is said."""
    fail_previews: list[Exception] = field(default_factory=list)

    async def send(self, profile: Profile, letter: Letter) -> str:  # noqa: ARG002 - one service for all
        """Take a letter."""
        if self.fail:
            raise self.fail.pop(0)
        self.sent.append(letter)
        if self.fail_after:
            raise self.fail_after.pop(0)
        return f"n{len(self.sent)}"

    async def find(self, profile: Profile, reference: str) -> str | None:  # noqa: ARG002 - one service for all
        """Find a letter by its reference."""
        found = [f"n{number}" for number, letter in enumerate(self.sent, 1) if letter.reference == reference]
        found += [f"s{number}" for number, notice in enumerate(self.notices, 1) if notice.reference == reference]
        return found[0] if found else None

    async def send_notice(self, profile: Profile, notice: Notice) -> str:  # noqa: ARG002 - one service for all
        """Take a message to staff."""
        if self.fail:
            raise self.fail.pop(0)
        self.notices.append(notice)
        if self.fail_after:
            raise self.fail_after.pop(0)
        return f"s{len(self.notices)}"

    async def preview(self, profile: Profile, message: str, given_name: str, surname: str) -> Preview:
        """A letter of one line."""
        if self.fail_previews:
            raise self.fail_previews.pop(0)
        template = profile.messages.templates[message]  # type: ignore[index]  # a message that the profile has
        body = f"Dear {given_name} {surname},\n\nthis is {message}."
        return Preview(f"{profile.name}: your account", body, self.versions.get(template, 1))
