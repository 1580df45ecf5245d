"""The directory or the message service misbehaves: the same end, nothing in poison; or one stop with one reason."""

import time
from pathlib import Path
from typing import Any

import pytest

from local.azurite import Azurite
from tests.e2e.kit import OURS, SOUTH_NORFOLK, Run, running

pytestmark = [pytest.mark.e2e, pytest.mark.azurite]
FILE = f"{SOUTH_NORFOLK}/portal.csv"

LOST: dict[str, list[dict[str, Any]]] = {
    "503 after storing": [{"kind": "unavailable-after-store", "count": 40, "every": 2}],
    "dropped after storing": [{"kind": "drop-after-store", "count": 40, "every": 2}],
}
"""Writes that the directory takes, and of which the app does not learn."""
AWAY: dict[str, list[dict[str, Any]]] = {
    "throttled for 30 s": [{"kind": "throttle-storm", "seconds": 30, "retry_after": 5}],
    "no answer": [{"kind": "hang", "seconds": 45}],
}
"""A directory that does not answer for a while."""


def test_lost_answers_of_the_directory_and_a_message_service_that_throttles_change_nothing_in_the_end(
    tmp_path: Path, clean_azurite: Azurite
) -> None:
    with running(tmp_path, clean_azurite) as run:
        run.fault(run.stack.directory, {"kind": "drop-after-store", "count": 5, "every": 3})
        run.fault(run.stack.directory, {"kind": "unavailable-after-store", "count": 5, "every": 3})
        run.fault(run.stack.notify, {"kind": "rate-limited", "every": 5, "count": 1})
        run.upload(run.sample(), FILE)
        _assert_same_end(run)


@pytest.mark.deep
@pytest.mark.parametrize("faults", LOST.values(), ids=LOST.keys())
def test_a_directory_that_loses_answers_changes_nothing_in_the_end(
    tmp_path: Path, clean_azurite: Azurite, faults: list[dict[str, Any]]
) -> None:
    with running(tmp_path, clean_azurite, rows=150, users=300) as run:
        for fault in faults:
            run.fault(run.stack.directory, fault)
        run.upload(run.sample(), FILE)
        _assert_same_end(run)


@pytest.mark.deep
@pytest.mark.parametrize("faults", AWAY.values(), ids=AWAY.keys())
def test_a_directory_that_is_away_changes_nothing_in_the_end(
    tmp_path: Path, clean_azurite: Azurite, faults: list[dict[str, Any]]
) -> None:
    with running(tmp_path, clean_azurite, rows=150, users=300) as run:
        run.upload(run.sample(), FILE)
        run.until(FILE, lambda m: m["phase"] in {"classifying", "running"})
        for fault in faults:
            run.fault(run.stack.directory, fault)
        _assert_same_end(run)


def _assert_same_end(run: Run) -> None:
    migration = run.done(FILE)
    run.assert_ended_as_true(SOUTH_NORFOLK, migration)
    created = [user for user in run.users().values() if user.get(f"{OURS}SouthNorfolkAccount")]
    assert len({user[f"{OURS}SouthNorfolkAccount"] for user in created}) == len(created)
    run.assert_nothing_in_poison()


@pytest.mark.deep
def test_lost_answers_of_the_message_service_tell_nobody_twice(tmp_path: Path, clean_azurite: Azurite) -> None:
    # A message in doubt waits two minutes before the service is asked for it.
    with running(tmp_path, clean_azurite, rows=150, users=300) as run:
        run.fault(run.stack.notify, {"kind": "error-500-after-store", "every": 3, "count": 20})
        run.fault(run.stack.notify, {"kind": "drop-after-store", "every": 3, "count": 20})
        run.upload(run.sample(), FILE)
        run.assert_ended_as_true(SOUTH_NORFOLK, run.done(FILE))
        run.assert_nothing_in_poison()


@pytest.mark.deep
def test_each_stop_has_one_reason_and_resume_finishes_the_rest(tmp_path: Path, clean_azurite: Azurite) -> None:
    with running(tmp_path, clean_azurite, rows=150, users=300) as run:
        directory, notify = run.stack.directory, run.stack.notify
        run.rules(directory, {"permissions": []})
        run.upload(run.sample(), FILE)
        _stopped(run, "permission_missing")
        run.rules(directory, {"permissions": ["User.ReadWrite.All"], "extensions": ["MustResetPassword:Boolean"]})
        _resumed(run)
        _stopped(run, "attribute_unknown")
        extensions = ["SouthNorfolkCustomerRef:String", "SouthNorfolkAccount:String", "MustResetPassword:Boolean"]
        full = len(run.users()) + 5
        run.rules(directory, {"extensions": extensions, "object_limit": full})
        _resumed(run)
        _stopped(run, "directory_full")
        run.rules(directory, {"object_limit": 0})
        run.rules(notify, {"suspended": True})
        _resumed(run)
        _stopped(run, "message_service_refused")
        run.rules(notify, {"suspended": False})
        _resumed(run)
        run.assert_ended_as_true(SOUTH_NORFOLK, run.done(FILE))
        run.assert_nothing_in_poison()


def _stopped(run: Run, reason: str) -> None:
    migration = run.until(FILE, lambda m: m["paused"] is not None)
    assert migration["paused"]["reason"] == reason
    assert migration["paused"]["remedy"]
    assert migration["failures"] == []
    time.sleep(3)  # what was in flight comes to rest; the first reason stays
    paused = run.until(FILE, lambda m: m["paused"] is not None)["paused"]
    assert paused["reason"] == reason


def _resumed(run: Run) -> None:
    migration = run.migration(FILE)
    assert migration is not None
    run.resume(migration)
