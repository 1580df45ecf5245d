"""Evaluate expressions of Bicep. What cannot be known before a deployment stays marked as unknown."""

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final, Protocol

from tree_sitter import Node

from local.infra_checks.functions import FILES, Argument, call
from local.infra_checks.parsing import excerpt
from local.infra_checks.template import entries, pieces, plain, text
from local.infra_checks.values import Reference, Unknown, Value, at, known, written


class Scope(Protocol):
    """Where a name gets its meaning."""

    @property
    def folder(self) -> Path:
        """The folder of the file, from which paths start."""

    def named(self, name: str) -> Value:
        """What a symbol stands for."""

    def lacks(self, node: Node, name: str, values: Mapping[str, Value]) -> None:
        """Take note that an expression asks an object for what it does not have."""

    def with_locals(self, more: Mapping[str, Value]) -> "Scope":
        """The same with the variables of a loop or a lambda."""


def evaluate(node: Node, scope: Scope) -> Value:
    """What an expression comes to."""
    handler = HANDLERS.get(node.type)
    return handler(node, scope) if handler else Unknown(excerpt(node))


def _parts(node: Node) -> list[Node]:
    return [child for child in node.named_children if child.type != "comment"]


def _string(node: Node, scope: Scope) -> Value:
    return "".join(
        part if isinstance(part, str) else written(evaluate(_parts(part)[0], scope)) for part in pieces(node)
    )


def _number(node: Node, _: Scope) -> Value:
    return int(text(node))


def _boolean(node: Node, _: Scope) -> Value:
    return text(node) == "true"


def _null(_: Node, __: Scope) -> Value:
    return None


def _identifier(node: Node, scope: Scope) -> Value:
    return scope.named(text(node))


def _array(node: Node, scope: Scope) -> Value:
    return [evaluate(each, scope) for each in _parts(node)]


def _object(node: Node, scope: Scope) -> Value:
    return {
        (str(evaluate(key, scope)) if key.type == "string" else plain(key)): evaluate(value, scope)
        for key, value in entries(node)
    }


def _member(node: Node, scope: Scope) -> Value:
    owner, name = evaluate(_parts(node)[0], scope), text(_parts(node)[-1])
    # What a module has for outputs, `symbols` sees as it is written.
    careful = any(child.type == ".?" for child in node.children) or text(_parts(node)[0]).endswith(".outputs")
    if isinstance(owner, dict) and name not in owner and not careful and all(known(key) for key in owner):
        scope.lacks(node, name, owner)
    return at(owner, name)


def _subscript(node: Node, scope: Scope) -> Value:
    owner, index = (evaluate(each, scope) for each in _parts(node)[:2])
    if isinstance(owner, Reference):
        return owner.item(index)
    if isinstance(owner, dict) and isinstance(index, str):
        return owner.get(index) if known(index) else Unknown(excerpt(node))
    if isinstance(owner, list) and isinstance(index, int) and -len(owner) <= index < len(owner):
        return owner[index]
    return Unknown(excerpt(node))


def _nested(node: Node, scope: Scope) -> Value:
    """`parent::child`."""
    owner, name = evaluate(_parts(node)[0], scope), text(_parts(node)[-1])
    return owner.ask(f"::{name}") if isinstance(owner, Reference) else Unknown(excerpt(node))


def _ternary(node: Node, scope: Scope) -> Value:
    condition, yes, no = _parts(node)
    answer = evaluate(condition, scope)
    if known(answer):
        return evaluate(yes if answer else no, scope)
    either = [evaluate(yes, scope), evaluate(no, scope)]
    return either[0] if either[0] == either[1] else Unknown(excerpt(node))


def _inside(node: Node, scope: Scope) -> Value:
    # On a line of its own in an array, tree-sitter reads `f().x` as `f` and `().x`.
    parts = _parts(node)
    return evaluate(parts[0], scope) if parts else Unknown(excerpt(node))


def _unary(node: Node, scope: Scope) -> Value:
    value = evaluate(_parts(node)[0], scope)
    if text(node).startswith("!"):
        return not value if known(value) else Unknown(excerpt(node))
    return -value if isinstance(value, int) else Unknown(excerpt(node))


def _binary(node: Node, scope: Scope) -> Value:
    left, right = (evaluate(each, scope) for each in _parts(node))
    operator = next(text(child) for child in node.children if not child.is_named)
    if operator in {"||", "&&"}:
        return _logic(operator, left, right, node)
    if operator == "??":
        return right if left is None else left
    try:
        return OPERATORS[operator](left, right) if known(left) and known(right) else Unknown(excerpt(node))
    except (KeyError, TypeError, ZeroDivisionError):
        return Unknown(excerpt(node))


