"""The part of ``$filter`` that a B2C directory answers: read, checked, and applied to one user at a time.

``parse_filter`` turns the text into a small tree or refuses it. ``check_filter`` refuses what Graph documents as
unsupported, which is most of it in B2C. ``matches_filter`` says whether a filter takes a user. ``find_equality`` tells
the store where to look first.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from local.standins.graph.errors import GraphError, make_malformed, unsupported_query
from local.standins.graph.properties import EXTENSION, PROPERTIES, Kind, Property, is_extension
from local.standins.graph.rules import Rules

type Literal = str | int | bool | datetime | None
type Properties = Mapping[str, Any]

ADVANCED: Final = (
    "Operator '{}' is not supported because the required parameters might be missing. Try adding $count=true "
    "query parameter and ConsistencyLevel:eventual header. Refer to https://aka.ms/graph-docs/advanced-queries"
    " for more information"
)
ON_IDENTITIES: Final = "Unsupported query on property 'ObjectIdentity'."
ODD: Final = "Unsupported property or property value or combination of property and operation occured"
ISSUER_ALONE: Final = frozenset({"google.com", "facebook.com", "mail", "phone"})
LOCAL_TYPES: Final = ("emailaddress", "username")


@dataclass(frozen=True, slots=True)
class Compare:
    """``path operator literal``; startsWith and endsWith too. The path may end in ``$count``."""

    path: tuple[str, ...]
    operator: str
    value: Literal


@dataclass(frozen=True, slots=True)
class OneOf:
    """``path in (literal, …)``."""

    path: tuple[str, ...]
    values: tuple[Literal, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """``path/any(variable:body)``."""

    path: tuple[str, ...]
    variable: str
    body: "Node"


@dataclass(frozen=True, slots=True)
class Both:
    """``left and right``."""

    left: "Node"
    right: "Node"


@dataclass(frozen=True, slots=True)
class Either:
    """``left or right``."""

    left: "Node"
    right: "Node"


@dataclass(frozen=True, slots=True)
class Negated:
    """``not operand``."""

    operand: "Node"


type Node = Compare | OneOf | AnyOf | Both | Either | Negated

TOKEN: Final = re.compile(
    r"""\s+
    | (?P<string>'(?:[^']|'')*')
    | (?P<datetime>\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:\d\d)?)?)
    | (?P<number>-?\d+)
    | (?P<name>[A-Za-z_$][A-Za-z0-9_.$]*)
    | (?P<mark>[/(),:])""",
    re.VERBOSE,
)
OPERATORS: Final = frozenset({"eq", "ne", "ge", "le", "gt", "lt"})
FUNCTIONS: Final = {"startswith": "startsWith", "endswith": "endsWith"}
WORDS: Final[Mapping[str, Literal]] = {"true": True, "false": False, "null": None}


@dataclass(frozen=True, slots=True)
class Token:
    """One word of the filter, with where it stood."""

    kind: str
    text: str
    at: int


def parse_filter(text: str) -> Node:
    """Read a filter. Raises Graph's 400 where it is not one."""
    reader = _Reader(text)
    node = reader.either()
    reader.end()
    return node


