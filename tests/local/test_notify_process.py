"""The stand-in as people start it: a process that says where it is, and forgets nothing."""

import json
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from notifications_python_client.notifications import NotificationsAPIClient

from local.standins.notify import services
from local.standins.notify.__main__ import main

COMMAND = [sys.executable, "-m", "local.standins.notify"]
type Untyped = Any
"""The official client comes without types, and so does what it returns."""
CONNECT: Untyped = NotificationsAPIClient
HERE = Path(__file__).parents[2]


@contextmanager
def running(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    command = [*COMMAND, *arguments]
    with subprocess.Popen(command, cwd=HERE, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - ourselves
        try:
            assert process.stdout
            line = process.stdout.readline()
            match = re.fullmatch(r"notify listening on (http://127\.0\.0\.1:\d+)\n", line)
            assert match, line
            yield process, match[1]
        finally:
            process.kill()


def messages(address: str) -> Untyped:
    with urllib.request.urlopen(f"{address}/_standin/notifications", timeout=5) as response:  # noqa: S310 - loopback
        return json.load(response)


def test_messages_survive_kill_minus_nine(tmp_path: Path) -> None:
    with running("--port", "0", "--data", str(tmp_path)) as (process, address):
        client = CONNECT(services.SOUTH_NORFOLK_LIVE_KEY, base_url=address)
        template = "00000000-0000-0000-0000-000000000001"
        sent = client.send_email_notification("a@example.org", template, {"first_name": "A", "last_name": "B"})
        client.request_session.close()
        process.kill()
    with running("--port", "0", "--data", str(tmp_path)) as (process, address):
        assert [each["id"] for each in messages(address)] == [sent["id"]]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_cleanly_when_told(number: int) -> None:
    with running("--port", "0") as (process, _):
        process.send_signal(number)
        assert process.wait(timeout=10) == 0


def test_a_busy_port_is_one_sentence_and_status_two(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert main(["--port", str(port)]) == 2
    said = capsys.readouterr().err
    assert re.fullmatch(rf"Port {port} of 127\.0\.0\.1 cannot be used: [^.]+\.\n", said)


def test_a_broken_templates_file_is_one_sentence_and_status_two(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = tmp_path / "templates.toml"
    broken.write_text("[[template]]\nid = 'x'\n")
    for path in (broken, tmp_path / "nowhere.toml"):
        assert main(["--port", "0", "--templates", str(path)]) == 2
        assert capsys.readouterr().err.startswith(f"The templates file {path} ")
