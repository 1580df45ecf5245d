"""Slots, throttlings and the strain of others: never more than the bucket holds, and nobody bursts after a refusal."""

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.model.account import Authority
from shared.model.pacing.rate_limit import (
    COUNTING_ERROR_SHARE,
    FIRST_REQUEST_DELAY,
    FIRST_RETRY_DELAY,
    MAX_RETRY_DELAY,
    MAX_STRETCH,
    READ,
    WRITE,
    Pace,
    Quota,
    Quotas,
    apply_throttling,
    block_until,
    compute_delay,
    count_slots,
    make_idle_pace,
    measure_own_share,
    measure_use,
    message_limiter,
    slow_down,
    take_slots,
    throttled_share,
)
from tests.unit.model.test_small_rules import NOW

HORIZON = timedelta(seconds=60)
TEN = Quota(10, timedelta(seconds=10), 1.0)


def _full(quota: Quota) -> Pace:
    """A pace of which everything up to the horizon is given away."""
    pace, _ = take_slots(make_idle_pace(NOW), quota, [1] * 10_000, NOW, HORIZON)
    return pace


@given(
    st.integers(1, 50),
    st.integers(1, 300),
    st.sampled_from([0.5, 0.98, 1.0]),
    st.none() | st.integers(1, 10),
    st.lists(
        st.tuples(st.integers(0, 60), st.lists(st.sampled_from([1, 1, 2, 4]), max_size=30), st.integers(0, 2)),
        max_size=10,
    ),
)
def test_slots_never_ask_for_more_than_the_bucket_holds(
    limit: int, window: int, share: float, at_once: int | None, asked: list[tuple[int, list[int], int]]
) -> None:
    quota = Quota(limit, timedelta(seconds=window), share, at_once)
    pace, now = make_idle_pace(NOW), NOW
    given_away = []
    for wait, costs, trouble in asked:
        now += timedelta(seconds=wait)
        if trouble == 1:
            pace = block_until(pace, quota, now, now + timedelta(seconds=7))
        if trouble == 2:
            pace = slow_down(pace, quota, 1.5, 1.0, now)
        pace, slots = take_slots(pace, quota, costs, now, HORIZON)
        assert len(slots) <= len(costs)
        assert all(max(now, pace.blocked_until) <= slot <= now + HORIZON for slot in slots)
        given_away += list(zip(slots, costs, strict=False))
    given_away.sort()
    tolerance = timedelta(milliseconds=1)
    for first in range(len(given_away)):
        taken = 0
        for slot, cost in given_away[first:]:
            taken += cost
            room = max(quota.burst, quota.interval * (max(cost for _, cost in given_away) - 1))
            assert quota.interval * (taken - 1) <= slot - given_away[first][0] + room + tolerance


@given(
    ahead=st.integers(-30_000, 90_000),
    blocked=st.integers(-5_000, 90_000),
    stretch=st.sampled_from((1.0, 1.5, 4.0)),
    most=st.integers(0, 300),
    at_once=st.sampled_from((None, 1, 50)),
)
def test_counting_slots_agrees_with_taking_them(
    ahead: int, blocked: int, stretch: float, most: int, at_once: int | None
) -> None:
    quota = Quota(100, timedelta(seconds=10), at_once=at_once)
    pace = Pace(
        NOW + timedelta(milliseconds=ahead),
        NOW + timedelta(milliseconds=blocked),
        stretch=stretch,
        stretched_until=NOW + timedelta(hours=1),
    )
    horizon = timedelta(seconds=20)
    _, slots = take_slots(pace, quota, [1] * most, NOW, horizon)
    # Times are rounded to a microsecond at every slot, so the last one may fall on either side of the horizon.
    assert abs(count_slots(pace, quota, most, NOW, horizon) - len(slots)) <= 1


def test_what_costs_more_waits_longer() -> None:
    _, single = take_slots(make_idle_pace(NOW), TEN, [1] * 60, NOW, HORIZON)
    _, double = take_slots(make_idle_pace(NOW), TEN, [2] * 60, NOW, HORIZON)
    # TEN gains nothing in the second in which its first request is on the way.
    assert len(single) == 60
    assert single.count(NOW) == 9
    assert double.count(NOW) == 4
    assert len(double) == 34


def test_messages_start_without_a_spike() -> None:
    quota = Quotas().of(message_limiter(Authority("south-norfolk")))
    _, slots = take_slots(make_idle_pace(NOW), quota, [1] * 5000, NOW, HORIZON)
    assert slots.count(NOW) == quota.at_once
    assert len(slots) == 50 + 60 * 25


def test_every_lane_has_its_quota() -> None:
    quotas = Quotas()
    assert quotas.of(WRITE) is quotas.write
    assert quotas.of(READ) is quotas.read
    assert quotas.of(message_limiter(Authority("a"))) is quotas.of(message_limiter(Authority("b"))) is quotas.message


def test_after_throttling_nobody_asks_and_then_nobody_bursts() -> None:
    until = NOW + timedelta(seconds=20)
    pace = block_until(make_idle_pace(NOW), TEN, NOW, until)
    _, slots = take_slots(pace, TEN, [1] * 100, NOW, HORIZON)
    assert slots[0] == until
    assert all(later - earlier >= TEN.interval for earlier, later in pairwise(slots))
    assert block_until(pace, TEN, NOW, NOW).blocked_until == until
    assert take_slots(pace, TEN, [1] * 5, NOW, timedelta(seconds=10)) == (pace, [])


