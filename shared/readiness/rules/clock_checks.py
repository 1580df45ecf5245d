"""Checks that all clocks agree, because tokens, leases and slots depend on the time."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from shared.ports.doctor_facts import ClockReading
from shared.readiness.rules.report import Area, Check, Code, report_missing, report_ok, report_unchecked

TOLERANCE: Final = timedelta(seconds=30)
"""GOV.UK Notify refuses tokens that are further off."""
_OURS: Final = (
    "Set this machine's clock by a time server (NTP). On Azure the platform does that: restart the app, and open a "
    "support request if it stays."
)


def check_clock(readings: Sequence[ClockReading], *, refused: bool) -> Check:
    """Compare our clock with those of the services. `refused`: the message service says that ours is wrong."""
    off = [reading for reading in readings if abs(reading.ahead) >= TOLERANCE]
    if not off and refused:
        found = "the message service refuses our tokens because of their time, though nobody shows another time"
        return report_missing(Area.CLOCK, "clock", Code.CLOCK_OFF, found, _OURS)
    if not readings:
        return report_unchecked(Area.CLOCK, "clock", "no service told its time")
    if not off:
        return report_ok(
            Area.CLOCK, "clock", f"within {TOLERANCE.seconds} s of {_join_names([r.service for r in readings])}"
        )
    if _is_ours_wrong(off, readings):
        behind = "behind" if off[0].ahead > timedelta(0) else "ahead of"
        found = f"ours is {_count_seconds(off[0])} s {behind} {_join_names([r.service for r in off])}"
        return report_missing(Area.CLOCK, "clock", Code.CLOCK_OFF, found, _OURS)
    agreed = [reading.service for reading in readings if reading not in off]
    mend = (
        f"Ours agrees with {_join_names(agreed)}: whoever runs {_join_names([r.service for r in off])} mends it."
        if agreed
        else _OURS
    )
    return report_missing(Area.CLOCK, "clock", Code.CLOCK_OFF, "; ".join(map(_describe_difference, off)), mend)


def _is_ours_wrong(off: Sequence[ClockReading], readings: Sequence[ClockReading]) -> bool:
    """Return True if all the other clocks agree with one another."""
    spread = max(r.ahead for r in off) - min(r.ahead for r in off)
    return len(off) == len(readings) > 1 and spread < TOLERANCE


def _describe_difference(reading: ClockReading) -> str:
    word = "ahead of" if reading.ahead > timedelta(0) else "behind"
    return f"the clock of {reading.service} is {_count_seconds(reading)} s {word} ours"


def _count_seconds(reading: ClockReading) -> int:
    return round(abs(reading.ahead).total_seconds())


def _join_names(names: Sequence[str]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else "".join(names)
