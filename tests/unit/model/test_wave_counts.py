"""What is counted of each wave, and how a day is written to customers."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from shared.adapters.storage.entities import summary_record, summary_values
from shared.model.account import Account, AccountId, AddressKey, Authority, MigrationId
from shared.model.calendar import format_day
from shared.model.counts.summary import ShardSummary, add_up_shards
from shared.model.counts.wave_counts import add_up_waves, count_accounts, is_wave_at_rest, list_wave_words
from shared.model.lifecycle import Outcome, State

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)


def _account(state: State, reason: str = "", owner: str = "", decide_by: str = "") -> Account:
    return Account(
        AccountId("a" + "0" * 40),
        Authority("south-norfolk"),
        MigrationId("m"),
        1,
        state,
        NOW,
        "",
        AddressKey(""),
        NOW,
        reason=reason,
        owner=owner,
        decide_by=decide_by,
    )


@pytest.mark.parametrize(
    ("account", "words"),
    [
        (_account(State.TOLD), ["told"]),
        (_account(State.REVIEW), ["review", "unowned"]),
        (_account(State.REVIEW, owner="desk"), ["review", "unowned"]),
        (_account(State.REVIEW, owner="desk", decide_by="2026-03-06"), ["review"]),
        (_account(State.HELD, "address_undelivered"), ["held", "undelivered"]),
        (_account(State.HELD, "address_refused"), ["held", "undelivered"]),
        (_account(State.HELD, "message_in_doubt"), ["held", "undelivered"]),
        (_account(State.HELD, "excluded_deceased"), ["held"]),
        (_account(State.CLASSIFIED, "message_in_doubt"), ["classified"]),
    ],
)
def test_what_an_account_counts_as(account: Account, words: list[str]) -> None:
    assert list_wave_words(account, NOW, due=False, undelivered=False) == words


def test_whoever_is_in_review_since_the_assessment_is_told_from_whoever_left_the_wave() -> None:
    case = _account(State.REVIEW, "names_differ", owner="desk", decide_by="2026-03-06")
    assert list_wave_words(replace(case, outcome=Outcome.REVIEW), NOW, due=False, undelivered=False) == [
        "review",
        "known",
    ]
    assert list_wave_words(replace(case, outcome=Outcome.CREATE), NOW, due=False, undelivered=False) == ["review"]


def test_what_is_due_or_came_back_counts_beside_its_state() -> None:
    assert list_wave_words(_account(State.TOLD), NOW, due=True, undelivered=True) == ["told", "due", "undelivered"]


def test_who_was_told_a_moment_ago_may_still_turn_out_not_to_be_reached() -> None:
    told = replace(_account(State.TOLD), notified_at=NOW)
    assert list_wave_words(told, NOW + timedelta(seconds=59), due=False, undelivered=False) == ["told", "just told"]
    assert list_wave_words(told, NOW + timedelta(seconds=60), due=False, undelivered=False) == ["told"]


def test_shards_are_added_wave_by_wave() -> None:
    sums = add_up_waves([{1: {"told": 2, "due": 1}, 2: {"staged": 1}}, {1: {"told": 1, "failed": 1}}])
    assert sums == {1: {"told": 3, "due": 1, "failed": 1}, 2: {"staged": 1}}
    assert count_accounts(sums[1]) == 4
    assert not is_wave_at_rest(sums[1])
    assert is_wave_at_rest({"told": 3, "review": 1, "unowned": 1, "provisioned": 2})


def test_a_summary_keeps_its_waves_and_one_of_before_has_none() -> None:
    summary = ShardSummary("0", NOW, counted=True, waves={2: {"told": 3}}, told_at=NOW)
    assert summary_record(summary_values(summary)) == summary
    assert add_up_shards([summary]).waves == {2: {"told": 3}}
    old = {key: value for key, value in summary_values(summary).items() if key not in {"waves", "told_at"}}
    assert (summary_record(old).waves, summary_record(old).told_at) == ({}, None)


def test_of_a_summary_of_before_everything_that_is_due_is_forecast() -> None:
    summary = ShardSummary("0", NOW, counted=True, due=5, soon=2)
    assert (summary_record(summary_values(summary)).soon, add_up_shards([summary, summary]).soon) == (2, 4)
    assert summary_record({key: value for key, value in summary_values(summary).items() if key != "soon"}).soon == 5


@pytest.mark.parametrize(
    ("at", "day"),
    [
        (datetime(2026, 12, 1, 10, tzinfo=UTC), "Tuesday 1 December 2026"),
        (datetime(2026, 6, 30, 23, 30, tzinfo=UTC), "Wednesday 1 July 2026"),
        (datetime(2026, 3, 2, tzinfo=UTC) + timedelta(days=14), "Monday 16 March 2026"),
    ],
)
def test_a_day_is_written_as_people_in_england_write_it(at: datetime, day: str) -> None:
    assert format_day(at) == day
