"""Microsoft's own command line against our storage account: what a person does with it by hand is safe, and works."""

import json
import os
import re
import shlex
import subprocess
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import pytest

from dev import tool_folder
from local.azurite import Azurite
from local.stack import ROOT
from shared import names
from tests.e2e.kit import SOUTH_NORFOLK, Run, running

pytestmark = [pytest.mark.e2e, pytest.mark.azurite, pytest.mark.deep]

PROGRAM: Final = tool_folder("azure-cli") / "bin/az"
FILE: Final = f"{SOUTH_NORFOLK}/portal.csv"
FOREIGN: Final = "hello, is anybody there?"
PATIENCE: Final = 120.0
LONG: Final = 420.0
USAGE_ERROR: Final = 2
"""How `az` ends when it does not know a command or an option. Everything that it can see before it asks anybody."""
SHARD: Final = "0"
SLOW: Final = {"DIRECTORY_WRITE_LIMIT": "40", "DIRECTORY_WRITE_WINDOW_SECONDS": "10"}
"""Four writes a second, so that the migration still runs while somebody types."""


@dataclass(frozen=True)
class Az:
    """The program, signed in nowhere, with a configuration of its own."""

    connection_string: str
    home: Path

    def __call__(self, *arguments: str) -> Any:  # noqa: ANN401 - JSON, as the command has it
        """What a command prints, which must have ended well."""
        ended = self.run(*arguments, "--output", "json")
        assert ended.returncode == 0, f"{shlex.join(arguments)}: {ended.stderr[-2000:]}"
        return json.loads(ended.stdout or "null")

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """A command, however it ends."""
        assert PROGRAM.exists(), "azure-cli is not installed here. Run: python3 dev.py setup"
        return subprocess.run(  # noqa: S603 - the program of our own tool environment
            [str(PROGRAM), *arguments, "--connection-string", self.connection_string],
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(self.home),
                "AZURE_CONFIG_DIR": str(self.home / "azure"),
                "AZURE_CORE_COLLECT_TELEMETRY": "0",
                "AZURE_CORE_NO_COLOR": "1",
                "AZURE_CORE_ONLY_SHOW_ERRORS": "1",  # it calls its queue commands a preview each time
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )


def test_an_upload_starts_a_migration_and_emptying_every_queue_changes_nothing_in_the_end(
    tmp_path: Path, clean_azurite: Azurite
) -> None:
    with running(tmp_path, clean_azurite, rows=200, users=300, hosts=0) as run:
        run.stack.settings.update(SLOW)
        run.stack.add_host()
        az, before = Az(run.stack.storage.connection_string, tmp_path / "home"), run.users()
        _a_foreign_text_is_found_in_the_poison_queue(run, az)

        assert run.migration(FILE) is None
        export = str(run.samples / f"{SOUTH_NORFOLK}.csv")
        az("storage", "blob", "upload", "--container-name", names.EXPORTS, "--name", FILE, "--file", export)
        run.until(FILE, lambda m: m["rows"] > 0)
        _clear_every_queue(az)
        _until_told(run, 1)
        assert _waiting(run, names.PROVISION_ACCOUNT) > 0, "there is something to lose"
        _clear_every_queue(az)
        _until_told(run, 40)
        _clear_every_queue(az)
        halfway = run.migration(FILE)

        migration = run.done(FILE)
        assert halfway is not None
        assert halfway["phase"] == "running"
        run.assert_ended_as_true(SOUTH_NORFOLK, migration)
        result = run.result(migration)
        created = [row["directory_id"] for row in result if row["outcome"] == "create"]
        assert sorted(set(run.users()) - set(before)) == sorted(created)
        written = [write for write in run.directory_writes() if (write["method"], write["status"]) == ("POST", 201)]
        assert len(written) == len(created)
        told_of = [row for row in result if row["outcome"] in {"create", "link"}]
        assert len(run.messages()) == len(told_of)
        _the_tables_can_be_asked(run, az)


