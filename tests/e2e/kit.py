"""A running stack and what end-to-end tests ask of it: the real runtime, Azurite, stand-ins, as processes."""

import base64
import csv
import io
import json
import os
import shlex
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from azure.data.tables import TableServiceClient
from azure.storage.blob import BlobServiceClient
from azure.storage.queue import QueueServiceClient

from local.azurite import Azurite
from local.samples.generate import Order, generate_samples
from local.stack import EXTENSIONS_APP, ROOT, Process, Stack, get_json, run_stack, send_json
from shared import names
from shared.settings import schedules

SOUTH_NORFOLK: Final = "south-norfolk"
GREAT_YARMOUTH: Final = "great-yarmouth"
PATIENCE: Final = 420.0
LOOK_EVERY: Final = 0.7
"""Seconds between two looks at a migration. Each look is a dozen requests to the storage, so more of them cost time."""
OURS: Final = f"extension_{EXTENSIONS_APP}_"
SMALL: Final = 60
"""Rows that hold every case of the samples, and few of the ordinary ones."""
QUICK: Final = {
    schedules.RELEASE_ACCOUNTS: "* * * * * *",
    schedules.RECONCILE: "*/2 * * * * *",
    "AzureFunctionsJobHost__extensions__queues__maxPollingInterval": "00:00:00.5",
}
"""Settings with which tests wait less: timers come every second or two, and queues are looked at twice a second."""


@dataclass
class Run:
    """A stack with samples of both councils."""

    stack: Stack
    samples: Path

    @property
    def url(self) -> str:
        """Where the first host that is alive answers."""
        return next(host.url for host in self.stack.hosts if host.running)

    def blobs(self) -> BlobServiceClient:
        return BlobServiceClient.from_connection_string(self.stack.storage.connection_string)

    def queues(self) -> QueueServiceClient:
        return QueueServiceClient.from_connection_string(self.stack.storage.connection_string)

    def upload(self, body: bytes, name: str) -> None:
        with self.blobs() as service:
            service.get_blob_client(names.EXPORTS, name).upload_blob(body, overwrite=True)

    def sample(self, authority: str = SOUTH_NORFOLK) -> bytes:
        return (self.samples / f"{authority}.csv").read_bytes()

    def truth(self, authority: str = SOUTH_NORFOLK) -> dict[str, dict[str, str]]:
        with (self.samples / f"{authority}.truth.csv").open(newline="", encoding="utf-8") as file:
            return {row["row"]: row for row in csv.DictReader(file)}

    def some(self, rows: Collection[str], authority: str = SOUTH_NORFOLK) -> bytes:
        """A sample of these data rows only, by their numbers."""
        encoding, separator = ("cp1252", ";") if authority == GREAT_YARMOUTH else ("utf-8", ",")
        header, *found = csv.reader(io.StringIO(self.sample(authority).decode(encoding)), delimiter=separator)
        out = io.StringIO()
        kept = [row for number, row in enumerate(filter(None, found), 1) if str(number) in rows]
        csv.writer(out, delimiter=separator).writerows([header, *kept])
        return out.getvalue().encode(encoding)

    def report(self, path: str) -> bytes | None:
        with self.blobs() as service:
            blob = service.get_blob_client(names.REPORTS, path)
            return blob.download_blob().readall() if blob.exists() else None

    def reports(self) -> list[str]:
        with self.blobs() as service:
            return [blob.name for blob in service.get_container_client(names.REPORTS).list_blobs()]

    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = get_json(f"{self.url}/api/status")
        return found

    def migration(self, file: str) -> dict[str, Any] | None:
        """The newest migration of a file."""
        return next((m for m in self.status()["migrations"] if m["file"] == file), None)

    def done(self, file: str, patience: float = PATIENCE) -> dict[str, Any]:
        """Wait until a file's migration has come to rest."""
        return self.until(file, lambda m: m["phase"] == "done", patience)

    def until(self, file: str, fits: Callable[[dict[str, Any]], bool], patience: float = PATIENCE) -> dict[str, Any]:
        deadline = time.monotonic() + patience
        found: dict[str, Any] | None = None
        while time.monotonic() < deadline:
            try:
                found = self.migration(file)
            except OSError:
                found = None
            if found is not None and fits(found):
                return found
            time.sleep(LOOK_EVERY)
        raise AssertionError(f"{file} did not get there in {patience} s: {json.dumps(found)[:2000]}")

    def result(self, migration: dict[str, Any]) -> list[dict[str, str]]:
        body = self.report(f"{migration['reports'].removeprefix('reports/')}result.csv")
        assert body is not None
        return list(csv.DictReader(io.StringIO(body.decode())))

    def assessment(self, migration: dict[str, Any]) -> dict[str, Any]:
        body = self.report(f"{migration['reports'].removeprefix('reports/')}assessment.json")
        assert body is not None
        found: dict[str, Any] = json.loads(body)
        return found

    def users(self) -> dict[str, dict[str, Any]]:
        """Everybody in the stand-in directory, by id."""
        found = get_json(f"{self.stack.directory.url}/_standin/users")
        users = found["users"] if isinstance(found, dict) else found
        return {user["id"]: user for user in users}

    def directory_writes(self) -> list[dict[str, Any]]:
        journal = get_json(f"{self.stack.directory.url}/_standin/journal")
        return [entry for entry in journal["entries"] if entry["kind"] == "write"]

    def messages(self) -> list[dict[str, Any]]:
        found = get_json(f"{self.stack.notify.url}/_standin/notifications")
        return list(found["notifications"] if isinstance(found, dict) else found)

    def fault(self, where: Process, fault: dict[str, Any]) -> None:
        send_json(f"{where.url}/_standin/faults", fault)

    def rules(self, where: Process, rules: dict[str, Any]) -> None:
        send_json(f"{where.url}/_standin/rules", rules, "PATCH")

    def resume(self, migration: dict[str, Any]) -> None:
        send_json(f"{self.url}/api/migrations/{migration['migration']}/resume", {})

    def ops(self, *arguments: str, typed: str = "") -> "subprocess.CompletedProcess[str]":
        """`ops` as a person runs it; `typed` is what that person answers when asked."""
        return subprocess.run(  # noqa: S603 - our own command line
            [sys.executable, "-m", "ops", *arguments],
            cwd=ROOT,
            # In a window so wide that no sentence is broken.
            env={**os.environ, "OPS_URL": self.url, "COLUMNS": "4000"},
            input=typed,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )

    def copied(self, line: str) -> "subprocess.CompletedProcess[str]":
        """The same for a whole line, as somebody copies it from where it was shown."""
        command, *arguments = shlex.split(line)
        assert command == "ops", line
        return self.ops(*arguments)

    def queue_texts(self, *, poison: bool = True) -> dict[str, list[str]]:
        """What is visible in every queue."""
        wanted = [*names.QUEUES, *(map(names.poison_of, names.QUEUES) if poison else ())]
        with self.queues() as service:
            there = {queue.name for queue in service.list_queues()}
            return {
                name: [str(m.content) for m in service.get_queue_client(name).peek_messages(max_messages=32)]
                for name in wanted
                if name in there
            }

    def clear_queues(self) -> None:
        with self.queues() as service:
            for name in names.QUEUES:
                service.get_queue_client(name).clear_messages()

    def paste(self, queue: str, text: str) -> None:
        with self.queues() as service:
            service.get_queue_client(queue).send_message(text)

    def entities(self) -> Iterator[tuple[str, dict[str, Any]]]:
        with TableServiceClient.from_connection_string(self.stack.storage.connection_string) as service:
            for table in names.TABLES:
                for entity in service.get_table_client(table).list_entities():
                    yield table, dict(entity)

    def assert_ended_as_true(self, authority: str, migration: dict[str, Any], *, untold: Collection[str] = ()) -> None:
        """Every row once, with the outcome that the generator says is true; nobody stuck; everybody told once.

        `untold` are the customers who are set aside and not to be told.
        """
        truth, result = self.truth(authority), self.result(migration)
        assert sorted(row["row"] for row in result) == sorted(truth)
        wrong = [
            (row["row"], row["outcome"], row["reason"], truth[row["row"]]["outcome"], truth[row["row"]]["reason"])
            for row in result
            if row["outcome"] != truth[row["row"]]["outcome"]
            or (row["outcome"] in {"review", "reject"} and row["reason"] != truth[row["row"]]["reason"])
        ]
        assert wrong == []
        told = {row["source_id"]: row["state"] for row in result if row["outcome"] in {"create", "link"}}
        assert {who: state for who, state in told.items() if state != "told"} == dict.fromkeys(untold, "held")
        assert migration["failures"] == []
        twice = [key for key, n in Counter(m["reference"] for m in self.messages()).items() if n > 1]
        assert twice == []

    def assert_nothing_in_poison(self) -> None:
        assert {q["queue"]: q["poison"] for q in self.status()["queues"]} == dict.fromkeys(names.QUEUES, 0)


