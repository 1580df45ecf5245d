"""The text of ``$filter``, read into a small tree, or refused as Graph refuses it."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from local.standins.graph.errors import GraphError, make_malformed

type Literal = str | int | bool | datetime | None
type Properties = Mapping[str, Any]


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


def list_conjuncts(node: Node) -> Iterator[Node]:
    """Yield the conditions that ``and`` joins."""
    if isinstance(node, Both):
        yield from list_conjuncts(node.left)
        yield from list_conjuncts(node.right)
    else:
        yield node


def list_leaves(node: Node) -> Iterator[Node]:
    """Yield the conditions that ``and`` and ``or`` join."""
    match node:
        case Both(left, right) | Either(left, right):
            yield from list_leaves(left)
            yield from list_leaves(right)
        case _:
            yield node
