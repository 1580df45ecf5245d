"""The contents of the containers: uploads, reports and nightly copies."""

from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Blob:
    """One blob of `exports`, as it was when it was looked at."""

    name: str
    etag: str
    size: int
    uploaded: datetime
    uploaded_by: str = ""
    """Who uploaded the blob, as its metadata `uploaded_by` says. The app does not check it, and a listing leaves it
    empty.
    """


class Exports(Protocol):
    """The container into which councils upload."""

    def all(self) -> AsyncIterator[Blob]: ...

    async def find(self, name: str) -> Blob | None: ...

    def read(self, name: str, etag: str, start: int = 0) -> AsyncIterator[bytes]:
        """Yield the bytes from `start` in chunks of some MiB.

        Raises:
            Superseded: the blob is gone, or its ETag has changed.
        """
        ...


class Reports(Protocol):
    """The container in which people read what happened."""

    async def read(self, path: str) -> bytes | None:
        """Return a report. None if there is none."""
        ...

    def all(self, prefix: str) -> AsyncIterator[str]:
        """The paths of all reports that begin so."""
        ...

    async def put(self, path: str, body: bytes, content_type: str) -> None: ...

    async def put_blocks(self, path: str, blocks: Sequence[AsyncIterator[bytes]], content_type: str) -> None:
        """Write a large report block by block, and publish it in one step.

        Readers see the old or the new report, always whole.
        """
        ...

    async def kept(self, path: str, blocks: Iterable[str]) -> frozenset[str]:
        """Return which of these blocks need not be staged, because the report has them or they wait to be published."""
        ...

    async def stage(self, path: str, block: str, parts: AsyncIterator[bytes]) -> bool:
        """Upload a block that stays hidden until it is published. Return False if the block is empty.

        The name of a block stands for its content. A block that is not published within a week is deleted.
        """
        ...

    async def publish(self, path: str, blocks: Sequence[str], content_type: str) -> None:
        """Make the report of exactly these blocks. Readers see the old or the new report, always whole.

        Raises:
            LookupError: a block does not exist any more. Nothing was published.
        """
        ...


class Backups(Protocol):
    """The container of the nightly copies. A file is written once. The app never changes or deletes it."""

    async def add(self, path: str, body: bytes) -> bool:
        """Write a file. Return False, and write nothing, if it exists already."""
        ...

    async def read(self, path: str) -> bytes | None: ...

    def all(self, prefix: str) -> AsyncIterator[str]:
        """Return the paths of all files that begin like this, in order. None if there is no such container."""
        ...
