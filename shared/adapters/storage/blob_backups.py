"""The nightly copies in a blob container. On Azure, nobody can change them before their retention time is over."""

from collections.abc import AsyncIterator
from typing import Final

from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.storage.blob.aio import BlobServiceClient

from shared import names

THERE_ALREADY: Final = 409
"""A blob of this name is there: by our own condition, or because the container's policy protects it."""


class BlobBackups:
    """The `Backups` port on Blob Storage."""

    def __init__(self, service: BlobServiceClient) -> None:
        self._container = service.get_container_client(names.BACKUPS)

    async def add(self, path: str, body: bytes) -> bool:
        """Write a file, never over another."""
        try:
            await self._container.get_blob_client(path).upload_blob(body, overwrite=False)
        except HttpResponseError as error:
            if error.status_code != THERE_ALREADY:
                raise
            return False
        return True

    async def read(self, path: str) -> bytes | None:
        """Return a whole file. No file is larger than some MiB."""
        try:
            return await (await self._container.get_blob_client(path).download_blob()).readall()
        except ResourceNotFoundError:
            return None

    async def all(self, prefix: str) -> AsyncIterator[str]:
        """Their paths in their order."""
        try:
            async for path in self._container.list_blob_names(name_starts_with=prefix):
                yield path
        except ResourceNotFoundError:
            return
