"""Which account may be linked to which identity. Pure.

It is the riskiest decision of the app, so it is one short function.

An address is no proof of identity, because somebody else may have registered with it first. An account is linked only
if everything agrees. In all other cases a person decides, with the evidence. All dates are UTC.
"""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from enum import StrEnum

from shared.model.account import AccountId, Authority
from shared.model.directory_user import DirectoryUser
from shared.model.lifecycle import Outcome


class AddressKind(StrEnum):
    """How an address belongs to a user."""

    LOCAL_EMAIL = "local_email"
    """It is the local sign-in e-mail, which sign-up verified."""
    FEDERATED = "federated"
    """It was given by an identity provider that verifies addresses."""
    UNVERIFYING_PROVIDER = "unverifying_provider"
    LOCAL_USERNAME = "local_username"
    """It is only a user name that looks like an address."""
    CONTACT_ONLY = "contact_only"
    """The address is only a contact address of a local account."""


@dataclass(frozen=True, slots=True)
class SourcePerson:
    """What the export says about the person."""

    account: AccountId
    authority: Authority
    address: str
    """The normalised address."""
    given_name: str
    surname: str
    verified: bool | None


@dataclass(frozen=True, slots=True)
class Rules:
    """The profile's rules for evidence."""

    tenant: str
    """Issuer of local identities."""
    verifying_issuers: frozenset[str]
    announced_at: datetime | None
    """Identities that were made after this time prove nothing, because the announcement told attackers what is coming.
    """
    sign_up_verifies_mailbox: bool = False


@dataclass(frozen=True, slots=True)
class Decision:
    """The outcome, its reason, and the facts behind it. Nothing in it is personal."""

    outcome: Outcome
    reason: str = ""
    user: DirectoryUser | None = None
    evidence: Mapping[str, str] = field(default_factory=dict)


def decide_match(
    source: SourcePerson,
    found: tuple[DirectoryUser, ...],
    unclaimed: frozenset[Authority],
    rules: Rules,
    *,
    vouched: bool = False,
) -> Decision:
    """Compare one account with the users that have its address.

    `unclaimed` are the other authorities that created the user for a customer who has not set a password. `vouched` is
    True if another authority created the user and its owner has set a password, which proves the mailbox.
    """
    if not found:
        return Decision(Outcome.CREATE, evidence={"found": "nobody"})
    if len(found) > 1:
        return Decision(Outcome.REVIEW, "several_identities", evidence={"found": str(len(found))})
    user = found[0]
    kind = find_address_kind(user, source.address, rules)
    evidence = _collect_evidence(source, user, kind, unclaimed)
    reason = _find_doubt(source, user, kind, unclaimed, rules, vouched=vouched)
    return Decision(Outcome.REVIEW if reason else Outcome.LINK, reason, user, evidence)


def _find_doubt(
    source: SourcePerson,
    user: DirectoryUser,
    kind: AddressKind,
    unclaimed: frozenset[Authority],
    rules: Rules,
    *,
    vouched: bool,
) -> str:
    """Return the first doubt as a reason code. Empty if there is none."""
    owner_marker = user.owner_markers.get(source.authority)
    checks = (
        ("already_linked", owner_marker is not None and owner_marker != source.account),
        ("unclaimed_other_authority", bool(unclaimed)),
        ("directory_disabled", not user.enabled),
        ("username_only", kind is AddressKind.LOCAL_USERNAME),
        ("address_not_sign_in", kind is AddressKind.CONTACT_ONLY),
        ("provider_unverified", kind is AddressKind.UNVERIFYING_PROVIDER),
        ("source_unverified", source.verified is False),
        ("created_after_announcement", not vouched and _is_too_new(user, rules)),
        ("names_missing", names_agree(source, user) is None),
        ("names_differ", names_agree(source, user) is False),
    )
    return next((reason for reason, holds in checks if holds), "")


def _is_too_new(user: DirectoryUser, rules: Rules) -> bool:
    if rules.announced_at is None or rules.sign_up_verifies_mailbox:
        return False
    return user.created is None or user.created >= rules.announced_at


def find_address_kind(user: DirectoryUser, address: str, rules: Rules) -> AddressKind:
    """Return how the address belongs to the user.

    Graph ignores the issuer when it looks for local identities, and does not distinguish e-mail from user name. So both
    are compared here.
    """
    local = [i for i in user.identities if i.issuer.lower() == rules.tenant.lower()]
    same = [i for i in local if i.assigned_id.lower() == address]
    if any(i.sign_in_type.lower().startswith("emailaddress") for i in same):
        return AddressKind.LOCAL_EMAIL
    if any(i.sign_in_type.lower() == "username" for i in same):
        return AddressKind.LOCAL_USERNAME
    federated = [i for i in user.identities if i.sign_in_type.lower() == "federated"]
    signs_in_locally = any(i.sign_in_type.lower() != "userprincipalname" for i in local)
    theirs = address in (mail.lower() for mail in user.other_mails)
    if not federated or signs_in_locally or not theirs:
        # A mixed account's contact address may have come from either side: it proves nothing.
        return AddressKind.CONTACT_ONLY
    verifying = all(i.issuer.lower() in rules.verifying_issuers for i in federated)
    return AddressKind.FEDERATED if verifying else AddressKind.UNVERIFYING_PROVIDER


def names_agree(source: SourcePerson, user: DirectoryUser) -> bool | None:
    """Return True if given name and surname are the same on both sides. None if there is too little to compare."""
    ours = (_fold_letters(source.given_name), _fold_letters(source.surname))
    theirs = (_fold_letters(user.given_name), _fold_letters(user.surname))
    display = _split_name(user.display_name)
    if not any(ours) or (not any(theirs) and display in ([], ["unknown"])):
        return None
    same = ours == theirs if any(theirs) else display == _split_name(f"{source.given_name} {source.surname}")
    # Half a name that is the same on both sides is too little.
    return None if same and not all(ours) else same


def _split_name(name: str) -> list[str]:
    return [letters for word in name.split() if (letters := _fold_letters(word))]


def _fold_letters(name: str) -> str:
    """Return a name without accents of Latin letters, without case, and with letters only."""
    plain = unicodedata.normalize("NFKD", name)
    kept = (c for c in plain if unicodedata.category(c)[0] in "LM" and not "\u0300" <= c <= "\u036f")
    return "".join(kept).casefold()


def _collect_evidence(
    source: SourcePerson, user: DirectoryUser, kind: AddressKind, unclaimed: frozenset[Authority]
) -> dict[str, str]:
    names = {True: "agree", False: "differ", None: "missing"}[names_agree(source, user)]
    verified = {True: "verified", False: "not verified", None: "not said"}[source.verified]
    return {
        "found": "one",
        "kind": kind,
        "names": names,
        "source_address": verified,
        "directory_enabled": "yes" if user.enabled else "no",
        "directory_created": f"{user.created:%Y-%m-%d}" if user.created else "unknown",
        "marked_by": ", ".join(sorted(user.owner_markers)) or "nobody",
        "unclaimed_of": ", ".join(sorted(unclaimed)) or "nobody",
    }


def choose_announcement_time(announced_on: date | None, first_message_at: datetime | None) -> datetime | None:
    """Return the earlier of the profile's date (its first minute, UTC) and our first message to a customer."""
    by_profile = datetime.combine(announced_on, time.min, UTC) if announced_on else None
    return min((at for at in (by_profile, first_message_at) if at is not None), default=None)
