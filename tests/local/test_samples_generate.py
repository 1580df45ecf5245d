"""The sample exports, read the way a stranger would read them, against the truth that comes with them."""

import csv
import hashlib
import json
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from email_validator import EmailNotValidError, validate_email

from local.samples.__main__ import main
from local.samples.councils import COUNCILS, Council
from local.samples.generate import Order, generate_samples

OUTCOMES = ("create", "link", "review", "reject", "duplicate")
REJECTS = {
    "missing_source_id", "missing_email", "email_invalid", "email_too_long", "missing_cells", "extra_cells",
    "control_character", "cell_too_long", "name_too_long", "source_closed", "source_suspended",
}  # fmt: skip
REVIEWS = {
    "email_look_alike", "shared_address", "source_unverified", "names_differ", "names_missing",
    "directory_disabled", "created_after_announcement", "username_only", "address_not_sign_in",
    "provider_unverified", "several_identities",
}  # fmt: skip
TENANT = "norfolkidentity.onmicrosoft.com"
RESERVED = re.compile(r"([a-z0-9-]+\.)*example\.(org|com|net)")

type User = dict[str, Any]


@dataclass(frozen=True)
class Samples:
    folder: Path

    def rows(self, council: Council) -> list[list[str]]:
        path = self.folder / f"{council.slug}.csv"
        with path.open(encoding=council.encoding, newline="") as stream:
            return list(csv.reader(stream, delimiter=council.separator, strict=True))

    def truth(self, council: Council) -> list[dict[str, str]]:
        with (self.folder / f"{council.slug}.truth.csv").open(encoding="utf-8", newline="") as stream:
            return list(csv.DictReader(stream))

    def counts(self, council: Council) -> dict[str, Any]:
        counts: dict[str, Any] = json.loads((self.folder / f"{council.slug}.truth.json").read_text("utf-8"))
        return counts

    @property
    def users(self) -> list[User]:
        users: list[User] = json.loads((self.folder / "directory.json").read_text("utf-8"))["users"]
        return users

    def judged(self, council: Council) -> Iterator[tuple[dict[str, str], dict[str, str]]]:
        """Each row by our names of its columns (those of broken shape left out), with its truth."""
        for cells, truth in zip(self.rows(council)[1:], self.truth(council), strict=True):
            if len(cells) == len(council.columns):
                yield dict(zip(council.columns, cells, strict=True)), truth


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Samples:
    folder = tmp_path_factory.mktemp("samples")
    assert main(["--out", str(folder)]) == 0
    return Samples(folder)


@pytest.fixture(params=sorted(COUNCILS))
def council(request: pytest.FixtureRequest) -> Council:
    return COUNCILS[request.param]


def letters(name: str | None) -> str:
    decomposed = unicodedata.normalize("NFKD", name or "")
    return "".join(each for each in decomposed.casefold() if each.isalpha())


def addresses(user: User) -> set[str]:
    named = {each["issuerAssignedId"] for each in user["identities"] if "@" in each["issuerAssignedId"]}
    return {address.lower() for address in named | set(user["otherMails"])} - {user["userPrincipalName"]}


def by_address(users: list[User]) -> dict[str, list[User]]:
    found: dict[str, list[User]] = {}
    for user in users:
        for address in addresses(user):
            found.setdefault(address, []).append(user)
    return found


