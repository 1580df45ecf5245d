"""Clients of the data storage account, from the very settings that the bindings read."""

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.request import getproxies

from azure.core.credentials_async import AsyncTokenCredential
from azure.data.tables.aio import TableServiceClient
from azure.storage.blob.aio import BlobServiceClient
from azure.storage.queue.aio import QueueServiceClient

from shared.names import STORAGE_CONNECTION
from shared.settings.storage_address import URIS

if TYPE_CHECKING:
    from collections.abc import Mapping

CHUNK: Final = 2 * 1024 * 1024
# Else a thread is sent to look for a .netrc at every request, a seventh of the app's time. Only a proxy needs it.
_TRANSPORT: Final[dict[str, Any]] = {"use_env_settings": bool(getproxies())}
_RETRIES: Final[dict[str, Any]] = {**_TRANSPORT, "initial_backoff": 1, "increment_base": 2, "retry_total": 3}
"""The SDK's default keeps a failure hidden for 85 seconds."""


@dataclass(frozen=True, slots=True)
class Storage:
    """The clients for the three services of one storage account. They belong to one event loop."""

    blobs: BlobServiceClient
    queues: QueueServiceClient
    tables: TableServiceClient
    credential: AsyncTokenCredential | None = None
    """For a sign-in by identity: the credential that the three clients share. Closing the clients does not close it."""

    async def close(self) -> None:
        """Close every connection. Only processes that do not keep them until their end need this."""
        for closing in (self.blobs, self.queues, self.tables, self.credential):
            if closing is not None:
                await closing.close()


def connect_storage(environment: "Mapping[str, str]" = os.environ) -> Storage:
    """Clients by connection string, else by identity."""
    text = environment.get(STORAGE_CONNECTION)
    if text:
        return Storage(
            BlobServiceClient.from_connection_string(
                text, max_single_get_size=CHUNK, max_chunk_get_size=CHUNK, **_RETRIES
            ),
            QueueServiceClient.from_connection_string(text, **_RETRIES),
            TableServiceClient.from_connection_string(text, retry_total=3, **_TRANSPORT),
        )
    blob, queue, table = (environment[f"{STORAGE_CONNECTION}__{uri}"] for uri in URIS)
    credential = _make_credential(environment)
    return Storage(
        BlobServiceClient(blob, credential, max_single_get_size=CHUNK, max_chunk_get_size=CHUNK, **_RETRIES),
        QueueServiceClient(queue, credential, **_RETRIES),
        TableServiceClient(table, credential=credential, retry_total=3, **_TRANSPORT),
        credential,
    )


def _make_credential(environment: "Mapping[str, str]") -> AsyncTokenCredential:
    from azure.identity.aio import DefaultAzureCredential, ManagedIdentityCredential  # noqa: PLC0415 - slow to import

    client = environment.get(f"{STORAGE_CONNECTION}__clientId")
    if environment.get(f"{STORAGE_CONNECTION}__credential", "").lower() == "managedidentity":
        return ManagedIdentityCredential(client_id=client) if client else ManagedIdentityCredential()
    return DefaultAzureCredential()
