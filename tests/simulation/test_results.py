"""The same sample and the same faults give the same result.csv as the commit that made the fixtures.

`python -m tests.simulation.make_results` made the files in `results/`.
"""

import csv
import io
import re

import pytest

from tests.simulation.make_results import CALM, DEMO, FAULTY, FOLDER, Case, results, truth

MADE_IN_THE_RUN = re.compile(r"\b00000000-0000-4000-8000-\d{12}\b")
"""The id of a user whom the app created: the directory in memory numbers them in the order of their creation."""
TIME = re.compile(r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
DECIDED = {"review", "reject"}
"""The outcomes for which the truth names a reason."""


def _masked(body: bytes) -> str:
    """The file without what is not the app's behaviour where faults strike.

    A fault strikes at the n-th call of a port. A version of the app that saves one read is therefore met by the same
    faults at other places: it creates the same users in another order, and tells the same customers at other times.
    All else must be the same: rows, outcomes, states, reasons, the users who were joined, and who was told.
    """
    return TIME.sub("told", MADE_IN_THE_RUN.sub("created", body.decode()))


def _fixtures(case: Case) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in FOLDER.glob(f"{case.name}.*")}


def _check_truth(case: Case, found: dict[str, bytes]) -> None:
    """Outcomes, the reasons of what was not moved, and the users who were joined are those of the truth."""
    for council, expected in truth(case).items():
        written = csv.DictReader(io.StringIO(found[f"{case.name}.{council}.csv"].decode(), newline=""))
        rows = sorted(written, key=lambda row: int(row["row"]))
        assert [row["row"] for row in rows] == [true["row"] for true in expected]
        for row, true in zip(rows, expected, strict=True):
            assert row["outcome"] == true["outcome"], row
            if true["outcome"] in DECIDED:
                assert row["reason"] == true["reason"], row
            if true["outcome"] == "link":
                assert row["directory_id"] == true["directory_id"], row


@pytest.mark.parametrize("case", CALM, ids=lambda case: case.name)
def test_without_faults_a_sample_has_the_same_results_byte_for_byte(case: Case) -> None:
    found = dict(results(case))
    assert found == _fixtures(case)
    _check_truth(case, found)


@pytest.mark.parametrize("case", FAULTY, ids=lambda case: case.name)
def test_under_the_same_faults_a_sample_has_the_same_results(case: Case) -> None:
    found = dict(results(case))
    kept = _fixtures(case)
    assert {name: _masked(body) for name, body in found.items()} == {name: _masked(kept[name]) for name in kept}
    _check_truth(case, found)


def test_the_demo_is_among_the_fixtures() -> None:
    """`dev.py demo` makes its sample with these numbers unless it is told others."""
    assert (DEMO.order.rows, DEMO.order.seed) == ({"south-norfolk": 1200}, 2019)
    assert {"demo.south-norfolk.csv", "demo.south-norfolk.json"} == _fixtures(DEMO).keys()
