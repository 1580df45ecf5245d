"""The uploads: in memory and in a blob container."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC
from itertools import batched

import pytest
from azure.storage.blob import BlobBlock

from shared import names
from shared.adapters.memory import ManualClock, MemoryExports
from shared.adapters.storage.blob_exports import BlobExports
from shared.adapters.storage.clients import CHUNK, Storage
from shared.errors import Superseded
from shared.ports import Blob, Exports
from tests.contract.conftest import ON_BOTH

PIECE = 1_000_000
"""The client dislikes larger bodies."""
NAME = "south-norfolk/portal.csv"
LONG = bytes(range(256)) * (5 * CHUNK // 512 + 1)
"""Two and a half chunks, and one that is not full."""


@dataclass
class Uploads:
    """The port, and what a person does to the container behind it."""

    exports: Exports
    upload: Callable[[str, bytes], Awaitable[None]]
    remove: Callable[[str], Awaitable[None]]

    async def blob(self, body: bytes, name: str = NAME) -> Blob:
        await self.upload(name, body)
        found = await self.exports.find(name)
        assert found
        return found

    async def read(self, blob: Blob, start: int = 0) -> bytes:
        return b"".join([chunk async for chunk in self.exports.read(blob.name, blob.etag, start)])


def in_memory(clock: ManualClock) -> Uploads:
    exports = MemoryExports(clock, chunk=CHUNK)

    async def upload(name: str, body: bytes) -> None:
        exports.upload(name, body)

    async def remove(name: str) -> None:
        del exports.blobs[name]

    return Uploads(exports, upload, remove)


def in_a_container(storage: Storage) -> Uploads:
    container = storage.blobs.get_container_client(names.EXPORTS)

    async def upload(name: str, body: bytes) -> None:
        blob = container.get_blob_client(name)
        blocks = [bytes(part) for part in batched(body, PIECE, strict=False)]
        for number, block in enumerate(blocks):
            await blob.stage_block(f"{number:03d}", block)
        await blob.commit_block_list([BlobBlock(f"{number:03d}") for number in range(len(blocks))])

    async def remove(name: str) -> None:
        await container.delete_blob(name)

    return Uploads(BlobExports(storage.blobs), upload, remove)


@pytest.fixture(params=ON_BOTH)
def uploads(request: pytest.FixtureRequest) -> Uploads:
    if request.param == "memory":
        return in_memory(request.getfixturevalue("clock"))
    return in_a_container(request.getfixturevalue("storage"))


async def test_nothing_was_uploaded(uploads: Uploads) -> None:
    assert [blob async for blob in uploads.exports.all()] == []
    assert await uploads.exports.find(NAME) is None


@pytest.mark.parametrize("name", [NAME, "nobody/x.csv", "x.csv", "south-norfolk/a/b.csv", "a/Zoë & 100% +1 #2 'x'.csv"])
async def test_a_blob_is_the_same_in_the_listing_and_by_its_name(uploads: Uploads, name: str) -> None:
    blob = await uploads.blob(b"a,b\n", name)
    assert (blob.name, blob.size) == (name, 4)
    assert blob.uploaded.tzinfo == UTC or blob.uploaded.utcoffset() == UTC.utcoffset(None)
    assert blob.etag == f'"{blob.etag.strip('"')}"'
    assert [each async for each in uploads.exports.all()] == [blob]
    assert await uploads.read(blob) == b"a,b\n"


async def test_every_council_is_in_the_listing(uploads: Uploads) -> None:
    for name in ("b/2.csv", "a/1.csv", "b/1.csv"):
        await uploads.upload(name, b"x")
    assert [blob.name async for blob in uploads.exports.all()] == ["a/1.csv", "b/1.csv", "b/2.csv"]


async def test_an_overwritten_blob_has_another_etag(uploads: Uploads) -> None:
    before = await uploads.blob(b"first")
    after = await uploads.blob(b"first")
    assert before.etag != after.etag


@pytest.mark.parametrize("start", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, len(LONG) - 1, len(LONG)])
async def test_a_long_export_is_read_from_anywhere_in_chunks(uploads: Uploads, start: int) -> None:
    blob = await uploads.blob(LONG)
    chunks = [chunk async for chunk in uploads.exports.read(NAME, blob.etag, start)]
    assert b"".join(chunks) == LONG[start:]
    assert max(map(len, chunks), default=0) <= CHUNK


async def test_an_empty_export_is_read_as_nothing(uploads: Uploads) -> None:
    blob = await uploads.blob(b"")
    assert blob.size == 0
    assert await uploads.read(blob) == b""


async def test_reading_may_end_early(uploads: Uploads) -> None:
    blob = await uploads.blob(LONG)
    reading = aiter(uploads.exports.read(NAME, blob.etag))
    assert (await anext(reading))[:4] == b"\x00\x01\x02\x03"


async def overwrite(uploads: Uploads) -> None:
    await uploads.upload(NAME, LONG[::-1])


async def remove(uploads: Uploads) -> None:
    await uploads.remove(NAME)


async def rest(reading: AsyncIterator[bytes]) -> None:
    async for _ in reading:
        pass


@pytest.mark.parametrize("trouble", [overwrite, remove])
@pytest.mark.parametrize("start", [0, 3, len(LONG)])
async def test_an_export_that_is_not_the_same_any_more_is_not_read(
    uploads: Uploads, trouble: Callable[[Uploads], Awaitable[None]], start: int
) -> None:
    blob = await uploads.blob(LONG)
    await trouble(uploads)
    with pytest.raises(Superseded):
        await rest(uploads.exports.read(NAME, blob.etag, start))


@pytest.mark.parametrize("trouble", [overwrite, remove])
async def test_an_export_that_changes_while_it_is_read_is_not_read_on(
    uploads: Uploads, trouble: Callable[[Uploads], Awaitable[None]]
) -> None:
    blob = await uploads.blob(LONG)
    reading = aiter(uploads.exports.read(NAME, blob.etag))
    await anext(reading)
    await trouble(uploads)
    with pytest.raises(Superseded):
        await rest(reading)
