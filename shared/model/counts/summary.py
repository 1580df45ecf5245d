"""What one sweep counted in one shard of one migration, and the sum over all shards. Pure.

Every sweep counts rows and accounts again. No counter is ever incremented.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from shared.model.account import SHARDS
from shared.model.counts.wave_counts import WaveTally, add_up_waves
from shared.model.lifecycle import MOVING, Outcome, RowState, State

type Tally = Mapping[tuple[str, str, str], int]
"""Number of rows for each (outcome, state, reason). An unknown outcome is an empty text."""


@dataclass(frozen=True, slots=True)
class ShardSummary:
    """The counts of one shard of one migration at one time."""

    shard: str
    swept_at: datetime
    counted: bool = False
    """True if `settled` was counted after the last row was staged."""
    settled: Tally = field(default_factory=dict)
    """Rows that decide their outcome by themselves, without an account."""
    accounts: Tally = field(default_factory=dict)
    due: int = 0
    """Accounts with something to do, now or later."""
    oldest: datetime | None = None
    """The due time of the account that waits longest."""
    fingerprint: str = ""
    """Changes when any line of result.csv of this shard changes."""
    plan: str = ""
    """Fingerprint of what the plan does to each account."""
    took_ms: int = 0
    """How long the count took, in milliseconds."""
    waves: Mapping[int, WaveTally] = field(default_factory=dict)
    """Counts for each wave number. Empty if the plan has only one wave."""
    told_at: datetime | None = None
    """When the message service accepted the newest message to one of these customers."""
    soon: int = 0
    """Accounts for which something is due now or within the horizon of the pace: what is under way."""


@dataclass(frozen=True, slots=True)
class Totals:
    """The counts of a whole migration, added up from the summaries of its shards."""

    complete: bool
    """True if every shard was counted."""
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
        """Return the number of accounts in these states."""
        return sum(number for (_, state, _), number in self.accounts.items() if state in states)

    @property
    def resting(self) -> bool:
        """True if no account of the migration has anything to do for now."""
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
