"""The customers whom a council has excluded."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime

from shared import names
from shared.adapters.storage.entities import format_time
from shared.adapters.storage.records.writing import put_partitions
from shared.adapters.storage.store import Query, Store, Verb, Write
from shared.model.account import AccountId, Authority


class TableSuppressions:
    """`SuppressionRecords` over any `Store`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def put(self, authority: Authority, found: Mapping[AccountId, str], at: datetime) -> set[AccountId]:
        """Save the excluded customers. A customer who is taken off the list has no row any more."""
        noted = await self._list_noted(authority, found)
        # Lists may be read in another order than they came.
        newer = {account for account, since in noted.items() if since > format_time(at)}
        by_partition: dict[str, list[Write]] = defaultdict(list)
        for account, reason in found.items():
            if reason and account not in newer:
                write = Write(Verb.PUT, f"excluded|{account}", {"reason": reason, "at": format_time(at)})
                by_partition[f"{authority}|{account[1]}"].append(write)
        await put_partitions(self._store, names.ACCOUNTS, by_partition)
        for account in (account for account, reason in found.items() if not reason and account not in newer):
            # One by one: a transaction fails as a whole where one of its records is gone already.
            write = Write(Verb.DELETE, f"excluded|{account}")
            await self._store.write(names.ACCOUNTS, f"{authority}|{account[1]}", [write])
        return {account for account in found if account in noted and noted[account] != format_time(at)}

    async def _list_noted(self, authority: Authority, found: Iterable[AccountId]) -> dict[AccountId, str]:
        """Return the excluded customers, each with the list that named them."""
        query = Query(prefix="excluded|", select=("at",))
        return {
            AccountId(entity.row_key.removeprefix("excluded|")): str(entity.values["at"])
            for shard in sorted({account[1] for account in found})
            async for entity in self._store.query(names.ACCOUNTS, f"{authority}|{shard}", query)
        }

    async def list_shard(self, authority: Authority, shard: str) -> dict[AccountId, str]:
        """One query: the list is short."""
        query = Query(prefix="excluded|", select=("reason",))
        found = self._store.query(names.ACCOUNTS, f"{authority}|{shard}", query)
        return {
            AccountId(entity.row_key.removeprefix("excluded|")): str(entity.values["reason"]) async for entity in found
        }
