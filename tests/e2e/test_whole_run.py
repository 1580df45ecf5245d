"""Two councils, one after the other, on one directory, through the real runtime."""

import csv
import io
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from local.azurite import Azurite
from tests.e2e.kit import GREAT_YARMOUTH, OURS, SOUTH_NORFOLK, Run, decoded, running

pytestmark = [pytest.mark.e2e, pytest.mark.azurite]


def test_two_councils_move_and_a_second_upload_changes_nothing(tmp_path: Path, clean_azurite: Azurite) -> None:
    spans = tmp_path / "spans.jsonl"
    with running(tmp_path, clean_azurite, host_options=("--trace-file", str(spans))) as run:
        before = run.users()
        first = _south_norfolk(run, before)
        _again(run, first)
        _great_yarmouth(run)
        _refusals(run)
        _nothing_personal_where_it_must_not_be(run, spans)


def _south_norfolk(run: Run, before: dict[str, dict[str, Any]]) -> dict[str, Any]:
    run.upload(run.sample(), f"{SOUTH_NORFOLK}/portal.csv")
    migration = run.done(f"{SOUTH_NORFOLK}/portal.csv")
    run.assert_ended_as_true(SOUTH_NORFOLK, migration)
    result = run.result(migration)
    counts = Counter(row["outcome"] for row in result)
    assessed = run.assessment(migration)
    for outcome in ("create", "link", "review", "reject", "duplicate", "unchanged"):
        assert assessed[outcome] == counts[outcome]
    assert assessed["rows"] == len(result) == sum(counts.values())
    assert assessed["directory_only"] == len(before)
    assert sum(assessed["reasons"].values()) == counts["review"] + counts["reject"]
    _only_ours_changed(before, run.users(), result)
    assert Counter(m["reference"] for m in run.messages()).total() == counts["create"] + counts["link"]
    page = run.report(f"{migration['reports'].removeprefix('reports/')}assessment.html")
    assert page is not None
    assert b"<svg" in page
    return migration


def _only_ours_changed(
    before: dict[str, dict[str, Any]], after: dict[str, dict[str, Any]], result: list[dict[str, str]]
) -> None:
    created = {row["directory_id"] for row in result if row["outcome"] == "create"}
    linked = {row["directory_id"] for row in result if row["outcome"] == "link"}
    assert set(after) - set(before) == created
    assert set(before) <= set(after)
    for user_id, user in before.items():
        now = {key: value for key, value in after[user_id].items() if not key.startswith(OURS)}
        assert now == {key: value for key, value in user.items() if not key.startswith(OURS)}
        marked = any(key.startswith(OURS) for key in after[user_id])
        assert marked == (user_id in linked)
    for user_id in created:
        assert after[user_id]["forceChangePasswordNextSignIn"] is True
        assert after[user_id]["passwordLength"] >= 24
        assert after[user_id]["passwordPolicies"] == "DisablePasswordExpiration"
        assert after[user_id][f"{OURS}SouthNorfolkAccount"].startswith("a")


def _again(run: Run, first: dict[str, Any]) -> None:
    """Some who have moved, in another file: unchanged, no write, no message."""
    moved = [row for row in run.result(first) if row["outcome"] in {"create", "link"}]
    earlier = {row["source_id"]: row for row in moved[:12]}
    assert {row["outcome"] for row in earlier.values()} == {"create", "link"}
    again = run.result(_upload_again(run, run.some({row["row"] for row in earlier.values()}), first))
    assert {row["source_id"] for row in again} == earlier.keys()
    for row in again:
        assert row["outcome"] == "unchanged"
        assert row["directory_id"] == earlier[row["source_id"]]["directory_id"]


def _upload_again(run: Run, export: bytes, first: dict[str, Any]) -> dict[str, Any]:
    """Upload what came before; nobody is written to, and no user changes."""
    before = (run.directory_writes(), run.messages(), run.users())
    run.upload(export, f"{SOUTH_NORFOLK}/again.csv")
    again = run.done(f"{SOUTH_NORFOLK}/again.csv")
    assert again["migration"] != first["migration"]
    assert (run.directory_writes(), run.messages(), run.users()) == before
    return again


@pytest.mark.deep
def test_the_same_export_under_another_name_changes_nothing(tmp_path: Path, clean_azurite: Azurite) -> None:
    # Cases in review are judged anew two minutes later: a step for the older export may still be at work.
    with running(tmp_path, clean_azurite) as run:
        run.upload(run.sample(), f"{SOUTH_NORFOLK}/portal.csv")
        first = run.done(f"{SOUTH_NORFOLK}/portal.csv")
        again = _upload_again(run, run.sample(), first)
        earlier = {row["row"]: row for row in run.result(first)}
        assert {row["row"] for row in run.result(again)} == earlier.keys()
        for row in run.result(again):
            was = earlier[row["row"]]
            if was["outcome"] in {"create", "link"}:
                assert row["outcome"] == "unchanged"
                assert row["directory_id"] == was["directory_id"]
            else:
                assert (row["outcome"], row["state"], row["reason"]) == (was["outcome"], was["state"], was["reason"])


