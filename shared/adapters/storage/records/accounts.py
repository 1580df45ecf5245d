"""Accounts, each with its history in a column of its own entity, so that one write changes both.

A history that exceeds `MAX_HISTORY_CHARACTERS` is moved to a separate entity, in the same transaction.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from itertools import batched
from typing import Final

from shared import names
from shared.adapters.storage.entities import (
    ACCOUNT,
    CHANGES,
    PROJECTION_COLUMNS,
    format_time,
    read_projection,
)
from shared.adapters.storage.store import TRANSACTION_LIMIT, Conflict, Entity, Query, Store, Value, Values, Verb, Write
from shared.model.account import Account, AccountId, Change, MigrationId, Partition
from shared.model.lifecycle import State
from shared.model.pacing.work_query import WorkQuery
from shared.ports import Stored

MAX_HISTORY_CHARACTERS: Final = 12_000
"""How many characters of history an account's entity holds. Table Storage allows 32,000 in a column."""


class TableAccounts:
    """`AccountRecords` over any `Store`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def get(self, partition: Partition, account: AccountId) -> Stored[Account] | None:
        """One account."""
        entity = await self._store.get(names.ACCOUNTS, f"{partition}|{account[1]}", f"account|{account}")
        return stored_account(entity) if entity else None

    async def save(self, before: Stored[Account], account: Account, change: Change | None) -> Stored[Account]:
        """Save an account with its history."""
        writes = _make_save_writes(before, account, change)
        etags = await self._store.write(names.ACCOUNTS, f"{account.partition}|{account.shard}", writes)
        return Stored(account, etags[0], str(writes[0].values.get("history", before.history)))

    async def save_all(self, changes: Sequence[tuple[Stored[Account], Account, Change | None]]) -> list[Account]:
        """Save accounts shard by shard.

        An account that another process changed is left out, and the others are saved.
        """
        by_shard: dict[tuple[Partition, str], list[tuple[Stored[Account], Account, Change | None]]] = defaultdict(list)
        for item in changes:
            by_shard[item[1].partition, item[1].shard].append(item)
        batches = [
            list(batch) for items in by_shard.values() for batch in batched(items, TRANSACTION_LIMIT // 2, strict=False)
        ]
        saved = await asyncio.gather(*(self._save_batch(batch) for batch in batches))
        return [account for batch in saved for account in batch]

    async def _save_batch(self, items: list[tuple[Stored[Account], Account, Change | None]]) -> list[Account]:
        first = items[0][1]
        writes = [write for before, account, change in items for write in _make_save_writes(before, account, change)]
        try:
            await self._store.write(names.ACCOUNTS, f"{first.partition}|{first.shard}", writes)
        except Conflict:
            if len(items) == 1:
                return []
            middle = len(items) // 2
            return await self._save_batch(items[:middle]) + await self._save_batch(items[middle:])
        return [account for _, account, _ in items]

    async def insert(self, accounts: Sequence[tuple[Account, Change]]) -> list[AccountId]:
        """Insert accounts of one shard. Returns those that exist already."""
        existing: list[AccountId] = []
        for batch in batched(accounts, TRANSACTION_LIMIT, strict=False):
            existing += await self._insert_batch(list(batch))
        return existing

    async def _insert_batch(self, batch: list[tuple[Account, Change]]) -> list[AccountId]:
        first = batch[0][0]
        partition_key = f"{first.partition}|{first.shard}"
        existing: list[AccountId] = []
        while batch:
            writes = [
                Write(
                    Verb.INSERT,
                    f"account|{account.id}",
                    {**account_values(account), "history": append_history("", change)},
                )
                for account, change in batch
            ]
            try:
                await self._store.write(names.ACCOUNTS, partition_key, writes)
            except Conflict:
                there = await asyncio.gather(
                    *(self._store.get(names.ACCOUNTS, partition_key, f"account|{account.id}") for account, _ in batch)
                )
                known = {account.id for (account, _), found in zip(batch, there, strict=True) if found}
                existing += known
                batch = [item for item in batch if item[0].id not in known]
            else:
                break
        return existing

    async def list_shard(self, partition: Partition, shard: str) -> AsyncIterator[Stored[Account]]:
        """All accounts of a shard, in the order of their ids."""
        async for entity in self._store.query(names.ACCOUNTS, f"{partition}|{shard}", Query(prefix="account|")):
            yield stored_account(entity)

    async def list_projections(self, partition: Partition, shard: str) -> AsyncIterator[Account]:
        """Yield the accounts with only the columns that the gate and the counts need."""
        query = Query(prefix="account|", select=PROJECTION_COLUMNS)
        async for entity in self._store.query(names.ACCOUNTS, f"{partition}|{shard}", query):
            yield read_projection(entity.values)

    async def list_due(
        self, partition: Partition, shard: str, of: WorkQuery, before: datetime, limit: int
    ) -> AsyncIterator[Stored[Account]]:
        """Yield accounts of a shard that wait for release."""
        equal: dict[str, Value] = {"waiting": True, "migration": of.migration, "state": of.state.value}
        if of.announced is not None:
            equal["announced"] = of.announced
        keys = tuple(f"account|a{shard}{key}" for key in of.keys) if of.keys else ()
        wanted: dict[str, tuple[str, ...]] = {"cohort": of.cohorts, "outcome": of.outcomes}
        one_of = {column: some for column, some in wanted.items() if some}
        bound = {"not_before": format_time(before)}
        query = Query("account|", equal=equal, one_of=one_of, at_most=bound, limit=limit, keys=keys)
        async for entity in self._store.query(names.ACCOUNTS, f"{partition}|{shard}", query):
            yield stored_account(entity)

    async def is_any_in_state(
        self, partition: Partition, shard: str, migration: MigrationId, states: Sequence[State]
    ) -> bool:
        """Read one column of one account."""
        one_of = {"state": tuple(state.value for state in states)}
        query = Query("account|", equal={"migration": migration}, one_of=one_of, select=("id",), limit=1)
        async for _ in self._store.query(names.ACCOUNTS, f"{partition}|{shard}", query):
            return True
        return False

    async def list_history(self, partition: Partition, account: AccountId) -> list[Change]:
        """An account's history, oldest first."""
        partition_key = f"{partition}|{account[1]}"
        moved = self._store.query(names.ACCOUNTS, partition_key, Query(prefix=f"history|{account}|"))
        texts = [str(entity.values["history"]) async for entity in moved]
        if entity := await self._store.get(names.ACCOUNTS, partition_key, f"account|{account}"):
            texts.append(stored_account(entity).history)
        return [change for text in texts if text for change in CHANGES.validate_json(text)]


