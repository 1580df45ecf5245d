"""What the picture counts, predicts and says; nothing of it names anybody."""

import csv
import io
import json
from datetime import UTC, datetime, timedelta

import pytest

from shared.messaging.rules.shown_message import ShownMessage
from shared.model.account import SHARDS, Authority, MigrationId
from shared.model.counts.directory_counts import Counting, DirectoryCounts
from shared.model.counts.summary import ShardSummary, Totals, add_up_shards
from shared.model.directory_user import Identity
from shared.model.lifecycle import Outcome, State
from shared.model.migration import Layout, Migration, Phase
from shared.model.pacing.rate_limit import Quota
from shared.model.plan import SignedTemplate
from shared.model.profile import Columns, Export, Profile
from shared.model.reasons import REASONS
from shared.model.row import Person, Row
from shared.planning.rules.assessment import Assessment, Extract, Findings, list_seen_templates, make_assessment
from shared.planning.rules.estimate import RELEASE_PERIOD, SWEEP_PERIOD, Effort, estimate_migration, estimate_minutes
from shared.reporting.rules.encoding_check import SHOWN, LetterCheck, is_damaged
from shared.reporting.rules.personal_lists import LISTS, Fate, in_words, names_to_check
from shared.settings.schedules import DEFAULTS, RECONCILE, RELEASE_ACCOUNTS

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
SOUTH = Authority("south-norfolk")
QUOTA = Quota(3000, timedelta(seconds=150), 1.0)


def totals(outcomes: dict[Outcome, int]) -> Totals:
    return add_up_shards(
        ShardSummary(
            shard,
            NOW,
            counted=True,
            settled={("reject", "rejected", "email_invalid"): 1},
            accounts={(outcome, State.CLASSIFIED, ""): count for outcome, count in outcomes.items()}
            | {("review", State.REVIEW, "names_differ"): 1},
        )
        for shard in SHARDS
    )


def picture(found: Findings = Findings(), *, templates: bool = True) -> Assessment:  # noqa: B008 - frozen
    profile = Profile(authority=SOUTH, name="South Norfolk", export=Export(columns=Columns(source_id="a", email="b")))
    if templates:
        messages = profile.messages.model_copy(update={"templates": {"set-your-password": "t1"}})
        profile = profile.model_copy(update={"messages": messages})
    migration = Migration(
        MigrationId("m"),
        SOUTH,
        "south-norfolk/a.csv",
        "e",
        1,
        NOW - timedelta(hours=1),
        NOW,
        Phase.CLASSIFYING,
        layout=Layout("utf-8", ",", (), 2, 0, 80),
    )
    return make_assessment(
        migration, profile, totals({Outcome.CREATE: 2, Outcome.LINK: 1}), found, "hash", Quota(), NOW
    )


# the figures


def test_the_assessment_counts_what_the_shards_counted() -> None:
    found = Findings(directory=DirectoryCounts(9, 5, {"other": 5}, {"nobody": 5}))
    said = picture(found).to_json()
    assert {key: said[key] for key in ("rows", *Outcome)} == {
        "rows": 80,
        "create": 32,
        "link": 16,
        "review": 16,
        "reject": 16,
        "duplicate": 0,
        "unchanged": 0,
    }
    assert (said["directory_only"], said["directory_users"], said["plan_hash"]) == (5, 9, "hash")
    assert (said["directory_only_by_identity"], said["directory_only_by_authority"]) == ({"other": 5}, {"nobody": 5})
    assert said["sentences"] == {code: REASONS[code].sentence for code in ("email_invalid", "names_differ")}
    assert "new" not in said
    json.dumps(said)


def test_only_who_has_a_message_is_told() -> None:
    assert picture().prediction.messages == 32
    assert picture(templates=False).prediction.messages == 0
    assert picture(Findings(messages_on=False)).prediction.messages == 0


def test_an_assessment_is_read_again_beside_the_next_one() -> None:
    shown = picture(Findings(directory=DirectoryCounts(9, 5)))
    again = Extract.read(json.loads(json.dumps(shown.to_json())), shown.uploaded_at)
    assert again == shown.extract


def test_an_old_assessment_says_less_and_is_read_all_the_same() -> None:
    extract = Extract.read({"rows": 3, "create": 3, "file": "f.csv"}, NOW)
    assert (extract.rows, extract.outcomes[Outcome.CREATE], extract.outcomes[Outcome.LINK]) == (3, 3, 0)
    assert (extract.new, extract.missing, extract.changed) == (None, None, None)


def test_only_templates_that_were_seen_have_a_version() -> None:
    shown = ShownMessage(Outcome.CREATE, "set-your-password", "t1", 4)
    unseen = ShownMessage(Outcome.LINK, "now-one-account", "t2", trouble="No answer.")
    assert list_seen_templates([shown, unseen]) == (SignedTemplate("set-your-password", "t1", 4),)


# the prediction


