"""How much one application may ask: Graph's two buckets, and what a throttled answer says.

Each request fills both buckets, and both drain evenly. A request that does not fit is refused. By a switch it still
counts, up to 1.8, which the documentation gives as the highest share.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from local.standins.graph.rules import Rules

UNITS_WINDOW: Final = 10.0
HIGHEST_SHARE: Final = 1.8
SHOWN_ABOVE: Final = 0.8
SMALL, MEDIUM = 50, 500
TENANT_LIMITS: Final = (3500, 5000, 8000)


@dataclass(frozen=True, slots=True)
class Cost:
    """What one request takes from the buckets."""

    units: int
    writes: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """The decision about a request. ``information`` names the full bucket, and ``wait`` is in whole seconds."""

    share: float
    information: str = ""
    wait: int = 0

    @property
    def refused(self) -> bool:
        """Return True if the answer is 429."""
        return bool(self.information)

    def headers(self) -> dict[str, str]:
        """``x-ms-throttle-limit-percentage``, from four fifths of the limit on."""
        shown = min(self.share, HIGHEST_SHARE)
        return {"x-ms-throttle-limit-percentage": f"{shown:.2f}"} if self.share > SHOWN_ABOVE else {}


@dataclass(slots=True)
class Bucket:
    """A limit over a window, draining evenly. Every call passes limit and window, because switches may change them."""

    used: float = 0.0
    at: float = 0.0

    def wait(self, cost: int, now: float, limit: int, window: float) -> float:
        """Drain up to ``now``; then the seconds until ``compute_cost`` fits, 0 if it fits already."""
        self.used = max(0.0, self.used - max(0.0, now - self.at) * limit / window)
        self.at = now
        return max(0.0, (self.used + cost - limit) * window / limit)

    def add(self, cost: int, limit: int) -> None:
        """Count a request."""
        self.used = min(self.used + cost, HIGHEST_SHARE * limit)


@dataclass(frozen=True, slots=True)
class Claim:
    """What one request takes from one bucket."""

    name: str
    bucket: Bucket
    cost: int
    limit: int
    window: float

    def wait(self, now: float) -> float:
        """Seconds until it fits."""
        return self.bucket.wait(self.cost, now, self.limit, self.window)


@dataclass(slots=True)
class Quota:
    """Both buckets of the one application that this directory knows."""

    writes: Bucket = field(default_factory=Bucket)
    units: Bucket = field(default_factory=Bucket)

    def take(self, cost: Cost, rules: Rules, users: int, now: float) -> Verdict:
        """Count a request and say whether it may pass."""
        claims = [
            Claim("WriteLimitExceeded", self.writes, cost.writes, rules.write_limit, rules.write_window_seconds),
            Claim("ResourceUnitLimitExceeded", self.units, cost.units, units_limit(rules, users), UNITS_WINDOW),
        ]
        claims = [claim for claim in claims if claim.limit > 0 and claim.cost > 0]
        waits = {claim.name: claim.wait(now) for claim in claims}
        longest = max(waits, key=waits.__getitem__, default="")
        refused = bool(longest) and waits[longest] > 0
        if not refused or rules.refused_requests_count:
            for claim in claims:
                claim.bucket.add(claim.cost, claim.limit)
        share = max((claim.bucket.used / claim.limit for claim in claims), default=0.0)
        return Verdict(share, longest, math.ceil(waits[longest])) if refused else Verdict(share)


def units_limit(rules: Rules, users: int) -> int:
    """Resource units in ten seconds: the switch, or what the tenant's size gives."""
    if rules.units_limit:
        return rules.units_limit
    small, medium, large = TENANT_LIMITS
    if users < SMALL:
        return small
    return medium if users <= MEDIUM else large


def compute_cost(method: str, segments: tuple[str, ...], query: Mapping[str, str]) -> Cost:
    """Resource units and writes of a request, by the documented table for a B2C tenant."""
    if method == "GET":
        listed = 2 if len(segments) == 1 or segments[-1].endswith("graph.user") else 1
        return Cost(max(1, listed - ("$select" in query) - _is_few(query)), 0)
    if segments == ("directoryObjects", "getAvailableExtensionProperties"):
        return Cost(1, 0)
    return Cost(5 if method == "POST" and segments == ("users",) else 1, 1)


def _is_few(query: Mapping[str, str]) -> int:
    top = query.get("$top", "")
    return 1 if top.isdigit() and int(top) < 20 else 0  # noqa: PLR2004 - the documented number
