"""Tables are emptied in the middle of a migration, through the SDK; `ops rebuild` as a process; the same end."""

import os
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from azure.core.exceptions import HttpResponseError
from azure.data.tables import TableServiceClient

from local.azurite import Azurite
from local.stack import send_json
from shared import names
from tests.e2e.kit import SOUTH_NORFOLK, Run, running

pytestmark = [pytest.mark.e2e, pytest.mark.azurite]
FILE = f"{SOUTH_NORFOLK}/portal.csv"
ROOT = Path(__file__).parent.parent.parent
SOON = 120.0
WINDOW = {"DIRECTORY_WRITE_LIMIT": "200", "DIRECTORY_WRITE_WINDOW_SECONDS": "10"}
"""After a loss the app waits for as long as the directory counts writes that it does not know of any more."""


def _empty(run: Run, tables: tuple[str, ...]) -> int:
    """Delete every entity, as somebody with the wrong script would; returns how many."""
    count = 0
    with TableServiceClient.from_connection_string(run.stack.storage.connection_string) as service:
        for table in tables:
            client = service.get_table_client(table)
            while found := list(client.list_entities(select=["PartitionKey", "RowKey"])):
                for entity in found:
                    try:
                        client.delete_entity(entity["PartitionKey"], entity["RowKey"])
                    except HttpResponseError:
                        continue  # the app was faster
                    count += 1
    return count


def _wait_for_messages(run: Run, number: int) -> None:
    deadline = time.monotonic() + SOON
    while len(run.messages()) < number and time.monotonic() < deadline:
        time.sleep(0.02)


def _ops(run: Run, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(  # noqa: S603 - our own command line
        [sys.executable, "-m", "ops", *arguments, "--url", run.url],
        cwd=ROOT,
        env={**os.environ, "COLUMNS": "160"},
        capture_output=True,
        text=True,
        timeout=SOON,
        check=False,
    )


def _copy(run: Run) -> None:
    """What happens at night."""
    send_json(f"{run.url}/admin/functions/copy_tables", {})
    deadline = time.monotonic() + SOON
    while run.status()["copied_at"] is None and time.monotonic() < deadline:
        time.sleep(0.1)
    assert run.status()["copied_at"]


def test_tables_emptied_in_mid_run_and_rebuilt_come_to_the_same_end(tmp_path: Path, clean_azurite: Azurite) -> None:
    """Copied when some were told, emptied when more were."""
    with running(tmp_path, clean_azurite, hosts=0) as run:
        run.stack.settings |= WINDOW
        run.stack.add_host()
        before = run.users()
        run.upload(run.sample(), FILE)
        _wait_for_messages(run, 4)
        _copy(run)
        _wait_for_messages(run, 12)
        assert _empty(run, names.TABLES) > 50

        lost = _ops(run, "status")
        assert (lost.returncode, "TABLES LOST" in lost.stdout) == (2, True), lost.stdout + lost.stderr
        dry = _ops(run, "rebuild", "--dry-run")
        assert (dry.returncode, "The copy of the night of" in dry.stdout) == (2, True), dry.stdout + dry.stderr
        made = _ops(run, "rebuild", "--yes")
        assert made.returncode == 0, made.stdout + made.stderr
        assert "The tables are made again." in made.stdout

        migration = run.done(FILE)
        run.assert_ended_as_true(SOUTH_NORFOLK, migration)
        created = [row["directory_id"] for row in run.result(migration) if row["outcome"] == "create"]
        assert set(run.users()) - set(before) == set(created)
        assert len(set(created)) == len(created)
        references = Counter(message["reference"] for message in run.messages())
        assert set(references.values()) == {1}
        assert _ops(run, "rebuild", "--yes").returncode == 0
        marks = _ops(run, "rebuild", "--marks")
        assert marks.returncode == 0, marks.stdout + marks.stderr
        run.assert_nothing_in_poison()
