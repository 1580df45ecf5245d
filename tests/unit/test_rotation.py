"""Eight runs of the push lane take every crash point, and each takes the ends of every kind."""

import pytest

from tests.support.rotation import EIGHTHS, SETTING, take_points

EFFECTS = [
    "outbox.send",
    *["tables.write Accounts 3"] * 20,
    "outbox.send",
    "directory.create",
    *["tables.write Rows 1"] * 9,
]


def _taken(monkeypatch: pytest.MonkeyPatch, eighth: str) -> set[int]:
    monkeypatch.setenv(SETTING, eighth)
    return set(take_points(range(1, len(EFFECTS) + 1), EFFECTS))


def test_eight_runs_together_take_every_point(monkeypatch: pytest.MonkeyPatch) -> None:
    taken = [_taken(monkeypatch, str(eighth)) for eighth in range(EIGHTHS)]
    assert set.union(*taken) == set(range(1, len(EFFECTS) + 1))
    assert all(len(each) < len(EFFECTS) / 2 for each in taken)


def test_every_run_takes_the_first_and_the_last_effect_of_each_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    for eighth in range(EIGHTHS):
        assert {1, 22, 2, 21, 23, 24, 32} <= _taken(monkeypatch, str(eighth))


def test_the_deep_lane_takes_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _taken(monkeypatch, "all") == set(range(1, len(EFFECTS) + 1))
