"""Each timer runs when its setting says, else by its default; what is no schedule is refused by name."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from shared.errors import BadSetting
from shared.settings.schedules import DEFAULTS, RECONCILE, count_repeats, find_wrong_schedules, read_schedule

ROOT = Path(__file__).parents[3]
LIST_TIMERS = """
import json
from functions import copy_tables, reconcile, release_accounts, sweep_exports
import azure.functions as func
app = func.FunctionApp()
for module in (copy_tables, reconcile, release_accounts, sweep_exports):
    app.register_functions(module.blueprint)
bindings = {f.get_function_name(): json.loads(f.get_raw_bindings()[0]) for f in app.get_functions()}
print(json.dumps({name: binding["schedule"] for name, binding in bindings.items()}))
"""


def _timers(**settings: str) -> dict[str, str]:
    """The schedule of each timer function, by the name of its setting, in a process with these settings."""
    rest = {name: value for name, value in os.environ.items() if name not in DEFAULTS}
    done = subprocess.run(  # noqa: S603 - our own script
        [sys.executable, "-c", LIST_TIMERS],
        cwd=ROOT,
        env={**rest, **settings},
        capture_output=True,
        text=True,
        check=True,
    )
    return {f"{name.upper()}_SCHEDULE": schedule for name, schedule in json.loads(done.stdout).items()}


def test_without_settings_every_timer_has_its_default() -> None:
    assert _timers() == DEFAULTS


def test_each_timer_obeys_its_own_setting() -> None:
    given = {name: f"{second} * * * * *" for second, name in enumerate(DEFAULTS)}
    assert _timers(**given) == given


def test_an_empty_setting_is_none() -> None:
    assert read_schedule(RECONCILE, {RECONCILE: ""}) == DEFAULTS[RECONCILE]


@pytest.mark.parametrize("schedule", ["* * * * *", "00:00:10", "every ten seconds", "*/10 * * * * *\n", "%OTHER%"])
def test_what_is_no_schedule_of_six_fields_is_refused_by_name(schedule: str) -> None:
    with pytest.raises(BadSetting, match=f"^{RECONCILE} is malformed: it should be six fields, second first, like "):
        read_schedule(RECONCILE, {RECONCILE: schedule})
    assert [name for name, _ in find_wrong_schedules({RECONCILE: schedule})] == [RECONCILE]


@pytest.mark.parametrize(
    ("schedule", "wait_seconds", "times"),
    [
        ("*/10 * * * * *", 2, 4),
        ("*/5 * * * * *", 1, 4),
        ("*/1 * * * * *", 1, 0),
        ("* * * * * *", 1, 0),
        ("0 */10 2-5 * * *", 2, 0),
    ],
)
def test_repeats_end_before_the_next_occurrence(schedule: str, wait_seconds: int, times: int) -> None:
    assert count_repeats(schedule, wait_seconds) == times