def test_without_a_time_to_wait_everybody_waits_longer_each_time_until_a_quiet_window() -> None:
    pace, now, waits = make_idle_pace(NOW), NOW, []
    for _ in range(4):
        wait = apply_throttling(pace, TEN, now)
        waits.append(wait)
        pace = block_until(pace, TEN, now, now + wait)
        assert apply_throttling(pace, TEN, now) == wait  # others that met the same throttling
        pace = block_until(pace, TEN, now, now + wait)
        now = pace.blocked_until + timedelta(seconds=1)
    assert waits == [FIRST_RETRY_DELAY, FIRST_RETRY_DELAY * 2, FIRST_RETRY_DELAY * 4, FIRST_RETRY_DELAY * 8]
    assert apply_throttling(pace, TEN, pace.blocked_until + TEN.window) == FIRST_RETRY_DELAY


@given(st.integers(0, 10_000), st.floats(0, 1))
def test_delays_grow_to_a_limit(tries: int, jitter: float) -> None:
    assert FIRST_RETRY_DELAY * 0.75 <= compute_delay(tries, jitter) <= MAX_RETRY_DELAY
    assert compute_delay(tries, jitter) <= compute_delay(tries + 1, 1)


def test_what_our_own_pace_explains_does_not_slow_us() -> None:
    quotas = Quotas()
    write = _full(quotas.write)
    own = measure_own_share(write, make_idle_pace(NOW), quotas, NOW)
    assert own == pytest.approx(0.98 + COUNTING_ERROR_SHARE)
    assert slow_down(write, quotas.write, 0.98, own, NOW) == write
    reading, _ = take_slots(make_idle_pace(NOW), quotas.read, [2] * 10_000, NOW, HORIZON)
    assert measure_own_share(make_idle_pace(NOW), reading, quotas, NOW) == pytest.approx(0.5 + COUNTING_ERROR_SHARE)
    assert measure_own_share(write, reading, quotas, NOW) == pytest.approx(1.0 + COUNTING_ERROR_SHARE)


def test_what_nothing_of_ours_explains_slows_the_next_window() -> None:
    quota = Quotas().write
    pace = slow_down(make_idle_pace(NOW), quota, 0.9, 0.45, NOW)
    assert pace.stretch == 2
    assert pace.stretched_until == NOW + quota.window
    full = replace(pace, arrival=NOW + quota.burst)
    _, slow = take_slots(full, quota, [1] * 10, NOW, HORIZON)
    assert all(abs(b - a - 2 * quota.interval) < timedelta(milliseconds=1) for a, b in pairwise(slow))
    later = NOW + quota.window
    _, again = take_slots(replace(full, arrival=later + quota.burst), quota, [1] * 10, later, HORIZON)
    assert all(abs(b - a - quota.interval) < timedelta(milliseconds=1) for a, b in pairwise(again))


def test_a_strain_that_changes_little_changes_nothing() -> None:
    quota = Quotas().write
    pace = slow_down(make_idle_pace(NOW), quota, 1.5, 1.0, NOW)
    assert slow_down(pace, quota, 1.55, 1.0, NOW) == pace
    assert slow_down(pace, quota, 1.0, 1.0, NOW) == pace
    assert slow_down(pace, quota, 1.8, 1.0, NOW).stretch == 1.8
    assert slow_down(pace, quota, 1.5, 1.0, NOW + quota.window).stretched_until == NOW + 2 * quota.window
    assert slow_down(pace, quota, 1.8, 0.02, NOW).stretch == MAX_STRETCH


def test_the_quota_that_is_used_and_the_share_that_was_throttled_are_of_the_last_window() -> None:
    pace, _ = take_slots(make_idle_pace(NOW), TEN, [1] * 5, NOW, HORIZON)
    assert measure_use(pace, TEN, NOW) == 0.5
    assert throttled_share(pace, TEN, NOW) == 0
    pace = block_until(pace, TEN, NOW, NOW + timedelta(seconds=1))
    assert throttled_share(pace, TEN, NOW) == 0.2
    assert measure_use(pace, TEN, NOW + timedelta(seconds=15)) == 0.25
    assert throttled_share(pace, TEN, NOW + timedelta(seconds=15)) == 0.2
    assert (
        measure_use(pace, TEN, NOW + timedelta(seconds=20))
        == throttled_share(pace, TEN, NOW + timedelta(seconds=20))
        == 0
    )
    assert measure_use(_full(TEN), TEN, NOW) == 1
    assert measure_use(make_idle_pace(NOW), TEN, NOW) == throttled_share(make_idle_pace(NOW), TEN, NOW) == 0
    assert throttled_share(block_until(make_idle_pace(NOW), TEN, NOW, NOW), TEN, NOW) == 1


def test_a_quiet_lane_gives_away_no_more_than_the_bucket_holds_when_its_first_request_arrives() -> None:
    """The bucket is full, and gains nothing, until something reaches it."""
    _, slots = take_slots(make_idle_pace(NOW), TEN, [1] * 60, NOW, HORIZON)
    for after in range(1, 50):
        arrives = NOW + FIRST_REQUEST_DELAY
        asked = sum(slot <= arrives + timedelta(seconds=after) for slot in slots)
        assert asked <= TEN.limit + after * (TEN.limit / TEN.window.total_seconds())
