"""A migration: one accepted export, from upload to proof."""

import base64
import hashlib
import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from shared.domain.account import Authority, MigrationId

SLUG_LENGTH: Final = 40
PIECE_ROWS: Final = 2000
"""Rows staged by one message: well under 20 seconds of work."""


class Phase(StrEnum):
    """How far a migration is."""

    STAGING = "staging"
    """Rows are being read, piece by piece. Nothing is classified before the last one is staged."""
    CLASSIFYING = "classifying"
    """Accounts are being compared with the directory. Nothing is changed there."""
    RUNNING = "running"
    """The assessment is published; accounts are created, linked and told."""
    DONE = "done"
    """Every account has come to rest."""
    REFUSED = "refused"
    """The file was not taken; the report says why."""
    SUPERSEDED = "superseded"
    """The file was overwritten or removed before it was read whole, or a newer upload took its place."""
    FAILED = "failed"
    """Staging is stuck; can be replayed."""


OPEN: Final = frozenset({Phase.STAGING, Phase.CLASSIFYING, Phase.RUNNING, Phase.FAILED})


@dataclass(frozen=True, slots=True)
class Layout:
    """How an export is to be read, settled by the first pass."""

    encoding: str
    """A Python codec: `utf-8` or `cp1252`."""
    separator: str
    columns: tuple[tuple[str, int], ...]
    """Our name of a column -> its index in the file."""
    width: int
    """Cells of the header."""
    start: int
    """Byte offset of the first data row."""
    rows: int
    bom: bool = False
    """Whether the file starts with the mark of UTF-8."""

    @property
    def encoding_name(self) -> str:
        """The encoding as people call it."""
        return "Windows-1252" if self.encoding == "cp1252" else "UTF-8 with BOM" if self.bom else "UTF-8"

    def column(self, name: str) -> int | None:
        """The index of one of our columns, None where the file has none."""
        return dict(self.columns).get(name)


@dataclass(frozen=True, slots=True)
class Migration:
    """One upload, and where it stands."""

    id: MigrationId
    authority: Authority
    blob: str
    blob_etag: str
    blob_size: int
    uploaded_at: datetime
    received_at: datetime
    phase: Phase
    reason: str = ""
    detail: str = ""
    layout: Layout | None = None
    piece: int = 0
    """The next piece to stage."""
    offset: int = 0
    row: int = 0
    """Rows staged so far."""
    moved_at: datetime | None = None
    """When staging last went on, or the phase changed."""
    stalled: int = 0
    """Times the current piece was sent again because nothing moved."""
    paused_at: datetime | None = None
    pause_reason: str = ""
    pause_detail: str = ""
    resumed_at: datetime | None = None
    resumed_by: str = ""
    superseded_by: str = ""
    assessed_at: datetime | None = None
    plan_hash: str = ""
    published: str = ""
    """Fingerprint of what result.csv says."""
    rebuilt_at: datetime | None = None
    """When the tables were made again after they had been emptied."""
    lost_since: datetime | None = None
    """From then on accounts of it may have been moved or told without a record."""
    rows_lost: bool = False
    """Its rows are gone and so is its file: result.csv stays as it is."""
    waits_for_canary: bool = False
    """The profile asks for a young canary and there is none, as the walk saw last: nobody is created or linked."""

    @property
    def open(self) -> bool:
        """Whether anything is still to be done."""
        return self.phase in OPEN

    @property
    def paused(self) -> bool:
        """Whether no new effect may start."""
        return self.paused_at is not None

    @property
    def rows(self) -> int:
        """Data rows of the export, 0 while it is not accepted."""
        return self.layout.rows if self.layout else 0

    @property
    def folder(self) -> str:
        """Where its reports are."""
        return f"{self.authority}/{self.id}"


def migration_id(blob: str, etag: str, uploaded: datetime) -> MigrationId:
    """Date, file name and four characters: the same upload is always the same migration.

    The file name is cut down to letters, digits and hyphens; a word with an `@` is left out, because somebody's
    address may stand in a file's name.
    """
    stem = re.sub(r"\S*@\S*", "", blob.rsplit("/", 1)[-1].rsplit(".", 1)[0])
    slug = re.sub(r"[^a-z0-9]+", "-", stem.lower()).strip("-")[:SLUG_LENGTH].strip("-") or "export"
    digest = hashlib.sha256(f"{blob}\n{etag.strip('"')}".encode()).digest()
    mark = base64.b32encode(digest).decode()[:4].lower()
    return MigrationId(f"{uploaded:%Y-%m-%d}-{slug}-{mark}")
