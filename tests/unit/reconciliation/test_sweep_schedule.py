"""Whose turn it is: as often as a visit is cheap, and every ten minutes at least."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from shared.model.account import SHARDS, MigrationId
from shared.model.counts.summary import ShardSummary
from shared.model.migration import Migration, Phase
from shared.reconciliation.rules.sweep_schedule import MAX_SWEEP_INTERVAL, Known, is_stale, list_turns
from tests.contract.records import ODD_MIGRATION

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
RUNNING = replace(ODD_MIGRATION, phase=Phase.RUNNING, moved_at=None)
DONE = replace(ODD_MIGRATION, id=MigrationId("done"), phase=Phase.DONE, moved_at=None)
SECOND = timedelta(seconds=1)


def visited(migration: Migration, ago: timedelta, took: timedelta, busy: str = SHARDS) -> Known:
    """A migration whose shards were all visited so long ago; in the busy ones something is due."""
    ms = took // timedelta(milliseconds=1)
    return migration, {
        shard: ShardSummary(shard, NOW - ago, counted=True, due=int(shard in busy), took_ms=ms) for shard in SHARDS
    }


def shards(*known: Known) -> str:
    """Whose turn it is."""
    return "".join(turn.shard for turn in list_turns(known, NOW))


def test_what_was_never_visited_is_visited() -> None:
    assert shards((RUNNING, {})) == SHARDS


def test_what_costs_nothing_is_visited_at_every_round() -> None:
    assert shards(visited(RUNNING, timedelta(0), timedelta(0))) == SHARDS


@pytest.mark.parametrize(("ago", "found"), [(159, ""), (160, SHARDS)])
def test_visits_of_all_shards_take_a_tenth_of_the_time(ago: int, found: str) -> None:
    assert shards(visited(RUNNING, ago * SECOND, SECOND)) == found


@pytest.mark.parametrize(("ago", "found"), [(19, ""), (20, "3a"), (159, "3a"), (160, SHARDS)])
def test_the_last_shards_in_which_something_is_due_are_visited_the_most_often(ago: int, found: str) -> None:
    assert shards(visited(RUNNING, ago * SECOND, SECOND, busy="3a")) == found


def test_everything_is_visited_every_ten_minutes_whatever_it_costs() -> None:
    assert shards(visited(RUNNING, MAX_SWEEP_INTERVAL - SECOND, 60 * SECOND)) == ""
    assert shards(visited(RUNNING, MAX_SWEEP_INTERVAL, 60 * SECOND)) == SHARDS


def test_what_is_done_is_visited_every_ten_minutes_though_it_costs_nothing() -> None:
    assert shards(visited(DONE, MAX_SWEEP_INTERVAL - SECOND, timedelta(0))) == ""
    assert shards(visited(DONE, MAX_SWEEP_INTERVAL, timedelta(0))) == SHARDS


def test_who_visits_for_one_counts_whatever_else_is_open() -> None:
    found = list_turns([visited(RUNNING, SECOND, SECOND), visited(DONE, MAX_SWEEP_INTERVAL, SECOND)], NOW)
    assert {turn.of for turn in found} == {frozenset({RUNNING.id, DONE.id})}


def test_the_longest_neglected_comes_first() -> None:
    migration, summaries = visited(RUNNING, timedelta(0), timedelta(0))
    earlier = {"7": 3 * SECOND, "2": 2 * SECOND, "c": SECOND}
    late = {shard: replace(summaries[shard], swept_at=NOW - by) for shard, by in earlier.items()}
    assert shards((migration, {key: each for key, each in {**summaries, **late}.items() if key != "f"})).startswith(
        "f72c0"
    )


def test_counts_older_than_the_last_step_of_a_migration_count_no_more() -> None:
    moved = replace(RUNNING, moved_at=NOW)
    before, after = visited(moved, SECOND, SECOND), visited(moved, timedelta(0), SECOND)
    assert (shards(before), shards(after)) == (SHARDS, "")
    assert [is_stale(moved, summaries["0"]) for _, summaries in (before, after)] == [True, False]
