"""open-waves: which waves of a plan may begin."""

from datetime import datetime

from shared.domain.migration import Gate
from shared.domain.plan import Plan
from shared.domain.profile import Profile


def open_at_once(plan: Plan, profile: Profile, now: datetime) -> tuple[Gate, ...]:
    """The gates of a plan that begins: the first wave is open where it has no date and nothing is to be confirmed."""
    first = plan.waves[0] if plan.waves else None
    if first is None or first.starts_at is not None or profile.plan.checklist:
        return ()
    return (Gate(first.number, opened_at=now),)
