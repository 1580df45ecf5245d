"""How fast a migration goes, and the earliest and latest time at which it will end. Pure.

The app keeps a few samples of how many accounts were done at which time. The slowest and the fastest part among the
samples give the range. The quota of the directory limits the fastest rate. There is no forecast before there are enough
samples.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from shared.model.pacing.rate_limit import Quota

MAX_SAMPLES: Final = 20
"""Samples that are kept of a migration."""
SAMPLE_INTERVAL: Final = timedelta(seconds=30)
"""The shortest time between two samples."""
FIRST_SAMPLE_INTERVAL: Final = timedelta(seconds=10)
"""The time between the first samples, which is shorter, because people want a forecast soon."""
MIN_SAMPLES: Final = 3
RANGE_MARGIN: Final = 0.1
"""How much wider the range is at both ends than the rates that were measured."""
STRETCHES: Final = (3, 6, MAX_SAMPLES)
"""How many of the newest samples are compared for the rates."""


@dataclass(frozen=True, slots=True)
class Sample:
    """The number of accounts that were done at one time."""

    at: datetime
    done: int


@dataclass(frozen=True, slots=True)
class Progress:
    """The newest samples of one phase of a migration, oldest first."""

    phase: str
    samples: tuple[Sample, ...] = ()


@dataclass(frozen=True, slots=True)
class Forecast:
    """The rate of a migration, and when it will end at this rate."""

    per_minute: float
    earliest: datetime | None
    """None if nothing is left to do."""
    latest: datetime | None


def add_sample(progress: Progress | None, phase: str, sample: Sample) -> Progress:
    """Return the progress with one more sample, or the same progress if it is too early for one.

    A new phase starts without samples.
    """
    if progress is None or progress.phase != phase or sample.done < progress.samples[-1].done:
        return Progress(phase, (sample,))
    every = SAMPLE_INTERVAL if len(progress.samples) >= STRETCHES[1] else FIRST_SAMPLE_INTERVAL
    if sample.at < progress.samples[-1].at + every:
        return progress
    return Progress(phase, (*progress.samples, sample)[-MAX_SAMPLES:])


def forecast_end(samples: Sequence[Sample], left: int, now: datetime, quota: Quota | None = None) -> Forecast | None:
    """Return the forecast for the accounts that are left, or None if it is unknown.

    `quota` is the limit if each account needs one write.
    """
    rates = [rate for length in STRETCHES if (rate := _measure_rate(samples[-length:])) is not None]
    if len(samples) < MIN_SAMPLES or not rates or min(rates) <= 0:
        return None
    per_minute = rates[0]
    if left <= 0:
        return Forecast(per_minute, None, None)
    fastest = max(rates) * (1 + RANGE_MARGIN)
    if quota is not None:
        fastest = min(fastest, max(timedelta(minutes=1) / quota.interval, min(rates)))
    slowest = min(rates) * (1 - RANGE_MARGIN)
    return Forecast(per_minute, now + timedelta(minutes=left / fastest), now + timedelta(minutes=left / slowest))


def _measure_rate(samples: Sequence[Sample]) -> float | None:
    """Return the accounts per minute from the first to the last sample, or None if no time passed."""
    if len(samples) < MIN_SAMPLES or samples[-1].at <= samples[0].at:
        return None
    return (samples[-1].done - samples[0].done) / ((samples[-1].at - samples[0].at) / timedelta(minutes=1))
