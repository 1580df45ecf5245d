"""Accounts and their histories, which change in one transaction."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from itertools import batched

from shared import names
from shared.adapters.storage.entities import ACCOUNT, CHANGE, GLANCE, format_time, read_projection
from shared.adapters.storage.store import TRANSACTION_LIMIT, Conflict, Entity, Query, Store, Value, Values, Verb, Write
from shared.model.account import Account, AccountId, Change, Place
from shared.model.pacing.work_query import Line
from shared.ports import Stored


class TableAccounts:
    """`AccountRecords` over any `Store`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def get(self, place: Place, account: AccountId) -> Stored[Account] | None:
        """One account."""
        entity = await self._store.get(names.ACCOUNTS, f"{place}|{account[1]}", f"account|{account}")
        return stored_account(entity) if entity else None

    async def save(self, before: Stored[Account], account: Account, change: Change | None) -> Stored[Account]:
        """Save an account with its history."""
        etags = await self._store.write(
            names.ACCOUNTS, f"{account.place}|{account.shard}", _make_save_writes(before, account, change)
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
        writes = [write for before, account, change in items for write in _make_save_writes(before, account, change)]
        try:
            await self._store.write(names.ACCOUNTS, f"{first.place}|{first.shard}", writes)
        except Conflict:
            if len(items) == 1:
                return []
            middle = len(items) // 2
            return await self._save_batch(items[:middle]) + await self._save_batch(items[middle:])
        return [account for _, account, _ in items]

    async def insert(self, accounts: Sequence[tuple[Account, Change]]) -> list[AccountId]:
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
                    Write(Verb.INSERT, f"account|{account.id}", account_values(account)),
                    Write(Verb.PUT, history_key(account), CHANGE.values(change)),
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

    async def list_shard(self, place: Place, shard: str) -> AsyncIterator[Stored[Account]]:
        """All accounts of a shard, in the order of their ids."""
        async for entity in self._store.query(names.ACCOUNTS, f"{place}|{shard}", Query(prefix="account|")):
            yield stored_account(entity)

    async def list_projections(self, place: Place, shard: str) -> AsyncIterator[Account]:
        """The same with the columns that the gate and the counts look at."""
        query = Query(prefix="account|", select=GLANCE)
        async for entity in self._store.query(names.ACCOUNTS, f"{place}|{shard}", query):
            yield read_projection(entity.values)

    async def list_due(
        self, place: Place, shard: str, of: Line, before: datetime, limit: int
    ) -> AsyncIterator[Stored[Account]]:
        """Accounts of a shard that wait for a moment."""
        equal: dict[str, Value] = {"waiting": True, "migration": of.migration, "state": of.state.value}
        if of.announced is not None:
            equal["announced"] = of.announced
        keys = tuple(f"account|a{shard}{key}" for key in of.keys) if of.keys else ()
        wanted: dict[str, tuple[str, ...]] = {"band": of.bands, "outcome": of.outcomes}
        one_of = {column: some for column, some in wanted.items() if some}
        bound = {"not_before": format_time(before)}
        query = Query("account|", equal=equal, one_of=one_of, at_most=bound, limit=limit, keys=keys)
        async for entity in self._store.query(names.ACCOUNTS, f"{place}|{shard}", query):
            yield stored_account(entity)

    async def list_history(self, place: Place, account: AccountId) -> list[Change]:
        """An account's history, oldest first."""
        query = Query(prefix=f"history|{account}|")
        found = self._store.query(names.ACCOUNTS, f"{place}|{account[1]}", query)
        return [CHANGE.record(entity.values) async for entity in found]


def history_key(account: Account) -> str:
    """Of the entry that an account's latest change makes."""
    return f"history|{account.id}|{account.changes:06d}"


def account_values(account: Account) -> Values:
    """The columns of an account, with those by which it is found waiting."""
    told = account.announced_at is not None
    return {**ACCOUNT.values(account), "announced": told, "waiting": account.waiting}


def stored_account(entity: Entity) -> Stored[Account]:
    """An account of its columns, without those by which it is found."""
    values = {name: value for name, value in entity.values.items() if name not in {"waiting", "announced"}}
    return Stored(ACCOUNT.record(values), entity.etag)


def _make_save_writes(before: Stored[Account], account: Account, change: Change | None) -> list[Write]:
    writes = [Write(Verb.REPLACE, f"account|{account.id}", account_values(account), before.etag)]
    if change is not None:
        writes.append(Write(Verb.PUT, history_key(account), CHANGE.values(change)))
    return writes