class _Reader:
    """Recursive descent over the tokens: or, and, not, then one comparison."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = list(_split_tokens(text))
        self.position = 0

    def either(self) -> Node:
        node = self.both()
        while self.took("or"):
            node = Either(node, self.both())
        return node

    def both(self) -> Node:
        node = self.operand()
        while self.took("and"):
            node = Both(node, self.operand())
        return node

    def operand(self) -> Node:
        if self.took("not"):
            return Negated(self.operand())
        if self.took("("):
            node = self.either()
            self.need(")")
            return node
        return self.comparison()

    def comparison(self) -> Node:
        token = self.next("name")
        if token.text.lower() in FUNCTIONS and self.took("("):
            return self.function(FUNCTIONS[token.text.lower()])
        path = [token.text]
        while self.took("/"):
            step = self.next("name").text
            if step == "any" and self.took("("):
                return self.any_of(tuple(path))
            path.append(step)
        return self.operator(tuple(path))

    def function(self, name: str) -> Node:
        path = self.path()
        self.need(",")
        value = self.literal()
        self.need(")")
        return Compare(path, name, value)

    def any_of(self, path: tuple[str, ...]) -> Node:
        variable = self.next("name").text
        self.need(":")
        body = self.either()
        self.need(")")
        return AnyOf(path, variable, body)

    def operator(self, path: tuple[str, ...]) -> Node:
        operator = self.next("name").text
        if operator == "in":
            return OneOf(path, self.literals())
        if operator not in OPERATORS:
            raise self.error()
        return Compare(path, operator, self.literal())

    def path(self) -> tuple[str, ...]:
        path = [self.next("name").text]
        while self.took("/"):
            path.append(self.next("name").text)
        return tuple(path)

    def literals(self) -> tuple[Literal, ...]:
        self.need("(")
        values = [self.literal()]
        while self.took(","):
            values.append(self.literal())
        self.need(")")
        return tuple(values)

    def literal(self) -> Literal:
        token = self.next()
        match token.kind:
            case "string":
                return token.text[1:-1].replace("''", "'")
            case "number":
                return int(token.text)
            case "datetime":
                return parse_time(token.text)
            case "name" if token.text in WORDS:
                return WORDS[token.text]
        raise self.error(token.at)

    def took(self, text: str) -> bool:
        if self.position < len(self.tokens) and self.tokens[self.position].text == text:
            self.position += 1
            return True
        return False

    def need(self, text: str) -> None:
        if not self.took(text):
            raise self.error()

    def next(self, kind: str = "") -> Token:
        if self.position >= len(self.tokens):
            raise self.error()
        token = self.tokens[self.position]
        if kind and token.kind != kind:
            raise self.error()
        self.position += 1
        return token

    def end(self) -> None:
        if self.position < len(self.tokens):
            raise self.error()

    def error(self, at: int | None = None) -> GraphError:
        if at is None:
            left = self.tokens[self.position :]
            at = left[0].at if left else len(self.text)
        return _make_syntax_error(self.text, at)


def _split_tokens(text: str) -> Iterator[Token]:
    at = 0
    while at < len(text):
        found = TOKEN.match(text, at)
        if found is None:
            raise _make_syntax_error(text, at)
        if found.lastgroup:
            yield Token(found.lastgroup, found.group(), at)
        at = found.end()


def _make_syntax_error(text: str, at: int) -> GraphError:
    return make_malformed(f"Invalid filter clause: Syntax error at position {at} in '{text}'.")


def parse_time(text: str) -> datetime:
    """An OData date or date and time; UTC where it names no zone."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise make_malformed(f"Invalid filter clause: '{text}' is not a date and time.") from None
    return found if found.tzinfo else datetime.fromisoformat(f"{found.isoformat()}+00:00")


# What is refused


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
    for part in _list_leaves(node) if rules.unknown_extension_filter_refused else ():
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
    parts = tuple(_list_conjuncts(node.body))
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
    for part in _list_leaves(node.body):
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


def _list_conjuncts(node: Node) -> Iterator[Node]:
    if isinstance(node, Both):
        yield from _list_conjuncts(node.left)
        yield from _list_conjuncts(node.right)
    else:
        yield node


def _list_leaves(node: Node) -> Iterator[Node]:
    match node:
        case Both(left, right) | Either(left, right):
            yield from _list_leaves(left)
            yield from _list_leaves(right)
        case _:
            yield node


# What is found


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
            asked = {part.path[-1]: part.value for part in _list_conjuncts(body) if isinstance(part, Compare)}
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
    for part in _list_conjuncts(node):
        match part:
            case AnyOf(("identities",), _, body):
                named = {each.path[-1]: each.value for each in _list_conjuncts(body) if isinstance(each, Compare)}
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
