"""The properties of a user: types, longest values, what is shown by default, and what a plain filter may use."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Kind(StrEnum):
    """The JSON that a property takes."""

    STRING = "string"
    BOOLEAN = "boolean"
    DATE_TIME = "dateTime"
    STRINGS = "collection of strings"
    COMPLEX = "complex"


@dataclass(frozen=True, slots=True)
class Property:
    """One documented property of a user. ``longest`` 0 is no documented limit."""

    kind: Kind = Kind.STRING
    longest: int = 0
    operators: frozenset[str] = frozenset()
    shown: bool = False
    read_only: bool = False


NONE: Final = frozenset[str]()
EQUAL: Final = frozenset({"eq", "in"})
DATES: Final = EQUAL | {"ge", "le"}
TEXT: Final = DATES | {"startsWith"}

PROPERTIES: Final = {
    "accountEnabled": Property(Kind.BOOLEAN, operators=EQUAL),
    "ageGroup": Property(operators=EQUAL),
    "businessPhones": Property(Kind.STRINGS, operators=frozenset({"eq", "startsWith"}), shown=True),
    "city": Property(longest=128, operators=TEXT),
    "companyName": Property(longest=64, operators=TEXT),
    "consentProvidedForMinor": Property(operators=EQUAL),
    "country": Property(longest=128, operators=TEXT),
    "createdDateTime": Property(Kind.DATE_TIME, operators=DATES, read_only=True),
    "creationType": Property(operators=EQUAL, read_only=True),
    "deletedDateTime": Property(Kind.DATE_TIME, read_only=True),
    "department": Property(longest=64, operators=DATES),
    "displayName": Property(longest=256, operators=TEXT, shown=True),
    "employeeId": Property(longest=16, operators=TEXT),
    "externalUserState": Property(operators=EQUAL, read_only=True),
    "faxNumber": Property(operators=TEXT),
    "givenName": Property(longest=64, operators=TEXT, shown=True),
    "id": Property(operators=EQUAL, shown=True, read_only=True),
    "identities": Property(Kind.COMPLEX, operators=frozenset({"eq"})),
    "imAddresses": Property(Kind.STRINGS, read_only=True),
    "jobTitle": Property(longest=128, operators=TEXT, shown=True),
    "lastPasswordChangeDateTime": Property(Kind.DATE_TIME, read_only=True),
    "legalAgeGroupClassification": Property(read_only=True),
    "mail": Property(operators=TEXT, shown=True),
    "mailNickname": Property(longest=64, operators=TEXT),
    "mobilePhone": Property(longest=64, operators=TEXT, shown=True),
    "officeLocation": Property(operators=TEXT, shown=True),
    "otherMails": Property(Kind.STRINGS, 250, operators=frozenset({"eq", "in", "startsWith"})),
    "passwordPolicies": Property(),
    "passwordProfile": Property(Kind.COMPLEX),
    "postalCode": Property(longest=40, operators=TEXT),
    "preferredLanguage": Property(operators=TEXT, shown=True),
    "proxyAddresses": Property(Kind.STRINGS, operators=frozenset({"eq", "startsWith"}), read_only=True),
    "securityIdentifier": Property(read_only=True),
    "showInAddressList": Property(Kind.BOOLEAN),
    "signInActivity": Property(Kind.COMPLEX, read_only=True),
    "signInSessionsValidFromDateTime": Property(Kind.DATE_TIME, read_only=True),
    "state": Property(longest=128, operators=TEXT),
    "streetAddress": Property(longest=1024, operators=TEXT),
    "surname": Property(longest=64, operators=TEXT, shown=True),
    "usageLocation": Property(longest=2, operators=TEXT),
    "userPrincipalName": Property(operators=TEXT, shown=True),
    "userType": Property(operators=EQUAL),
}
DEFAULT_SET: Final = tuple(name for name, each in PROPERTIES.items() if each.shown)
EXTENSION: Final = Property(operators=frozenset({"eq"}))


def is_extension(name: str) -> bool:
    """Return True if the name has the form of a custom attribute, registered or not."""
    return name.startswith("extension_")
