"""Who may be joined to whom: every combination of the evidence."""

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from datetime import UTC, date, datetime
from itertools import product

import pytest

from shared.matching.rules.match import (
    AddressKind,
    Rules,
    SourcePerson,
    choose_announcement_time,
    decide_match,
    find_address_kind,
    names_agree,
)
from shared.model.account import AccountId, Authority, DirectoryId
from shared.model.directory_user import DirectoryUser, Identity
from shared.model.lifecycle import Outcome

TENANT = "norfolkidentity.onmicrosoft.com"
OURS = Authority("south-norfolk")
OTHER = Authority("great-yarmouth")
ACCOUNT = AccountId("a" + "0" * 40)
ELSE = AccountId("a" + "1" * 40)
ANNOUNCED = datetime(2019, 11, 1, tzinfo=UTC)
BEFORE = datetime(2019, 10, 31, 23, 59, 59, tzinfo=UTC)
RULES = Rules(TENANT, frozenset({"google.com"}), ANNOUNCED)
SOURCE = SourcePerson(ACCOUNT, OURS, "ada@example.org", "Ada", "Example", verified=True)
LOCAL = Identity("emailAddress", TENANT, "ada@example.org")
USERNAME = Identity("userName", TENANT, "ada@example.org")
GOOGLE = Identity("federated", "google.com", "1234")
FACEBOOK = Identity("federated", "facebook.com", "1234")
UPN = Identity("userPrincipalName", TENANT, "1234@norfolkidentity.onmicrosoft.com")
USER = DirectoryUser(DirectoryId("u1"), (LOCAL,), (), "Ada", "Example", created=BEFORE)


@dataclass(frozen=True)
class Doubts:
    """One flag for each thing that may not hold, in the order in which they are told."""

    already_linked: bool
    unclaimed_other_authority: bool
    directory_disabled: bool
    username_only: bool
    source_unverified: bool
    created_after_announcement: bool
    names_missing: bool
    names_differ: bool

    def first(self) -> str:
        return next((field.name for field in fields(self) if getattr(self, field.name)), "")


def _every_combination() -> Iterator[Doubts]:
    for flags in product([False, True], repeat=len(fields(Doubts))):
        yield Doubts(*flags)


def _case(doubts: Doubts) -> tuple[SourcePerson, DirectoryUser, frozenset[Authority]]:
    source = replace(SOURCE, verified=not doubts.source_unverified)
    if doubts.names_missing:
        source = replace(source, given_name="", surname="")
    user = replace(
        USER,
        identities=(USERNAME if doubts.username_only else LOCAL,),
        enabled=not doubts.directory_disabled,
        created=ANNOUNCED if doubts.created_after_announcement else BEFORE,
        surname="Other" if doubts.names_differ else "Example",
        owner_markers={OURS: ELSE} if doubts.already_linked else {},
    )
    return source, user, frozenset({OTHER} if doubts.unclaimed_other_authority else ())


def test_only_when_everything_holds_is_an_account_joined_else_the_first_doubt_is_told() -> None:
    joined = 0
    for doubts in _every_combination():
        source, user, unclaimed = _case(doubts)
        decision = decide_match(source, (user,), unclaimed, RULES)
        assert decision.reason == doubts.first()
        assert decision.outcome is (Outcome.REVIEW if doubts.first() else Outcome.LINK)
        assert decision.user == user
        joined += decision.outcome is Outcome.LINK
    assert joined == 1


@pytest.mark.parametrize("doubt", [None, *[field.name for field in fields(Doubts)]])
def test_the_evidence_is_kept_and_names_nobody(doubt: str | None) -> None:
    doubts = Doubts(**{field.name: field.name == doubt for field in fields(Doubts)})
    source, user, unclaimed = _case(doubts)
    evidence = decide_match(source, (user,), unclaimed, RULES).evidence
    assert {"found", "kind", "names", "source_address", "directory_enabled", "directory_created"} <= set(evidence)
    said = " ".join(evidence.values()).lower()
    assert "ada" not in said.replace("great-yarmouth", "")
    assert "example" not in said