def _logic(operator: str, left: Value, right: Value, node: Node) -> Value:
    """One side may decide alone."""
    decisive = operator == "||"
    sides = [value for value in (left, right) if known(value)]
    if any(bool(value) is decisive for value in sides):
        return decisive
    return not decisive if len(sides) == 2 else Unknown(excerpt(node))  # noqa: PLR2004 - both


def _same(left: Value, right: Value) -> bool:
    """`=~`: equal but for case."""
    return written(left).lower() == written(right).lower()


OPERATORS: Final[Mapping[str, Callable[..., Value]]] = {
    "==": lambda left, right: left == right,
    "!=": lambda left, right: left != right,
    "=~": _same,
    "!~": lambda left, right: not _same(left, right),
    "<": lambda left, right: left < right,
    "<=": lambda left, right: left <= right,
    ">": lambda left, right: left > right,
    ">=": lambda left, right: left >= right,
    "+": lambda left, right: left + right,
    "-": lambda left, right: left - right,
    "*": lambda left, right: left * right,
    "/": lambda left, right: left // right,
    "%": lambda left, right: left % right,
}


def _call(node: Node, scope: Scope) -> Value:
    function, given = _parts(node)[0], _parts(node)[-1]
    arguments = [_argument(each, scope) for each in _parts(given)] if given.type == "arguments" else []
    name = text(_parts(function)[-1]) if function.type == "member_expression" else text(function)
    if function.type == "member_expression" and text(_parts(function)[0]) not in {"az", "sys"}:
        return Unknown(excerpt(node))
    if name in FILES:
        return _file(name, arguments, scope, node)
    return call(name, arguments, excerpt(node).strip("`"))


def _argument(node: Node, scope: Scope) -> Argument:
    if node.type != "lambda_expression":
        return evaluate(node, scope)
    *heads, inner = _parts(node)
    variables = [text(each) for head in heads for each in ([head] if head.type == "identifier" else _parts(head))]

    def function(*values: Value) -> Value:
        return evaluate(inner, scope.with_locals(dict(zip(variables, values, strict=False))))

    return function


def _file(name: str, arguments: Sequence[Argument], scope: Scope, node: Node) -> Value:
    path = scope.folder / str(arguments[0])
    try:
        if name == "loadFileAsBase64":
            return base64.b64encode(path.read_bytes()).decode()
        content = path.read_text(encoding="utf-8")
        loaded: Value = json.loads(content) if name == "loadJsonContent" else content
    except (OSError, ValueError):
        return Unknown(excerpt(node))
    return Unknown(excerpt(node)) if name == "loadYamlContent" else loaded


def loop(node: Node, scope: Scope) -> list[tuple[Mapping[str, Value], bool]]:
    """The variables of each turn of a `for`, and whether that turn is sure to happen.

    Over a list that is empty by default, or unknown, there is one turn with an unknown item, so that its body is seen.
    """
    variables, over = _for(node)
    values = evaluate(over, scope)
    if isinstance(values, list) and values:
        return [(dict(zip(variables, (value, number), strict=False)), True) for number, value in enumerate(values)]
    item = Unknown(f"an item of {excerpt(over).strip('`')}")
    return [(dict(zip(variables, (item, Unknown("its number")), strict=False)), isinstance(values, Unknown))]


def _for(node: Node) -> tuple[list[str], Node]:
    parts = _parts(node)
    head = parts[0]
    variables = [text(each) for each in (_parts(head) if head.type == "for_loop_parameters" else [head])]
    return variables, parts[1]


def _loop(node: Node, scope: Scope) -> Value:
    variables, over = _for(node)
    values = evaluate(over, scope)
    if not isinstance(values, list):
        return Unknown(excerpt(node))
    turns = (dict(zip(variables, (value, number), strict=False)) for number, value in enumerate(values))
    return [evaluate(_parts(node)[-1], scope.with_locals(turn)) for turn in turns]


HANDLERS: Final[Mapping[str, Callable[[Node, Scope], Value]]] = {
    "string": _string,
    "number": _number,
    "boolean": _boolean,
    "null": _null,
    "identifier": _identifier,
    "array": _array,
    "object": _object,
    "member_expression": _member,
    "subscript_expression": _subscript,
    "resource_expression": _nested,
    "ternary_expression": _ternary,
    "parenthesized_expression": _inside,
    "unary_expression": _unary,
    "binary_expression": _binary,
    "call_expression": _call,
    "for_statement": _loop,
}
