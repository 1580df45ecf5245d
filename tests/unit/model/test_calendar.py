"""Dates and times as a clock on a wall in England shows them."""

from datetime import UTC, date, datetime, time

import pytest

from shared.model.calendar import (
    Allowed,
    NotAllowedThen,
    Weekday,
    check_allowed_time,
    convert_from_london,
    find_bank_holiday,
)

on = datetime.fromisoformat
EVERY_DAY = Allowed(days=tuple(Weekday), opens=time(0), closes=time(23, 59), bank_holidays=True)


def test_winter_is_utc_and_summer_is_an_hour_ahead() -> None:
    assert convert_from_london(on("2026-12-01T10:00")) == on("2026-12-01T10:00+00:00")
    assert convert_from_london(on("2026-07-01T10:00")) == on("2026-07-01T09:00+00:00")


@pytest.mark.parametrize(
    ("local", "why"),
    [
        (on("2027-03-28T01:30"), "does not exist"),
        (on("2026-10-25T01:30"), "comes twice"),
        (on("2026-12-01T10:00+00:00"), "without a zone"),
    ],
)
def test_a_time_that_can_be_taken_two_ways_is_refused(local: datetime, why: str) -> None:
    with pytest.raises(NotAllowedThen, match=why):
        convert_from_london(local)


@pytest.mark.parametrize("local", [on("2027-03-28T00:59"), on("2027-03-28T02:00"), on("2026-10-25T02:00")])
def test_the_hours_beside_a_change_of_clocks_are_fine(local: datetime) -> None:
    assert check_allowed_time(local, EVERY_DAY).tzinfo is UTC


def test_a_wave_starts_on_allowed_days_and_hours_only() -> None:
    allowed = Allowed()
    assert check_allowed_time(on("2026-12-01T09:00"), allowed) == on("2026-12-01T09:00+00:00")
    with pytest.raises(NotAllowedThen, match="Friday 04 December 2026, 10:00 is not one of the allowed days"):
        check_allowed_time(on("2026-12-04T10:00"), allowed)
    for wrong in (time(8, 59), time(15), time(23)):
        with pytest.raises(NotAllowedThen, match="outside the allowed hours"):
            check_allowed_time(datetime.combine(date(2026, 12, 1), wrong), allowed)


@pytest.mark.parametrize(
    ("day", "name"),
    [
        (date(2026, 12, 25), "Christmas Day"),
        (date(2026, 12, 28), "Boxing Day"),
        (date(2026, 8, 31), "Late Summer Bank Holiday"),
        (date(2026, 8, 3), ""),
        (date(2026, 11, 30), ""),
    ],
)
def test_bank_holidays_are_those_of_england(day: date, name: str) -> None:
    assert (name in find_bank_holiday(day)) if name else (find_bank_holiday(day) == "")


def test_a_bank_holiday_is_refused_unless_it_is_overridden() -> None:
    monday = on("2026-12-28T10:00")
    with pytest.raises(NotAllowedThen, match="bank holiday in England"):
        check_allowed_time(monday, Allowed())
    assert check_allowed_time(monday, Allowed(bank_holidays=True)) == on("2026-12-28T10:00+00:00")