@pytest.mark.parametrize(
    ("writes", "minutes"),
    [(0, 0.0), (100, 0.16), (3000, 1.12), (12_000, 7.62), (100_000, 80.96)],
)
def test_the_windows_burst_is_free_then_the_steady_rate_counts(writes: int, minutes: float) -> None:
    assert estimate_minutes(writes, writes, QUOTA, NOW) == pytest.approx(minutes, abs=0.01)


def test_where_the_directory_is_fast_the_message_service_decides() -> None:
    fast = Quota(3_000_000, timedelta(seconds=150), 1.0)
    assert estimate_minutes(240_000, 240_000, fast, NOW) == pytest.approx(80, abs=0.2)


@pytest.mark.parametrize(
    ("messages", "at", "minutes"),
    [
        (250_000, 9, 250_000 / 3000),
        (250_001, 9, 15 * 60),
        (500_000, 9, 15 * 60 + 250_000 / 3000),
        (500_001, 9, 15 * 60 + 24 * 60),
        (430_000, 23, 60 + 250_000 / 3000),
    ],
)
def test_what_is_beyond_a_days_messages_waits_for_midnight(messages: int, at: int, minutes: float) -> None:
    fast = Quota(30_000, timedelta(seconds=600), 1.0)
    told = estimate_minutes(10, messages, fast, NOW.replace(hour=at))
    assert told == pytest.approx(minutes, abs=0.2)


def test_the_timers_run_by_default_as_often_as_the_prediction_says() -> None:
    for setting, every in ((RELEASE_ACCOUNTS, RELEASE_PERIOD), (RECONCILE, SWEEP_PERIOD)):
        assert DEFAULTS[setting] == f"*/{every.seconds} * * * * *"


def test_work_for_people_is_what_the_profile_says_of_one_case() -> None:
    found = estimate_migration(101, 10, 90, QUOTA, Effort(review_minutes=10, calls_percent=3.0), NOW)
    assert (found.review_hours, found.calls) == (15.0, 4)


def test_the_same_calls_are_expected_where_the_council_tells_its_customers_itself() -> None:
    assert picture().prediction.calls == 2
    silent = picture(Findings(messages_on=False)).prediction
    assert (silent.messages, silent.calls) == (0, 2)


# the directory


def test_no_more_issuers_are_told_apart_than_a_page_can_show() -> None:
    counting = Counting()
    for number in range(30):
        counting.add([Identity("federated", f"issuer{number}.example", "1")], "tenant", [], ours=False)
    counted = counting.total()
    assert counted.by_kind["other"] == 10
    assert sum(counted.by_kind.values()) == counted.without_mark == 30


def test_a_user_of_two_other_councils_is_counted_once() -> None:
    counting = Counting()
    counting.add([], "tenant", [Authority("great-yarmouth"), Authority("broadland")], ours=False)
    counting.add([], "tenant", [], ours=True)
    assert counting.total().by_mark == {"broadland, great-yarmouth": 1}
    assert counting.total().users == 2


# letters


@pytest.mark.parametrize(
    ("name", "looks_damaged"),
    [
        ("Ada Example", False),
        ("Zoë Müller", False),
        ("ZoÃ« MÃ¼ller", True),
        ("Zo\ufffd", True),
        ("Łukasz", False),
        ("名前", False),
        ("Ã", False),
    ],
)
def test_a_name_read_in_a_wrong_encoding_is_seen(name: str, looks_damaged: bool) -> None:  # noqa: FBT001
    assert is_damaged(name) is looks_damaged


def _row(number: int, given: str, surname: str = "Example") -> Row:
    return Row(
        SOUTH, MigrationId("m"), number, f"C{number}", person=Person(f"C{number}", "x@example.org", given, surname)
    )


def test_the_first_names_are_kept_and_all_are_counted() -> None:
    check = LetterCheck()
    for number in range(1000, 0, -1):
        check.add(_row(number, "Zoë" if number % 2 else "Ada"))
    check.add(_row(2000, "ZoÃ«"))
    check.add(Row(SOUTH, MigrationId("m"), 3000, "Å"))
    kept = [row.number for row in check.first()]
    assert kept == [2000, *range(1, 2 * SHOWN - 2, 2)]
    assert (check.total().names, check.total().damaged) == (501, 1)
    assert check.total().letters == (("ë", 500), ("«", 1), ("Ã", 1))


# the lists


def test_no_cell_of_a_list_is_taken_for_a_formula() -> None:
    row = _row(1, "=cmd|' /C calc'!A0", '+"1",\n2')
    for outcome, found in LISTS.items():
        text = (found.header() + found.lines([(row, Fate(outcome, "names_differ", "", "@x"))])).decode()
        header, cells = csv.reader(io.StringIO(text))
        assert len(header) == len(cells)
        assert not [cell for cell in cells if cell[:1] in {"=", "+", "-", "@"}]
    assert "'=cmd" in names_to_check([row]).decode()


def test_evidence_is_told_in_words() -> None:
    evidence = {"found": "one", "kind": "username_only", "names": "differ", "unheard_of": "x", "marked_by": "nobody"}
    assert in_words(evidence) == (
        "users with the address: one; username_only; the names differ; "
        "councils that marked the user: nobody; unheard_of: x"
    )
    assert in_words({}) == ""
