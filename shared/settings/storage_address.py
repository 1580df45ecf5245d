"""The address of the data storage account, from the same settings that the bindings read. Imports no client library."""

from collections.abc import Mapping
from typing import Final

from shared.errors import BadSetting
from shared.names import STORAGE_CONNECTION

URIS: Final = ("blobServiceUri", "queueServiceUri", "tableServiceUri")


def check_storage(environment: Mapping[str, str]) -> None:
    """Refuse a start without a storage connection.

    Raises:
        BadSetting: neither a connection string nor the addresses of all three services.
    """
    text = environment.get(STORAGE_CONNECTION, "")
    if text:
        parts = {part.split("=", 1)[0].strip().lower() for part in text.split(";")}
        if not parts & {"usedevelopmentstorage", "accountname", "tableendpoint"}:
            raise BadSetting(f"{STORAGE_CONNECTION} is malformed: it should be a storage account's connection string")
        return
    missing = [f"{STORAGE_CONNECTION}__{uri}" for uri in URIS if not environment.get(f"{STORAGE_CONNECTION}__{uri}")]
    if len(missing) == len(URIS):
        raise BadSetting(
            f"{STORAGE_CONNECTION} is missing: it should be a connection string (UseDevelopmentStorage=true for "
            f"Azurite), or {', '.join(missing)} for access by identity"
        )
    if missing:
        raise BadSetting(f"{missing[0]} is missing: it should be the address of that service of the storage account")
