"""Which accounts use an e-mail address."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from shared import names
from shared.adapters.storage.recent import Recent
from shared.adapters.storage.records.writing import put_partitions
from shared.adapters.storage.store import Query, Store, Verb, Write
from shared.model.account import AccountId, AddressKey, MigrationId, Partition
from shared.model.migration import Migration
from shared.ports import Clock

SHARED_ADDRESS_CACHE_TIME: Final = timedelta(minutes=10)
"""How long the shared addresses are remembered. Rows that are staged later belong to a newer export."""


class TableAddresses:
    """`AddressRecords` over any `Store`."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._shared: Recent[tuple[Partition, MigrationId, datetime | None, str], frozenset[AddressKey]] = Recent(
            clock, SHARED_ADDRESS_CACHE_TIME
        )

    async def put(self, partition: Partition, pairs: Iterable[tuple[AddressKey, AccountId]]) -> None:
        """Note which account has which address."""
        by_partition: dict[str, list[Write]] = defaultdict(list)
        for address, account in dict.fromkeys(pairs):
            write = Write(Verb.PUT, f"{address}|{account}", {"account": account})
            by_partition[f"{partition}|a|{address[0]}"].append(write)
        await put_partitions(self._store, names.ACCOUNTS, by_partition)
        self._shared.forget()

    async def drop(self, partition: Partition, address: AddressKey, account: AccountId) -> None:
        """The account has this address no more."""
        write = Write(Verb.DELETE, f"{address}|{account}")
        await self._store.write(names.ACCOUNTS, f"{partition}|a|{address[0]}", [write])

    async def list_accounts(self, partition: Partition, address: AddressKey) -> list[AccountId]:
        """The accounts of an authority with this address."""
        query = Query(prefix=f"{address}|")
        found = self._store.query(names.ACCOUNTS, f"{partition}|a|{address[0]}", query)
        return [AccountId(str(entity.values["account"])) async for entity in found]

    async def may_be_shared(self, migration: Migration, address: AddressKey) -> bool:
        """Answer from one read of a sixteenth of all addresses, which is remembered."""
        partition, shard = migration.partition, address[0]
        key = (partition, migration.id, migration.rebuilt_at, shard)
        return address in await self._shared.get(key, lambda: self._shared_addresses(partition, shard))

    async def _shared_addresses(self, partition: Partition, shard: str) -> frozenset[AddressKey]:
        shared: set[AddressKey] = set()
        last = ""
        # Row keys come in their order, so the accounts of one address are neighbours.
        async for entity in self._store.query(names.ACCOUNTS, f"{partition}|a|{shard}", Query()):
            address = entity.row_key.partition("|")[0]
            if address == last:
                shared.add(AddressKey(address))
            last = address
        return frozenset(shared)

    def forget(self) -> None:
        """Forget the answer, because the table was changed from outside."""
        self._shared.forget()