def test_an_address_that_nobody_has_is_a_new_account() -> None:
    assert decide_match(SOURCE, (), frozenset(), RULES).outcome is Outcome.CREATE


def test_several_users_with_the_address_are_for_a_person() -> None:
    decision = decide_match(SOURCE, (USER, replace(USER, id=DirectoryId("u2"))), frozenset(), RULES)
    assert (decision.outcome, decision.reason, decision.user) == (Outcome.REVIEW, "several_identities", None)


@pytest.mark.parametrize("verified", [True, None])
def test_a_source_that_says_nothing_of_verification_is_not_a_source_that_says_no(verified: bool | None) -> None:  # noqa: FBT001
    assert decide_match(replace(SOURCE, verified=verified), (USER,), frozenset(), RULES).outcome is Outcome.LINK


def test_our_own_mark_is_no_doubt() -> None:
    assert (
        decide_match(SOURCE, (replace(USER, owner_markers={OURS: ACCOUNT}),), frozenset(), RULES).outcome
        is Outcome.LINK
    )


@pytest.mark.parametrize(
    ("identities", "mails", "kind"),
    [
        ((LOCAL,), (), AddressKind.LOCAL_EMAIL),
        ((replace(LOCAL, sign_in_type="emailAddress1"),), (), AddressKind.LOCAL_EMAIL),
        ((replace(LOCAL, assigned_id="Ada@Example.ORG", issuer=TENANT.upper()),), (), AddressKind.LOCAL_EMAIL),
        ((USERNAME,), (), AddressKind.LOCAL_USERNAME),
        ((USERNAME, LOCAL), (), AddressKind.LOCAL_EMAIL),
        ((GOOGLE,), ("ada@example.org",), AddressKind.FEDERATED),
        ((GOOGLE, UPN), ("ada@example.org",), AddressKind.FEDERATED),
        ((replace(GOOGLE, issuer="Google.com"),), ("ada@example.org",), AddressKind.FEDERATED),
        ((FACEBOOK,), ("ada@example.org",), AddressKind.UNVERIFYING_PROVIDER),
        ((GOOGLE, FACEBOOK), ("ada@example.org",), AddressKind.UNVERIFYING_PROVIDER),
        ((GOOGLE, replace(LOCAL, assigned_id="other@example.org")), ("ada@example.org",), AddressKind.CONTACT_ONLY),
        ((GOOGLE, replace(USERNAME, assigned_id="ada")), ("ada@example.org",), AddressKind.CONTACT_ONLY),
        ((replace(LOCAL, assigned_id="other@example.org"),), ("ada@example.org",), AddressKind.CONTACT_ONLY),
        ((replace(LOCAL, issuer="evil.onmicrosoft.com"),), ("ada@example.org",), AddressKind.CONTACT_ONLY),
        ((), ("ada@example.org",), AddressKind.CONTACT_ONLY),
    ],
)
def test_how_an_address_belongs_to_a_user(
    identities: tuple[Identity, ...], mails: tuple[str, ...], kind: AddressKind
) -> None:
    user = replace(USER, identities=identities, other_mails=mails)
    assert find_address_kind(user, "ada@example.org", RULES) is kind
    joined = decide_match(SOURCE, (user,), frozenset(), RULES).outcome is Outcome.LINK
    assert joined is (kind in {AddressKind.LOCAL_EMAIL, AddressKind.FEDERATED})


