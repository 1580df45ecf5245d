"""Uploads, reports and nightly copies in memory."""

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count

from shared.adapters.memory.clock import ManualClock
from shared.errors import Superseded
from shared.ports import Blob


@dataclass
class MemoryExports:
    """The uploads: name -> (ETag, bytes, when), and who uploaded."""

    clock: ManualClock
    blobs: dict[str, tuple[str, bytes, datetime]] = field(default_factory=dict)
    uploaders: dict[str, str] = field(default_factory=dict)
    chunk: int = 4 * 1024 * 1024
    _etags: Callable[[], int] = field(default_factory=lambda: count(1).__next__)

    def upload(self, name: str, body: bytes, by: str = "") -> None:
        """Upload, or overwrite."""
        self.uploaders[name] = by
        # Whole seconds, as storage tells them.
        self.blobs[name] = (f'"0x{self._etags():X}"', body, self.clock.now().replace(microsecond=0))

    async def all(self) -> AsyncIterator[Blob]:
        """Every blob."""
        for name in sorted(self.blobs):
            found = await self.find(name)
            if found:
                yield found

    async def find(self, name: str) -> Blob | None:
        """One blob."""
        if name not in self.blobs:
            return None
        etag, body, uploaded = self.blobs[name]
        return Blob(name, etag, len(body), uploaded, self.uploaders.get(name, ""))

    async def read(self, name: str, etag: str, start: int = 0) -> AsyncIterator[bytes]:
        """The bytes, as long as the blob stays the same."""
        at = start
        while True:
            if name not in self.blobs or self.blobs[name][0] != etag:
                raise Superseded
            body = self.blobs[name][1]
            if at >= len(body):
                return
            yield body[at : at + self.chunk]
            at += self.chunk


@dataclass
class MemoryReports:
    """The reports: path -> bytes."""

    files: dict[str, bytes] = field(default_factory=dict)
    blocks: dict[str, dict[str, bytes]] = field(default_factory=dict)
    """For each path, the blocks of the published report."""
    staged: dict[str, dict[str, bytes]] = field(default_factory=dict)
    """Path -> what waits to be published."""

    async def put(self, path: str, body: bytes, content_type: str) -> None:  # noqa: ARG002 - nothing serves them
        """Write a report."""
        self.files[path] = body
        self.blocks[path], self.staged[path] = {}, {}

    async def kept(self, path: str, blocks: Iterable[str]) -> frozenset[str]:
        """Return which blocks need not be staged."""
        return frozenset(blocks) & self._list_known(path).keys()

    async def stage(self, path: str, block: str, parts: AsyncIterator[bytes]) -> bool:
        """Keep a block for the next publication."""
        body = b"".join([part async for part in parts])
        if body:
            self.staged.setdefault(path, {})[block] = body
        return bool(body)

    async def publish(self, path: str, blocks: Sequence[str], content_type: str) -> None:
        """Publish a report from its blocks. Blocks that wait and are not named are deleted."""
        known = self._list_known(path)
        kept = {block: known[block] for block in blocks}
        await self.put(path, b"".join(kept.values()), content_type)
        self.blocks[path] = kept

    def _list_known(self, path: str) -> dict[str, bytes]:
        return self.blocks.get(path, {}) | self.staged.get(path, {})

    async def put_blocks(self, path: str, blocks: Sequence[AsyncIterator[bytes]], content_type: str) -> None:
        """Write a report from blocks."""
        body = b"".join([part for block in blocks async for part in block])
        await self.put(path, body, content_type)

    async def read(self, path: str) -> bytes | None:
        """A report."""
        return self.files.get(path)

    async def all(self, prefix: str) -> AsyncIterator[str]:
        """Their paths."""
        for path in sorted(self.files):
            if path.startswith(prefix):
                yield path


@dataclass
class MemoryBackups:
    """The nightly copies: path -> bytes."""

    files: dict[str, bytes] = field(default_factory=dict)

    async def add(self, path: str, body: bytes) -> bool:
        """Write a file, once only."""
        if path in self.files:
            return False
        self.files[path] = body
        return True

    async def read(self, path: str) -> bytes | None:
        """A file."""
        return self.files.get(path)

    async def all(self, prefix: str) -> AsyncIterator[str]:
        """Their paths."""
        for path in sorted(self.files):
            if path.startswith(prefix):
                yield path
