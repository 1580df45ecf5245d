"""The smaller rules: addresses, pseudonyms, summaries, results, ids and the words for all of it."""

import csv
import io
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import shared
from shared.model.account import SHARDS, Account, AccountId, AddressKey, Authority, DirectoryId, MigrationId
from shared.model.counts.summary import ShardSummary, add_up_shards
from shared.model.email_address import InvalidAddress, email_key
from shared.model.lifecycle import Outcome, State
from shared.model.migration import migration_id
from shared.model.pseudonyms import Pseudonyms
from shared.model.reasons import REASONS, explain_reason
from shared.model.row import Row
from shared.reporting.rules.result_file import COLUMNS, FORMULA, Line, make_line, read_told, write_header, write_lines

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
SOUTH_NORFOLK = Authority("south-norfolk")
ID = AccountId("a" + "0" * 40)
KEYS = Pseudonyms(b"k" * 32)
SOURCE = Path(shared.__file__).parent

# addresses


@pytest.mark.parametrize(
    ("address", "key"),
    [
        ("Ada@Example.ORG", "ada@example.org"),
        ("a.d.a+x@example.org", "a.d.a+x@example.org"),
        ("o'brien@example.org", "o'brien@example.org"),
        ("ada@xn--bcher-kva.de", "ada@xn--bcher-kva.de"),
        ("j\u0430ne@example.org", ""),
        ("\ufb01ona@example.org", ""),
        ("straße@example.org", ""),
        ("İ@example.org", ""),
        ("ada@bücher.de", ""),
        ("ada@\uff45xample.org", ""),
        ("\u212aate@example.org", ""),
    ],
)
def test_addresses_are_compared_in_lower_case_ascii_and_look_alikes_never(address: str, key: str) -> None:
    assert email_key(address) == key


@pytest.mark.parametrize(
    "address",
    [
        *("", "ada", "@example.org", "ada@", "ada@example", "ada@localhost", "a da@example.org", "ada@example.org."),
        *("Ada <ada@example.org>", "ada@example.org\u200b", "\ufeffada@example.org", "a@b@c.de", "ada@[127.0.0.1]"),
    ],
)
def test_what_is_no_address_is_refused_and_not_repeated(address: str) -> None:
    with pytest.raises(InvalidAddress) as refused:
        email_key(address)
    assert str(refused.value) == ""


@given(st.emails(), st.emails())
def test_two_addresses_are_the_same_only_when_they_differ_in_case_alone(one: str, other: str) -> None:
    keys = []
    for address in (one, other, one.swapcase()):
        try:
            keys.append(email_key(address))
        except InvalidAddress:
            return
    assert keys[0] == keys[2]
    assert (keys[0] == keys[1]) == (one.lower() == other.lower())


@given(st.text(max_size=20), st.text(max_size=20))
def test_any_text_gets_an_ascii_key_or_is_refused(local: str, domain: str) -> None:
    try:
        key = email_key(f"{local}@{domain}.org")
    except InvalidAddress:
        return
    assert key.isascii()
    assert key == key.lower()


# pseudonyms


def test_an_id_is_the_same_for_everybody_who_has_the_key_and_looks_like_nothing_else() -> None:
    account = KEYS.account(SOUTH_NORFOLK, "C1")
    assert account == Pseudonyms(b"k" * 32).account(SOUTH_NORFOLK, "C1")
    assert account != Pseudonyms(b"j" * 32).account(SOUTH_NORFOLK, "C1")
    assert KEYS.fingerprint() == Pseudonyms(b"k" * 32).fingerprint() != Pseudonyms(b"j" * 32).fingerprint()
    assert re.fullmatch(r"a[0-9a-f]{40}", account)


@given(st.text(max_size=9), st.text(max_size=9), st.text(max_size=9), st.text(max_size=9))
def test_parts_never_run_into_each_other(a: str, b: str, c: str, d: str) -> None:
    assert (KEYS.account(Authority(a), b) == KEYS.account(Authority(c), d)) == ((a, b) == (c, d))
    assert (KEYS.facts(a, b) == KEYS.facts(c, d)) == ((a, b) == (c, d))


