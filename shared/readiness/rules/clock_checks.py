"""Whether everybody agrees what time it is: tokens, leases and slots rest on it."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from shared.ports.doctor_facts import ClockReading
from shared.readiness.rules.report import Area, Check, Code, missing, not_checked, ok

TOLERANCE: Final = timedelta(seconds=30)
"""GOV.UK Notify refuses tokens that are further off."""
_OURS: Final = (
    "Set this machine's clock by a time server (NTP). On Azure the platform does that: restart the app, and open a "
    "support request if it stays."
)


def check_clock(readings: Sequence[ClockReading], *, refused: bool) -> Check:
    """Our clock against those of the services. `refused`: the message service says that ours is wrong."""
    off = [reading for reading in readings if abs(reading.ahead) >= TOLERANCE]
    if not off and refused:
        found = "the message service refuses our tokens because of their time, though nobody shows another time"
        return missing(Area.CLOCK, "clock", Code.CLOCK_OFF, found, _OURS)
    if not readings:
        return not_checked(Area.CLOCK, "clock", "no service told its time")
    if not off:
        return ok(Area.CLOCK, "clock", f"within {TOLERANCE.seconds} s of {_listed([r.service for r in readings])}")
    if _ours(off, readings):
        behind = "behind" if off[0].ahead > timedelta(0) else "ahead of"
        found = f"ours is {_seconds(off[0])} s {behind} {_listed([r.service for r in off])}"
        return missing(Area.CLOCK, "clock", Code.CLOCK_OFF, found, _OURS)
    agreed = [reading.service for reading in readings if reading not in off]
    mend = (
        f"Ours agrees with {_listed(agreed)}: whoever runs {_listed([r.service for r in off])} mends it."
        if agreed
        else _OURS
    )
    return missing(Area.CLOCK, "clock", Code.CLOCK_OFF, "; ".join(map(_differs, off)), mend)


def _ours(off: Sequence[ClockReading], readings: Sequence[ClockReading]) -> bool:
    """Whether all the others agree with one another."""
    spread = max(r.ahead for r in off) - min(r.ahead for r in off)
    return len(off) == len(readings) > 1 and spread < TOLERANCE


def _differs(reading: ClockReading) -> str:
    word = "ahead of" if reading.ahead > timedelta(0) else "behind"
    return f"the clock of {reading.service} is {_seconds(reading)} s {word} ours"


def _seconds(reading: ClockReading) -> int:
    return round(abs(reading.ahead).total_seconds())


def _listed(names: Sequence[str]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else "".join(names)
