"""How fast it goes and when it will be ready: a range, and nothing while there is nothing to go by."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from shared.model.counts.progress import (
    FIRST_SAMPLE_INTERVAL,
    MAX_SAMPLES,
    SAMPLE_INTERVAL,
    STRETCHES,
    Progress,
    Sample,
    add_sample,
    forecast_end,
)
from shared.model.pacing.rate_limit import Quota

NOW = datetime(2026, 3, 2, 14, tzinfo=UTC)


def samples(*done: int) -> tuple[Sample, ...]:
    """One a minute, the last of them now."""
    return tuple(Sample(NOW - timedelta(minutes=len(done) - 1 - number), each) for number, each in enumerate(done))


def test_nothing_is_told_before_there_is_something_to_go_by() -> None:
    assert forecast_end((), 10, NOW) is None
    assert forecast_end(samples(0, 100), 10, NOW) is None
    assert forecast_end(samples(5, 5, 5), 10, NOW) is None


def test_a_steady_pace_is_ready_about_then() -> None:
    told = forecast_end(samples(0, 100, 200, 300), 990, NOW)
    assert told
    assert told.per_minute == 100
    assert told.earliest
    assert told.latest
    assert told.earliest == NOW + timedelta(minutes=9)
    assert told.latest == NOW + timedelta(minutes=11)


def test_where_nothing_is_left_only_the_pace_is_told() -> None:
    told = forecast_end(samples(0, 100, 200), 0, NOW)
    assert told
    assert (told.per_minute, told.earliest, told.latest) == (100, None, None)


def test_an_uneven_pace_makes_a_wider_range() -> None:
    even, uneven = (
        forecast_end(samples(*range(0, 601, 100)), 600, NOW),
        forecast_end(samples(0, 10, 20, 30, 200, 400), 600, NOW),
    )
    assert even
    assert uneven
    assert even.earliest
    assert even.latest
    assert uneven.earliest
    assert uneven.latest
    assert uneven.latest - uneven.earliest > even.latest - even.earliest


def test_nobody_is_promised_more_than_the_quota_gives() -> None:
    quota = Quota(limit=100, window=timedelta(minutes=1), share=1.0)
    told = forecast_end(samples(0, 10, 20, 500, 1000, 1500), 1000, NOW, quota)
    assert told
    assert told.earliest
    assert told.earliest >= NOW + timedelta(minutes=1000 / 300)


def test_a_sample_is_kept_every_so_often_and_a_new_phase_begins_anew() -> None:
    progress = add_sample(None, "classifying", Sample(NOW, 4))
    assert add_sample(progress, "classifying", Sample(NOW + FIRST_SAMPLE_INTERVAL / 2, 5)) == progress
    assert len(add_sample(progress, "classifying", Sample(NOW + FIRST_SAMPLE_INTERVAL, 5)).samples) == 2
    long = Progress("classifying", tuple(Sample(NOW, 4) for _ in range(STRETCHES[1])))
    assert add_sample(long, "classifying", Sample(NOW + FIRST_SAMPLE_INTERVAL, 5)) == long
    assert len(add_sample(progress, "classifying", Sample(NOW + SAMPLE_INTERVAL, 5)).samples) == 2
    assert add_sample(progress, "running", Sample(NOW + SAMPLE_INTERVAL, 9)) == Progress(
        "running", (Sample(NOW + SAMPLE_INTERVAL, 9),)
    )
    assert add_sample(progress, "classifying", Sample(NOW + SAMPLE_INTERVAL, 3)).samples == (
        Sample(NOW + SAMPLE_INTERVAL, 3),
    )


@given(st.lists(st.tuples(st.integers(0, 600), st.integers(0, 10**6)), max_size=60), st.integers(0, 10**6))
def test_whatever_was_seen_few_samples_are_kept_and_the_range_is_in_order(
    seen: list[tuple[int, int]], left: int
) -> None:
    progress, at = None, NOW
    for seconds, done in seen:
        at += timedelta(seconds=seconds)
        progress = add_sample(progress, "running", Sample(at, done))
    kept = progress.samples if progress else ()
    assert len(kept) <= MAX_SAMPLES
    assert all(later.at >= sooner.at + FIRST_SAMPLE_INTERVAL for sooner, later in pairwise(kept))
    told = forecast_end(kept, left, at, Quota())
    if told and told.earliest and told.latest:
        assert at <= told.earliest <= told.latest
