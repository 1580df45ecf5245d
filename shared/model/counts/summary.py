"""What one visit of the walk learned of one shard of one migration, and the sum over all shards. Pure.

Totals are counted from rows and accounts at every visit; nothing is ever incremented.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from shared.model.account import SHARDS
from shared.model.counts.wave_counts import WaveTally, add_up_waves
from shared.model.lifecycle import MOVING, Outcome, RowState, State

type Tally = Mapping[tuple[str, str, str], int]
"""(outcome, state, reason) -> rows; an outcome that is not known yet is the empty word."""


@dataclass(frozen=True, slots=True)
class ShardSummary:
    """One shard of one migration at one moment."""

    shard: str
    visited_at: datetime
    counted: bool = False
    """Whether `settled` was counted after the last row was staged."""
    settled: Tally = field(default_factory=dict)
    """Rows whose outcome the row itself settled."""
    accounts: Tally = field(default_factory=dict)
    due: int = 0
    """Accounts for which something is due now or at a moment to come."""
    oldest: datetime | None = None
    """Since when the longest waiting of them has been due."""
    fingerprint: str = ""
    """Changes when any line of result.csv of this shard changes."""
    plan: str = ""
    """Fingerprint of what is to be done to whom."""
    took_ms: int = 0
    """How long it took to count."""
    waves: Mapping[int, WaveTally] = field(default_factory=dict)
    """By number of the wave; empty where the plan has one only."""
    told_at: datetime | None = None
    """When the newest message to one of its customers was taken."""
    soon: int = 0
    """Accounts for which something is due now or within the horizon of the pace: what is under way."""


@dataclass(frozen=True, slots=True)
class Totals:
    """A whole migration, from the summaries of its shards."""

    complete: bool
    """Whether every shard has been visited."""
    settled: Tally
    accounts: Tally
    due: int
    oldest: datetime | None
    shards: Mapping[str, str]
    """Fingerprint of each shard."""
    plan: str
    waves: Mapping[int, WaveTally] = field(default_factory=dict)
    soon: int = 0

    @property
    def fingerprint(self) -> str:
        """Changes when any line of result.csv changes."""
        return "".join(self.shards.values())

    @property
    def rows(self) -> int:
        """Rows that are accounted for."""
        return sum(self.settled.values()) + sum(self.accounts.values())

    @property
    def lines(self) -> Tally:
        """Rows and accounts together."""
        return Counter(self.settled) + Counter(self.accounts)

    def outcomes(self) -> dict[Outcome, int]:
        """Rows by outcome."""
        counts = dict.fromkeys(Outcome, 0)
        for (outcome, _, _), number in self.lines.items():
            if outcome:
                counts[Outcome(outcome)] += number
        return counts

    def states(self) -> dict[str, int]:
        """Rows by state, those that occur."""
        counts: Counter[str] = Counter()
        for (_, state, _), number in self.lines.items():
            counts[state] += number
        return {state: counts[state] for state in (*State, *RowState) if counts[state]}

    def reasons(self) -> dict[str, int]:
        """Rows by reason code, most frequent first."""
        counts: Counter[str] = Counter()
        for (_, _, reason), number in self.lines.items():
            if reason:
                counts[reason] += number
        return dict(counts.most_common())

    def failures(self) -> dict[str, int]:
        """Stuck accounts by cause."""
        return {reason: n for (_, state, reason), n in sorted(self.accounts.items()) if state == State.FAILED}

    def in_state(self, *states: State) -> int:
        """Accounts in one of these states."""
        return sum(number for (_, state, _), number in self.accounts.items() if state in states)

    @property
    def resting(self) -> bool:
        """Whether every account has come to rest for now."""
        return self.complete and not self.due and not self.in_state(*MOVING)


def add_up_shards(summaries: Iterable[ShardSummary]) -> Totals:
    """Add up the shards."""
    known = sorted(summaries, key=lambda summary: summary.shard)
    settled: Counter[tuple[str, str, str]] = Counter()
    accounts: Counter[tuple[str, str, str]] = Counter()
    for summary in known:
        settled.update(summary.settled)
        accounts.update(summary.accounts)
    return Totals(
        complete=len(known) == len(SHARDS) and all(summary.counted for summary in known),
        settled=settled,
        accounts=accounts,
        due=sum(summary.due for summary in known),
        oldest=min((summary.oldest for summary in known if summary.oldest), default=None),
        shards={summary.shard: summary.fingerprint for summary in known},
        plan="".join(summary.plan for summary in known),
        waves=add_up_waves(summary.waves for summary in known),
        soon=sum(summary.soon for summary in known),
    )
