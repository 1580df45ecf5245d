r"""The ledger on tables: one partition family, `authority|shard`.

| table | partition | row key | what |
|---|---|---|---|
| Migrations | `authority\\|m` | migration id | an upload and where it stands |
| Migrations | `authority\\|s` | `migration\\|shard` | summary of a shard |
| Migrations | `authority\\|anchor` | `rebuild` | that a rebuild is under way |
| every table | `authority\\|anchor` | `anchor` | that the table was not emptied since the first upload |
| Migrations | `authority\\|first` | `message` | when this authority's first message went out |
| Migrations | `authority\\|canary` | `canary` | the newest canary, and what canaries have learned |
| Migrations | `directory\\|pace` | lane | how much of a lane's quota is given away |
| Migrations | `app\\|key` | `fingerprint` | with which PSEUDONYM_KEY the accounts are made |
| Migrations | `app\\|timers` | timer | since when a timer fails |
| Rows | `authority\\|shard` | `migration\\|number` | a row of an export, with all that is personal |
| Accounts | `authority\\|shard` | `account\\|id` | an account |
| Accounts | `authority\\|shard` | `history\\|id\\|number` | an entry of its history |
| Accounts | `authority\\|shard` | `excluded\\|id` | that the council wants a customer left alone, and why |
| Accounts | `authority\\|a\\|shard` | `address\\|id` | which accounts have an address |
| Accounts | `authority\\|i\\|shard` | `user` | which accounts match a directory user, the newest first |

Accounts of a plan that nobody has approved stand the same way at a place of their own: `authority\\|d\\|migration`
instead of `authority`.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from itertools import batched
from typing import Final

from shared import names
from shared.adapters.entities import (
    ACCOUNT,
    CHANGE,
    GLANCE,
    MIGRATION,
    PACE,
    PROGRESS,
    REBUILD,
    ROW,
    TROUBLE,
    canary_record,
    canary_values,
    glance,
    moment,
    nameless_migration,
    summary_record,
    summary_values,
    without_file_name,
    without_reference,
)
from shared.adapters.recent import Recent
from shared.adapters.store import TRANSACTION_LIMIT, Conflict, Entity, Query, Store, Value, Values, Verb, Write
from shared.domain.account import (
    REFUSED,
    SHARDS,
    Account,
    AccountId,
    AddressKey,
    Authority,
    Change,
    DirectoryId,
    MigrationId,
    Place,
)
from shared.domain.canary import Canary
from shared.domain.copies import Record
from shared.domain.forecast import Progress
from shared.domain.lines import Line
from shared.domain.migration import Migration
from shared.domain.pace import Lane, Pace
from shared.domain.rebuild import Anchors, Rebuild
from shared.domain.rows import Row
from shared.domain.summary import ShardSummary
from shared.domain.trouble import Trouble, failed_again
from shared.errors import StaleWrite
from shared.ports import Clock, Mending, Stored

PERSONAL_FREE: Final = (
    "authority",
    "migration",
    "number",
    "source_id",
    "account",
    "outcome",
    "reason",
    "duplicate_of",
)
A_MOMENT: Final = timedelta(seconds=1)
"""So old a migration's record may be at a guard: a pause must bite within seconds in every process."""
A_WHILE: Final = timedelta(minutes=10)
"""So long it is remembered which addresses are shared; what is staged later is of a newer export."""
_KEY: Final = ("app|key", "fingerprint")
"""Partition and row key. One for all councils: they share the key."""
_PACES: Final = "directory|pace"
_TIMERS: Final = "app|timers"
NOW_AND_THEN: Final = timedelta(minutes=5)
"""So often a timer that runs well asks whether it failed before, elsewhere or in an earlier life."""
FRESH: Final = timedelta(seconds=5)
"""So old may be what a glance shows."""


