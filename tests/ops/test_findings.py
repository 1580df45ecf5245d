"""What counts as a finding, and what goes on by itself."""

import pytest

from ops.findings import is_moving, list_findings
from tests.ops.kit import a_cause, a_migration, a_pause, a_refusal, a_status, read


def test_a_refused_upload_counts_until_a_newer_one_of_its_council_is_taken() -> None:
    refused = a_refusal(uploaded_at="2026-03-01T09:00:00Z")
    assert len(list_findings(read(a_status(refused)))) == 1
    assert list_findings(read(a_status(a_migration(), refused))) == []


def test_another_council_makes_up_for_nothing() -> None:
    other = a_migration(authority="great-yarmouth")
    assert len(list_findings(read(a_status(other, a_refusal(uploaded_at="2026-03-01T09:00:00Z"))))) == 1


def test_a_taken_upload_does_not_make_up_for_a_later_refused_one() -> None:
    refused = a_refusal(uploaded_at="2026-03-02T09:05:00Z")
    assert len(list_findings(read(a_status(refused, a_migration())))) == 1


@pytest.mark.parametrize(("uploaded", "count"), [("2026-03-01T09:00:00Z", 1), ("2026-02-01T09:00:00Z", 0)])
def test_an_upload_to_a_folder_of_no_council_is_news_for_a_week(uploaded: str, count: int) -> None:
    refused = a_refusal(council="", authority="_refused", file="south_norfolk/x.csv", uploaded_at=uploaded)
    assert len(list_findings(read(a_status(a_migration(), refused)))) == count


def test_a_stuck_file_is_a_finding_and_a_replaced_one_is_not() -> None:
    stuck = a_migration(phase="failed", refused=a_cause("staging_failed"))
    replaced = a_migration(phase="superseded", refused=a_cause("newer_upload"))
    assert len(list_findings(read(a_status(stuck)))) == 1
    assert list_findings(read(a_status(replaced))) == []


def test_every_finding_is_told() -> None:
    both = a_migration(phase="running", paused=a_pause(), failures=[a_cause("host_lost", 1)])
    assert list_findings(read(a_status(both, poison=1))) == [
        "South Norfolk Council is paused: permission_missing.",
        "South Norfolk Council: 1 account is stuck.",
        "1 message in the poison queues: `ops poison list`.",
    ]


@pytest.mark.parametrize("phase", ["staging", "classifying", "running"])
def test_an_open_migration_moves_unless_it_is_paused(phase: str) -> None:
    assert is_moving(read(a_status(a_migration(phase=phase))))
    assert not is_moving(read(a_status(a_migration(phase=phase, paused=a_pause()))))


@pytest.mark.parametrize("phase", ["done", "refused", "superseded", "failed"])
def test_what_is_at_rest_does_not_move(phase: str) -> None:
    assert not is_moving(read(a_status(a_migration(phase=phase))))


def test_a_timer_that_keeps_failing_is_a_finding() -> None:
    since = "2026-03-02T09:00:00Z"
    timer = {"timer": "reconcile", "since": since, "times": 3, "sentence": "It fails.", "next": "Mend it."}
    (found,) = list_findings(read({**a_status(), "timers": [timer]}))
    assert found == "It fails. Since 2 March 2026 09:00 UTC. Mend it."
