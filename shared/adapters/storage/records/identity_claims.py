"""Which accounts match a directory user."""

from shared import names
from shared.adapters.storage.store import Conflict, Store, Values, Verb, Write
from shared.model.account import AccountId, DirectoryId, Partition


class TableIdentityClaims:
    """`IdentityClaimRecords` over any `Store`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def claim(self, partition: Partition, user: DirectoryId, account: AccountId) -> list[AccountId]:
        """Claim a user. The first claim is one insert.

        Later claims extend the list, newest first, so that claims have an order.
        """
        partition_key = f"{partition}|i|{user[0]}"
        write = Write(Verb.INSERT, user, {"accounts": account})
        while True:
            try:
                await self._store.write(names.ACCOUNTS, partition_key, [write])
            except Conflict:
                entity = await self._store.get(names.ACCOUNTS, partition_key, user)
            else:
                return _read_claims(write.values)[1:]
            claims = _read_claims(entity.values) if entity else []
            others = [other for other in claims if other != account]
            if entity is not None and claims[0] == account:
                return others
            verb, etag = (Verb.REPLACE, entity.etag) if entity else (Verb.INSERT, "")
            write = Write(verb, user, {"accounts": ",".join([account, *others])}, etag)

    async def list_accounts(self, partition: Partition, user: DirectoryId) -> list[AccountId]:
        """Every account that ever matched this user, the newest match first."""
        entity = await self._store.get(names.ACCOUNTS, f"{partition}|i|{user[0]}", user)
        return _read_claims(entity.values) if entity else []


def _read_claims(values: Values) -> list[AccountId]:
    return [AccountId(account) for account in str(values["accounts"]).split(",")]
