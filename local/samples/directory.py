"""Users of the shared directory, as Graph returns them."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from local.samples import names
from local.samples.people import ANNOUNCED_AT, Maker, Person

TENANT: Final = "norfolkidentity.onmicrosoft.com"
_FIRST_SIGN_UP: Final = datetime(2016, 2, 1, 9, 0, tzinfo=UTC)
_GOOGLE_DIGITS: Final = 21
_FACEBOOK_DIGITS: Final = 16

type User = dict[str, Any]


def make_local_user(maker: Maker, person: Person) -> User:
    """Return a user who signed up with an e-mail address and a password before the announcement."""
    return _make_user(maker, person, "LocalAccount", _make_identity("emailAddress", TENANT, person.email))


def with_user_name(maker: Maker, person: Person, user_name: str) -> User:
    """Return a user who signs in with a user name. It may look like an address and proves nothing."""
    return _make_user(maker, person, "LocalAccount", _make_identity("userName", TENANT, user_name))


def make_google_user(maker: Maker, person: Person) -> User:
    """Return a user who signs in at Google, which verifies the address. The address is only in otherMails."""
    identity = _make_identity("federated", "google.com", maker.digits(_GOOGLE_DIGITS))
    return {**_make_user(maker, person, None, identity), "otherMails": [person.email]}


def make_facebook_user(maker: Maker, person: Person) -> User:
    """Return a user who signs in at Facebook, which does not verify the address in otherMails."""
    identity = _make_identity("federated", "facebook.com", maker.digits(_FACEBOOK_DIGITS))
    return {**_make_user(maker, person, None, identity), "otherMails": [person.email]}


def respell_person(maker: Maker, person: Person) -> Person:
    """The person as the County wrote the name: the same letters, other accents, capitals or punctuation."""
    given, surname = (names.respell_name(name, maker.rng) for name in (person.given_name, person.surname))
    return person.named(given, surname)


def disable_user(user: User) -> User:
    """Return the same user, disabled."""
    return {**user, "accountEnabled": False}


def remove_names(user: User) -> User:
    """Return the same user without names, as some sign-ups leave it."""
    return {**user, "givenName": None, "surname": None, "displayName": "unknown"}


def signed_up_late(maker: Maker, user: User) -> User:
    """Return the same user, created after the announcement, perhaps by somebody who read it."""
    created = format_time(maker.draw_time(ANNOUNCED_AT + timedelta(hours=12), ANNOUNCED_AT + timedelta(days=40)))
    return {**user, "createdDateTime": created, "lastPasswordChangeDateTime": created}


def format_time(at: datetime) -> str:
    """Return a time as Graph writes it."""
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def _make_user(maker: Maker, person: Person, creation_type: str | None, identity: dict[str, str]) -> User:
    object_id = maker.uuid()
    principal_name = f"{object_id}@{TENANT}"
    created = maker.draw_time(_FIRST_SIGN_UP, ANNOUNCED_AT - timedelta(days=14))
    return {
        "id": object_id,
        "displayName": f"{person.given_name} {person.surname}",
        "givenName": person.given_name,
        "surname": person.surname,
        "accountEnabled": True,
        "createdDateTime": format_time(created),
        "lastPasswordChangeDateTime": format_time(maker.draw_time(created, ANNOUNCED_AT - timedelta(days=14))),
        "creationType": creation_type,
        "userPrincipalName": principal_name,
        "mail": None,
        "otherMails": [],
        "identities": [identity, _make_identity("userPrincipalName", TENANT, principal_name)],
    }


def _make_identity(kind: str, issuer: str, assigned: str) -> dict[str, str]:
    return {"signInType": kind, "issuer": issuer, "issuerAssignedId": assigned}