def _great_yarmouth(run: Run) -> None:
    """No change of code; nobody whom South Norfolk created and who has not reset is linked."""
    created = {user_id for user_id, user in run.users().items() if user.get("forceChangePasswordNextSignIn") is True}
    run.upload(run.sample(GREAT_YARMOUTH), f"{GREAT_YARMOUTH}/konto.csv")
    migration = run.done(f"{GREAT_YARMOUTH}/konto.csv")
    run.assert_ended_as_true(GREAT_YARMOUTH, migration)
    linked = {row["directory_id"] for row in run.result(migration) if row["outcome"] == "link"}
    assert linked
    assert not linked & created
    assert any(row["reason"] == "unclaimed_other_authority" for row in run.result(migration))
    received = run.report(f"{migration['reports'].removeprefix('reports/')}received.json")
    assert received is not None
    assert json.loads(received)["encoding"] == "Windows-1252"
    assert json.loads(received)["separator"] == "semicolon"


HEADER = "customer_ref,email,first_name,last_name,email_verified,status,created,last_login,postcode"
ROW = "SN-1,ada@example.org,Ada,Example,true,active,2015-01-01,2019-01-01,NR15 1AA"
REFUSED: dict[str, tuple[bytes, str]] = {
    "south-norfolk/not-csv.csv": (b"PK\x03\x04 a spreadsheet", "not_csv"),
    "south-norfolk/json.csv": (b'{"customers": [1, 2, 3]}\n', "not_csv"),
    "south-norfolk/empty.csv": (b"", "empty"),
    "south-norfolk/no-rows.csv": (f"{HEADER}\n".encode(), "no_rows"),
    "south-norflok/portal.csv": (f"{HEADER}\n{ROW}\n".encode(), "unknown_authority"),
    "south-norfolk/no-email.csv": (f"{HEADER}\n{ROW}\n".replace("email,", "mail,", 1).encode(), "missing_column"),
    "south-norfolk/twice.csv": (f"{HEADER},Email\n{ROW},x\n".encode(), "duplicate_column"),
    "south-norfolk/utf16.csv": (f"{HEADER}\n{ROW}\n".encode("utf-16"), "utf16"),
    "south-norfolk/cut-off.csv": (f'{HEADER}\n{ROW}\nSN-2,"bob@exa'.encode(), "cut_off"),
}


def _refusals(run: Run) -> None:
    """Each is refused with its reason and nothing staged; the host goes on."""
    accounts = sum(table == "Accounts" for table, _ in run.entities())
    for name, (body, _) in REFUSED.items():
        run.upload(body, name)
    for name, (_, reason) in REFUSED.items():
        migration = run.until(name, lambda m: m["phase"] == "refused")
        assert migration["refused"]["reason"] == reason, name
        report = run.report(f"{migration['reports'].removeprefix('reports/')}refused.json")
        assert report is not None
        assert json.loads(report)["sentence"]
    unknown = next(path for path in run.reports() if path.startswith("_refused/"))
    assert b"did you mean `south-norfolk`?" in (run.report(unknown) or b"")
    assert sum(table == "Accounts" for table, _ in run.entities()) == accounts


def _nothing_personal_where_it_must_not_be(run: Run, spans: Path) -> None:
    """No address or name of anybody in the exports in a message, a key, a log line or a span."""
    people = _personal(run)
    logs = "\n".join(host.log.read_text() for host in run.stack.hosts)
    messages = "\n".join(decoded(text) for texts in run.queue_texts().values() for text in texts)
    keys = "\n".join(f"{e['PartitionKey']} {e['RowKey']}" for _, e in run.entities())
    elsewhere = "\n".join(str(entity) for table, entity in run.entities() if table != "Rows")
    assert spans.read_text(), "tracing was on"
    for partition in (logs, messages, keys, elsewhere, spans.read_text()):
        assert [person for person in people if person.lower() in partition.lower()] == []


def _personal(run: Run) -> set[str]:
    found: set[str] = set()
    for authority, encoding, separator in ((SOUTH_NORFOLK, "utf-8", ","), (GREAT_YARMOUTH, "cp1252", ";")):
        for row in csv.reader(io.StringIO(run.sample(authority).decode(encoding)), delimiter=separator):
            found |= {cell.strip() for cell in row if "@" in cell}
            # Single names are words of the language too; a pair of them is a person.
            found |= {f"{row[2].strip()} {row[3].strip()}"} if len(row) > 3 and row[2].strip() else set()
    return {text for text in found if len(text) > 6}