@pytest.mark.parametrize(
    ("ours", "theirs", "agree"),
    [
        (("Ada", "Example"), ("Ada", "Example", ""), True),
        (("ADA", "example"), ("Ada", "Example", ""), True),
        (("Zoë", "Núñez"), ("Zoe", "Nunez", ""), True),
        (("Ada", "O'Brien"), ("Ada", "O\u2019Brien", ""), True),
        (("Ada", "OBrien"), ("Ada", "O'Brien", ""), True),
        (("Mary-Jane", "Smith Jones"), ("Mary Jane", "Smith-Jones", ""), True),
        (("Ada", "Straße"), ("Ada", "Strasse", ""), True),
        (("Ada", "Example"), ("Ada", "Other", ""), False),
        (("Ada", "Example"), ("Ida", "Example", ""), False),
        (("Ada", "Example"), ("Example", "Ada", ""), False),
        (("Ada", "Example"), ("", "Example", ""), False),
        (("", "Example"), ("Ada", "Example", ""), False),
        (("", "Example"), ("", "Example", ""), None),
        (("Anna", "Bel"), ("", "", "Ann Abel"), False),
        (("", ""), ("Ada", "Example", ""), None),
        (("-", "."), ("Ada", "Example", ""), None),
        (("Ada", "Example"), ("", "", ""), None),
        (("Ada", "Example"), ("", "", "unknown"), None),
        (("Ada", "Example"), ("", "", "Ada Example"), True),
        (("Ada", "Example"), ("", "", "Somebody Else"), False),
        (("", ""), ("", "", "Ada Example"), None),
    ],
)
def test_whether_names_agree(ours: tuple[str, str], theirs: tuple[str, str, str], agree: bool | None) -> None:  # noqa: FBT001
    source = replace(SOURCE, given_name=ours[0], surname=ours[1])
    user = replace(USER, given_name=theirs[0], surname=theirs[1], display_name=theirs[2])
    assert names_agree(source, user) is agree


@pytest.mark.parametrize(
    ("created", "owner_markers", "verifies", "announced", "reason"),
    [
        (BEFORE, {}, False, ANNOUNCED, ""),
        (ANNOUNCED, {}, False, ANNOUNCED, "created_after_announcement"),
        (None, {}, False, ANNOUNCED, "created_after_announcement"),
        (ANNOUNCED, {}, True, ANNOUNCED, ""),
        (None, {}, True, ANNOUNCED, ""),
        (ANNOUNCED, {}, False, None, ""),
        (None, {}, False, None, ""),
        (ANNOUNCED, {OTHER: ELSE}, False, ANNOUNCED, "created_after_announcement"),
        (ANNOUNCED, {OURS: ACCOUNT}, False, ANNOUNCED, "created_after_announcement"),
    ],
)
def test_who_signed_up_after_the_announcement_proves_nothing_unless_somebody_vouches(
    created: datetime | None,
    owner_markers: dict[Authority, AccountId],
    verifies: bool,  # noqa: FBT001
    announced: datetime | None,
    reason: str,
) -> None:
    rules = replace(RULES, announced_at=announced, sign_up_verifies_mailbox=verifies)
    user = replace(USER, created=created, owner_markers=owner_markers)
    assert decide_match(SOURCE, (user,), frozenset(), rules).reason == reason


def test_an_authority_that_made_the_user_vouches_once_its_owner_has_set_a_password() -> None:
    user = replace(USER, created=ANNOUNCED, owner_markers={OTHER: ELSE})
    assert decide_match(SOURCE, (user,), frozenset(), RULES, vouched=True).outcome is Outcome.LINK
    assert decide_match(SOURCE, (user,), frozenset({OTHER}), RULES).reason == "unclaimed_other_authority"


@pytest.mark.parametrize(
    ("by_profile", "first_message", "expected"),
    [
        (None, None, None),
        (date(2019, 11, 1), None, ANNOUNCED),
        (None, BEFORE, BEFORE),
        (date(2019, 11, 1), BEFORE, BEFORE),
        (date(2019, 11, 1), datetime(2026, 3, 2, tzinfo=UTC), ANNOUNCED),
    ],
)
def test_the_earlier_of_the_announcement_and_our_first_message_counts(
    by_profile: date | None, first_message: datetime | None, expected: datetime | None
) -> None:
    assert choose_announcement_time(by_profile, first_message) == expected
