"""Which shards are swept next: the cheaper a sweep, the more often. Pure.

Sweeps may take about a tenth of one core, however many accounts there are. Shards with work to do share that tenth, so
that the last ones before a migration ends are swept most often.
"""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from shared.model.account import SHARDS, MigrationId
from shared.model.counts.summary import ShardSummary
from shared.model.migration import Migration, Phase

MAX_SWEEP_INTERVAL: Final = timedelta(minutes=10)
"""The longest time between two sweeps of a shard, also of finished migrations: other exports may have changed their
result.
"""
SWEEP_TIME_PART: Final = 10
"""Sweeps may take one part in this many of the time."""
NO_FINISHED_SHARDS: Final[Mapping[MigrationId, AbstractSet[str]]] = {}
NEVER_SWEPT: Final = datetime(2000, 1, 1, tzinfo=UTC)

type Known = tuple[Migration, Mapping[str, ShardSummary]]
"""A migration, and what the last sweeps of its shards found."""


@dataclass(frozen=True, slots=True)
class Turn:
    """A shard to sweep now, and the migrations to count in it."""

    shard: str
    of: frozenset[MigrationId]
    last: datetime
    """When it was last swept."""


def list_turns(
    known: Sequence[Known], now: datetime, finished: Mapping[MigrationId, AbstractSet[str]] = NO_FINISHED_SHARDS
) -> list[Turn]:
    """Return the shards whose turn it is, longest waiting first.

    `finished` has the shards of migrations that have ended since they were counted. It is their turn now.
    """
    moving = [each for each in known if each[0].open or _is_just_cancelled(each[0], now)]
    found: list[Turn] = []
    for shard in SHARDS:
        of = {
            each[0].id
            for each in known
            if not each[0].open and _get_last_sweep(each, shard) + MAX_SWEEP_INTERVAL <= now
        }
        wait = _compute_wait(moving, shard)
        over = any(shard in finished.get(migration.id, ()) for migration, _ in moving)
        if of or over or any(_get_last_sweep(each, shard) + wait <= now for each in moving):
            of |= {migration.id for migration, _ in moving}
        if of:
            found.append(
                Turn(shard, frozenset(of), min(_get_last_sweep(each, shard) for each in known if each[0].id in of))
            )
    return sorted(found, key=lambda turn: turn.last)


def _is_just_cancelled(migration: Migration, now: datetime) -> bool:
    """Return True if steps that were in progress may still finish, so that the last changes are counted."""
    moved = migration.moved_at
    return migration.phase is Phase.CANCELLED and moved is not None and now < moved + MAX_SWEEP_INTERVAL


def is_stale(migration: Migration, summary: ShardSummary) -> bool:
    """Return True if the migration has moved on, or was reopened, since the sweep."""
    return migration.moved_at is not None and summary.swept_at < migration.moved_at


def _get_last_sweep(known: Known, shard: str) -> datetime:
    migration, summaries = known
    summary = summaries.get(shard)
    return NEVER_SWEPT if summary is None or is_stale(migration, summary) else summary.swept_at


def _compute_wait(moving: Sequence[Known], shard: str) -> timedelta:
    took = {each: _get_duration(moving, each) for each in SHARDS}
    busy = {each for each in SHARDS if any(s[each].due for _, s in moving if each in s)}
    share = sum(took[each] for each in SHARDS if shard not in busy or each in busy)
    return min(SWEEP_TIME_PART * timedelta(milliseconds=share), MAX_SWEEP_INTERVAL)


def _get_duration(moving: Sequence[Known], shard: str) -> int:
    return max((summaries[shard].took_ms for _, summaries in moving if shard in summaries), default=0)
