"""A small function app and the host process that runs it, for the tests of the local host."""

import base64
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from azure.core.exceptions import ResourceNotFoundError
from azure.storage.queue import QueueClient, QueueMessage

REPOSITORY = Path(__file__).resolve().parents[2]

HOST_JSON: Mapping[str, Any] = {
    "version": "2.0",
    "functionTimeout": "00:01:00",
    "extensions": {
        "queues": {
            "batchSize": 4,
            "newBatchThreshold": 2,
            "maxDequeueCount": 3,
            "visibilityTimeout": "00:00:00",
            "maxPollingInterval": "00:00:00.2",
        }
    },
}

# Each function writes what happens to it into the file named by RECORD, one JSON object per line.
PREAMBLE = """
import asyncio
import json
import os

import azure.functions as func

app = func.FunctionApp()


def record(event, **facts):
    with open(os.environ["RECORD"], "a", encoding="utf-8") as file:
        file.write(json.dumps({"event": event, "pid": os.getpid(), **facts}, default=str) + "\\n")
"""

WORK = """
@app.queue_trigger(arg_name="message", queue_name="%WORK_QUEUE%", connection="MigrationStorage")
async def work(message: func.QueueMessage) -> None:
    body = message.get_body().decode()
    facts = {"body": body, "attempt": message.dequeue_count, "id": message.id}
    record("begin", **facts, inserted=message.insertion_time, expires=message.expiration_time)
    what, _, seconds = body.partition(" ")
    try:
        await asyncio.sleep(float(seconds or 0))
    except asyncio.CancelledError:
        record("cancelled", **facts)
        raise
    if what == "fail":
        raise ValueError("as the message asked")
    record("end", **facts)
"""


@dataclass(frozen=True)
class App:
    """A function app in a folder of its own."""

    folder: Path

    def start_options(self, *options: str) -> list[str]:
        return [sys.executable, "-m", "local.host", "--app", str(self.folder), "--port", "0", *options]

    @property
    def records(self) -> list[dict[str, Any]]:
        file = self.folder / "record"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []

    def events(self, event: str) -> list[dict[str, Any]]:
        return [record for record in self.records if record["event"] == event]


@dataclass(frozen=True)
class HostProcess:
    """A running host."""

    process: subprocess.Popen[str]
    url: str
    functions: Mapping[str, str]
    log_file: Path

    @property
    def log(self) -> str:
        return self.log_file.read_text()

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def wait(self, seconds: float = 20) -> int:
        return self.process.wait(timeout=seconds)


def write_app(folder: Path, code: str, host_json: Mapping[str, Any] = HOST_JSON) -> App:
    folder.mkdir(exist_ok=True)
    (folder / "function_app.py").write_text(PREAMBLE + code)
    (folder / "host.json").write_text(json.dumps(host_json))
    return App(folder)


def environment(app: App, settings: Mapping[str, str]) -> dict[str, str]:
    ours = {"RECORD": str(app.folder / "record"), "WORK_QUEUE": "work", "PYTHONWARNINGS": "ignore"}
    foreign = ("AzureWebJobs", "MigrationStorage")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    return {**kept, **ours, **settings}


@contextmanager
def host(app: App, *options: str, **settings: str) -> Iterator[HostProcess]:
    """A host that listens; whatever is left of it is killed at the end."""
    log_file = app.folder / f"log-{time.monotonic_ns()}"
    with (
        log_file.open("w") as log,
        subprocess.Popen(  # noqa: S603 - our own module
            app.start_options(*options),
            cwd=REPOSITORY,
            env=environment(app, settings),
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        ) as process,
    ):
        try:
            yield HostProcess(process, *_greeting(process, log_file), log_file)
        finally:
            process.kill()


def _greeting(process: subprocess.Popen[str], log_file: Path) -> tuple[str, Mapping[str, str]]:
    """The address it printed, and what it printed about its functions, in that order."""
    assert process.stdout is not None
    functions: dict[str, str] = {}
    for line in process.stdout:
        if line.startswith("host listening on "):
            return line.split()[-1], functions
        name, about = line.split(maxsplit=1)
        functions[name] = about.rstrip()
    raise AssertionError(log_file.read_text())


def refused(app: App, *options: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """Start a host that should not start."""
    return subprocess.run(  # noqa: S603 - our own module
        app.start_options(*options),
        cwd=REPOSITORY,
        env=environment(app, settings),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def eventually[T](look: Callable[[], T], seconds: float = 15) -> T:
    """What `look` returns, as soon as that is something; the last of it when the time is over."""
    deadline = time.monotonic() + seconds
    while not (found := look()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return found


def send(queue: QueueClient, *bodies: str) -> None:
    for body in bodies:
        queue.send_message(base64.b64encode(body.encode()).decode(), time_to_live=-1)


def drained(queue: QueueClient) -> bool:
    """Whether nothing is left, invisible messages included."""
    return queue.get_queue_properties().approximate_message_count == 0


def peek(queue: QueueClient) -> list[QueueMessage]:
    return queue.peek_messages(32) if queue_exists(queue) else []


def queue_exists(queue: QueueClient) -> bool:
    try:
        queue.get_queue_properties()
    except ResourceNotFoundError:
        return False
    return True