def test_ids_of_different_kinds_never_meet() -> None:
    kinds = {
        KEYS.account(Authority("x"), "y")[1:],
        str(KEYS.address(Authority("x"), "y")),
        KEYS.facts("x", "y"),
        KEYS.reference(AccountId("x"), "y")[1:],
    }
    assert len(kinds) == 4
    assert KEYS.address(SOUTH_NORFOLK, "") == ""


# ids of migrations


def test_the_same_upload_is_the_same_migration() -> None:
    one = migration_id("south-norfolk/Portal Export.csv", '"0x1"', NOW)
    assert one == migration_id("south-norfolk/Portal Export.csv", "0x1", NOW)
    assert re.fullmatch(r"2026-03-02-portal-export-[a-z2-7]{4}", one)
    assert one != migration_id("south-norfolk/Portal Export.csv", "0x2", NOW)
    assert one != migration_id("great-yarmouth/Portal Export.csv", "0x1", NOW)


@given(st.text(max_size=60))
def test_an_id_may_be_a_key_and_holds_no_address(name: str) -> None:
    found = migration_id(f"south-norfolk/{name}.csv", "e", NOW)
    assert re.fullmatch(r"[a-z0-9-]{1,64}", found)
    assert "canary" not in migration_id(f"south-norfolk/x@canary{name}.csv", "e", NOW)


# result.csv


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=30))
def test_every_row_is_one_line_that_no_spreadsheet_calculates(source_id: str) -> None:
    # What reaches the report has no control characters: rows with them are rejected and told without them.
    printable = "".join(c for c in source_id if c.isprintable())
    text = (write_header() + write_lines([Line(1, printable, "create", "told")])).decode()
    assert text.count("\r\n") == 2
    [names, cells] = list(csv.reader(io.StringIO(text, newline="")))
    assert tuple(names) == COLUMNS
    assert not cells[1].startswith(FORMULA)
    assert cells[1].removeprefix("'") == printable.removeprefix("'") or cells[1] == printable


@pytest.mark.parametrize("sign", FORMULA)
def test_a_formula_gets_an_apostrophe(sign: str) -> None:
    [cells] = list(csv.reader(io.StringIO(write_lines([Line(1, f"{sign}1+1", "", "")]).decode(), newline="")))
    assert cells[1] == f"'{sign}1+1"


def _account(state: State, outcome: Outcome | None, reason: str = "") -> Account:
    return Account(
        ID,
        SOUTH_NORFOLK,
        MigrationId("m"),
        1,
        state,
        NOW,
        "",
        AddressKey(""),
        NOW,
        outcome=outcome,
        reason=reason,
        directory_id=DirectoryId("u1"),
        notified_at=NOW if state is State.TOLD else None,
    )


@pytest.mark.parametrize(
    ("row", "account", "expected"),
    [
        (Row(SOUTH_NORFOLK, MigrationId("m"), 1, "C1", outcome=Outcome.REJECT, reason="x"), None, "reject rejected x"),
        (
            Row(SOUTH_NORFOLK, MigrationId("m"), 2, "C1", ID, Outcome.DUPLICATE, duplicate_of=1),
            None,
            "duplicate duplicate same_as_row_1",
        ),
        (Row(SOUTH_NORFOLK, MigrationId("m"), 1, "C1", ID, Outcome.REVIEW, "y"), None, "review review y"),
        (
            Row(SOUTH_NORFOLK, MigrationId("m"), 1, "C1", ID, Outcome.UNCHANGED),
            _account(State.TOLD, Outcome.CREATE),
            "unchanged told ",
        ),
        (Row(SOUTH_NORFOLK, MigrationId("m"), 1, "C1", ID), _account(State.TOLD, Outcome.CREATE), "create told "),
        (Row(SOUTH_NORFOLK, MigrationId("m"), 1, "C1", ID), _account(State.STAGED, Outcome.LINK), " staged "),
        (Row(SOUTH_NORFOLK, MigrationId("m"), 1, "C1", ID), _account(State.FAILED, None, "z"), "review failed z"),
        (
            Row(SOUTH_NORFOLK, MigrationId("m"), 1, "C1", ID),
            _account(State.REVIEW, Outcome.CREATE, "appeared_since_assessment"),
            "review review appeared_since_assessment",
        ),
    ],
)
def test_the_line_of_a_row(row: Row, account: Account | None, expected: str) -> None:
    line = make_line(row, read_told(account) if account else None)
    assert f"{line.outcome} {line.state} {line.reason}" == expected
    assert line.notified_at == ("2026-03-02T09:00:00Z" if line.state == "told" else "")


