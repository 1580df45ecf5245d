"""From a council's profile to the waves of one plan: which cohorts have a wave of their own, and who goes when.

Pure.
"""

from collections.abc import Iterable
from typing import Final

from shared.model.account import Cohort
from shared.model.calendar import convert_from_london
from shared.model.profile import COHORTS, PlannedWave, PlanSettings
from shared.model.wave import POSITIONS, Census, Slice, Wave

EVERYBODY: Final = "everybody"


def list_own_cohorts(planned: PlanSettings) -> frozenset[Cohort]:
    """Return the cohorts that have a wave of their own. Accounts in other cohorts go by position."""
    return frozenset(Cohort(wave.takes) for wave in planned.waves if wave.takes in COHORTS)


def schedule_waves(planned: PlanSettings, census: Census) -> tuple[Wave, ...]:
    """Return the waves for all accounts that the census counted, in the profile's order."""
    known = planned.waves or (PlannedWave(name=EVERYBODY, takes="rest"),)
    bounds = iter(census.bounds([Slice.read(wave.takes) for wave in known if wave.takes not in COHORTS]))
    return tuple(_make_wave(number, wave, planned, census, bounds) for number, wave in enumerate(known, 1))


def _make_wave(
    number: int, wave: PlannedWave, planned: PlanSettings, census: Census, bounds: Iterable[tuple[int, int, int]]
) -> Wave:
    local = planned.starts(wave)
    starts_at = convert_from_london(local) if local is not None else None
    if wave.takes in COHORTS:
        cohort = Cohort(wave.takes)
        return Wave(number, wave.name, cohort, 0, 0, starts_at, census.in_cohort(cohort))
    lower, upper, accounts = next(iter(bounds))
    return Wave(number, wave.name, Cohort.NONE, lower, min(upper, POSITIONS), starts_at, accounts)
