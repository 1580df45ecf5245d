"""A plan that people sign, through the real runtime: assessed, signed, paused in the middle, resumed, cancelled."""

import json
import time
import urllib.error
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest

from local.azurite import Azurite
from local.stack import get_json, send_json
from tests.e2e.kit import SOUTH_NORFOLK, Run, profiles, running

pytestmark = [pytest.mark.e2e, pytest.mark.azurite]

FILE: Final = f"{SOUTH_NORFOLK}/portal.csv"
BITES: Final = 5
"""Seconds after which a pause has stopped every write."""
SLOWLY: Final = ("--write-limit", "10", "--write-window", "5")
"""Two writes a second: a run long enough to be stopped in."""


@contextmanager
def signing(folder: Path, storage: Azurite) -> Iterator[Run]:
    """A stack whose South Norfolk asks for signatures, with a slow directory."""
    required = {SOUTH_NORFOLK: 'approval = "required"'}
    with running(folder, storage, hosts=0, directory_options=SLOWLY) as run:
        run.stack.settings |= {
            "AUTHORITIES_FOLDER": str(profiles(folder, required)),
            "DIRECTORY_WRITE_LIMIT": SLOWLY[1],
            "DIRECTORY_WRITE_WINDOW_SECONDS": SLOWLY[3],
        }
        run.stack.add_host()
        yield run


def _ask(run: Run, migration: dict[str, Any], what: str, body: dict[str, Any] | None = None) -> tuple[int, Any]:
    try:
        return 200, send_json(f"{run.url}/api/migrations/{migration['migration']}/{what}", body or {})
    except urllib.error.HTTPError as refused:
        return refused.code, json.load(refused)


def _plan(run: Run, migration: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = get_json(f"{run.url}/api/migrations/{migration['migration']}/plan")
    return found


def _sign(run: Run, migration: dict[str, Any], part: str, by: str, **instead: Any) -> tuple[int, Any]:  # noqa: ANN401
    plan = _plan(run, migration)
    says = {"as": part, "by": by, "hash": plan["hash"], "rows": plan["rows"], **instead}
    return _ask(run, migration, "plan/approve", says)


def test_a_plan_is_assessed_signed_paused_resumed_and_carried_out(tmp_path: Path, clean_azurite: Azurite) -> None:
    with signing(tmp_path, clean_azurite) as run:
        _assessed_only(run)
        migration = _signed(run)
        _paused(run, migration)
        _resumed(run, migration)


def _assessed_only(run: Run) -> None:
    """Not one write and no message; the counts are the true ones."""
    file = f"{SOUTH_NORFOLK}/assess/six-weeks-before.csv"
    run.upload(run.sample(), file)
    found = run.until(file, lambda m: m["phase"] == "assessed")
    truth = Counter(row["outcome"] for row in run.truth().values())
    picture = run.assessment(found)
    assert {outcome: picture[outcome] for outcome in truth} == truth
    assert (run.directory_writes(), run.messages()) == ([], [])
    assert _ask(run, found, "plan/approve", {"as": "operations", "by": "ann", "hash": "a" * 12, "rows": 1})[0] == 409


def _signed(run: Run) -> dict[str, Any]:
    run.upload(run.sample(), FILE)
    migration = run.until(FILE, lambda m: m["phase"] == "assessed")
    stale = _sign(run, migration, "data-owner", "ann", hash="0" * 64)
    assert (stale[0], "hash" in stale[1]["error"]) == (409, True)
    assert _sign(run, migration, "data-owner", "ann", rows=1)[0] == 409
    assert _sign(run, migration, "data-owner", "ann")[0] == 200
    twice = _sign(run, migration, "operations", "ann")
    assert (twice[0], "Ask somebody else" in twice[1]["error"]) == (409, True)
    assert run.directory_writes() == []
    assert _sign(run, migration, "operations", "bob")[0] == 200
    assert _sign(run, migration, "directory-owner", "cid")[0] == 200
    return run.until(FILE, lambda m: m["phase"] == "running" and len(run.directory_writes()) > 5)


def _paused(run: Run, migration: dict[str, Any]) -> None:
    """After a few seconds no write reaches the directory any more."""
    assert _ask(run, migration, "pause", {"by": "bob"})[0] == 200
    time.sleep(BITES)
    before = len(run.directory_writes())
    time.sleep(BITES)
    assert len(run.directory_writes()) == before
    assert run.until(FILE, lambda m: m["paused"] is not None)["paused"]["reason"] == "paused_by_person"


def _resumed(run: Run, migration: dict[str, Any]) -> None:
    assert _ask(run, migration, "resume", {"by": "bob"})[0] == 200
    migration = run.done(FILE)
    run.assert_ended_as_true(SOUTH_NORFOLK, migration)
    run.assert_nothing_in_poison()
    moved = Counter(entry["status"] for entry in run.directory_writes())
    result = [row for row in run.result(migration) if row["outcome"] in {"create", "link"}]
    assert sum(number for status, number in moved.items() if status < 300) == len(result)


@pytest.mark.deep
def test_a_cancelled_migration_leaves_the_rest_untouched(tmp_path: Path, clean_azurite: Azurite) -> None:
    with signing(tmp_path, clean_azurite) as run:
        migration = _signed(run)
        assert _ask(run, migration, "cancel", {"by": "bob"})[0] == 200
        migration = run.until(FILE, lambda m: m["phase"] == "cancelled")
        time.sleep(BITES)
        before = len(run.directory_writes())
        found = run.until(FILE, lambda m: m["states"].get("held", 0) > 0 and not m["states"].get("classified", 0))
        assert len(run.directory_writes()) == before
        assert set(found["states"]) <= {"told", "held", "provisioned", "review", "rejected", "duplicate"}
        assert not any(user["id"] not in _known(run) for user in run.users().values() if _ours(user))


def _ours(user: dict[str, Any]) -> bool:
    return any(key.endswith("SouthNorfolkAccount") for key in user)


def _known(run: Run) -> set[str]:
    """Users of whom the journal tells a write that was taken, or who were created by one."""
    written = {entry["target"] for entry in run.directory_writes() if entry["status"] < 300}
    return {str(target) for target in written if target}
