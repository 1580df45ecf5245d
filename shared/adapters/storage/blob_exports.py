"""The uploads in a blob container."""

from collections.abc import AsyncIterator
from typing import Final

from azure.core import MatchConditions
from azure.core.exceptions import HttpResponseError, ResourceModifiedError, ResourceNotFoundError
from azure.storage.blob import BlobProperties
from azure.storage.blob.aio import BlobServiceClient

from shared import names
from shared.errors import Superseded
from shared.ports import Blob

UPLOADED_BY: Final = "uploaded_by"
"""The metadata of a blob in which the uploader is named."""
WHO_LENGTH: Final = 100
NOTHING_THERE: Final = 416
"""The blob ends where the reading should begin."""


class BlobExports:
    """The `Exports` port on Blob Storage."""

    def __init__(self, service: BlobServiceClient) -> None:
        self._container = service.get_container_client(names.EXPORTS)

    async def all(self) -> AsyncIterator[Blob]:
        """Every blob of the container."""
        async for properties in self._container.list_blobs():
            yield _read_blob(properties)

    async def find(self, name: str) -> Blob | None:
        """One blob as it is now."""
        try:
            return _read_blob(await self._container.get_blob_client(name).get_blob_properties())
        except ResourceNotFoundError:
            return None

    async def read(self, name: str, etag: str, start: int = 0) -> AsyncIterator[bytes]:
        """Yield the bytes from `start`. Every request carries the ETag."""
        try:
            stream = await self._container.get_blob_client(name).download_blob(
                offset=start, etag=etag, match_condition=MatchConditions.IfNotModified
            )
            async for chunk in stream.chunks():
                yield chunk
        except (ResourceModifiedError, ResourceNotFoundError):
            raise Superseded from None
        except HttpResponseError as error:
            if error.status_code != NOTHING_THERE:
                raise


def _read_blob(properties: BlobProperties) -> Blob:
    # A listing gives the ETag without quotes, a request for one blob with them.
    etag = f'"{str(properties.etag).strip(chr(34))}"'
    who = (properties.metadata or {}).get(UPLOADED_BY, "")
    return Blob(str(properties.name), etag, int(properties.size), properties.last_modified, str(who)[:WHO_LENGTH])
