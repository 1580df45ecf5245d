import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.host.ncrontab import Schedule, parse_schedule


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


# 2026-11-22 is a Sunday.
@pytest.mark.parametrize(
    ("expression", "after", "expected"),
    [
        ("* * * * * *", "2026-11-22 10:00:00", "2026-11-22 10:00:01"),
        ("*/15 * * * * *", "2026-11-22 10:00:50", "2026-11-22 10:01:00"),
        ("0 */5 * * * *", "2026-11-22 10:05:00", "2026-11-22 10:10:00"),
        ("0 0 * * * *", "2026-11-22 23:59:59", "2026-11-23 00:00:00"),
        ("*/5 * * * *", "2026-11-22 10:04:10", "2026-11-22 10:05:00"),
        ("0 30 9 * * 1-5", "2026-11-20 09:30:00", "2026-11-23 09:30:00"),
        ("0 30 9 * * MON-FRI", "2026-11-21 00:00:00", "2026-11-23 09:30:00"),
        ("0 0 0 * * fri-mon", "2026-11-22 00:00:00", "2026-11-23 00:00:00"),
        ("0 0 0 1 JAN *", "2026-11-22 00:00:00", "2027-01-01 00:00:00"),
        ("0 0 0 1 january,jul *", "2027-01-01 00:00:00", "2027-07-01 00:00:00"),
        ("0 0 8-18/5 * * *", "2026-11-22 13:00:00", "2026-11-22 18:00:00"),
        ("0 50/4 * * * *", "2026-11-22 10:58:00", "2026-11-22 11:50:00"),
        ("5,10,58 * * * * *", "2026-11-22 10:00:10", "2026-11-22 10:00:58"),
        ("0 0 0 29 2 *", "2026-11-22 00:00:00", "2028-02-29 00:00:00"),
        # Both must hold: Friday the 13th, where cron would take every Friday and every 13th.
        ("0 0 0 13 * 5", "2026-11-22 00:00:00", "2027-08-13 00:00:00"),
        ("0 0 0 29 2 0", "2026-11-22 00:00:00", "2032-02-29 00:00:00"),
        ("0 */0 * * * *", "2026-11-22 10:00:00", "2026-11-22 10:01:00"),
    ],
)
def test_the_next_occurrence(expression: str, after: str, expected: str) -> None:
    assert parse_schedule(expression).following(at(after)) == at(expected)


@pytest.mark.parametrize(
    "expression",
    [
        "",
        "* * *",
        "* * * * * * *",
        "60 * * * * *",
        "* * 24 * * *",
        "* * * 0 * *",
        "* * * * 13 *",
        "* * * * * 7",
        "0 0 0 30 2 *",
        "a * * * * *",
        "1- * * * * *",
        "1,, * * * * *",
        "*/x * * * * *",
        "*-5 * * * * *",
        "0 0 0 * * xyz",
        "\u0661 * * * * *",
        "01:00:00",
    ],
)
def test_what_is_not_a_schedule(expression: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        parse_schedule(expression)


def test_occurrences_are_in_utc_wherever_the_moment_is_from() -> None:
    moment = datetime.fromisoformat("2026-11-22T00:30:00+02:00")
    assert parse_schedule("0 0 23 * * *").following(moment) == at("2026-11-21 23:00:00")


def field(least: int, most: int) -> st.SearchStrategy[str]:
    number = st.integers(least, most)
    step = st.integers(1, most)
    return st.one_of(
        st.just("*"),
        number.map(str),
        step.map("*/{}".format),
        st.tuples(number, number).map(lambda pair: f"{pair[0]}-{pair[1]}"),
        st.tuples(number, step).map(lambda pair: f"{pair[0]}/{pair[1]}"),
        st.lists(number, min_size=1, max_size=3).map(lambda numbers: ",".join(map(str, numbers))),
    )


# Days up to 28, so that every schedule has occurrences.
schedules = st.tuples(field(0, 59), field(0, 59), field(0, 23), field(1, 28), field(1, 12), st.just("*")).map(" ".join)
moments = st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - the strategy wants it so


def fits(schedule: Schedule, moment: datetime) -> bool:
    return (
        moment.second in schedule.seconds
        and moment.minute in schedule.minutes
        and moment.hour in schedule.hours
        and moment.day in schedule.days
        and moment.month in schedule.months
        and moment.isoweekday() % 7 in schedule.weekdays
        and moment.microsecond == 0
    )


@given(schedules, moments)
def test_the_next_occurrence_fits_and_is_later(expression: str, moment: datetime) -> None:
    schedule = parse_schedule(expression)
    following = schedule.following(moment)
    assert following > moment
    assert fits(schedule, following)


@given(schedules, moments, st.floats(0, 1))
def test_nothing_is_skipped(expression: str, moment: datetime, share: float) -> None:
    schedule = parse_schedule(expression)
    following = schedule.following(moment)
    between = moment + (following - moment) * share
    if between < following:
        assert schedule.following(between) == following
        assert not fits(schedule, between.replace(microsecond=0)) or between.replace(microsecond=0) <= moment


SIGNED: Final = json.loads((Path(__file__).parent / "ncrontab_signed.json").read_text(encoding="utf-8"))
"""What NCrontab.Signed 3.4.0 says of 45 schedules: the next times, or a refusal. The real host uses this library."""
NEVER: Final = "0 0 0 30 2 *"
"""The library accepts this schedule and never finds a time. Our host refuses it, so that nobody waits for it."""


@pytest.mark.parametrize("case", SIGNED, ids=lambda case: f"{case['expression']} after {case.get('after', '')}")
def test_a_schedule_means_what_the_library_of_the_real_host_says(case: dict[str, Any]) -> None:
    if case.get("refused") or case["expression"] == NEVER:
        with pytest.raises(ValueError, match=r"\S"):
            parse_schedule(case["expression"])
        return
    after = datetime.fromisoformat(case["after"]).replace(tzinfo=UTC)
    found = parse_schedule(case["expression"]).occurrences(after, len(case["next"]))
    assert [at.strftime("%Y-%m-%dT%H:%M:%S") for at in found] == case["next"]
