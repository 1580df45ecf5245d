"""The command line, run as a person runs it, against a stand-in for the app."""

from collections.abc import Callable, Iterator
from threading import Thread

import pytest
from typer.testing import CliRunner, Result

from ops.commands import commands
from tests.ops.kit import AppStub, serving

type Ops = Callable[..., Result]


@pytest.fixture(autouse=True)
def _no_settings_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPS_URL", raising=False)
    monkeypatch.delenv("OPS_TOKEN", raising=False)
    monkeypatch.setenv("COLUMNS", "160")


@pytest.fixture
def stub() -> Iterator[AppStub]:
    """An app that says what the test wants."""
    found = AppStub()
    server = serving(found)
    thread = Thread(target=lambda: server.serve_forever(poll_interval=0.01))
    thread.start()
    yield found
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def ops(stub: AppStub) -> Ops:
    """Runs a command against the stub; `typed` is what the person types."""

    def run(*arguments: str, typed: str = "", url: str = stub.url) -> Result:
        return CliRunner().invoke(commands, list(arguments), input=typed, env={"OPS_URL": url})

    return run
