"""Whose turn it is: shards are visited as often as a visit is cheap. Pure.

Visits may take about a tenth of one core, however many accounts there are. Shards in which something is due share that
tenth among them, so that the last ones before a migration comes to rest are looked at most often.
"""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from shared.model.account import SHARDS, MigrationId
from shared.model.counts.summary import ShardSummary
from shared.model.migration import Migration, Phase

LONGEST: Final = timedelta(minutes=10)
"""So often every shard is visited at least, also of what is done: other exports may have changed what it tells."""
PART: Final = 10
"""One part of so many is what visits may take of the time."""
NONE: Final[Mapping[MigrationId, AbstractSet[str]]] = {}
NEVER: Final = datetime(2000, 1, 1, tzinfo=UTC)

type Known = tuple[Migration, Mapping[str, ShardSummary]]
"""A migration, and what the last visits of its shards learned."""


@dataclass(frozen=True, slots=True)
class Turn:
    """A shard to be visited now, and the migrations to be counted in it."""

    shard: str
    of: frozenset[MigrationId]
    last: datetime
    """Since when it has not been visited."""


def list_turns(
    known: Sequence[Known], now: datetime, finished: Mapping[MigrationId, AbstractSet[str]] = NONE
) -> list[Turn]:
    """The shards whose turn it is, the longest neglected first.

    `finished` has the shards of migrations that have come to rest since they were counted. It is their turn now.
    """
    moving = [each for each in known if each[0].open or _is_just_cancelled(each[0], now)]
    found: list[Turn] = []
    for shard in SHARDS:
        of = {each[0].id for each in known if not each[0].open and _get_last_sweep(each, shard) + LONGEST <= now}
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
    """Whether steps that were at work may still come to their end, and what is left is still to be told."""
    moved = migration.moved_at
    return migration.phase is Phase.CANCELLED and moved is not None and now < moved + LONGEST


def is_stale(migration: Migration, summary: ShardSummary) -> bool:
    """Whether the migration has moved on, or was reopened, since the visit."""
    return migration.moved_at is not None and summary.visited_at < migration.moved_at


def _get_last_sweep(known: Known, shard: str) -> datetime:
    migration, summaries = known
    summary = summaries.get(shard)
    return NEVER if summary is None or is_stale(migration, summary) else summary.visited_at


def _compute_wait(moving: Sequence[Known], shard: str) -> timedelta:
    took = {each: _get_duration(moving, each) for each in SHARDS}
    busy = {each for each in SHARDS if any(s[each].due for _, s in moving if each in s)}
    share = sum(took[each] for each in SHARDS if shard not in busy or each in busy)
    return min(PART * timedelta(milliseconds=share), LONGEST)


def _get_duration(moving: Sequence[Known], shard: str) -> int:
    return max((summaries[shard].took_ms for _, summaries in moving if shard in summaries), default=0)