def _a_foreign_text_is_found_in_the_poison_queue(run: Run, az: Az) -> None:
    poison = names.poison_of(names.PROVISION_ACCOUNT)
    az("storage", "message", "put", "--queue-name", names.PROVISION_ACCOUNT, "--content", FOREIGN)
    deadline = time.monotonic() + PATIENCE
    while _waiting(run, poison) == 0 and time.monotonic() < deadline:
        time.sleep(0.2)
    for _ in range(2):  # looking takes nothing away
        peeked = az("storage", "message", "peek", "--queue-name", poison, "--num-messages", "32")
        assert [message["content"] for message in peeked] == [FOREIGN]
    depths = {queue["queue"]: queue["poison"] for queue in run.status()["queues"]}
    assert depths == {**dict.fromkeys(names.QUEUES, 0), names.PROVISION_ACCOUNT: 1}


def _clear_every_queue(az: Az) -> None:
    """All that `az` lists, poison queues too; two at a time, as it takes a second to start."""
    queues = [queue["name"] for queue in az("storage", "queue", "list")]
    assert set(names.EVERY_QUEUE) <= set(queues)
    with ThreadPoolExecutor(2) as hands:
        list(hands.map(lambda queue: az("storage", "message", "clear", "--queue-name", queue), queues))


def _the_tables_can_be_asked(run: Run, az: Az) -> None:
    """One partition of a table, by a filter, as a person on call asks."""
    partition = f"{SOUTH_NORFOLK}|{SHARD}"
    here = {
        entity["RowKey"]
        for table, entity in run.entities()
        if table == names.ACCOUNTS and entity["PartitionKey"] == partition and entity.get("state") == "told"
    }
    wanted = f"PartitionKey eq '{partition}' and state eq 'told'"
    found = az("storage", "entity", "query", "--table-name", names.ACCOUNTS, "--filter", wanted)
    assert {entity["RowKey"] for entity in found["items"]} == here != set()


def _waiting(run: Run, queue: str) -> int:
    """About how many messages a queue holds, those that are not visible yet too."""
    with run.queues() as service:
        return int(service.get_queue_client(queue).get_queue_properties().approximate_message_count or 0)


def _until_told(run: Run, number: int) -> None:
    # What was lost is sent again two minutes after its moment.
    deadline = time.monotonic() + LONG
    while len(run.messages()) < number and time.monotonic() < deadline:
        time.sleep(0.2)
    assert len(run.messages()) >= number


# --- what the documents tell people to type -----------------------------------------------------------------


def _shown() -> list[tuple[str, str]]:
    """Every `az storage …` of the documents, and where it stands."""
    found: list[tuple[str, str]] = []
    for page in sorted((ROOT / "docs").rglob("*.md")):
        # In a table a bar is escaped; in a block a long line goes on after a backslash.
        text = page.read_text(encoding="utf-8").replace("\\|", "|").replace("\\\n", " ")
        commands = re.findall(r"`(az storage [^`]+)`|^\s*(?:\$ )?(az storage .+)$", text, re.MULTILINE)
        found += [(f"{page.relative_to(ROOT)}", inline or block) for inline, block in commands]
    return found


def _each_once() -> dict[str, str]:
    """Each command, and the first page that shows it."""
    return {command: page for page, command in reversed(_shown())}


def test_the_documents_show_how_to_look_into_a_poison_queue() -> None:
    assert any(command.startswith("az storage message peek") for page, command in _shown() if "runbook" in page)


@pytest.mark.parametrize(("command", "page"), _each_once().items())
def test_a_command_that_the_documents_show_is_one_that_az_knows(
    clean_azurite: Azurite, tmp_path: Path, command: str, page: str
) -> None:
    _, *arguments = shlex.split(command)
    signed_in = _by_connection_string(arguments)
    ended = Az(clean_azurite.connection_string, tmp_path).run(*signed_in)
    # What it names need not be there; a word of it that `az` does not know ends it before it asks.
    assert ended.returncode != USAGE_ERROR, f"{page}: {command}\n{ended.stderr}"


def _by_connection_string(arguments: Sequence[str]) -> list[str]:
    """The same command without the account and the sign-in of Azure; both must be there."""
    assert "--account-name" in arguments, "a command of the documents says which account"
    assert ("--auth-mode", "login") in pairwise(arguments), "and uses no key"
    kept: list[str] = []
    rest = iter(arguments)
    for argument in rest:
        if argument in {"--account-name", "--auth-mode"}:
            next(rest)
        else:
            kept.append(argument)
    return kept
