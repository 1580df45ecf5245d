"""The schedule of each timer: one app setting for each, with a default, so that the app starts without any of them."""

import os
import re
from collections.abc import Iterator, Mapping
from typing import Final

from shared.errors import BadSetting

RELEASE_ACCOUNTS: Final = "RELEASE_ACCOUNTS_SCHEDULE"
RECONCILE: Final = "RECONCILE_SCHEDULE"
SWEEP_EXPORTS: Final = "SWEEP_EXPORTS_SCHEDULE"
COPY_TABLES: Final = "COPY_TABLES_SCHEDULE"

DEFAULTS: Final = {
    RELEASE_ACCOUNTS: "*/5 * * * * *",
    RECONCILE: "*/10 * * * * *",
    SWEEP_EXPORTS: "0 * * * * *",
    COPY_TABLES: "0 */10 2-5 * * *",
}
"""Each setting, and the schedule where it is not set: second, minute, hour, day, month, day of the week, in UTC."""

_SIX_FIELDS: Final = re.compile(r"[0-9A-Za-z*,/-]+( [0-9A-Za-z*,/-]+){5}")


def read_schedule(setting: str, environment: Mapping[str, str] = os.environ) -> str:
    """Return the schedule that a setting holds, or its default.

    Raises:
        BadSetting: the schedule is malformed. The one line names the setting and says what it should be.
    """
    schedule = environment.get(setting) or DEFAULTS[setting]
    if not _SIX_FIELDS.fullmatch(schedule):
        raise BadSetting(f"{setting} is malformed: it should be six fields, second first, like {DEFAULTS[setting]}")
    return schedule


def count_repeats(schedule: str, wait_seconds: int) -> int:
    """Return how many times an occurrence may run again, `wait_seconds` apart, before the next occurrence.

    The seconds field says how far apart occurrences are: `*/10` leaves room for four repeats that wait 2 seconds. With
    any other field the timer runs each second, or once a minute or more rarely, and the answer is 0.
    """
    every = re.fullmatch(r"\*/([0-9]+)", schedule.split(" ", maxsplit=1)[0])
    return max(int(every[1]) - 1, 0) // wait_seconds if every else 0


def find_wrong_schedules(environment: Mapping[str, str] = os.environ) -> Iterator[tuple[str, str]]:
    """Yield each setting that holds no valid schedule, and the sentence that says so."""
    for setting in DEFAULTS:
        try:
            read_schedule(setting, environment)
        except BadSetting as bad:
            yield setting, str(bad)
