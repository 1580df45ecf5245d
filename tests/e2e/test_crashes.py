"""The host dies, queues are emptied, foreign texts arrive: the same end as without."""

import time
from pathlib import Path

import pytest

from shared import names
from tests.e2e.kit import SOUTH_NORFOLK, Run, running

pytestmark = [pytest.mark.e2e, pytest.mark.azurite]
FILE = f"{SOUTH_NORFOLK}/portal.csv"


def _some_told(run: Run, number: int) -> None:
    """Wait until so many messages went out: the middle of the run."""
    deadline = time.monotonic() + 240
    while len(run.messages()) < number and time.monotonic() < deadline:
        time.sleep(0.05)


@pytest.mark.parametrize("hosts", [1, 3])
def test_killing_hosts_three_times_changes_nothing_in_the_end(tmp_path: Path, hosts: int) -> None:
    with running(tmp_path, rows=200, hosts=hosts) as run:
        before = run.users()
        run.upload(run.sample(), FILE)
        run.until(FILE, lambda m: m["rows"] > 0)
        for told in (0, 20, 60):
            _some_told(run, told)
            for host in run.stack.hosts:
                host.kill()
            for host in run.stack.hosts:
                host.start()
            time.sleep(1)
        migration = run.done(FILE)
        run.assert_ended_as_true(SOUTH_NORFOLK, migration)
        created = [row["directory_id"] for row in run.result(migration) if row["outcome"] == "create"]
        assert set(run.users()) - set(before) == set(created)
        assert len(set(created)) == len(created)
        run.assert_nothing_in_poison()


def test_emptied_queues_and_foreign_texts_do_no_harm(tmp_path: Path) -> None:
    with running(tmp_path, rows=200) as run:
        run.upload(run.sample(), FILE)
        run.until(FILE, lambda m: m["rows"] > 0)
        for queue in names.QUEUES:
            run.paste(queue, "hello, is anybody there?")
        run.clear_queues()
        for queue in names.QUEUES:
            run.paste(queue, "not base64 at all: <>")
        _some_told(run, 20)
        run.clear_queues()
        migration = run.done(FILE)
        run.assert_ended_as_true(SOUTH_NORFOLK, migration)
        poison = {queue["queue"]: queue["poison"] for queue in run.status()["queues"]}
        # Both texts may have been taken before the queues were emptied.
        assert {count in {1, 2} for count in poison.values()} == {True}
