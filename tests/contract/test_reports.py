"""The reports: in memory and in a blob container."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

import pytest

from shared import names
from shared.adapters.memory import MemoryReports
from shared.adapters.storage.blob_reports import BLOCK, BlobReports
from shared.adapters.storage.clients import Storage
from shared.ports import Reports
from tests.contract.conftest import ON_BOTH

PATH = "south-norfolk/2026-03-02-portal-abcd/result.csv"
CSV = "text/csv; charset=utf-8"


@dataclass
class Published:
    """The port, and what a person reads."""

    reports: Reports
    read: Callable[[str], Awaitable[bytes]]


def in_memory() -> Published:
    reports = MemoryReports()

    async def read(path: str) -> bytes:
        return reports.files[path]

    return Published(reports, read)


def in_a_container(storage: Storage) -> Published:
    container = storage.blobs.get_container_client(names.REPORTS)

    async def read(path: str) -> bytes:
        return await (await container.download_blob(path)).readall()

    return Published(BlobReports(storage.blobs), read)


@pytest.fixture(params=ON_BOTH)
def published(request: pytest.FixtureRequest) -> Published:
    return in_memory() if request.param == "memory" else in_a_container(request.getfixturevalue("storage"))


async def block(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


async def broken() -> AsyncIterator[bytes]:
    yield b"x" * BLOCK
    raise RuntimeError("a shard could not be read")


async def test_a_report_is_written_and_overwritten_whole(published: Published) -> None:
    for body in (b"a long first report", "Zoë".encode(), b""):
        await published.reports.put(PATH, body, CSV)
        assert await published.read(PATH) == body


async def test_blocks_are_put_together_in_their_order(published: Published) -> None:
    blocks = [block(f"{number}:".encode(), b"", b"x\n") for number in range(16)]
    await published.reports.put_blocks(PATH, blocks, CSV)
    assert await published.read(PATH) == b"".join(f"{number}:x\n".encode() for number in range(16))


@pytest.mark.parametrize("parts", [[[b"head\n"], [], [b""], [b"", b"tail\n"]], [[], []], []])
async def test_empty_blocks_are_nothing(published: Published, parts: list[list[bytes]]) -> None:
    await published.reports.put(PATH, b"old", CSV)
    await published.reports.put_blocks(PATH, [block(*each) for each in parts], CSV)
    assert await published.read(PATH) == b"".join(part for each in parts for part in each)


async def test_a_large_block_is_written_in_pieces(published: Published) -> None:
    parts = [bytes([number]) * (BLOCK // 3 + 1) for number in range(5)]
    await published.reports.put_blocks(PATH, [block(b"head"), block(*parts), block(b"tail")], CSV)
    assert await published.read(PATH) == b"head" + b"".join(parts) + b"tail"


async def test_until_all_blocks_are_there_readers_see_the_old_report(published: Published) -> None:
    await published.reports.put(PATH, b"old", CSV)
    with pytest.raises(RuntimeError):
        await published.reports.put_blocks(PATH, [block(b"new"), broken()], CSV)
    assert await published.read(PATH) == b"old"
    await published.reports.put_blocks(PATH, [block(b"newer")], CSV)
    assert await published.read(PATH) == b"newer"


@pytest.mark.azurite
async def test_a_browser_is_told_what_a_report_is(storage: Storage) -> None:
    reports = BlobReports(storage.blobs)
    await reports.put("a.html", b"<p>", "text/html; charset=utf-8")
    await reports.put_blocks("b.csv", [block(b"x")], CSV)
    container = storage.blobs.get_container_client(names.REPORTS)
    kinds = {blob.name: blob.content_settings.content_type async for blob in container.list_blobs()}
    assert kinds == {"a.html": "text/html; charset=utf-8", "b.csv": CSV}


@pytest.mark.azurite
async def test_lists_with_people_in_them_carry_the_tag_by_which_storage_deletes_them_sooner(storage: Storage) -> None:
    reports = BlobReports(storage.blobs)
    lists = {"south-norfolk/m/personal/create.csv", "south-norfolk/m/personal/review.csv"}
    await reports.put("south-norfolk/m/personal/create.csv", b"x", CSV)
    await reports.put_blocks("south-norfolk/m/personal/review.csv", [block(b"x")], CSV)
    await reports.put("south-norfolk/m/assessment.json", b"{}", "application/json")
    await reports.put_blocks("south-norfolk/m/result.csv", [block(b"x")], CSV)
    container = storage.blobs.get_container_client(names.REPORTS)
    tags = {blob.name: blob.tags async for blob in container.list_blobs(include=["tags"])}
    assert {name for name, tag in tags.items() if tag == {"personal": "true"}} == lists
    assert len(tags) == len(lists) + 2


# block by block, over several calls


async def test_only_what_changed_is_staged_again(published: Published) -> None:
    reports = published.reports
    for name in ("head", "0 one", "1 one"):
        assert await reports.stage(PATH, name, block(f"{name}\n".encode()))
    await reports.publish(PATH, ["head", "0 one", "1 one"], CSV)
    assert await reports.kept(PATH, ["head", "0 one", "1 two"]) == {"head", "0 one"}
    await reports.stage(PATH, "1 two", block(b"1 t", b"", b"wo\n"))
    assert await published.read(PATH) == b"head\n0 one\n1 one\n"
    await reports.publish(PATH, ["head", "0 one", "1 two"], CSV)
    assert await published.read(PATH) == b"head\n0 one\n1 two\n"
    assert await reports.kept(PATH, ["1 one", "1 two"]) == {"1 two"}


async def test_what_waits_is_kept_though_nobody_reads_it_yet(published: Published) -> None:
    assert await published.reports.kept(PATH, ["head"]) == frozenset()
    await published.reports.stage(PATH, "head", block(b"head\n"))
    assert await published.reports.kept(PATH, ["head", "0 one"]) == {"head"}
    assert await published.reports.read(PATH) is None


async def test_a_block_without_anything_in_it_is_not_kept(published: Published) -> None:
    assert not await published.reports.stage(PATH, "0 one", block(b"", b""))
    assert await published.reports.kept(PATH, ["0 one"]) == frozenset()


async def test_a_block_that_could_not_be_read_whole_is_not_kept(published: Published) -> None:
    async def much_and_broken() -> AsyncIterator[bytes]:
        yield b"x" * BLOCK
        async for part in broken():
            yield part

    with pytest.raises(RuntimeError):
        await published.reports.stage(PATH, "0 one", much_and_broken())
    assert await published.reports.kept(PATH, ["0 one"]) == frozenset()
    await published.reports.stage(PATH, "0 one", block(b"x" * BLOCK, b"whole"))
    await published.reports.publish(PATH, ["0 one"], CSV)
    assert await published.read(PATH) == b"x" * BLOCK + b"whole"


async def test_a_report_from_a_block_that_is_not_there_is_not_published(published: Published) -> None:
    await published.reports.stage(PATH, "head", block(b"head\n"))
    await published.reports.publish(PATH, ["head"], CSV)
    with pytest.raises(LookupError):
        await published.reports.publish(PATH, ["head", "0 one"], CSV)
    assert await published.read(PATH) == b"head\n"


async def test_a_report_that_was_written_otherwise_is_replaced_by_blocks(published: Published) -> None:
    await published.reports.put_blocks(PATH, [block(b"old head"), block(b"old")], CSV)
    assert await published.reports.kept(PATH, ["head"]) == frozenset()
    await published.reports.stage(PATH, "head", block(b"head\n"))
    assert await published.read(PATH) == b"old headold"
    await published.reports.publish(PATH, ["head"], CSV)
    assert await published.read(PATH) == b"head\n"
