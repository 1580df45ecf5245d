"""A nightly copy of the tables: its content, and the proof that it is complete. Pure.

A copy consists of small files that are written once. Each partition has a file that lists its files. The manifest is
written last and lists all files with their checksums. Without a manifest, there is no copy.
"""

import gzip
import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

MANIFESTS: Final = "manifests/"
"""Apart from the tables, so that the newest copy is found without listing them all."""
PART_RECORDS: Final = 5000
"""Records of one file: some MiB in memory, and a few seconds to put back."""


type Column = str | int | bool


@dataclass(frozen=True, slots=True)
class BackupRecord:
    """One record of a table, column by column."""

    table: str
    partition: str
    key: str
    columns: Mapping[str, Column]


class Damaged(Exception):
    """A file of a copy is missing, or does not match the manifest. The message names the file."""


class _File(BaseModel):
    model_config = ConfigDict(frozen=True)


class BackupPart(_File):
    """One file of records."""

    path: str
    records: int
    sha256: str


class Partition(_File):
    """One partition of one table."""

    table: str
    partition: str
    read_at: AwareDatetime
    """When reading began. Everything that was saved before this time is in the part."""
    parts: tuple[BackupPart, ...]


class Manifest(_File):
    """A whole copy."""

    night: str
    """The date, in UTC."""
    begun_at: AwareDatetime
    """Everything that was saved before this time is in the copy."""
    finished_at: AwareDatetime
    key: str
    """A fingerprint of PSEUDONYM_KEY: with another key no id of the copy means anybody."""
    partitions: tuple[Partition, ...]

    @property
    def records(self) -> int:
        """Return the number of records."""
        return sum(part.records for partition in self.partitions for part in partition.parts)

    def parts(self) -> Iterator[tuple[Partition, BackupPart]]:
        """Every file with what it belongs to, in the order in which they are put back."""
        for partition in self.partitions:
            for part in partition.parts:
                yield partition, part


def get_manifest_path(night: str) -> str:
    """Return the path of a night's manifest."""
    return f"{MANIFESTS}{night}.json"


def format_night(path: str) -> str | None:
    """Return the night of a manifest, from its name. None if the app did not write it."""
    found = re.fullmatch(rf"{MANIFESTS}(\d{{4}}-\d\d-\d\d)\.json", path, re.ASCII)
    return found[1] if found else None


def read_manifest(night: str, body: bytes) -> Manifest | None:
    """Return the manifest of this night. None if the file is incomplete or is for another night."""
    try:
        manifest = Manifest.model_validate_json(body)
    except ValidationError:
        return None
    return manifest if manifest.night == night else None


def get_partition_path(night: str, table: str, partition: str) -> str:
    """Return the path of a partition's list of files. The path has no bar, because a bar is not allowed there."""
    return f"tables/{night}/{table}/{partition.replace('|', '.')}.json"


def get_part_path(night: str, table: str, partition: str, attempt: str, number: int) -> str:
    """Return the path of a file of records. Each attempt at a partition has its own paths."""
    return f"tables/{night}/{table}/{partition.replace('|', '.')}/{attempt}-{number:04d}.jsonl.gz"


def pack_records(records: Iterable[BackupRecord]) -> bytes:
    """Return records as compressed lines of JSON. The same records give the same bytes."""
    lines = (
        json.dumps({"key": record.key, "columns": dict(record.columns)}, separators=(",", ":")) for record in records
    )
    return gzip.compress("\n".join(lines).encode(), mtime=0)


def compute_checksum(body: bytes) -> str:
    """SHA-256, in hex."""
    return hashlib.sha256(body).hexdigest()


def unpack_records(of: Partition, part: BackupPart, body: bytes | None) -> list[BackupRecord]:
    """Return the records of a file.

    Raises:
        Damaged: the file is missing, or has other content than was written.
    """
    if body is None or compute_checksum(body) != part.sha256:
        raise Damaged(part.path)
    return [_read_record(of, json.loads(line)) for line in gzip.decompress(body).decode().splitlines()]


def _read_record(of: Partition, line: Mapping[str, object]) -> BackupRecord:
    columns: Mapping[str, Column] = line["columns"]  # type: ignore[assignment]  # as `pack_records` wrote it
    return BackupRecord(of.table, of.partition, str(line["key"]), columns)
