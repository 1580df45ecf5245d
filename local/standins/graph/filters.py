"""A checked ``$filter``, applied to one user at a time.

``filter_syntax`` reads the text and ``filter_checks`` refuses what Graph does not support. ``matches_filter`` says if a
filter takes a user. ``find_equality`` tells the store where to look first.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Final

from local.standins.graph.filter_syntax import (
    AnyOf,
    Both,
    Compare,
    Either,
    Literal,
    Negated,
    Node,
    OneOf,
    Properties,
    list_conjuncts,
)
from local.standins.graph.rules import Rules

LOCAL_TYPES: Final = ("emailaddress", "username")


def matches_filter(node: Node, user: Properties, rules: Rules) -> bool:
    """Return True if a checked filter takes the user, as lists show it now."""
    match node:
        case Both(left, right):
            return matches_filter(left, user, rules) and matches_filter(right, user, rules)
        case Either(left, right):
            return matches_filter(left, user, rules) or matches_filter(right, user, rules)
        case Negated(operand):
            return not matches_filter(operand, user, rules)
        case AnyOf(("identities",), variable, body):
            asked = {part.path[-1]: part.value for part in list_conjuncts(body) if isinstance(part, Compare)}
            return any(_identity_found(each, asked, rules) for each in user.get("identities") or ()) and bool(variable)
        case AnyOf(path, variable, body):
            return any(matches_filter(body, {variable: each}, rules) for each in user.get(path[0]) or ())
        case Compare(path, operator, value):
            return _compare_values(user.get(path[0]), operator, value, rules)
        case OneOf(path, values):
            return any(_compare_values(user.get(path[0]), "eq", value, rules) for value in values)


def _identity_found(identity: Mapping[str, str], asked: Mapping[str, Literal], rules: Rules) -> bool:
    kind, issuer = identity["signInType"].lower(), identity["issuer"].lower()
    if kind == "userprincipalname":
        return False
    local = kind.startswith(LOCAL_TYPES)
    ignored = local and rules.filter_ignores_local_issuer and "issuerAssignedId" in asked
    if not ignored and issuer != str(asked["issuer"]).lower():
        return False
    if "issuerAssignedId" not in asked:
        return True
    if local and rules.own_domain_email_hidden and identity["issuerAssignedId"].lower().endswith(f"@{issuer}"):
        return False
    exact = rules.filter_case_sensitive or (not local and rules.federated_case_sensitive)
    return _fold_case(identity["issuerAssignedId"], exact=exact) == _fold_case(asked["issuerAssignedId"], exact=exact)


def _compare_values(actual: object, operator: str, value: Literal, rules: Rules) -> bool:
    if isinstance(value, datetime) and isinstance(actual, str):
        return _is_ordered(datetime.fromisoformat(actual), operator, value)
    exact = rules.filter_case_sensitive
    left, right = _fold_case(actual, exact=exact), _fold_case(value, exact=exact)
    if operator in TESTS:
        return TESTS[operator](left, right)
    if not isinstance(left, str) or not isinstance(right, str):
        return False
    return _is_ordered(left, operator, right)


def _is_ordered[T: (str, datetime)](left: T, operator: str, right: T) -> bool:
    match operator:
        case "eq":
            return left == right
        case "ne":
            return left != right
        case "ge":
            return left >= right
        case "le":
            return left <= right
    return False


def _starts_with(left: object, right: object) -> bool:
    return isinstance(left, str) and isinstance(right, str) and left.startswith(right)


def _ends_with(left: object, right: object) -> bool:
    return isinstance(left, str) and isinstance(right, str) and left.endswith(right)


TESTS: Final[Mapping[str, Callable[[object, object], bool]]] = {
    "eq": lambda left, right: left == right,
    "ne": lambda left, right: left != right,
    "startsWith": _starts_with,
    "endsWith": _ends_with,
}


def _fold_case(value: object, *, exact: bool) -> object:
    return value.casefold() if isinstance(value, str) and not exact else value


def find_equality(node: Node) -> tuple[str, Sequence[str]] | None:
    """A property and values, one of which every match has: the store need not read all users."""
    for part in list_conjuncts(node):
        match part:
            case AnyOf(("identities",), _, body):
                named = {each.path[-1]: each.value for each in list_conjuncts(body) if isinstance(each, Compare)}
                if isinstance(value := named.get("issuerAssignedId"), str):
                    return "identities", (value,)
            case AnyOf(path, variable, Compare(inner, "eq", str(value))) if inner == (variable,):
                return path[0], (value,)
            case Compare(path, "eq", str(value)):
                return path[0], (value,)
            case OneOf(path, values):
                wanted = [value for value in values if isinstance(value, str)]
                if len(wanted) == len(values):
                    return path[0], wanted
    return None
