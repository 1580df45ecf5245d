"""`ops canary` as people run it: the real app, the stand-in directory with its people, the command as a process."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from local.azurite import Azurite
from local.samples.cases import KNOWN, NEW
from local.stack import ROOT
from tests.e2e.kit import SOUTH_NORFOLK, Run, running

pytestmark = [pytest.mark.e2e, pytest.mark.azurite]

EXPORT = f"{SOUTH_NORFOLK}/portal.csv"


def test_a_wave_waits_until_a_canary_has_passed(tmp_path: Path, clean_azurite: Azurite) -> None:
    with running(tmp_path, clean_azurite, hosts=0) as run:
        _flag(run, tmp_path)
        before = run.users()
        _a_wave_waits_for_a_canary(run)
        _nobody_is_left(run, before, canaries=2)
        _no_address_is_kept(run, tmp_path)


@pytest.mark.deep
def test_a_canary_passes_and_fails_with_what_to_change(tmp_path: Path, clean_azurite: Azurite) -> None:
    # That a deleted user blocks its address, and that a flag survives, is known only after a minute of looking.
    with running(tmp_path, clean_azurite) as run:
        before = run.users()
        _passes(run)
        _somebody_is_there(run, before)
        _force_change_is_refused(run)
        _a_deleted_user_blocks_its_address(run)
        _flag(run, tmp_path)
        _the_flag_survives_the_reset(run)
        _a_wave_waits_for_a_canary(run)
        _nobody_is_left(run, before, canaries=7)
        _no_address_is_kept(run, tmp_path)


def _ops(run: Run, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "OPS_URL": run.url, "COLUMNS": "160"}
    command = [sys.executable, "-m", "ops", "canary", *arguments]
    return subprocess.run(  # noqa: S603 - the command under test
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=240, check=False
    )


def _canary(run: Run, name: str, *more: str) -> subprocess.CompletedProcess[str]:
    return _ops(run, "--authority", SOUTH_NORFOLK, "--address", f"canary-{name}@example.org", *more)


def _answers(run: Run) -> dict[str, str]:
    shown = json.loads(_ops(run, "--show", "--json").stdout)
    return {each["name"]: each["value"] for each in shown["canaries"][0]["answers"]}


def _passes(run: Run) -> None:
    """By itself, because the stand-in plays the people."""
    done = _canary(run, "one")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "PASSED" in done.stdout
    assert "The customer has set a password by the customer's own way." in done.stdout
    answers = _answers(run)
    assert answers["force_change_accepted"] == "yes"
    assert answers["conflict_property"] == "proxyAddresses"
    assert answers["password_changed_moves_on_reset"] == "yes"
    assert answers["deleted_user_blocks_address"] == "no"
    assert answers["app_may_delete_users"] == "no"
    assert _ops(run, "--show").returncode == 0


def _somebody_is_there(run: Run, before: dict[str, dict[str, Any]]) -> None:
    somebody = next(
        each["issuerAssignedId"]
        for user in before.values()
        for each in user["identities"]
        if each["signInType"] == "emailAddress" and each["issuerAssignedId"].isascii()
    )
    writes = len(run.directory_writes())
    done = _ops(run, "--authority", SOUTH_NORFOLK, "--address", somebody)
    assert done.returncode == 2, done.stdout + done.stderr
    assert "Somebody in the directory has this address already. Nothing was written." in done.stdout
    assert len(run.directory_writes()) == writes


def _force_change_is_refused(run: Run) -> None:
    users = len(run.users())
    run.rules(run.stack.directory, {"force_change_accepted": False})
    done = _canary(run, "two")
    run.rules(run.stack.directory, {"force_change_accepted": True})
    assert done.returncode == 2, done.stdout + done.stderr
    assert "The directory refuses forceChangePasswordNextSignIn = true for a new user." in done.stdout
    assert 'Set password_reset = "flag" under [directory] in the profile' in done.stdout
    assert len(run.users()) == users


def _a_deleted_user_blocks_its_address(run: Run) -> None:
    run.rules(run.stack.directory, {"soft_deleted_hold_identities": True})
    done = _canary(run, "three", "--json")
    run.rules(run.stack.directory, {"soft_deleted_hold_identities": False})
    assert done.returncode == 2, done.stdout + done.stderr
    [failure] = json.loads(done.stdout)["failures"]
    assert failure["sentence"].startswith("A deleted user still holds its address")
    assert "Purge deleted users" in failure["remedy"]


def _flag(run: Run, folder: Path) -> None:
    """The council's profile now uses the flag, and asks for a canary; the app starts again with it."""
    profiles = folder / "authorities"
    shutil.copytree(ROOT / "authorities", profiles)
    profile = profiles / f"{SOUTH_NORFOLK}.toml"
    text = profile.read_text().replace('password_reset = "force-change"', 'password_reset = "flag"')
    assert 'password_reset = "flag"' in text
    profile.write_text(text.replace("[directory]\n", "[directory]\ncanary_within_days = 14\n"))
    run.stack.settings["AUTHORITIES_FOLDER"] = str(profiles)
    for host in run.stack.hosts:
        host.stop()
    run.stack.add_host()


def _the_flag_survives_the_reset(run: Run) -> None:
    run.rules(run.stack.directory, {"reset_clears_must_reset": False})
    done = _canary(run, "four")
    run.rules(run.stack.directory, {"reset_clears_must_reset": True})
    assert done.returncode == 2, done.stdout + done.stderr
    assert "The customer has set a password, but MustResetPassword is still true" in done.stdout
    assert "writes MustResetPassword = false" in done.stdout


def _a_wave_waits_for_a_canary(run: Run) -> None:
    """Nobody is created until a canary has passed: none has run, or the last one failed."""
    users = len(run.users())
    rows = [number for number, row in run.truth().items() if row["case"] in {NEW.name, KNOWN.name}][:6]
    run.upload(run.some(rows), EXPORT)
    waiting = run.until(EXPORT, lambda m: any(each["what"] == "canary" for each in m["waits"]))
    assert "ops canary --authority south-norfolk" in waiting["next"]
    assert waiting["states"].get("provisioned", 0) + waiting["states"].get("told", 0) == 0
    assert len(run.users()) == users
    done = _canary(run, "five")
    assert done.returncode == 0, done.stdout + done.stderr
    assert _answers(run)["flag_cleared_by_reset"] == "yes"
    assert {row["state"] for row in run.result(run.done(EXPORT))} == {"told"}
    assert len(run.messages()) == len(rows)


def _nobody_is_left(run: Run, before: dict[str, dict[str, Any]], *, canaries: int) -> None:
    """Canaries lie in the recycle bin without a mark of ours, and nobody else was touched by them."""
    found = [user for user in run.users().values() if user["displayName"].startswith("Canary")]
    assert len(found) == canaries
    for user in found:
        assert user["displayName"] == "Canary, to be deleted"
        assert user["deletedDateTime"]
        assert [name for name in user if name.endswith(("Account", "CustomerRef"))] == []
    assert not any(user.get("deletedDateTime") for key, user in run.users().items() if key in before)


def _no_address_is_kept(run: Run, folder: Path) -> None:
    run.stack.hosts[-1].stop()
    for log in (folder / "run").glob("host-*.log"):
        assert "canary-" not in log.read_text(errors="replace")
    for _, entity in run.entities():
        assert "canary-" not in f"{entity['PartitionKey']} {entity['RowKey']}"
        assert "@example.org" not in str(entity.get("record", ""))
