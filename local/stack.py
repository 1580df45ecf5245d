"""Everything the app needs on one laptop, as child processes: Azurite, the stand-in directory and Notify, hosts.

Used by the demo and by the end-to-end tests. Each process writes its log into the stack's folder. Each is stopped by
its own process id.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from local import azurite
from local.standins.notify import services

STAND_INS: Final = {"directory": "local.standins.graph", "notify": "local.standins.notify"}
ROOT: Final = Path(__file__).resolve().parent.parent
MAX_START_SECONDS: Final = 60.0
TENANT: Final = "norfolkidentity.onmicrosoft.com"
EXTENSIONS_APP: Final = "0123456789abcdef0123456789abcdef"
PSEUDONYM_KEY: Final = "deadbeef" * 8
"""For development only. Anybody who knows the key can find customer references by guessing."""


class StackError(Exception):
    """A process did not start. The message says which one, and where its log is."""


@dataclass
class Process:
    """One child process, its log and where it answers."""

    name: str
    command: list[str]
    environment: dict[str, str]
    log: Path
    url: str
    health: str
    child: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it answers.

        Raises:
            StackError: it ended, or does not answer in time.
        """
        with self.log.open("ab") as log:
            self.child = subprocess.Popen(
                self.command,
                cwd=ROOT,
                env=self.environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
            )
        deadline = time.monotonic() + MAX_START_SECONDS
        while not is_answering(self.health):
            if self.child.poll() is not None or time.monotonic() > deadline:
                self.kill()
                said = self.log.read_text(errors="replace").strip().splitlines()[-5:]
                raise StackError(f"The {self.name} did not start. Its log, {self.log}, ends: " + " / ".join(said))
            time.sleep(0.05)

    @property
    def running(self) -> bool:
        """True if the process runs."""
        return self.child is not None and self.child.poll() is None

    def stop(self, patience: float = 40.0) -> int | None:
        """Ask it to end (SIGTERM) and wait. Returns its exit status, None if it was not running."""
        if self.child is None:
            return None
        if self.child.poll() is None:
            self.child.terminate()
            try:
                self.child.wait(patience)
            except subprocess.TimeoutExpired:
                self.kill()
        return self.child.returncode

    def kill(self) -> None:
        """Kill it with -9: nothing after that runs."""
        if self.child is not None and self.child.poll() is None:
            self.child.kill()
            self.child.wait()


@dataclass
class Stack:
    """The running pieces."""

    folder: Path
    storage: azurite.Azurite
    directory: Process
    notify: Process
    hosts: list[Process] = field(default_factory=list)
    settings: dict[str, str] = field(default_factory=dict)
    owns_storage: bool = True
    """True if Azurite ends with the rest."""

    def environment(self) -> dict[str, str]:
        """Return the app's settings here."""
        inherited = {
            name: value for name, value in os.environ.items() if not name.startswith(("DIRECTORY_", "NOTIFY_"))
        }
        return {
            **inherited,
            "PYTHONUNBUFFERED": "1",
            "AzureWebJobsStorage": self.storage.connection_string,
            "MigrationStorage": self.storage.connection_string,
            "DIRECTORY_KIND": "b2c",
            "DIRECTORY_TENANT": TENANT,
            "DIRECTORY_GRAPH_URL": f"{self.directory.url}/v1.0",
            "DIRECTORY_EXTENSIONS_APP_ID": EXTENSIONS_APP,
            "NOTIFY_PROVIDER": "govuk-notify",
            "NOTIFY_URL": self.notify.url,
            "NOTIFY_API_KEY_SOUTH_NORFOLK": services.SOUTH_NORFOLK_LIVE_KEY,
            "NOTIFY_API_KEY_GREAT_YARMOUTH": services.GREAT_YARMOUTH_LIVE_KEY,
            "PSEUDONYM_KEY": PSEUDONYM_KEY,
            "AUTHORITIES_FOLDER": str(ROOT / "authorities"),
            **self.settings,
        }

    def add_host(self, *options: str, port: int = 0) -> Process:
        """Start one more host on the same storage."""
        port = port or free_port()
        name = f"host-{len(self.hosts) + 1}"
        command = [sys.executable, "-m", "local.host", "--port", str(port), *options]
        url = f"http://127.0.0.1:{port}"
        host = Process(name, command, self.environment(), self.folder / f"{name}.log", url, f"{url}/api/health")
        host.start()
        self.hosts.append(host)
        return host

    def stop(self) -> None:
        """Stop everything, the hosts first."""
        for host in self.hosts:
            if host.child is not None and host.running:
                host.child.send_signal(signal.SIGTERM)
        for process in [*self.hosts, self.directory, self.notify]:
            process.stop()
        if self.owns_storage:
            self.storage.stop()


@contextmanager
def run_stack(
    folder: Path,
    *,
    seed: Path | None = None,
    directory_options: Sequence[str] = (),
    notify_options: Sequence[str] = (),
    ports: Sequence[int] = (0, 0),
    storage: azurite.Azurite | None = None,
    storage_ports: azurite.Ports | None = None,
    storage_log: Path | None = None,
) -> Iterator[Stack]:
    """Run Azurite, a directory and a Notify. The caller adds hosts. Everything is stopped at the end.

    If the caller passes a running Azurite, it is used, and it keeps running.
    """
    folder.mkdir(parents=True, exist_ok=True)
    # In memory, Azurite stands still for seconds after some thousands of messages: each minute it forgets those that
    # were deleted, and looks through all others for each of them.
    used = storage or azurite.start_azurite(storage_ports, folder / "azurite", access_log=storage_log)
    directory = _stand_in(
        folder,
        "directory",
        ports[0],
        ["--data", str(folder / "directory"), *(["--seed", str(seed)] if seed else []), *directory_options],
    )
    notify = _stand_in(folder, "notify", ports[1], ["--data", str(folder / "notify"), *notify_options])
    running = Stack(folder, used, directory, notify, owns_storage=storage is None)
    try:
        directory.start()
        notify.start()
        yield running
    finally:
        running.stop()


def _stand_in(folder: Path, name: str, port: int, options: list[str]) -> Process:
    port = port or free_port()
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", STAND_INS[name], "--port", str(port), *options]
    return Process(name, command, dict(os.environ), folder / f"{name}.log", url, f"{url}/_standin/health")


def free_port() -> int:
    """Return a port that was free just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def find_unused_port(port: int) -> int:
    """Return the port, or another free one if it is in use."""
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return free_port()
    return port


def is_answering(url: str) -> bool:
    """Return True if the address answers 200."""
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310 - a loopback address of ours
            return bool(answer.status == 200)  # noqa: PLR2004 - OK
    except (OSError, urllib.error.URLError):
        return False


def get_json(url: str) -> Any:  # noqa: ANN401 - JSON
    """Return the JSON of a page of the stack."""
    with urllib.request.urlopen(url, timeout=30) as answer:  # noqa: S310 - a loopback address of ours
        return json.load(answer)


def send_json(url: str, body: object, method: str = "POST") -> Any:  # noqa: ANN401 - JSON
    """Send JSON and return what comes back, None for an empty answer."""
    data = json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"}, method=method)  # noqa: S310 - loopback
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - the same
        text = answer.read()
        return json.loads(text) if text else None