class TableLedger:
    """The `Ledger` over any `Store`."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._recent: Recent[tuple[Authority, MigrationId], Migration | None] = Recent(clock, A_MOMENT)
        self._shared: Recent[tuple[Place, MigrationId, datetime | None, str], frozenset[AddressKey]] = Recent(
            clock, A_WHILE
        )
        self._first_messages: dict[Authority, datetime] = {}
        """Written once and never changed, so what was seen need not be asked again."""
        self._key: str | None = None
        """The same."""
        self._glances: dict[Lane, tuple[datetime, Pace | None]] = {}
        self._well: Recent[str, None] = Recent(clock, NOW_AND_THEN)

    # migrations

    async def migration(self, authority: Authority, migration: MigrationId) -> Migration | None:
        """One migration."""
        entity = await self._store.get(names.MIGRATIONS, f"{authority}|m", migration)
        return MIGRATION.record(entity.values) if entity else None

    async def recent_migration(self, authority: Authority, migration: MigrationId) -> Migration | None:
        """One migration, read once a second; this process's own changes are seen at once."""
        return await self._recent.get((authority, migration), lambda: self.migration(authority, migration))

    async def migrations(self, authority: Authority) -> AsyncIterator[Migration]:
        """All migrations of an authority, oldest first."""
        async for entity in self._store.query(names.MIGRATIONS, f"{authority}|m", Query()):
            yield MIGRATION.record(entity.values)

    async def refusals(self) -> list[Migration]:
        """Uploads of councils that have no profile."""
        return [migration async for migration in self.migrations(REFUSED)]

    async def open_migration(self, migration: Migration) -> bool:
        """Insert; False when it is there already."""
        write = Write(Verb.INSERT, migration.id, MIGRATION.values(migration))
        try:
            await self._store.write(names.MIGRATIONS, f"{migration.authority}|m", [write])
        except Conflict:
            return False
        finally:
            self._recent.forget()
        return True

    async def change_migration(
        self, authority: Authority, migration: MigrationId, change: Callable[[Migration], Migration]
    ) -> Migration:
        """Read, change, save, until nobody else was faster."""
        while True:
            entity = await self._store.get(names.MIGRATIONS, f"{authority}|m", migration)
            if entity is None:
                raise KeyError(migration)
            before = MIGRATION.record(entity.values)
            after = change(before)
            if after == before:
                return before
            write = Write(Verb.REPLACE, migration, MIGRATION.values(after), entity.etag)
            try:
                await self._store.write(names.MIGRATIONS, f"{authority}|m", [write])
            except Conflict:
                continue
            finally:
                # Also after an error: the write may have got through.
                self._recent.forget()
            return after

    # accounts

    async def account(self, place: Place, account: AccountId) -> Stored[Account] | None:
        """One account."""
        entity = await self._store.get(names.ACCOUNTS, f"{place}|{account[1]}", f"account|{account}")
        return _stored_account(entity) if entity else None

    async def save(self, before: Stored[Account], account: Account, change: Change | None) -> Stored[Account]:
        """Save an account with its history."""
        etags = await self._store.write(
            names.ACCOUNTS, f"{account.place}|{account.shard}", _saving(before, account, change)
        )
        return Stored(account, etags[0])

    async def save_all(self, changes: Sequence[tuple[Stored[Account], Account, Change | None]]) -> list[Account]:
        """Save accounts shard by shard; one that met another's change is left out, the others are saved."""
        by_shard: dict[tuple[Place, str], list[tuple[Stored[Account], Account, Change | None]]] = defaultdict(list)
        for item in changes:
            by_shard[item[1].place, item[1].shard].append(item)
        saved: list[Account] = []
        for items in by_shard.values():
            for batch in batched(items, TRANSACTION_LIMIT // 2, strict=False):
                saved += await self._save_batch(list(batch))
        return saved

    async def _save_batch(self, items: list[tuple[Stored[Account], Account, Change | None]]) -> list[Account]:
        first = items[0][1]
        writes = [write for before, account, change in items for write in _saving(before, account, change)]
        try:
            await self._store.write(names.ACCOUNTS, f"{first.place}|{first.shard}", writes)
        except Conflict:
            if len(items) == 1:
                return []
            middle = len(items) // 2
            return await self._save_batch(items[:middle]) + await self._save_batch(items[middle:])
        return [account for _, account, _ in items]

    async def insert_accounts(self, accounts: Sequence[tuple[Account, Change]]) -> list[AccountId]:
        """Insert accounts of one shard; returns those that exist already."""
        existing: list[AccountId] = []
        for batch in batched(accounts, TRANSACTION_LIMIT // 2, strict=False):
            existing += await self._insert_batch(list(batch))
        return existing

    async def _insert_batch(self, batch: list[tuple[Account, Change]]) -> list[AccountId]:
        first = batch[0][0]
        partition = f"{first.place}|{first.shard}"
        existing: list[AccountId] = []
        while batch:
            writes = [
                write
                for account, change in batch
                for write in (
                    Write(Verb.INSERT, f"account|{account.id}", _account_values(account)),
                    Write(Verb.PUT, _history_key(account), CHANGE.values(change)),
                )
            ]
            try:
                await self._store.write(names.ACCOUNTS, partition, writes)
            except Conflict:
                there = await asyncio.gather(
                    *(self._store.get(names.ACCOUNTS, partition, f"account|{account.id}") for account, _ in batch)
                )
                known = {account.id for (account, _), found in zip(batch, there, strict=True) if found}
                existing += known
                batch = [item for item in batch if item[0].id not in known]
            else:
                break
        return existing

    async def accounts(self, place: Place, shard: str) -> AsyncIterator[Stored[Account]]:
        """All accounts of a shard, in the order of their ids."""
        async for entity in self._store.query(names.ACCOUNTS, f"{place}|{shard}", Query(prefix="account|")):
            yield _stored_account(entity)

    async def glance(self, place: Place, shard: str) -> AsyncIterator[Account]:
        """The same with the columns that the gate and the counts look at."""
        query = Query(prefix="account|", select=GLANCE)
        async for entity in self._store.query(names.ACCOUNTS, f"{place}|{shard}", query):
            yield glance(entity.values)

    async def waiting(
        self, place: Place, shard: str, of: Line, before: datetime, limit: int
    ) -> AsyncIterator[Stored[Account]]:
        """Accounts of a shard that wait for a moment."""
        equal: dict[str, Value] = {"waiting": True, "migration": of.migration, "state": of.state.value}
        if of.announced is not None:
            equal["announced"] = of.announced
        keys = tuple(f"account|a{shard}{key}" for key in of.keys) if of.keys else ()
        one_of: dict[str, tuple[str, ...]] = {"band": tuple(of.bands)} if of.bands else {}
        bound = {"not_before": moment(before)}
        query = Query("account|", equal=equal, one_of=one_of, at_most=bound, limit=limit, keys=keys)
        async for entity in self._store.query(names.ACCOUNTS, f"{place}|{shard}", query):
            yield _stored_account(entity)

    async def history(self, place: Place, account: AccountId) -> list[Change]:
        """An account's history, oldest first."""
        query = Query(prefix=f"history|{account}|")
        found = self._store.query(names.ACCOUNTS, f"{place}|{account[1]}", query)
        return [CHANGE.record(entity.values) async for entity in found]

    # rows

    async def put_rows(self, rows: Sequence[Row]) -> None:
        """Write rows; a row written before is written again, the same."""
        by_partition: dict[str, list[Write]] = defaultdict(list)
        for row in rows:
            by_partition[f"{row.authority}|{row.shard}"].append(
                Write(Verb.PUT, _row_key(row.migration, row.number), ROW.values(row))
            )
        await self._put(names.ROWS, by_partition)

    async def row(self, account: Account) -> Row | None:
        """The row which staged an account, with what is personal."""
        key = _row_key(account.migration, account.row)
        entity = await self._store.get(names.ROWS, f"{account.authority}|{account.shard}", key)
        return ROW.record(entity.values) if entity else None

    async def rows(self, authority: Authority, shard: str, migration: MigrationId) -> AsyncIterator[Row]:
        """The rows of one shard of one export without what is personal, in the order of their numbers."""
        query = Query(prefix=f"{migration}|", select=PERSONAL_FREE)
        async for entity in self._store.query(names.ROWS, f"{authority}|{shard}", query):
            yield ROW.record(entity.values)

    async def people(self, authority: Authority, shard: str, migration: MigrationId) -> AsyncIterator[Row]:
        """The same rows with what is personal: for lists of people alone."""
        async for entity in self._store.query(names.ROWS, f"{authority}|{shard}", Query(prefix=f"{migration}|")):
            yield ROW.record(entity.values)

    # who else has this address, who else matches this user

    async def put_addresses(self, place: Place, pairs: Iterable[tuple[AddressKey, AccountId]]) -> None:
        """Note which account has which address."""
        by_partition: dict[str, list[Write]] = defaultdict(list)
        for address, account in dict.fromkeys(pairs):
            write = Write(Verb.PUT, f"{address}|{account}", {"account": account})
            by_partition[f"{place}|a|{address[0]}"].append(write)
        await self._put(names.ACCOUNTS, by_partition)
        self._shared.forget()

    async def drop_address(self, place: Place, address: AddressKey, account: AccountId) -> None:
        """The account has this address no more."""
        write = Write(Verb.DELETE, f"{address}|{account}")
        await self._store.write(names.ACCOUNTS, f"{place}|a|{address[0]}", [write])

    async def accounts_at(self, place: Place, address: AddressKey) -> list[AccountId]:
        """The accounts of an authority with this address."""
        query = Query(prefix=f"{address}|")
        found = self._store.query(names.ACCOUNTS, f"{place}|a|{address[0]}", query)
        return [AccountId(str(entity.values["account"])) async for entity in found]

    # who is to be left alone

    async def exclude(self, authority: Authority, found: Mapping[AccountId, str], at: datetime) -> None:
        """Whoever is taken off the list leaves nothing behind on it."""
        by_partition: dict[str, list[Write]] = defaultdict(list)
        for account, reason in found.items():
            if reason:
                write = Write(Verb.PUT, f"excluded|{account}", {"reason": reason, "at": moment(at)})
                by_partition[f"{authority}|{account[1]}"].append(write)
        await self._put(names.ACCOUNTS, by_partition)
        for account in (account for account, reason in found.items() if not reason):
            # One by one: a transaction fails as a whole where one of its records is gone already.
            write = Write(Verb.DELETE, f"excluded|{account}")
            await self._store.write(names.ACCOUNTS, f"{authority}|{account[1]}", [write])

    async def exclusions(self, authority: Authority, shard: str) -> dict[AccountId, str]:
        """One query: the list is short."""
        query = Query(prefix="excluded|", select=("reason",))
        found = self._store.query(names.ACCOUNTS, f"{authority}|{shard}", query)
        return {
            AccountId(entity.row_key.removeprefix("excluded|")): str(entity.values["reason"]) async for entity in found
        }

    async def may_be_shared(self, migration: Migration, address: AddressKey) -> bool:
        """One look through a sixteenth of the addresses answers for all that are in it."""
        place, shard = migration.place, address[0]
        key = (place, migration.id, migration.rebuilt_at, shard)
        return address in await self._shared.get(key, lambda: self._shared_addresses(place, shard))

    async def _shared_addresses(self, place: Place, shard: str) -> frozenset[AddressKey]:
        shared: set[AddressKey] = set()
        last = ""
        # Row keys come in their order, so the accounts of one address are neighbours.
        async for entity in self._store.query(names.ACCOUNTS, f"{place}|a|{shard}", Query()):
            address = entity.row_key.partition("|")[0]
            if address == last:
                shared.add(AddressKey(address))
            last = address
        return frozenset(shared)

    async def claim_identity(self, place: Place, user: DirectoryId, account: AccountId) -> list[AccountId]:
        """One insert where nobody else matches; else the list grows, the newest first, so that claims have an order."""
        partition = f"{place}|i|{user[0]}"
        write = Write(Verb.INSERT, user, {"accounts": account})
        while True:
            try:
                await self._store.write(names.ACCOUNTS, partition, [write])
            except Conflict:
                entity = await self._store.get(names.ACCOUNTS, partition, user)
            else:
                return _claims(write.values)[1:]
            claims = _claims(entity.values) if entity else []
            others = [other for other in claims if other != account]
            if entity is not None and claims[0] == account:
                return others
            verb, etag = (Verb.REPLACE, entity.etag) if entity else (Verb.INSERT, "")
            write = Write(verb, user, {"accounts": ",".join([account, *others])}, etag)

    async def claims_on(self, place: Place, user: DirectoryId) -> list[AccountId]:
        """Every account that ever matched this user, the newest match first."""
        entity = await self._store.get(names.ACCOUNTS, f"{place}|i|{user[0]}", user)
        return _claims(entity.values) if entity else []

    # summaries, pace, first message

    async def summary(self, authority: Authority, migration: MigrationId, shard: str) -> ShardSummary | None:
        """What the last visit learned of a shard."""
        entity = await self._store.get(names.MIGRATIONS, f"{authority}|s", f"{migration}|{shard}")
        return summary_record(entity.values) if entity else None

    async def put_summary(self, authority: Authority, migration: MigrationId, summary: ShardSummary) -> None:
        """Keep what a visit learned. The latest visit is right, whoever made it."""
        write = Write(Verb.PUT, f"{migration}|{summary.shard}", summary_values(summary))
        await self._store.write(names.MIGRATIONS, f"{authority}|s", [write])

    async def summaries(self, authority: Authority, migration: MigrationId) -> list[ShardSummary]:
        """What is known of all shards of a migration."""
        found = self._store.query(names.MIGRATIONS, f"{authority}|s", Query(prefix=f"{migration}|"))
        return [summary_record(entity.values) async for entity in found]

    async def progress(self, authority: Authority, migration: MigrationId) -> Progress | None:
        """How far a migration was when."""
        entity = await self._store.get(names.MIGRATIONS, f"{authority}|s", f"progress|{migration}")
        return PROGRESS.record(entity.values) if entity else None

    async def put_progress(self, authority: Authority, migration: MigrationId, progress: Progress) -> None:
        """Beside the summaries, and like these not worth a copy: it is counted again."""
        write = Write(Verb.PUT, f"progress|{migration}", PROGRESS.values(progress))
        await self._store.write(names.MIGRATIONS, f"{authority}|s", [write])

    async def pace(self, lane: Lane) -> Stored[Pace] | None:
        """The shared pace of a lane."""
        entity = await self._store.get(names.MIGRATIONS, _PACES, lane)
        return Stored(PACE.record(entity.values), entity.etag) if entity else None

    async def save_pace(self, lane: Lane, before: Stored[Pace] | None, pace: Pace) -> bool:
        """Save the shared pace of a lane unless somebody else was faster."""
        verb, etag = (Verb.REPLACE, before.etag) if before else (Verb.INSERT, "")
        self._glances.pop(lane, None)
        try:
            await self._store.write(names.MIGRATIONS, _PACES, [Write(verb, lane, PACE.values(pace), etag)])
        except Conflict:
            return False
        return True

    async def recent_pace(self, lane: Lane, now: datetime) -> Pace | None:
        """Remembered for a moment."""
        seen = self._glances.get(lane)
        if seen is None or not seen[0] <= now < seen[0] + FRESH:
            stored = await self.pace(lane)
            seen = self._glances[lane] = (now, stored.record if stored else None)
        return seen[1]

    async def key_fingerprint(self) -> str | None:
        """Asked of every account's step, and so of the table only once."""
        if self._key is None:
            entity = await self._store.get(names.MIGRATIONS, *_KEY)
            self._key = str(entity.values["fingerprint"]) if entity else None
        return self._key

    async def note_key(self, fingerprint: str) -> str:
        """Insert, or read what is there."""
        partition, row_key = _KEY
        await self._insert_missing(
            names.MIGRATIONS, partition, [[Write(Verb.INSERT, row_key, {"fingerprint": fingerprint})]]
        )
        self._key = None
        return await self.key_fingerprint() or fingerprint

    async def troubles(self) -> list[Trouble]:
        """Timers that fail."""
        found = self._store.query(names.MIGRATIONS, _TIMERS, Query())
        return [TROUBLE.record(entity.values) async for entity in found]

    async def note_trouble(self, timer: str, error: str, at: datetime) -> None:
        """One more failure. A timer runs in one place at a time, so nobody else writes its row."""
        known = await self._store.get(names.MIGRATIONS, _TIMERS, timer)
        trouble = failed_again(TROUBLE.record(known.values) if known else None, timer, error, at)
        self._well.forget()
        await self._store.write(names.MIGRATIONS, _TIMERS, [Write(Verb.PUT, timer, TROUBLE.values(trouble))])

    async def end_trouble(self, timer: str) -> None:
        """Said after every good run, and so asked of the table only now and then."""

        async def forget() -> None:
            if await self._store.get(names.MIGRATIONS, _TIMERS, timer) is not None:
                await self._store.write(names.MIGRATIONS, _TIMERS, [Write(Verb.DELETE, timer, {})])

        await self._well.get(timer, forget)

    async def canary(self, authority: Authority) -> Stored[Canary] | None:
        """The newest canary of an authority."""
        entity = await self._store.get(names.MIGRATIONS, f"{authority}|canary", "canary")
        return Stored(canary_record(entity.values), entity.etag) if entity else None

    async def save_canary(self, before: Stored[Canary] | None, canary: Canary) -> Stored[Canary]:
        """Save a canary unless somebody else was faster."""
        verb, etag = (Verb.REPLACE, before.etag) if before else (Verb.INSERT, "")
        write = Write(verb, "canary", canary_values(canary), etag)
        etags = await self._store.write(names.MIGRATIONS, f"{canary.authority}|canary", [write])
        return Stored(canary, etags[0])

    async def first_message_at(self, authority: Authority) -> datetime | None:
        """When this authority's first message went out."""
        if authority not in self._first_messages:
            entity = await self._store.get(names.MIGRATIONS, f"{authority}|first", "message")
            if entity is None:
                return None
            self._first_messages[authority] = datetime.fromisoformat(str(entity.values["at"]))
        return self._first_messages[authority]

    async def note_first_message(self, authority: Authority, at: datetime) -> None:
        """Only the first note counts."""
        if await self.first_message_at(authority) is not None:
            return
        write = Write(Verb.INSERT, "message", {"at": moment(at)})
        try:
            await self._store.write(names.MIGRATIONS, f"{authority}|first", [write])
        except StaleWrite:
            return

    async def recall_first_message(self, authority: Authority, at: datetime) -> None:
        """Insert it although this process may have seen one."""
        await self._insert_missing(
            names.MIGRATIONS, f"{authority}|first", [[Write(Verb.INSERT, "message", {"at": moment(at)})]]
        )

    # what is left after a loss, and the way back

    async def anchors(self, authority: Authority) -> Anchors:
        """Three small reads."""
        place = f"{authority}|anchor"
        *found, noted = await asyncio.gather(
            *(self._store.get(table, place, "anchor") for table in names.TABLES),
            self._store.get(names.MIGRATIONS, place, "rebuild"),
        )
        there = frozenset(table for table, anchor in zip(names.TABLES, found, strict=True) if anchor)
        return Anchors(there, frozenset(names.TABLES) - there, REBUILD.record(noted.values) if noted else None)

    async def anchor(self, authority: Authority) -> None:
        """Insert what is missing, in Migrations last: a crash in between does not look like a loss."""
        for table in (names.ROWS, names.ACCOUNTS, names.MIGRATIONS):
            await self._insert_missing(table, f"{authority}|anchor", [[Write(Verb.INSERT, "anchor", {"kept": True})]])

    async def begin_rebuild(self, authority: Authority, rebuild: Rebuild) -> Rebuild:
        """Insert, or read what somebody else inserted."""
        write = Write(Verb.INSERT, "rebuild", REBUILD.values(rebuild))
        await self._insert_missing(names.MIGRATIONS, f"{authority}|anchor", [[write]])
        return (await self.anchors(authority)).rebuild or rebuild

    async def move_rebuild(self, authority: Authority, before: Rebuild, after: Rebuild) -> None:
        """Replace what is noted, if it is `before`."""
        place = f"{authority}|anchor"
        entity = await self._store.get(names.MIGRATIONS, place, "rebuild")
        if entity is None or REBUILD.record(entity.values) != before:
            return
        write = Write(Verb.REPLACE, "rebuild", REBUILD.values(after), entity.etag)
        with suppress(Conflict):
            await self._store.write(names.MIGRATIONS, place, [write])

    async def end_rebuild(self, authority: Authority) -> None:
        """First the anchors: with neither anchor nor note an authority would look new."""
        await self.anchor(authority)
        await self._store.write(names.MIGRATIONS, f"{authority}|anchor", [Write(Verb.DELETE, "rebuild")])

    def partitions(self, authority: Authority) -> list[tuple[str, str]]:
        """All but what is counted again (summaries, pace) and what is personal (Rows)."""
        accounts = [f"{authority}|{part}{shard}" for shard in SHARDS for part in ("", "a|", "i|")]
        migrations = [f"{authority}|{part}" for part in ("canary", "first", "m")]
        return [(names.ACCOUNTS, each) for each in accounts] + [(names.MIGRATIONS, each) for each in migrations]

    async def records(self, table: str, partition: str) -> AsyncIterator[Record]:
        """In the order of their keys: accounts before their histories."""
        async for entity in self._store.query(table, partition, Query()):
            columns = entity.values
            if table == names.ACCOUNTS and entity.row_key.startswith("account|"):
                columns = without_reference(columns)
            if table == names.MIGRATIONS and partition.endswith("|m"):
                columns = without_file_name(columns)
            yield Record(table, partition, entity.row_key, columns)

    async def put_back(self, records: Sequence[Record], mending: Mending) -> int:
        """An account and what the rebuild adds to its history go in together."""
        by_place: dict[tuple[str, str], list[list[Write]]] = defaultdict(list)
        for record in records:
            by_place[record.table, record.partition].append(_put_back(record, mending))
        count = 0
        for (table, partition), groups in by_place.items():
            for batch in batched(groups, TRANSACTION_LIMIT // 2, strict=False):
                count += await self._insert_missing(table, partition, list(batch))
        self._recent.forget()
        self._shared.forget()
        return count

    async def _insert_missing(self, table: str, partition: str, groups: list[list[Write]]) -> int:
        """Insert the groups whose first record is not there; returns how many."""
        while groups:
            writes = {write.row_key: write for group in reversed(groups) for write in group}
            try:
                await self._store.write(table, partition, list(writes.values()))
            except Conflict:
                there = await asyncio.gather(*(self._store.get(table, partition, g[0].row_key) for g in groups))
                groups = [group for group, found in zip(groups, there, strict=True) if found is None]
            else:
                break
        return len(groups)

    async def _put(self, table: str, by_partition: dict[str, list[Write]]) -> None:
        for partition, writes in by_partition.items():
            for batch in batched(writes, TRANSACTION_LIMIT, strict=False):
                await self._store.write(table, partition, batch)


def _claims(values: Values) -> list[AccountId]:
    return [AccountId(account) for account in str(values["accounts"]).split(",")]


def _row_key(migration: MigrationId, number: int) -> str:
    return f"{migration}|{number:09d}"


def _history_key(account: Account) -> str:
    return f"history|{account.id}|{account.changes:06d}"


def _account_values(account: Account) -> Values:
    told = account.announced_at is not None
    return {**ACCOUNT.values(account), "announced": told, "waiting": account.waiting}


def _stored_account(entity: Entity) -> Stored[Account]:
    values = {name: value for name, value in entity.values.items() if name not in {"waiting", "announced"}}
    return Stored(ACCOUNT.record(values), entity.etag)


def _saving(before: Stored[Account], account: Account, change: Change | None) -> list[Write]:
    writes = [Write(Verb.REPLACE, f"account|{account.id}", _account_values(account), before.etag)]
    if change is not None:
        writes.append(Write(Verb.PUT, _history_key(account), CHANGE.values(change)))
    return writes


def _put_back(record: Record, mending: Mending) -> list[Write]:
    """The writes of one record of a copy; the first of them inserts the record itself."""
    if record.table == names.ACCOUNTS and record.key.startswith("account|"):
        stored = _stored_account(Entity(record.key, record.columns, ""))
        account, change = mending.account(stored.record)
        history = [Write(Verb.PUT, _history_key(account), CHANGE.values(change))] if change else []
        return [Write(Verb.INSERT, record.key, _account_values(account)), *history]
    if record.table == names.MIGRATIONS and record.partition.endswith("|m"):
        migration = mending.migration(nameless_migration(record.columns))
        return [Write(Verb.INSERT, record.key, MIGRATION.values(migration))]
    return [Write(Verb.INSERT, record.key, record.columns)]
