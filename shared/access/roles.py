"""Who asks: the person who came through the platform's sign-in (Easy Auth), and what this person may do."""

import base64
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from shared.names import STORAGE_CONNECTION

DEPLOYED: Final = ("WEBSITE_SITE_NAME", "WEBSITE_INSTANCE_ID", f"{STORAGE_CONNECTION}__credential")
"""One of these is set wherever the app is deployed. Our own infrastructure sets the last one. On a laptop nobody signs
in.
"""
ROLE_CLAIM: Final = "http://schemas.microsoft.com/ws/2008/06/identity/claims/role"
"""The platform's name for the claim `roles`, where it translates claims."""


class Role(StrEnum):
    """App roles of the app registration behind Easy Auth, as they are assigned to people and groups."""

    VIEWER = "viewer"
    """Sees where everything stands."""
    OPERATOR = "operator"
    """Replays, resumes, checks and mends."""
    APPROVER = "approver"
    """Signs plans."""
    HELPDESK = "helpdesk"
    """Looks up one caller."""


READERS: Final = frozenset({Role.VIEWER, Role.OPERATOR, Role.APPROVER})
OPERATORS: Final = frozenset({Role.OPERATOR})
APPROVERS: Final = frozenset({Role.APPROVER})


class NotLetIn(Exception):
    """The caller may not do this. The sentence says why, and what to do."""

    def __init__(self, status_code: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status_code = status_code


@dataclass(frozen=True, slots=True)
class SignedInPerson:
    """The caller, as it may be recorded: an object id of the council's own tenant, never a name."""

    id: str
    roles: frozenset[Role]


LOCAL: Final = SignedInPerson("local", frozenset(Role))
"""The caller of an app on a laptop."""


def people_sign_in() -> bool:
    """Return True if people sign in to this app. On a laptop they only say who they are."""
    return any(os.environ.get(sign) for sign in DEPLOYED)


def read_caller(headers: Mapping[str, str]) -> SignedInPerson:
    """Return the person who asks. Header names are in lower case, as the host gives them.

    Raises:
        NotLetIn: the platform's sign-in is off, or the person did not sign in.
    """
    if not people_sign_in():
        return LOCAL
    caller = headers.get("x-ms-client-principal-id", "")
    if os.environ.get("WEBSITE_AUTH_ENABLED", "").lower() != "true" or not caller:
        raise NotLetIn(401, "Sign in first: this app answers only to people whom Easy Auth let in.")
    return SignedInPerson(caller, _read_roles(headers.get("x-ms-client-principal", "")))


def admit_person(headers: Mapping[str, str], allowed: frozenset[Role]) -> SignedInPerson:
    """Return the person who asks, if one of the roles is allowed.

    Raises:
        NotLetIn: nobody signed in, or the person has none of these roles.
    """
    found = read_caller(headers)
    if not found.roles & allowed:
        wanted = " or ".join(f"`{role}`" for role in sorted(allowed))
        raise NotLetIn(403, f"This needs the app role {wanted}. Whoever runs the app assigns it (docs/deploy.md).")
    return found


def _read_roles(principal: str) -> frozenset[Role]:
    """Return the app roles in the platform's header, which is base64 of JSON.

    A header that cannot be read gives no roles.
    """
    try:
        claims = json.loads(base64.b64decode(principal))["claims"]
        told = {claim["val"] for claim in claims if claim["typ"] in {"roles", ROLE_CLAIM}}
    except (ValueError, KeyError, TypeError, RecursionError):
        return frozenset()
    return frozenset(role for role in Role if role.value in told)
