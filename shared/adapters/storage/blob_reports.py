"""The reports in a blob container."""

import hashlib
from collections.abc import AsyncIterator, Iterable, Sequence
from io import BytesIO
from typing import Final

from azure.core.exceptions import ResourceNotFoundError
from azure.storage.blob import BlobBlock, ContentSettings
from azure.storage.blob.aio import BlobClient, BlobServiceClient

from shared import names

BLOCK: Final = 4 * 1024 * 1024
PERSONAL: Final = "personal"
"""The folder of personal lists. It is also the tag by which storage deletes them sooner than other reports."""


class BlobReports:
    """The `Reports` port on Blob Storage."""

    def __init__(self, service: BlobServiceClient) -> None:
        self._container = service.get_container_client(names.REPORTS)

    async def read(self, path: str) -> bytes | None:
        """Return a whole report. Only for small reports."""
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
        await blob.upload_blob(body, overwrite=True, content_settings=settings, tags=_make_tags(path))

    async def put_blocks(self, path: str, blocks: Sequence[AsyncIterator[bytes]], content_type: str) -> None:
        """Stage block after block, then commit: readers see the old report or the new one, whole."""
        blob = self._container.get_blob_client(path)
        staged: list[BlobBlock] = []
        for number, parts in enumerate(blocks):
            staged += await _stage_blocks(blob, number, parts)
        settings = ContentSettings(content_type=content_type)
        await blob.commit_block_list(staged, content_settings=settings, tags=_make_tags(path))

    async def kept(self, path: str, blocks: Iterable[str]) -> frozenset[str]:
        """Return which blocks need not be staged."""
        known = await self._list_known(path)
        return frozenset(block for block in blocks if _list_block_ids(block, known))

    async def stage(self, path: str, block: str, parts: AsyncIterator[bytes]) -> bool:
        """Upload a block, piece by piece. The block exists only after its last piece."""
        blob = self._container.get_blob_client(path)
        count, waiting = 0, bytearray()
        async for part in parts:
            if len(waiting) >= BLOCK:
                await blob.stage_block(_make_block_id(block, count), BytesIO(waiting), len(waiting))
                count, waiting = count + 1, bytearray()
            waiting += part
        if waiting:
            await blob.stage_block(_make_block_id(block, count, last=True), BytesIO(waiting), len(waiting))
        return bool(waiting)

    async def publish(self, path: str, blocks: Sequence[str], content_type: str) -> None:
        """Commit the pieces of these blocks. Storage deletes pieces that are not named."""
        known = await self._list_known(path)
        pieces: list[str] = []
        for block in blocks:
            found = _list_block_ids(block, known)
            if not found:
                raise LookupError(block)
            pieces += found
        blob = self._container.get_blob_client(path)
        settings = ContentSettings(content_type=content_type)
        await blob.commit_block_list(
            [BlobBlock(each) for each in pieces], content_settings=settings, tags=_make_tags(path)
        )

    async def _list_known(self, path: str) -> frozenset[str]:
        """The pieces that are published, and those that wait."""
        try:
            published, waiting = await self._container.get_blob_client(path).get_block_list("all")
        except ResourceNotFoundError:
            return frozenset()
        return frozenset(str(block.id) for block in (*published, *waiting))


def _make_block_id(block: str, number: int, *, last: bool = False) -> str:
    """Storage wants the ids of all blocks of a blob to be of one length."""
    return f"{hashlib.sha256(block.encode()).hexdigest()[:32]}-{number:05d}{'=' if last else '+'}"


def _list_block_ids(block: str, known: frozenset[str]) -> list[str]:
    """Return the pieces of a block that was uploaded completely, otherwise none."""
    pieces: list[str] = []
    while (last := _make_block_id(block, len(pieces), last=True)) not in known:
        piece = _make_block_id(block, len(pieces))
        if piece not in known:
            return []
        pieces.append(piece)
    return [*pieces, last]


def _make_tags(path: str) -> dict[str, str] | None:
    """A rule of storage cannot name a folder in the middle of a path, so people's lists carry a tag."""
    return {PERSONAL: "true"} if f"/{PERSONAL}/" in path else None


async def _stage_blocks(blob: BlobClient, number: int, parts: AsyncIterator[bytes]) -> list[BlobBlock]:
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
