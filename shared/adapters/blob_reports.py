"""The reports in a blob container."""

from collections.abc import AsyncIterator, Sequence
from io import BytesIO
from typing import Final

from azure.storage.blob import BlobBlock, ContentSettings
from azure.storage.blob.aio import BlobClient, BlobServiceClient

from shared import names

BLOCK: Final = 4 * 1024 * 1024


class BlobReports:
    """The `Reports` port on Blob Storage."""

    def __init__(self, service: BlobServiceClient) -> None:
        self._container = service.get_container_client(names.REPORTS)

    async def put(self, path: str, body: bytes, content_type: str) -> None:
        """Write a report, over what is there."""
        settings = ContentSettings(content_type=content_type)
        await self._container.get_blob_client(path).upload_blob(body, overwrite=True, content_settings=settings)

    async def put_blocks(self, path: str, blocks: Sequence[AsyncIterator[bytes]], content_type: str) -> None:
        """Stage block after block, then commit: readers see the old report or the new one, whole."""
        blob = self._container.get_blob_client(path)
        staged: list[BlobBlock] = []
        for number, parts in enumerate(blocks):
            staged += await _stage(blob, number, parts)
        await blob.commit_block_list(staged, content_settings=ContentSettings(content_type=content_type))


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
