"""The host dies, queues are emptied, foreign texts arrive: the same end as without."""

import time
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Final

import pytest

from local.azurite import Azurite
from shared import names
from tests.e2e.kit import SOUTH_NORFOLK, Run, running

pytestmark = [pytest.mark.e2e, pytest.mark.azurite]
FILE = f"{SOUTH_NORFOLK}/portal.csv"


SOON: Final = 240.0


def _wait(fits: Callable[[], bool]) -> None:
    """Wait for the middle of the run; if it is over before, the end is looked at all the same."""
    deadline = time.monotonic() + SOON
    while not fits() and time.monotonic() < deadline:
        time.sleep(0.05)


def _wait_until_told(run: Run, number: int) -> None:
    _wait(lambda: len(run.messages()) >= number)


def _kill_all(run: Run) -> None:
    for host in run.stack.hosts:
        host.kill()
    for host in run.stack.hosts:
        host.start()


def _assert_same_end(run: Run, before: Collection[str]) -> None:
    migration = run.done(FILE)
    run.assert_ended_as_true(SOUTH_NORFOLK, migration)
    created = [row["directory_id"] for row in run.result(migration) if row["outcome"] == "create"]
    assert set(run.users()) - set(before) == set(created)
    assert len(set(created)) == len(created)
    run.assert_nothing_in_poison()


def test_killing_the_host_at_classification_and_at_the_first_writes_changes_nothing(
    tmp_path: Path, clean_azurite: Azurite
) -> None:
    # What the dead host had in work is invisible until its lease ends: ten seconds here, ten minutes in Azure.
    with running(tmp_path, clean_azurite, host_options=("--lease", "10")) as run:
        before = run.users()
        run.upload(run.sample(), FILE)
        run.until(FILE, lambda m: m["states"].get("classified", 0) > 0)
        _kill_all(run)
        _wait(lambda: len(run.directory_writes()) > 0)
        _kill_all(run)
        _assert_same_end(run, before)


@pytest.mark.deep
@pytest.mark.parametrize("hosts", [1, 3])
def test_killing_hosts_three_times_changes_nothing_in_the_end(
    tmp_path: Path, clean_azurite: Azurite, hosts: int
) -> None:
    with running(tmp_path, clean_azurite, rows=200, users=300, hosts=hosts) as run:
        before = run.users()
        run.upload(run.sample(), FILE)
        run.until(FILE, lambda m: m["rows"] > 0)
        for told in (0, 20, 60):
            _wait_until_told(run, told)
            _kill_all(run)
            time.sleep(1)
        _assert_same_end(run, before)


@pytest.mark.deep
def test_emptied_queues_and_foreign_texts_do_no_harm(tmp_path: Path, clean_azurite: Azurite) -> None:
    with running(tmp_path, clean_azurite, rows=200, users=300) as run:
        run.upload(run.sample(), FILE)
        run.until(FILE, lambda m: m["rows"] > 0)
        for queue in names.QUEUES:
            run.paste(queue, "hello, is anybody there?")
        run.clear_queues()
        for queue in names.QUEUES:
            run.paste(queue, "not base64 at all: <>")
        _wait_until_told(run, 20)
        run.clear_queues()
        migration = run.done(FILE)
        run.assert_ended_as_true(SOUTH_NORFOLK, migration)
        poison = {queue["queue"]: queue["poison"] for queue in run.status()["queues"]}
        # Both texts may have been taken before the queues were emptied.
        assert {count in {1, 2} for count in poison.values()} == {True}
