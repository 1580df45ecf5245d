"""The child process: its command line, its readiness and its end."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from dev import azurite_folder, azurite_node

SCRIPT: Final = azurite_folder() / "node_modules/azurite/dist/src/azurite.js"

ACCOUNT: Final = "devstoreaccount1"
# Every Azurite in the world has this key; it is printed in Microsoft's documentation and protects nothing.
ACCOUNT_KEY: Final = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="

LOOPBACK: Final = "127.0.0.1"
PR_SET_PDEATHSIG: Final = 1


class AzuriteError(Exception):
    """Azurite could not be started. The message says why, and what to do."""


@dataclass(frozen=True)
class Ports:
    """The ports of the three services on the loopback interface."""

    blob: int
    queue: int
    table: int

    @classmethod
    def following(cls, first: int) -> "Ports":
        """Blob on `first`, queue and table on the next two, as Azurite's own defaults are laid out."""
        return cls(first, first + 1, first + 2)

    @classmethod
    def free(cls) -> "Ports":
        """Return three ports that were free just now."""
        with ExitStack() as stack:
            sockets = [stack.enter_context(closing(socket.socket())) for _ in range(3)]
            for each in sockets:
                each.bind((LOOPBACK, 0))
            return cls(*(each.getsockname()[1] for each in sockets))

    def __iter__(self) -> Iterator[int]:
        return iter((self.blob, self.queue, self.table))


DEFAULT_PORTS: Final = Ports.following(10000)


@dataclass(frozen=True)
class Azurite:
    """A running Azurite that belongs to this process."""

    ports: Ports
    process: subprocess.Popen[bytes]

    @property
    def connection_string(self) -> str:
        """Return the connection string with which a storage SDK reaches this emulator, and no other."""
        endpoints = zip(("Blob", "Queue", "Table"), self.ports, strict=True)
        return f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={ACCOUNT_KEY};" + "".join(
            f"{service}Endpoint=http://{LOOPBACK}:{port}/{ACCOUNT};" for service, port in endpoints
        )

    def stop(self) -> None:
        """Stop the child by its process id, and wait until it has ended. Safe to call twice."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(timeout=5)
            except subprocess.TimeoutExpired:
                self.process.kill()
        self.process.wait()


def start_azurite(ports: Ports | None = None, data: Path | None = None, access_log: Path | None = None) -> Azurite:
    """Start Azurite and return when all three services answer.

    Without `ports` it takes free ones. Without `data` everything is kept in memory and is lost at the end. If
    `access_log` is given, it gets a line for each request.

    Raises:
        AzuriteError: it is not installed, a port is in use, or it did not come up within 30 seconds.
    """
    if not SCRIPT.exists():
        raise AzuriteError("Azurite is not installed here. Run: python3 dev.py setup")
    if ports is not None:
        _refuse_used(ports)
        return _launch_azurite(ports, data, access_log)
    try:
        return _launch_azurite(Ports.free(), data, access_log)
    except AzuriteError:
        # Between asking for free ports and using them, somebody else may have taken one.
        return _launch_azurite(Ports.free(), data, access_log)


@contextmanager
def run_azurite(ports: Ports | None = None, data: Path | None = None) -> Iterator[Azurite]:
    """Azurite for the length of a `with` block."""
    azurite = start_azurite(ports, data)
    try:
        yield azurite
    finally:
        azurite.stop()


@asynccontextmanager
async def running_async(ports: Ports | None = None, data: Path | None = None) -> AsyncIterator[Azurite]:
    """Azurite for the length of an `async with` block. The event loop is free while it starts."""
    azurite = await asyncio.to_thread(start_azurite, ports, data)
    try:
        yield azurite
    finally:
        await asyncio.to_thread(azurite.stop)


def _launch_azurite(ports: Ports, data: Path | None, access_log: Path | None) -> Azurite:
    # A file and not a pipe: nobody reads while Azurite runs, and a full pipe would stop it.
    with access_log.open("w+b") if access_log else tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            _make_command(ports, data, tell=access_log is not None),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            preexec_fn=_ending_with_parent(),  # noqa: PLW1509 - see there
        )
        azurite = Azurite(ports, process)
        try:
            _wait_until_ready(azurite)
        except BaseException as error:
            azurite.stop()
            output.seek(0)
            said = output.read().decode(errors="replace").strip()
            if isinstance(error, AzuriteError) and said:
                raise AzuriteError(f"{error} It said:\n{said}") from None
            raise
    return azurite


def _make_command(ports: Ports, data: Path | None, *, tell: bool) -> list[str]:
    keep = ["--location", str(data)] if data else ["--inMemoryPersistence"]
    return [
        str(azurite_node()),
        str(SCRIPT),
        *("--blobPort", str(ports.blob), "--queuePort", str(ports.queue), "--tablePort", str(ports.table)),
        *keep,
        # The SDKs speak newer versions of the protocol than any released Azurite knows.
        "--skipApiVersionCheck",
        "--disableTelemetry",
        *([] if tell else ["--silent"]),
    ]


def _refuse_used(ports: Ports) -> None:
    for port in ports:
        with closing(socket.socket()) as probe:
            if os.name != "nt":  # there the option means the opposite
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((LOOPBACK, port))
            except OSError:
                raise AzuriteError(
                    f"Port {port} is in use, perhaps by another Azurite. "
                    "Stop that one, or choose other ports with --port."
                ) from None


def _wait_until_ready(azurite: Azurite, patience: float = 30.0) -> None:
    deadline = time.monotonic() + patience
    for port in azurite.ports:
        while not _is_answering(port):
            if azurite.process.poll() is not None:
                raise AzuriteError(f"Azurite ended at once, with status {azurite.process.returncode}.")
            if time.monotonic() > deadline:
                raise AzuriteError(f"Azurite did not answer on port {port} within {patience:.0f} seconds.")
            time.sleep(0.05)


def _is_answering(port: int) -> bool:
    with suppress(OSError), socket.create_connection((LOOPBACK, port), timeout=1):
        return True
    return False


def _ending_with_parent() -> Callable[[], None] | None:
    """On Linux, return a function that asks the kernel to end the child when its parent ends.

    Everything is looked up before the fork: between fork and exec only a system call is safe.
    """
    if sys.platform != "linux":
        return None
    import ctypes  # noqa: PLC0415 - only Linux has this call

    prctl = ctypes.CDLL(None).prctl
    return lambda: prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