def decoded(text: str) -> str:
    """A queue message's text as it reads."""
    try:
        return base64.b64decode(text, validate=True).decode()
    except ValueError:
        return text


def profiles(folder: Path, plans: Mapping[str, str]) -> Path:
    """A copy of the councils' profiles in which these councils have these plans."""
    copies = folder / "authorities"
    copies.mkdir()
    for source in (ROOT / "authorities").glob("*.toml"):
        text = source.read_text(encoding="utf-8")
        plan = plans.get(source.stem, 'approval = "automatic"')
        assert text.count('approval = "automatic"') == 1
        (copies / source.name).write_text(text.replace('approval = "automatic"', plan), encoding="utf-8")
    return copies


@contextmanager
def running(
    folder: Path,
    storage: Azurite,
    *,
    rows: int = SMALL,
    users: int = 100,
    hosts: int = 1,
    host_options: Sequence[str] = (),
    directory_options: Sequence[str] = (),
) -> Iterator[Run]:
    """A stack on an empty Azurite, with so many hosts; everything but Azurite is stopped at the end."""
    generate_samples(Order({SOUTH_NORFOLK: rows, GREAT_YARMOUTH: rows}, 7, users), folder / "samples")
    seed = folder / "samples" / "directory.json"
    with run_stack(folder / "run", seed=seed, storage=storage, directory_options=directory_options) as started:
        started.settings |= QUICK
        for _ in range(hosts):
            started.add_host(*host_options)
        yield Run(started, folder / "samples")
