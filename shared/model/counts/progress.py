"""How fast a migration goes, and between which moments it will be ready. Pure.

From a few samples of how many were done when: the slowest and the fastest stretch among them give a range, and nobody
writes faster than the directory's quota allows. Nothing is said before there is something to go by.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from shared.model.pacing.rate_limit import Quota

KEPT: Final = 20
"""Samples that are kept of a migration."""
EVERY: Final = timedelta(seconds=30)
"""At most so often one is taken."""
AT_FIRST: Final = timedelta(seconds=10)
"""Until there are so many as make a stretch of some length: people want to know soon."""
ENOUGH: Final = 3
SPARE: Final = 0.1
"""By so much the range is wider at both ends than what was seen."""
STRETCHES: Final = (3, 6, KEPT)
"""Of so many samples, counted from the newest, the rates are compared."""


@dataclass(frozen=True, slots=True)
class Sample:
    """So many were done at that moment."""

    at: datetime
    done: int


@dataclass(frozen=True, slots=True)
class Progress:
    """The newest samples of one phase of a migration, oldest first."""

    phase: str
    samples: tuple[Sample, ...] = ()


@dataclass(frozen=True, slots=True)
class Forecast:
    """How fast it goes, and when it will be ready if it goes on so."""

    per_minute: float
    earliest: datetime | None
    """None where nothing is left."""
    latest: datetime | None


def add_sample(progress: Progress | None, phase: str, sample: Sample) -> Progress:
    """The progress with one more sample; the same where it is too early for one. A new phase begins anew."""
    if progress is None or progress.phase != phase or sample.done < progress.samples[-1].done:
        return Progress(phase, (sample,))
    every = EVERY if len(progress.samples) >= STRETCHES[1] else AT_FIRST
    if sample.at < progress.samples[-1].at + every:
        return progress
    return Progress(phase, (*progress.samples, sample)[-KEPT:])


def forecast_end(samples: Sequence[Sample], left: int, now: datetime, quota: Quota | None = None) -> Forecast | None:
    """The forecast for so many that are left; None while it is unknown.

    `quota` is the limit where every one of them costs a write.
    """
    rates = [rate for length in STRETCHES if (rate := _measure_rate(samples[-length:])) is not None]
    if len(samples) < ENOUGH or not rates or min(rates) <= 0:
        return None
    per_minute = rates[0]
    if left <= 0:
        return Forecast(per_minute, None, None)
    fastest = max(rates) * (1 + SPARE)
    if quota is not None:
        fastest = min(fastest, max(timedelta(minutes=1) / quota.interval, min(rates)))
    slowest = min(rates) * (1 - SPARE)
    return Forecast(per_minute, now + timedelta(minutes=left / fastest), now + timedelta(minutes=left / slowest))


def _measure_rate(samples: Sequence[Sample]) -> float | None:
    """How many a minute from the first to the last of them; None where no time went by."""
    if len(samples) < ENOUGH or samples[-1].at <= samples[0].at:
        return None
    return (samples[-1].done - samples[0].done) / ((samples[-1].at - samples[0].at) / timedelta(minutes=1))