def append_history(history: str, change: Change) -> str:
    """A history as it is stored, with one entry more."""
    entry = CHANGES.dump_json([change], exclude_defaults=True).decode()
    return f"{history[:-1]},{entry[1:]}" if history else entry


def account_values(account: Account) -> Values:
    """The columns of an account, with those by which it is found waiting."""
    return {**ACCOUNT.values(account), **_make_search_columns(account)}


def _make_search_columns(account: Account) -> dict[str, Value]:
    """The columns by which an account is found while it waits."""
    return {"announced": account.announced_at is not None, "waiting": account.waiting}


def stored_account(entity: Entity) -> Stored[Account]:
    """An account of its columns, without those by which it is found."""
    beside = {"waiting", "announced", "history"}
    values = {name: value for name, value in entity.values.items() if name not in beside}
    return Stored(ACCOUNT.record(values), entity.etag, str(entity.values.get("history", "")))


def _make_save_writes(before: Stored[Account], account: Account, change: Change | None) -> list[Write]:
    """Return the write of the account, and a second one if part of its history has to move."""
    columns = {**ACCOUNT.changed_values(before.record, account), **_make_search_columns(account)}
    moved: list[Write] = []
    if change is not None:
        history = before.history
        if len(history) > MAX_HISTORY_CHARACTERS:
            moved = [Write(Verb.PUT, f"history|{account.id}|{account.changes:06d}", {"history": history})]
            history = ""
        columns["history"] = append_history(history, change)
    return [Write(Verb.MERGE, f"account|{account.id}", columns, before.etag), *moved]
