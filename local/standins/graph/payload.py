"""What a create or a change may contain: names, types, lengths, passwords. Anything else is Graph's 400."""

import re
import string
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from local.standins.graph.errors import (
    extensions_unavailable,
    invalid_value,
    make_malformed,
    read_only,
    unknown_property,
    weak_password,
    wrong_shape,
)
from local.standins.graph.identities import is_email
from local.standins.graph.properties import PROPERTIES, Kind, is_extension
from local.standins.graph.rules import Rules
from local.standins.graph.state import Directory

type Payload = Mapping[str, Any]

MOST_STRINGS: Final = 250
MOST_EXTENSIONS: Final = 100
SHORTEST_PASSWORD: Final = 8
CLASSES_NEEDED: Final = 3
POLICIES: Final = frozenset({"DisablePasswordExpiration", "DisableStrongPassword", "None"})
PROFILE_FIELDS: Final = {
    "password": str,
    "forceChangePasswordNextSignIn": bool,
    "forceChangePasswordNextSignInWithMfa": bool,
}
ANNOTATIONS: Final = re.compile(r"@odata\.|.+@odata\.")


def clean_payload(payload: Payload) -> dict[str, Any]:
    """The payload without OData annotations. A type other than user is refused."""
    if payload.get("@odata.type", "#microsoft.graph.user") != "#microsoft.graph.user":
        raise make_malformed("The type in '@odata.type' is not microsoft.graph.user.")
    return {name: value for name, value in payload.items() if not ANNOTATIONS.match(name)}


def check_properties(payload: Payload, directory: Directory) -> None:
    """Names, types and lengths of everything but identities and the password's strength."""
    extensions = [name for name in payload if is_extension(name)]
    for name in payload.keys() - set(extensions):
        _check_property(name, payload[name])
    if unavailable := directory.unavailable(extensions):
        raise extensions_unavailable(unavailable)
    if len(extensions) > MOST_EXTENSIONS:
        raise invalid_value(extensions[MOST_EXTENSIONS])
    types = directory.rules.extension_types()
    for name in extensions:
        if payload[name] is not None and not EXTENSION_CHECKS[types[name]](payload[name], directory.rules):
            raise invalid_value(name)


def _check_property(name: str, value: object) -> None:
    known = PROPERTIES.get(name)
    if known is None:
        raise unknown_property(name)
    if name == "creationType":
        raise invalid_value(name)
    if known.read_only:
        raise read_only(name)
    if value is None:
        return
    SHAPES[known.kind](name, value)
    if known.longest and any(
        len(each) > known.longest for each in ([value] if isinstance(value, str) else _read_list(value))
    ):
        raise invalid_value(name)
    if name in MEANINGS and not MEANINGS[name](value):
        raise invalid_value(name)


def _read_list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _check_string(name: str, value: object) -> None:
    if not isinstance(value, str):
        raise wrong_shape(name)


def _check_boolean(name: str, value: object) -> None:
    if not isinstance(value, bool):
        raise wrong_shape(name)


def _check_strings(name: str, value: object) -> None:
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise wrong_shape(name)
    if len(value) > MOST_STRINGS:
        raise invalid_value(name)


def _check_complex(name: str, value: object) -> None:
    """Identities have a module of their own. Here is the password profile."""
    if name != "passwordProfile":
        return
    if not isinstance(value, dict):
        raise wrong_shape(name)
    for field, content in value.items():
        if field.startswith("@odata."):
            continue
        if field not in PROFILE_FIELDS or not isinstance(content, PROFILE_FIELDS[field] | None):
            raise wrong_shape(name)


SHAPES: Final[Mapping[Kind, Callable[[str, object], None]]] = {
    Kind.STRING: _check_string,
    Kind.DATE_TIME: _check_string,
    Kind.BOOLEAN: _check_boolean,
    Kind.STRINGS: _check_strings,
    Kind.COMPLEX: _check_complex,
}


def _display_name(value: Any) -> bool:  # noqa: ANN401 - its shape was checked before
    return bool(value.strip()) and not set("<>") & set(value)


def _is_mail(value: Any) -> bool:  # noqa: ANN401
    return bool(value.isascii()) and is_email(value)


def _are_policies(value: Any) -> bool:  # noqa: ANN401
    return split_policies(value) <= POLICIES


MEANINGS: Final[Mapping[str, Callable[[Any], bool]]] = {
    "displayName": _display_name,
    "mail": _is_mail,
    "otherMails": lambda value: all(map(_is_mail, value)),
    "passwordPolicies": _are_policies,
    "userPrincipalName": _is_mail,
}


def split_policies(value: str | None) -> frozenset[str]:
    """The parts of ``passwordPolicies``, which is one string with commas."""
    return frozenset(part.strip() for part in (value or "").split(",") if part.strip())


def _is_date_time(value: object, _rules: Rules) -> bool:
    if not isinstance(value, str):
        return False
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return False
    return True


EXTENSION_CHECKS: Final[Mapping[str, Callable[[Any, Rules], bool]]] = {
    "Boolean": lambda value, _: isinstance(value, bool),
    "DateTime": _is_date_time,
    "Integer": lambda value, _: isinstance(value, int) and not isinstance(value, bool) and -(2**31) <= value < 2**31,
    "String": lambda value, rules: isinstance(value, str) and len(value) <= rules.extension_max_length,
}


def check_password(password: str, password_policies: str | None, rules: Rules) -> None:
    """8 to 64 characters of three classes, unless the user's policy waives the classes."""
    if not SHORTEST_PASSWORD <= len(password) <= rules.password_max_length:
        raise weak_password()
    if "DisableStrongPassword" in split_policies(password_policies):
        return
    letters_and_digits = (string.ascii_lowercase, string.ascii_uppercase, string.digits)
    classes = sum(any(char in kind for char in password) for kind in letters_and_digits)
    classes += any(char not in string.ascii_letters + string.digits for char in password)
    if classes < CLASSES_NEEDED:
        raise weak_password()
