"""What stops the local host at its start: one line, exit status 2."""

import json
import socket
import subprocess
from pathlib import Path

import pytest

from tests.local.host_kit import HOST_JSON, WORK, refused, write_app

HTTP = """
@app.route("it")
async def it(req: func.HttpRequest) -> str:
    return "it"
"""
NEEDS_A_SETTING = """
class BadSetting(Exception):
    pass

if "PSEUDONYM_KEY" not in os.environ:
    raise BadSetting("PSEUDONYM_KEY is missing: it should be 64 hex digits")
"""
TIMER = """
@app.timer_trigger(arg_name="timer", schedule="* * *")
async def tick(timer: func.TimerRequest) -> None: ...
"""
BLOB = """
@app.blob_trigger(arg_name="blob", path="exports/{name}", connection="MigrationStorage")
async def read(blob: func.InputStream) -> None: ...
"""


def told(ended: subprocess.CompletedProcess[str]) -> list[str]:
    """What the host said, without the library's own remark on apps that have no HTTP function."""
    return [line for line in ended.stderr.splitlines() if "Auth level is not applied" not in line]


@pytest.mark.parametrize(
    ("code", "line"),
    [
        (HTTP + NEEDS_A_SETTING, "PSEUDONYM_KEY is missing: it should be 64 hex digits"),
        (WORK, "app setting MigrationStorage is not set: it should be a storage connection string"),
        (WORK.replace("WORK_QUEUE", "NO_SUCH"), "app setting NO_SUCH is not set, and '%NO_SUCH%' needs it."),
        (TIMER, "app setting MigrationStorage is not set"),
        (BLOB, "function read has a blobTrigger, which the local host does not have."),
        ("", "there are no functions in"),
    ],
)
def test_one_line_and_status_2(tmp_path: Path, code: str, line: str) -> None:
    ended = refused(write_app(tmp_path / "app", code))
    assert ended.returncode == 2
    [said] = told(ended)
    assert said.startswith(line)


def test_a_malformed_schedule_is_named(tmp_path: Path) -> None:
    ended = refused(
        write_app(tmp_path / "app", TIMER),
        AzureWebJobsStorage="DefaultEndpointsProtocol=https;"
        "AccountName=some;AccountKey=a2V5;EndpointSuffix=core.windows.net",
    )
    assert ended.returncode == 2
    [said] = told(ended)
    assert said.startswith("function tick: '* * *' is not a schedule")


def test_a_port_in_use_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        ended = refused(write_app(tmp_path / "app", HTTP), "--port", port)
    assert ended.returncode == 2
    assert ended.stderr.startswith(f"port {port} cannot be used")


def test_a_mistake_in_the_code_keeps_its_traceback(tmp_path: Path) -> None:
    ended = refused(write_app(tmp_path / "app", "import no_such_module"))
    assert ended.returncode == 1
    assert "no_such_module" in ended.stderr
    assert "Traceback" in ended.stderr


def test_the_values_of_local_settings_json_are_defaults(tmp_path: Path) -> None:
    app = write_app(tmp_path / "app", HTTP + NEEDS_A_SETTING.replace("raise BadSetting", "raise SystemExit"))
    values = {"PSEUDONYM_KEY": "x", "AzureWebJobsStorage": "from the file"}
    (app.folder / "local.settings.json").write_text(json.dumps({"IsEncrypted": False, "Values": values}))
    (app.folder / "function_app.py").write_text("import os\nraise ValueError(os.environ['AzureWebJobsStorage'])")
    assert refused(app).stderr == "from the file\n"
    assert refused(app, AzureWebJobsStorage="from the environment").stderr == "from the environment\n"


def test_a_folder_without_host_json_is_no_app(tmp_path: Path) -> None:
    app = write_app(tmp_path / "app", HTTP, HOST_JSON)
    (app.folder / "host.json").unlink()
    ended = refused(app)
    assert ended.returncode == 2
    assert ended.stderr.startswith("there is no host.json in")


def test_a_storage_that_does_not_answer_is_said_soon(tmp_path: Path) -> None:
    nobody = "AccountName=a;AccountKey=a2V5;BlobEndpoint=http://127.0.0.1:1/a;QueueEndpoint=http://127.0.0.1:1/a"
    ended = refused(write_app(tmp_path / "app", HTTP), MigrationStorage=f"DefaultEndpointsProtocol=http;{nobody}")
    assert ended.returncode == 2
    [said] = told(ended)
    assert said.endswith("Is Azurite running? python3 dev.py azurite starts it.")
