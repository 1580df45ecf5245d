"""Who else has this address, and who else matches this user."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from shared import names
from shared.adapters.storage.recent import Recent
from shared.adapters.storage.records.base import OnTables
from shared.adapters.storage.store import Conflict, Query, Store, Values, Verb, Write
from shared.model.account import AccountId, AddressKey, DirectoryId, MigrationId, Place
from shared.model.migration import Migration
from shared.ports import Clock

A_WHILE: Final = timedelta(minutes=10)
"""So long it is remembered which addresses are shared; what is staged later is of a newer export."""


class Addresses(OnTables):
    """The part of the `Ledger` that knows what several accounts lay claim to."""

    def __init__(self, store: Store, clock: Clock) -> None:
        super().__init__(store, clock)
        self._shared: Recent[tuple[Place, MigrationId, datetime | None, str], frozenset[AddressKey]] = Recent(
            clock, A_WHILE
        )

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


def _claims(values: Values) -> list[AccountId]:
    return [AccountId(account) for account in str(values["accounts"]).split(",")]
