"""Nobody gets more than it asks, nobody less than its part, and nothing is left while somebody wants it."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from shared.model.account import AccountId, MigrationId
from shared.model.pacing.held_slots import Ahead, Held
from shared.scheduling.rules.fair_share import allot_shares, compute_even_shares, interleave_lines, pick_evenly
from tests.support.world import SOUTH_NORFOLK

MIGRATION = MigrationId("2026-03-02-portal-aaaa")
AT = datetime(2026, 3, 2, 9, tzinfo=UTC)
HELD = [Held(AT + timedelta(seconds=number), SOUTH_NORFOLK, AccountId(str(number))) for number in (1, 2, 3)]
demands = st.lists(st.integers(0, 200), max_size=8)


@given(st.integers(0, 500), demands, st.integers(0, 20))
def test_all_of_the_room_is_given_and_to_nobody_more_than_it_asks(room: int, asked: list[int], first: int) -> None:
    given_ = allot_shares(room, asked, first)
    assert sum(given_) == min(room, sum(asked))
    assert all(0 <= got <= wanted for got, wanted in zip(given_, asked, strict=True))


@given(st.integers(0, 500), demands, st.integers(0, 20))
def test_who_gets_less_than_it_asks_has_as_much_as_anybody(room: int, asked: list[int], first: int) -> None:
    given_ = allot_shares(room, asked, first)
    short = [got for got, wanted in zip(given_, asked, strict=True) if got < wanted]
    assert all(got >= max(given_) - 1 for got in short)


@given(st.lists(st.integers(1, 50), min_size=2, max_size=6))
def test_what_cannot_be_divided_goes_round(asked: list[int]) -> None:
    winners = [allot_shares(1, asked, first).index(1) for first in range(len(asked))]
    assert winners == list(range(len(asked)))


@given(st.integers(0, 100), demands, st.integers(0, 20))
def test_the_first_of_those_in_turns_are_a_fair_share(room: int, asked: list[int], first: int) -> None:
    lines = [[(line, place) for place in range(wanted)] for line, wanted in enumerate(asked)]
    order = interleave_lines(lines, first)
    assert sorted(order) == sorted(each for line in lines for each in line)
    front = [line for line, _ in order[:room]]
    assert [front.count(line) for line in range(len(asked))] == allot_shares(room, asked, first)


def test_two_councils_have_half_each_and_a_small_one_all_it_needs() -> None:
    assert allot_shares(100, [1000, 1000]) == [50, 50]
    assert allot_shares(100, [1000, 3]) == [97, 3]
    assert "".join(interleave_lines(["aaaaa", "bb"])) == "ababaaa"


def test_who_comes_later_gets_half_and_nobody_more_than_it_wants() -> None:
    assert compute_even_shares([600, 0], [0, 1000]) == [300, 300]
    assert compute_even_shares([600, 0], [0, 1]) == [599, 1]
    assert compute_even_shares([300, 300], [500, 500]) == [300, 300]
    assert compute_even_shares([600, 0, 0], [9, 1000, 1000]) == [200, 200, 200]


@given(st.lists(st.integers(), max_size=60), st.data())
def test_a_part_of_a_line_is_taken_at_even_distances(line: list[int], data: st.DataObject) -> None:
    count = data.draw(st.integers(0, len(line)))
    places = pick_evenly(range(len(line)), count)
    assert len(places) == len(set(places)) == count
    gaps = [after - before for before, after in pairwise(places)]
    assert not gaps or max(gaps) - min(gaps) <= 1


def test_what_an_earlier_epoch_held_is_void() -> None:
    ahead = Ahead()
    ahead.note(MIGRATION, 0, HELD[0])
    assert ahead.after(MIGRATION, 1, AT) == []
    ahead.note(MIGRATION, 1, HELD[1])
    ahead.note(MIGRATION, 0, HELD[2])
    assert (ahead.after(MIGRATION, 0, AT), ahead.after(MIGRATION, 1, AT)) == ([], [HELD[1]])


def test_what_is_given_up_or_past_is_forgotten() -> None:
    ahead = Ahead()
    for each in reversed(HELD):
        ahead.note(MIGRATION, 0, each)
    assert ahead.after(MIGRATION, 0, AT) == HELD
    ahead.forget(MIGRATION, 0, HELD[2:])
    assert ahead.after(MIGRATION, 0, HELD[0].at) == [HELD[1]]
    assert ahead.after(MIGRATION, 0, AT) == [HELD[1]]
