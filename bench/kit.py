"""What every benchmark needs: an export of plain people, a directory that knows some of them, a running stack."""

import json
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from azure.storage.blob import BlobServiceClient

from local.stack import TENANT, Stack, get_json, run_stack

HEADER: Final = "customer_ref,email,first_name,last_name,email_verified,status,created,last_login,postcode"
FILE: Final = "south-norfolk/bench.csv"
PATIENCE: Final = 3600.0
UNLIMITED: Final = {"DIRECTORY_WRITE_LIMIT": "1000000", "DIRECTORY_READ_LIMIT": "1000000"}
REQUEST: Final = re.compile(r'\[.*?\] "(?P<method>\w+) (?P<target>\S+) HTTP[^"]*" (?P<status>\d+)')


class BenchError(Exception):
    """The run did not reach its end. The message says how far it was."""


def make_person(number: int) -> tuple[str, str, str, str]:
    """Customer reference, address and names of an invented person."""
    return f"B{number:07}", f"b{number:07}@example.org", "Ada", f"Example{number % 97}"


def make_export(numbers: Sequence[int]) -> bytes:
    """An export of South Norfolk with these people."""
    lines = [HEADER]
    for number in numbers:
        ref, address, given, surname = make_person(number)
        lines.append(f"{ref},{address},{given},{surname},true,active,2015-01-01,2019-01-01,NR15 1AA")
    return "\r\n".join([*lines, ""]).encode()


def write_seed(folder: Path, numbers: Sequence[int]) -> Path:
    """A directory in which these people have signed up themselves, before anything was announced."""
    users = []
    for number in numbers:
        _, address, given, surname = make_person(number)
        users.append(
            {
                "id": f"00000000-0000-4000-8000-{number:012}",
                "displayName": f"{given} {surname}",
                "givenName": given,
                "surname": surname,
                "accountEnabled": True,
                "createdDateTime": "2018-01-01T09:00:00Z",
                "lastPasswordChangeDateTime": "2018-01-01T09:00:00Z",
                "creationType": "LocalAccount",
                "identities": [{"signInType": "emailAddress", "issuer": TENANT, "issuerAssignedId": address}],
            }
        )
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "directory.json"
    path.write_text(json.dumps({"users": users}), encoding="utf-8")
    return path


@dataclass(frozen=True)
class Limits:
    """The directory's write quota, and how long each of its answers takes."""

    writes: int
    window: float
    latency_ms: int = 40

    @property
    def options(self) -> list[str]:
        """The stand-in's options."""
        return [
            *("--write-limit", str(self.writes)),
            *("--write-window", str(self.window)),
            *("--latency-ms", str(self.latency_ms)),
        ]

    @property
    def settings(self) -> dict[str, str]:
        """The app's settings."""
        return {"DIRECTORY_WRITE_LIMIT": str(self.writes), "DIRECTORY_WRITE_WINDOW_SECONDS": str(self.window)}

    def ideal(self, writes: int) -> float:
        """Return the shortest time in seconds for this number of writes, if the bucket is full at the start."""
        return max(writes - self.writes, 0) / (self.writes / self.window)


@contextmanager
def run_bench_stack(
    folder: Path,
    *,
    hosts: int,
    limits: Limits | None = None,
    users: Path | None = None,
    storage_log: Path | None = None,
) -> Iterator[Stack]:
    """Run a stack with this number of hosts. Without limits, the directory refuses nothing and answers at once."""
    options = limits.options if limits else ["--write-limit", "0", "--units-limit", "-1"]
    with run_stack(folder, seed=users, directory_options=options, storage_log=storage_log) as started:
        # What is allowed without limits is more than one machine can do.
        started.settings.update(limits.settings if limits else UNLIMITED)
        for _ in range(hosts):
            started.add_host("--log-level", "WARNING")
        yield started


def upload_export(running_stack: Stack, body: bytes, name: str = FILE) -> None:
    """Upload an export."""
    with BlobServiceClient.from_connection_string(running_stack.storage.connection_string) as service:
        service.get_blob_client("exports", name).upload_blob(body, overwrite=True)


def read_migration(running_stack: Stack, name: str = FILE) -> dict[str, Any] | None:
    """Return the state of a file's migration, as the app reports it."""
    found = get_json(f"{running_stack.hosts[0].url}/api/status")["migrations"]
    return next((each for each in found if each["file"] == name), None)


def wait_until(running_stack: Stack, fits: Callable[[dict[str, Any]], bool], name: str = FILE) -> dict[str, Any]:
    """Wait until `fits` is true for a migration.

    Raises:
        BenchError: the migration is paused, or does not get there.
    """
    deadline = time.monotonic() + PATIENCE
    found = None
    while time.monotonic() < deadline:
        found = read_migration(running_stack, name)
        if found is not None and fits(found):
            return found
        if found is not None and (found["paused"] or found["phase"] in {"refused", "failed"}):
            break
        time.sleep(1)
    raise BenchError(f"{name} did not get there: {json.dumps(found)[:1000]}")


def wait_until_done(running_stack: Stack, name: str = FILE) -> dict[str, Any]:
    """Wait until a migration is done."""
    return wait_until(running_stack, lambda found: found["phase"] == "done", name)


def read_journal(running_stack: Stack) -> list[dict[str, Any]]:
    """The latest requests to the directory."""
    entries: list[dict[str, Any]] = get_json(f"{running_stack.directory.url}/_standin/journal")["entries"]
    return entries


def read_counters(running_stack: Stack) -> Counter[str]:
    """Return how many requests the directory has had."""
    return Counter(get_json(f"{running_stack.directory.url}/_standin/journal")["counters"])


def read_requests(log: Path) -> Iterator[tuple[str, str, int]]:
    """Method, target and status of every request in Azurite's access log."""
    for line in log.read_text(errors="replace").splitlines():
        if match := REQUEST.search(line):
            yield match["method"], match["target"], int(match["status"])


def format_table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A table that reads well on a screen and in Markdown."""
    cells = [[str(cell) for cell in row] for row in (header, *rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(header))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in cells
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)