# summaries


def _summary(shard: str, *, counted: bool = True, due: int = 0, state: State = State.TOLD) -> ShardSummary:
    return ShardSummary(
        shard,
        NOW,
        counted,
        {("reject", "rejected", "email_invalid"): 1},
        {("create", state, ""): 2, ("review", State.REVIEW, "names_differ"): 1},
        due,
        NOW if due else None,
        f"f{shard}",
        f"p{shard}",
    )


def test_totals_are_the_sum_of_all_shards() -> None:
    totals = add_up_shards(_summary(shard) for shard in SHARDS)
    assert totals.complete
    assert totals.resting
    assert totals.rows == 64
    assert totals.outcomes()[Outcome.CREATE] == 32
    assert totals.states() == {"told": 32, "review": 16, "rejected": 16}
    assert totals.reasons() == {"email_invalid": 16, "names_differ": 16}
    assert totals.fingerprint == add_up_shards(_summary(shard) for shard in reversed(SHARDS)).fingerprint


def test_nothing_rests_before_every_shard_was_counted_and_nothing_is_due() -> None:
    assert not add_up_shards(_summary(shard) for shard in SHARDS[1:]).complete
    assert not add_up_shards(_summary(shard, counted=shard != "3") for shard in SHARDS).complete
    assert not add_up_shards(_summary(shard, due=shard == "3") for shard in SHARDS).resting
    assert not add_up_shards(_summary(s, state=State.RELEASED if s == "3" else State.TOLD) for s in SHARDS).resting


def test_stuck_accounts_are_counted_by_cause() -> None:
    found = ShardSummary("0", NOW, accounts={("review", "failed", "host_lost"): 2, ("create", "told", ""): 1})
    assert add_up_shards([found]).failures() == {"host_lost": 2}


# reasons

CODES = re.compile(
    r"""(?:Cannot|Stop|SetAside|Hold|Unclear|RefusedFile|Rejected)\(\s*"([a-z0-9_]+)"
    |(?:reason|pause_reason)="([a-z0-9_]+)"
    |(?:SET_ASIDE|FAIL|HOLD),\s*(?:now,\s*|ports\.clock\.now\(\),\s*)?"([a-z0-9_]+)"
    |DISCARD,\s*now,\s*"([a-z0-9_]+)"
    |Outcome\.REVIEW,\s*"([a-z0-9_]+)"
    |^\s*return\s"([a-z0-9]+_[a-z0-9_]+)"
    |^\s*\("([a-z_]+)",\s.*(?:\bis\b|\bin\b|bool|marks|too_new|enabled)
    |"[a-z_]+":\s"((?:directory|message)_[a-z_]+)",$
    """,
    re.VERBOSE | re.MULTILINE,
)
NO_REASONS = {"without_status", "row"}


def _codes_in_use() -> set[str]:
    found = set()
    for file in SOURCE.rglob("*.py"):
        # The doctor and the telemetry have codes of their own, which are no reasons.
        if file.relative_to(SOURCE).parts[0] not in {"readiness", "telemetry"}:
            for match in CODES.finditer(file.read_text(encoding="utf-8")):
                found |= {group for group in match.groups() if group}
    return found - NO_REASONS


def test_every_reason_that_is_ever_given_has_a_sentence_and_a_next_step() -> None:
    codes = _codes_in_use()
    assert {"names_differ", "host_lost", "directory_full", "cut_off", "email_invalid", "discarded"} <= codes
    assert sorted(codes - set(REASONS)) == []


def test_every_reason_with_a_sentence_is_given_somewhere() -> None:
    source = "".join(path.read_text(encoding="utf-8") for path in SOURCE.rglob("*.py") if path.name != "reasons.py")
    assert [code for code in REASONS if f'"{code}"' not in source] == []


@pytest.mark.parametrize("code", [*REASONS, "source_gone_away", "something_new"])
def test_a_reason_is_told_in_one_sentence(code: str) -> None:
    reason = explain_reason(code)
    assert reason.remedy
    assert reason.sentence[0].isupper() or code == "something_new"


def test_a_status_of_the_portal_is_told_in_its_own_words() -> None:
    assert "gone away" in explain_reason("source_gone_away").sentence