def digest(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


def test_the_same_seed_gives_the_same_files_and_another_seed_others(tmp_path: Path, samples: Samples) -> None:
    for name, seed in (("again", 2019), ("other", 7)):
        generate_samples(Order({slug: each.default_rows for slug, each in COUNCILS.items()}, seed), tmp_path / name)
    made = digest(samples.folder)
    assert digest(tmp_path / "again") == made
    # The counts are those of every seed: the shares of the cases do not depend on chance.
    assert {name for name, content in digest(tmp_path / "other").items() if content == made[name]} == {
        "south-norfolk.truth.json",
        "great-yarmouth.truth.json",
    }


def test_all_files_are_there(samples: Samples) -> None:
    assert sorted(path.name for path in samples.folder.iterdir()) == [
        "directory.json",
        "great-yarmouth.csv",
        "great-yarmouth.truth.csv",
        "great-yarmouth.truth.json",
        "south-norfolk.csv",
        "south-norfolk.truth.csv",
        "south-norfolk.truth.json",
    ]


def test_truth_has_one_line_a_row_and_adds_up(samples: Samples, council: Council) -> None:
    truth, counts = samples.truth(council), samples.counts(council)
    assert [int(each["row"]) for each in truth] == list(range(1, council.default_rows + 1))
    assert len(samples.rows(council)) == council.default_rows + 1
    outcomes = Counter(each["outcome"] for each in truth)
    assert {name: outcomes[name] for name in OUTCOMES} == {name: counts[name] for name in OUTCOMES}
    assert sum(outcomes.values()) == counts["rows"] == council.default_rows
    reasons = Counter(each["reason"] for each in truth if each["reason"])
    assert dict(reasons) == counts["reasons"]


def test_every_reason_occurs_with_its_outcome(samples: Samples, council: Council) -> None:
    reasons: dict[str, set[str]] = {}
    for each in samples.truth(council):
        reasons.setdefault(each["outcome"], set()).add(each["reason"])
    returning = {"unclaimed_other_authority"} if council.slug == "great-yarmouth" else set()
    assert reasons == {
        "create": {""},
        "link": {""},
        "duplicate": {""},
        "reject": REJECTS,
        "review": REVIEWS | returning,
    }


def test_the_header_is_the_councils_and_source_ids_are_those_of_the_truth(samples: Samples, council: Council) -> None:
    rows = samples.rows(council)
    assert rows[0] == council.header
    assert [row[0].strip() for row in rows[1:]] == [each["source_id"] for each in samples.truth(council)]


def test_great_yarmouth_is_neither_utf_8_nor_latin_1(samples: Samples) -> None:
    content = (samples.folder / "great-yarmouth.csv").read_bytes()
    with pytest.raises(UnicodeDecodeError):
        content.decode("utf-8")
    assert any(0x80 <= byte < 0xA0 for byte in content), "what only Windows-1252 has a letter for"


def test_only_addresses_meant_to_be_wrong_are_wrong(samples: Samples, council: Council) -> None:
    for row, truth in samples.judged(council):
        if truth["reason"] in {"missing_email", "email_invalid"}:
            with pytest.raises(EmailNotValidError):
                validate_email(row["email"].strip(), check_deliverability=False)
        else:
            checked = validate_email(row["email"].strip(), check_deliverability=False, strict=True)
            assert checked.ascii_domain
            assert (checked.ascii_email is None) == (truth["reason"] == "email_look_alike")
            assert (len(checked.normalized) > 64) == (truth["reason"] == "email_too_long")


def test_all_that_is_personal_is_in_reserved_domains(samples: Samples, council: Council) -> None:
    export = (samples.folder / f"{council.slug}.csv").read_text(council.encoding)
    text = (export + (samples.folder / "directory.json").read_text("utf-8")).lower()
    hosts = set(re.findall(r"(?:@|https?://|ldap://)([\w.-]+\.\w+)", text))
    broken_on_purpose = {each for each in hosts if each.startswith("-") or ".." in each}
    assert {each for each in hosts - broken_on_purpose if not RESERVED.fullmatch(each)} == {TENANT}
    assert set(re.findall(r"\b0\d{4} ?\d{3} ?\d{3}\b", text)) <= {f"07700 900{last:03d}" for last in range(1000)}


def test_a_new_customer_is_nowhere_in_the_directory(samples: Samples, council: Council) -> None:
    known = by_address(samples.users)
    for row, truth in samples.judged(council):
        if truth["outcome"] == "create":
            assert row["email"].strip().lower() not in known


def test_a_linked_customer_is_one_enabled_user_with_the_same_name(samples: Samples, council: Council) -> None:
    known = by_address(samples.users)
    linked = [(row, truth) for row, truth in samples.judged(council) if truth["outcome"] == "link"]
    assert linked
    for row, truth in linked:
        (user,) = known[row["email"].strip().lower()]
        assert user["id"] == truth["directory_id"]
        assert user["accountEnabled"]
        assert user["createdDateTime"] < "2019-11-01"
        assert letters(user["givenName"]) == letters(row["given_name"])
        assert letters(user["surname"]) == letters(row["surname"])
        assert user["identities"][0]["issuer"] in {TENANT, "google.com"}
        assert user["identities"][0]["signInType"] in {"emailAddress", "federated"}


def test_one_thing_keeps_a_customer_in_review_from_the_user_found(samples: Samples, council: Council) -> None:
    known = by_address(samples.users)
    by_itself = {"email_look_alike", "shared_address", "unclaimed_other_authority"}
    for row, truth in samples.judged(council):
        if truth["outcome"] != "review" or truth["reason"] in by_itself:
            continue
        users = known[row["email"].lower()]
        identity = users[0]["identities"][0]
        found = {
            "several_identities": len(users) == 2,
            "source_unverified": row["email_verified"] == council.verified[False],
            "names_missing": users[0]["givenName"] is None,
            "names_differ": letters(row["given_name"]) != letters(users[0]["givenName"]),
            "directory_disabled": not users[0]["accountEnabled"],
            "created_after_announcement": users[0]["createdDateTime"] > "2019-11-01",
            "username_only": identity["signInType"] == "userName",
            "address_not_sign_in": identity["signInType"] == "emailAddress"
            and identity["issuerAssignedId"] != row["email"],
            "provider_unverified": identity["issuer"] == "facebook.com",
        }
        if truth["reason"] == "names_missing":
            found["names_differ"] = False
        assert [reason for reason, is_so in found.items() if is_so] == [truth["reason"]]


def test_a_shared_address_is_on_two_accounts_and_a_duplicate_follows_a_valid_row(
    samples: Samples, council: Council
) -> None:
    shared: Counter[str] = Counter()
    seen: set[str] = set()
    for row, truth in samples.judged(council):
        source_id = truth["source_id"]
        if truth["reason"] == "shared_address":
            shared[row["email"].strip().lower()] += 1
        if truth["outcome"] != "reject":
            assert (source_id in seen) == (truth["outcome"] == "duplicate")
            seen.add(source_id)
    assert set(shared.values()) == {2}


def test_great_yarmouth_brings_customers_of_south_norfolk(samples: Samples) -> None:
    south_norfolk = {row["email"].strip().lower(): truth for row, truth in samples.judged(COUNCILS["south-norfolk"])}
    met = Counter[tuple[str, str, str]]()
    for row, truth in samples.judged(COUNCILS["great-yarmouth"]):
        before = south_norfolk.get(row["email"].strip().lower())
        if before and row["email"].strip():
            met[before["outcome"], truth["outcome"], truth["reason"]] += 1
    assert met == {("create", "review", "unclaimed_other_authority"): 20, ("link", "link", ""): 16}


def test_the_directory_has_every_kind_of_user(samples: Samples) -> None:
    users = samples.users
    assert len(users) == len({user["id"] for user in users}) == 2500
    kinds = Counter((each["signInType"], each["issuer"]) for user in users for each in user["identities"])
    assert kinds["userPrincipalName", TENANT] == 2500
    for kind in (
        ("emailAddress", TENANT),
        ("userName", TENANT),
        ("federated", "google.com"),
        ("federated", "facebook.com"),
    ):
        assert kinds[kind] > 50, kind
    assert sum(not user["accountEnabled"] for user in users) > 50
    assert sum(user["createdDateTime"] > "2019-11-01" for user in users) > 50
    assert sum(user["givenName"] is None for user in users) > 50
    twins = [found for found in by_address(users).values() if len(found) > 1]
    assert all(
        {each["identities"][0]["signInType"] for each in found} == {"emailAddress", "federated"} for found in twins
    )
    assert len(twins) > 10
    opaque = [
        each["issuerAssignedId"] for user in users for each in user["identities"] if each["signInType"] == "federated"
    ]
    assert all(each.isdigit() for each in opaque)


def test_local_sign_in_names_are_unique_as_in_a_directory(samples: Samples) -> None:
    local = Counter(
        each["issuerAssignedId"].lower()
        for user in samples.users
        for each in user["identities"]
        if each["issuer"] == TENANT
    )
    assert set(local.values()) == {1}


def test_the_counts_say_who_is_only_in_the_directory(samples: Samples) -> None:
    council = COUNCILS["south-norfolk"]
    rows = {row["email"].strip().lower() for row, _ in samples.judged(council)}
    only = [user for user in samples.users if not addresses(user) & rows]
    assert samples.counts(council)["directory_only"] == len(only)


@pytest.mark.parametrize("rows", [100, 137, 2500])
def test_any_number_of_rows_has_every_reason(tmp_path: Path, rows: int) -> None:
    assert main(["--out", str(tmp_path), "--rows", str(rows)]) == 0
    made = Samples(tmp_path)
    for council in COUNCILS.values():
        reasons = {each["reason"] for each in made.truth(council)}
        assert reasons >= REJECTS | REVIEWS
    assert len(made.truth(COUNCILS["south-norfolk"])) == rows


def test_a_small_directory_leaves_more_new_customers(tmp_path: Path) -> None:
    council = COUNCILS["south-norfolk"]
    assert (
        main(["--out", str(tmp_path), "--authority", council.slug, "--rows", "3000", "--directory-users", "300"]) == 0
    )
    made = Samples(tmp_path)
    assert len(made.users) == 300
    assert made.counts(council)["rows"] == 3000
    assert made.counts(council)["link"] < 300
    assert not (tmp_path / "great-yarmouth.csv").exists()


@pytest.mark.parametrize("arguments", [["--rows", "99"], ["--directory-users", "-1"], ["--authority", "atlantis"]])
def test_what_cannot_be_made_is_refused(
    tmp_path: Path, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--out", str(tmp_path), *arguments])
    assert ended.value.code == 2
    assert arguments[0] in capsys.readouterr().err


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    occupied = tmp_path / "file"
    occupied.write_text("")
    assert main(["--out", str(occupied)]) == 1
    assert "cannot be written" in capsys.readouterr().err
