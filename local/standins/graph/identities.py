"""Sign-in identities: their shape, their rules and who already holds one."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from local.standins.graph.errors import GraphError, bad_request, invalid_value, make_conflict, wrong_shape
from local.standins.graph.rules import Rules
from local.standins.graph.store import Entry, Store

type Identity = dict[str, str]

FIELDS: Final = ("signInType", "issuer", "issuerAssignedId")
MOST, LONGEST_ISSUER, LONGEST_ID, LONGEST_UPN = 10, 512, 64, 113
EMAIL: Final = re.compile(r"[^@\s\"(),:;<>\[\]\\]+@[^@\s.]+(\.[^@\s.]+)+")
USER_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
LOCAL_PART: Final = re.compile(r"[^@\s\"(),:;<>\[\]\\]+")
UPN: Final = "userPrincipalName"


def is_email(text: str) -> bool:
    """Return True if the text has the form of an e-mail address."""
    return EMAIL.fullmatch(text) is not None


def is_local(identity: Mapping[str, str]) -> bool:
    """Return True for an identity with which people sign in here.

    Neither federated nor the automatic userPrincipalName.
    """
    return identity["signInType"].lower() not in {"federated", UPN.lower()}


def has_local(identities: Iterable[Mapping[str, str]]) -> bool:
    """Return True if one of the identities is local."""
    return any(is_local(identity) for identity in identities)


def upn_of(identities: Iterable[Mapping[str, str]]) -> str | None:
    """The userPrincipalName among them."""
    found = (each["issuerAssignedId"] for each in identities if each["signInType"].lower() == UPN.lower())
    return next(found, None)


def upn_identity(name: str, rules: Rules) -> Identity:
    """Return the identity that Graph adds automatically."""
    return {"signInType": UPN, "issuer": rules.tenant, "issuerAssignedId": name}


def check_identities(value: object, rules: Rules) -> list[Identity]:
    """The identities of a payload, each by its rules. Raises Graph's 400."""
    if not isinstance(value, list):
        raise wrong_shape("identities")
    identities = [_check_shape(each) for each in value]
    if len(identities) > MOST:
        raise invalid_value("identities")
    for identity in identities:
        _check_identity(identity, rules)
    keys = [_make_key(identity, rules) for identity in identities]
    if len(set(keys)) < len(keys):
        raise invalid_value("identities")
    return identities


def _check_shape(value: object) -> Identity:
    if not isinstance(value, dict) or not all(isinstance(value.get(name), str) for name in FIELDS):
        raise wrong_shape("identities")
    if {name for name in value if not name.startswith("@")} - set(FIELDS):
        raise wrong_shape("identities")
    return {name: value[name] for name in FIELDS}


def _check_identity(identity: Identity, rules: Rules) -> None:
    kind, issuer, held = (identity[name] for name in FIELDS)
    own = kind.lower() == UPN.lower()  # <object id>@tenant is longer than an identity may be
    if not kind or not 0 < len(issuer) <= LONGEST_ISSUER or not 0 < len(held) <= (LONGEST_UPN if own else LONGEST_ID):
        raise invalid_value("identities")
    if kind.lower() != "federated" and issuer.lower() != rules.tenant.lower():
        raise bad_request("Issuer should match tenants domainName for non federated identity.")
    if not _well_formed(kind.lower(), held, rules):
        raise invalid_value("identities")


def _well_formed(kind: str, held: str, rules: Rules) -> bool:
    if kind.startswith("emailaddress"):
        return is_email(held)
    if kind == "username":
        return bool((USER_NAME if rules.strict_user_names else LOCAL_PART).fullmatch(held))
    if kind == UPN.lower():
        return is_email(held) and held.lower().endswith(f"@{rules.tenant.lower()}")
    return True


def _make_key(identity: Mapping[str, str], rules: Rules) -> tuple[str, str]:
    exact = identity["signInType"].lower() == "federated" and rules.federated_case_sensitive
    held = identity["issuerAssignedId"]
    return identity["issuer"].lower(), held if exact else held.casefold()


def check_free(identities: Sequence[Identity], store: Store, rules: Rules, owner: str) -> None:
    """Raise the conflict if another user holds one of these, whether or not filters show that user yet."""
    for identity in identities:
        for entry in _list_others(store, "identities", identity["issuerAssignedId"], rules, owner):
            if any(_make_key(each, rules) == _make_key(identity, rules) for each in entry.properties["identities"]):
                raise _make_identity_conflict(identity, rules)


def _make_identity_conflict(identity: Identity, rules: Rules) -> GraphError:
    name = UPN if identity["signInType"].lower() == UPN.lower() else rules.conflict_property
    return make_conflict(name, choose_conflict_status(rules, identity["issuerAssignedId"]))


def choose_conflict_status(rules: Rules, value: str) -> int:
    """The status of a conflict over this value. Where both are wanted, half of the values get each."""
    return rules.conflict_status or (400, 409)[sum(value.encode()) % 2]


def check_mail_free(mail: str, store: Store, rules: Rules, owner: str) -> None:
    """Raise the conflict if another user has this ``mail``, which Graph keeps unique as a proxy address."""
    for entry in _list_others(store, "mail", mail, rules, owner):
        if str(entry.properties.get("mail")).casefold() == mail.casefold():
            raise make_conflict("proxyAddresses", choose_conflict_status(rules, mail))


def _list_others(store: Store, name: str, value: str, rules: Rules, owner: str) -> Iterator[Entry]:
    for entry in store.candidates(name, (value,)):
        if entry.id != owner and (rules.soft_deleted_hold_identities or not entry.deleted):
            yield entry
