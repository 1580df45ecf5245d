"""What a B2C directory refuses of a filter: Graph documents most of it as unsupported."""

from typing import Final

from local.standins.graph.errors import GraphError, make_malformed, unsupported_query
from local.standins.graph.filter_syntax import (
    FUNCTIONS,
    AnyOf,
    Both,
    Compare,
    Either,
    Literal,
    Negated,
    Node,
    OneOf,
    list_conjuncts,
    list_leaves,
)
from local.standins.graph.properties import EXTENSION, PROPERTIES, Kind, Property, is_extension
from local.standins.graph.rules import Rules

ADVANCED: Final = (
    "Operator '{}' is not supported because the required parameters might be missing. Try adding $count=true "
    "query parameter and ConsistencyLevel:eventual header. Refer to https://aka.ms/graph-docs/advanced-queries"
    " for more information"
)
ON_IDENTITIES: Final = "Unsupported query on property 'ObjectIdentity'."
ODD: Final = "Unsupported property or property value or combination of property and operation occured"
ISSUER_ALONE: Final = frozenset({"google.com", "facebook.com", "mail", "phone"})


def check_filter(node: Node, rules: Rules, *, advanced: bool) -> None:
    """Raise the documented 400 for a filter this directory does not answer.

    ``advanced`` is true where the tenant has advanced queries and the request asks for them.
    """
    match node:
        case Negated(operand):
            _need_advanced("not", advanced=advanced)
            check_filter(operand, rules, advanced=advanced)
        case Both(left, right):
            check_filter(left, rules, advanced=advanced)
            check_filter(right, rules, advanced=advanced)
        case Either(left, right):
            if _asks_identities(node) and not rules.identities_or_accepted:
                raise unsupported_query(ON_IDENTITIES)
            check_filter(left, rules, advanced=advanced)
            check_filter(right, rules, advanced=advanced)
        case AnyOf(("identities",)):
            _check_identities(node)
        case AnyOf():
            _check_collection(node, advanced=advanced)
        case Compare(path, operator):
            _check_plain(path, operator, advanced=advanced)
        case OneOf(path):
            _check_plain(path, "in", advanced=advanced)


def check_extensions(node: Node, rules: Rules) -> None:
    """Raise the 400 for an extension that nobody defined, or for a value of another type (unverified: a switch)."""
    types = rules.extension_types()
    for part in list_leaves(node) if rules.unknown_extension_filter_refused else ():
        path = part.path if isinstance(part, Compare | OneOf) else ("",)
        value = part.value if isinstance(part, Compare) else None
        if is_extension(path[0]) and path[0] not in types:
            raise _no_property(path[0])
        if is_extension(path[0]) and isinstance(value, bool) != (types[path[0]] == "Boolean") and value is not None:
            raise _unsupported_clause(path)


def _need_advanced(operator: str, *, advanced: bool) -> None:
    if not advanced:
        raise unsupported_query(ADVANCED.format(operator))


def _asks_identities(node: Node) -> bool:
    match node:
        case Both(left, right) | Either(left, right):
            return _asks_identities(left) or _asks_identities(right)
        case AnyOf(path):
            return path == ("identities",)
    return False


def _check_identities(node: AnyOf) -> None:
    """Issuer and issuerAssignedId, both by eq. The issuer alone for a few social issuers."""
    parts = tuple(list_conjuncts(node.body))
    if any(isinstance(part, Compare) and part.operator in FUNCTIONS.values() for part in parts):
        raise unsupported_query(ODD)
    asked: dict[str, Literal] = {}
    for part in parts:
        if not isinstance(part, Compare) or part.operator != "eq" or part.path[:-1] != (node.variable,):
            raise unsupported_query(ON_IDENTITIES)
        asked[part.path[-1]] = part.value
    alone = asked.keys() == {"issuer"} and asked["issuer"] in ISSUER_ALONE
    if not alone and (asked.keys() != {"issuer", "issuerAssignedId"} or len(parts) != len(asked)):
        raise unsupported_query(ON_IDENTITIES)


def _check_collection(node: AnyOf, *, advanced: bool) -> None:
    known = _find_property(node.path)
    if known.kind is not Kind.STRINGS:
        raise _unsupported_clause(node.path)
    for part in list_leaves(node.body):
        match part:
            case Compare(path, operator) if path == (node.variable,):
                _check_operator(node.path, known, operator, advanced=advanced)
            case OneOf(path) if path == (node.variable,):
                _check_operator(node.path, known, "in", advanced=advanced)
            case _:
                raise _unsupported_clause(node.path)


def _check_plain(path: tuple[str, ...], operator: str, *, advanced: bool) -> None:
    if path[-1] == "$count":
        _need_advanced("$count", advanced=advanced)
        raise _unsupported_clause(path[:-1])
    known = _find_property(path)
    if known.kind in {Kind.STRINGS, Kind.COMPLEX}:
        raise unsupported_query(ON_IDENTITIES) if path == ("identities",) else _unsupported_clause(path)
    _check_operator(path, known, operator, advanced=advanced)


def _check_operator(path: tuple[str, ...], known: Property, operator: str, *, advanced: bool) -> None:
    if operator in {"ne", "endsWith"}:
        _need_advanced(operator, advanced=advanced)
    elif operator not in known.operators:
        raise _unsupported_clause(path)


def _find_property(path: tuple[str, ...]) -> Property:
    if len(path) != 1:
        raise _unsupported_clause(path)
    if is_extension(path[0]):
        return EXTENSION
    if path[0] not in PROPERTIES:
        raise _no_property(path[0])
    return PROPERTIES[path[0]]


def _no_property(name: str) -> GraphError:
    return make_malformed(
        f"Invalid filter clause: Could not find a property named '{name}' on type 'microsoft.graph.user'."
    )


def _unsupported_clause(path: tuple[str, ...]) -> GraphError:
    name = "/".join(path)
    return unsupported_query(
        f"Unsupported or invalid query filter clause specified for property '{name}' of resource 'User'."
    )
