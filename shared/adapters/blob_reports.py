"""The reports in a blob container."""

from collections.abc import AsyncIterator, Sequence
from io import BytesIO
from typing import Final

from azure.core.exceptions import ResourceNotFoundError
from azure.storage.blob import BlobBlock, ContentSettings
from azure.storage.blob.aio import BlobClient, BlobServiceClient

from shared import names

BLOCK: Final = 4 * 1024 * 1024
PERSONAL: Final = "personal"
"""The folder of lists with people in them; also the tag by which storage deletes these sooner than other reports."""


class BlobReports:
    """The `Reports` port on Blob Storage."""

    def __init__(self, service: BlobServiceClient) -> None:
        self._container = service.get_container_client(names.REPORTS)

    async def read(self, path: str) -> bytes | None:
        """A whole report; for the small ones."""
        try:
            return await (await self._container.get_blob_client(path).download_blob()).readall()
        except ResourceNotFoundError:
            return None

    async def all(self, prefix: str) -> AsyncIterator[str]:
        """Their paths."""
        async for path in self._container.list_blob_names(name_starts_with=prefix):
            yield path

    async def put(self, path: str, body: bytes, content_type: str) -> None:
        """Write a report, over what is there."""
        settings = ContentSettings(content_type=content_type)
        blob = self._container.get_blob_client(path)
        await blob.upload_blob(body, overwrite=True, content_settings=settings, tags=_tags(path))

    async def put_blocks(self, path: str, blocks: Sequence[AsyncIterator[bytes]], content_type: str) -> None:
        """Stage block after block, then commit: readers see the old report or the new one, whole."""
        blob = self._container.get_blob_client(path)
        staged: list[BlobBlock] = []
        for number, parts in enumerate(blocks):
            staged += await _stage(blob, number, parts)
        settings = ContentSettings(content_type=content_type)
        await blob.commit_block_list(staged, content_settings=settings, tags=_tags(path))


def _tags(path: str) -> dict[str, str] | None:
    """A rule of storage cannot name a folder in the middle of a path, so people's lists carry a tag."""
    return {PERSONAL: "true"} if f"/{PERSONAL}/" in path else None


async def _stage(blob: BlobClient, number: int, parts: AsyncIterator[bytes]) -> list[BlobBlock]:
    staged: list[BlobBlock] = []
    waiting = b""

    async def flush() -> None:
        block = f"{number:04d}-{len(staged):06d}"
        await blob.stage_block(block, BytesIO(waiting), len(waiting))
        staged.append(BlobBlock(block))

    async for part in parts:
        waiting += part
        if len(waiting) >= BLOCK:
            await flush()
            waiting = b""
    if waiting:
        await flush()
    return staged
