"""The assessment: the complete picture before anything changes. Counts only; it names nobody. Pure."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from shared.domain.lifecycle import Outcome
from shared.domain.migration import Migration
from shared.domain.pace import Quota
from shared.domain.profile import Profile
from shared.domain.reasons import explain
from shared.domain.summary import Totals

MESSAGES_PER_MINUTE: Final = 3000
"""GOV.UK Notify's rate limit."""
OVERHEAD_MINUTES: Final = 0.5
"""The feeder's horizon and the walk's round: what a small migration takes whatever its size."""


@dataclass(frozen=True, slots=True)
class Assessment:
    """What will happen to how many."""

    migration: str
    authority: str
    council: str
    file: str
    assessed_at: datetime
    rows: int
    outcomes: dict[Outcome, int]
    reasons: dict[str, int]
    directory_only: int
    directory_users: int
    predicted_minutes: float
    plan_hash: str

    def to_json(self) -> dict[str, object]:
        """The content of assessment.json."""
        return {
            "migration": self.migration,
            "authority": self.authority,
            "council": self.council,
            "file": self.file,
            "assessed_at": self.assessed_at.isoformat(),
            "rows": self.rows,
            **{outcome.value: count for outcome, count in self.outcomes.items()},
            "directory_only": self.directory_only,
            "directory_users": self.directory_users,
            "reasons": self.reasons,
            "sentences": {code: explain(code).sentence for code in self.reasons},
            "predicted_minutes": self.predicted_minutes,
            "plan_hash": self.plan_hash,
        }


def predicted_minutes(writes: int, messages: int, quota: Quota) -> float:
    """How long creating, linking and telling takes: the window's burst is free, then the steady rate."""
    beyond = max(writes - quota.limit * quota.share, 0)
    writing = (quota.interval * beyond).total_seconds() / 60
    return round(max(writing, messages / MESSAGES_PER_MINUTE) + OVERHEAD_MINUTES, 1)


def assessment(
    migration: Migration,
    profile: Profile,
    totals: Totals,
    directory: tuple[int, int],
    plan_hash: str,
    quota: Quota,
    at: datetime,
) -> Assessment:
    """Put the picture together; `directory` is users without this authority's mark, and all users."""
    outcomes = totals.outcomes()
    writes = outcomes[Outcome.CREATE] + outcomes[Outcome.LINK]
    return Assessment(
        migration=migration.id,
        authority=migration.authority,
        council=profile.name,
        file=migration.blob,
        assessed_at=at,
        rows=migration.rows,
        outcomes=outcomes,
        reasons=totals.reasons(),
        directory_only=directory[0],
        directory_users=directory[1],
        predicted_minutes=predicted_minutes(writes, writes, quota),
        plan_hash=plan_hash,
    )
