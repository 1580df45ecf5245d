"""Clients of the data storage account, from the very settings that the bindings read."""

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from azure.core.credentials_async import AsyncTokenCredential
from azure.data.tables.aio import TableServiceClient
from azure.storage.blob.aio import BlobServiceClient
from azure.storage.queue.aio import QueueServiceClient

from shared.errors import BadSetting
from shared.names import STORAGE_CONNECTION

if TYPE_CHECKING:
    from collections.abc import Mapping

CHUNK: Final = 2 * 1024 * 1024
_RETRIES: Final[dict[str, Any]] = {"initial_backoff": 1, "increment_base": 2, "retry_total": 3}
"""The SDK's default keeps a failure hidden for 85 seconds."""
_URIS: Final = ("blobServiceUri", "queueServiceUri", "tableServiceUri")


@dataclass(frozen=True, slots=True)
class Storage:
    """The three services of one account; they belong to one event loop."""

    blobs: BlobServiceClient
    queues: QueueServiceClient
    tables: TableServiceClient


def check_storage(environment: "Mapping[str, str]") -> None:
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
    missing = [f"{STORAGE_CONNECTION}__{uri}" for uri in _URIS if not environment.get(f"{STORAGE_CONNECTION}__{uri}")]
    if len(missing) == len(_URIS):
        raise BadSetting(
            f"{STORAGE_CONNECTION} is missing: it should be a connection string (UseDevelopmentStorage=true for "
            f"Azurite), or {', '.join(missing)} for access by identity"
        )
    if missing:
        raise BadSetting(f"{missing[0]} is missing: it should be the address of that service of the storage account")


def connect(environment: "Mapping[str, str]" = os.environ) -> Storage:
    """Clients by connection string, else by identity."""
    text = environment.get(STORAGE_CONNECTION)
    if text:
        return Storage(
            BlobServiceClient.from_connection_string(
                text, max_single_get_size=CHUNK, max_chunk_get_size=CHUNK, **_RETRIES
            ),
            QueueServiceClient.from_connection_string(text, **_RETRIES),
            TableServiceClient.from_connection_string(text, retry_total=3),
        )
    blob, queue, table = (environment[f"{STORAGE_CONNECTION}__{uri}"] for uri in _URIS)
    credential = _credential(environment)
    return Storage(
        BlobServiceClient(blob, credential, max_single_get_size=CHUNK, max_chunk_get_size=CHUNK, **_RETRIES),
        QueueServiceClient(queue, credential, **_RETRIES),
        TableServiceClient(table, credential=credential, retry_total=3),
    )


def _credential(environment: "Mapping[str, str]") -> AsyncTokenCredential:
    from azure.identity.aio import DefaultAzureCredential, ManagedIdentityCredential  # noqa: PLC0415 - slow to import

    client = environment.get(f"{STORAGE_CONNECTION}__clientId")
    if environment.get(f"{STORAGE_CONNECTION}__credential", "").lower() == "managedidentity":
        return ManagedIdentityCredential(client_id=client) if client else ManagedIdentityCredential()
    return DefaultAzureCredential()
