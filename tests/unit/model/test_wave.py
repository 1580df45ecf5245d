"""Whose wave is which: from the id and the band alone."""

from datetime import UTC, datetime
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.model.account import AccountId, Cohort
from shared.model.wave import POSITIONS, Census, Slice, Wave, compute_position, find_wave

SOON = datetime(2026, 12, 1, 10, tzinfo=UTC)
IDS = st.integers(0, POSITIONS - 1).map(lambda number: AccountId(f"a7{number:08x}{'0' * 31}"))
SLICES = st.one_of(st.integers(1, 400).map(Slice.read), st.floats(0.5, 100).map(lambda share: Slice.read(f"{share}%")))


def waves(census: Census, slices: list[Slice]) -> list[Wave]:
    return [
        Wave(number, f"wave {number}", Cohort.NONE, lower, upper, SOON, count)
        for number, (lower, upper, count) in enumerate(census.bounds(slices), 1)
    ]


@given(st.lists(IDS, unique=True, max_size=300), st.lists(SLICES, min_size=1, max_size=6))
def test_every_account_is_in_exactly_one_slice_and_the_counts_are_true(
    ids: list[AccountId], slices: list[Slice]
) -> None:
    census = Census()
    for each in ids:
        census.add(each, Cohort.NONE)
    made = waves(census, slices)
    assert made[0].lower == 0
    assert made[-1].upper == POSITIONS
    assert all(before.upper == after.lower for before, after in pairwise(made))
    found = [find_wave(each, Cohort.NONE, made) for each in ids]
    assert [sum(wave == each for each in found) for wave in made] == [wave.accounts for wave in made]
    assert None not in found


@given(st.lists(IDS, unique=True, min_size=120, max_size=300))
def test_slices_are_as_large_as_was_asked(ids: list[AccountId]) -> None:
    census = Census()
    for each in ids:
        census.add(each, Cohort.NONE)
    counts = [wave.accounts for wave in waves(census, [Slice.read(50), Slice.read("10%"), Slice.read("rest")])]
    assert counts == [50, -(-len(ids) // 10), len(ids) - 50 + (-len(ids) // 10)]


def test_a_band_goes_in_its_own_wave_or_by_position_where_it_has_none() -> None:
    account = AccountId("a0ffffffff" + "0" * 31)
    everybody = Wave(1, "everybody", Cohort.NONE, 0, POSITIONS, SOON, 1)
    dormant = Wave(2, "dormant", Cohort.DORMANT, 0, 0, SOON, 1)
    assert find_wave(account, Cohort.DORMANT, [everybody, dormant]) == dormant
    assert find_wave(account, Cohort.PILOT, [everybody, dormant]) == everybody
    assert find_wave(account, Cohort.NONE, [dormant]) is None


def test_a_range_of_row_keys_holds_exactly_its_positions() -> None:
    wave = Wave(1, "pilot", Cohort.NONE, 0x10, 0x0FFFFFFF, SOON, 1)
    assert wave.keys == ("00000010", "0fffffff")
    last = Wave(2, "rest", Cohort.NONE, 0x10, POSITIONS, SOON, 1)
    assert last.keys == ("00000010", "g")
    assert Wave(1, "everybody", Cohort.NONE, 0, POSITIONS, SOON, 1).keys is None
    assert compute_position(AccountId("a3" + "00000010" + "f" * 31)) == 0x10


@pytest.mark.parametrize("wrong", [0, -3, "5", "0%", "101%", "most", "", True, "%"])
def test_what_is_no_slice_is_refused_with_what_it_should_be(wrong: int | str) -> None:
    with pytest.raises(ValueError, match="number of accounts"):
        Slice.read(wrong)


def test_a_million_accounts_are_counted_in_four_megabytes() -> None:
    census = Census()
    for number in range(0, POSITIONS, POSITIONS // 1000):
        census.add(AccountId(f"a0{number:08x}{'0' * 31}"), Cohort.NONE)
    assert census._positions.itemsize == 4  # noqa: SLF001 - the promise is about its memory
