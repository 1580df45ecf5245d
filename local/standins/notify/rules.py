"""What may be changed while the stand-in runs: states of services, limits, delays, failing domains."""

from typing import Self

from pydantic import BaseModel, ConfigDict, Field

from local.standins.notify.recipients import SIMULATED_FATES, Fate


class Rules(BaseModel):
    """How this Notify behaves. `suspended` and `trial_mode`: true for all services, or a list of slugs."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    suspended: bool | tuple[str, ...] = False
    trial_mode: bool | tuple[str, ...] = False
    team_members: tuple[str, ...] = ("team.member@example.org", "guest@example.org")
    rate_limit: int = Field(default=3000, ge=1)
    daily_limit: int = Field(default=250_000, ge=0)
    trial_daily_limit: int = Field(default=50, ge=0)
    latency_ms: int = Field(default=0, ge=0)
    sending_after_ms: int = Field(default=300, ge=0)
    completed_after_ms: int = Field(default=1000, ge=0)
    retention_days: int = Field(default=7, ge=3, le=90)
    clock_ahead_seconds: float = 0
    permanent_failure_domains: tuple[str, ...] = ()
    temporary_failure_domains: tuple[str, ...] = ()

    def changed(self, changes: dict[str, object]) -> Self:
        """These rules with some changed. Raises pydantic's error for a name or value that does not fit."""
        return self.model_validate({**self.model_dump(), **changes})

    def is_suspended(self, slug: str) -> bool:
        """Return True if the keys of this service are refused."""
        return _does_apply(self.suspended, slug)

    def in_trial(self, slug: str) -> bool:
        """Return True if this service may only reach its own team."""
        return _does_apply(self.trial_mode, slug)

    def sends_a_day(self, slug: str) -> int:
        """Return how many messages this service may send before midnight UTC."""
        return self.trial_daily_limit if self.in_trial(slug) else self.daily_limit

    def fate_of(self, address: str) -> Fate:
        """Return what the mail provider will say about a message to this address."""
        lowered = address.lower()
        domain = lowered.rpartition("@")[2]
        if domain in self.permanent_failure_domains:
            return Fate.PERMANENT_FAILURE
        if domain in self.temporary_failure_domains:
            return Fate.TEMPORARY_FAILURE
        return SIMULATED_FATES.get(lowered, Fate.DELIVERED)


def _does_apply(rule: bool | tuple[str, ...], slug: str) -> bool:  # noqa: FBT001 - a rule is all or a list
    return rule if isinstance(rule, bool) else slug in rule
