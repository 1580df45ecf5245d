"""Evaluate expressions of Bicep. A value that cannot be known before a deployment stays marked as unknown."""

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final, Protocol

from tree_sitter import Node

from local.infra_checks.functions import FILES, Argument, call_function
from local.infra_checks.parsing import shorten_node
from local.infra_checks.template import get_text, list_entries, list_pieces, unquote_key
from local.infra_checks.values import Reference, Unknown, Value, get_value, is_known, write_value


class Scope(Protocol):
    """The meaning of names at one place."""

    @property
    def folder(self) -> Path:
        """The folder of the file, from which paths start."""

    def named(self, name: str) -> Value:
        """Return the value of a symbol."""

    def lacks(self, node: Node, name: str, values: Mapping[str, Value]) -> None:
        """Take note that an expression asks an object for what it does not have."""

    def with_locals(self, more: Mapping[str, Value]) -> "Scope":
        """Return the same scope with the variables of a loop or a lambda."""


def evaluate_node(node: Node, scope: Scope) -> Value:
    """Return the value of an expression."""
    handler = HANDLERS.get(node.type)
    return handler(node, scope) if handler else Unknown(shorten_node(node))


def _list_parts(node: Node) -> list[Node]:
    return [child for child in node.named_children if child.type != "comment"]


def _evaluate_string(node: Node, scope: Scope) -> Value:
    return "".join(
        part if isinstance(part, str) else write_value(evaluate_node(_list_parts(part)[0], scope))
        for part in list_pieces(node)
    )


def _evaluate_number(node: Node, _: Scope) -> Value:
    return int(get_text(node))


def _evaluate_boolean(node: Node, _: Scope) -> Value:
    return get_text(node) == "true"


def _evaluate_null(_: Node, __: Scope) -> Value:
    return None


def _evaluate_identifier(node: Node, scope: Scope) -> Value:
    return scope.named(get_text(node))


def _evaluate_array(node: Node, scope: Scope) -> Value:
    return [evaluate_node(each, scope) for each in _list_parts(node)]


def _evaluate_object(node: Node, scope: Scope) -> Value:
    return {
        (str(evaluate_node(key, scope)) if key.type == "string" else unquote_key(key)): evaluate_node(value, scope)
        for key, value in list_entries(node)
    }


def _evaluate_member(node: Node, scope: Scope) -> Value:
    owner, name = evaluate_node(_list_parts(node)[0], scope), get_text(_list_parts(node)[-1])
    # What a module has for outputs, `symbols` sees as it is written.
    careful = any(child.type == ".?" for child in node.children) or get_text(_list_parts(node)[0]).endswith(".outputs")
    if isinstance(owner, dict) and name not in owner and not careful and all(is_known(key) for key in owner):
        scope.lacks(node, name, owner)
    return get_value(owner, name)


def _evaluate_subscript(node: Node, scope: Scope) -> Value:
    owner, index = (evaluate_node(each, scope) for each in _list_parts(node)[:2])
    if isinstance(owner, Reference):
        return owner.item(index)
    if isinstance(owner, dict) and isinstance(index, str):
        return owner.get(index) if is_known(index) else Unknown(shorten_node(node))
    if isinstance(owner, list) and isinstance(index, int) and -len(owner) <= index < len(owner):
        return owner[index]
    return Unknown(shorten_node(node))


def _evaluate_nested(node: Node, scope: Scope) -> Value:
    """`parent::child`."""
    owner, name = evaluate_node(_list_parts(node)[0], scope), get_text(_list_parts(node)[-1])
    return owner.ask(f"::{name}") if isinstance(owner, Reference) else Unknown(shorten_node(node))


def _evaluate_ternary(node: Node, scope: Scope) -> Value:
    condition, yes, no = _list_parts(node)
    answer = evaluate_node(condition, scope)
    if is_known(answer):
        return evaluate_node(yes if answer else no, scope)
    either = [evaluate_node(yes, scope), evaluate_node(no, scope)]
    return either[0] if either[0] == either[1] else Unknown(shorten_node(node))


def _evaluate_parentheses(node: Node, scope: Scope) -> Value:
    # On a line of its own in an array, tree-sitter reads `f().x` as `f` and `().x`.
    parts = _list_parts(node)
    return evaluate_node(parts[0], scope) if parts else Unknown(shorten_node(node))


def _evaluate_unary(node: Node, scope: Scope) -> Value:
    value = evaluate_node(_list_parts(node)[0], scope)
    if get_text(node).startswith("!"):
        return not value if is_known(value) else Unknown(shorten_node(node))
    return -value if isinstance(value, int) else Unknown(shorten_node(node))


def _evaluate_binary(node: Node, scope: Scope) -> Value:
    left, right = (evaluate_node(each, scope) for each in _list_parts(node))
    operator = next(get_text(child) for child in node.children if not child.is_named)
    if operator in {"||", "&&"}:
        return _evaluate_logic(operator, left, right, node)
    if operator == "??":
        return right if left is None else left
    try:
        return OPERATORS[operator](left, right) if is_known(left) and is_known(right) else Unknown(shorten_node(node))
    except (KeyError, TypeError, ZeroDivisionError):
        return Unknown(shorten_node(node))


def _evaluate_logic(operator: str, left: Value, right: Value, node: Node) -> Value:
    """One side may decide alone."""
    decisive = operator == "||"
    sides = [value for value in (left, right) if is_known(value)]
    if any(bool(value) is decisive for value in sides):
        return decisive
    return not decisive if len(sides) == 2 else Unknown(shorten_node(node))  # noqa: PLR2004 - both


def _is_same_text(left: Value, right: Value) -> bool:
    """`=~`: equal but for case."""
    return write_value(left).lower() == write_value(right).lower()


OPERATORS: Final[Mapping[str, Callable[..., Value]]] = {
    "==": lambda left, right: left == right,
    "!=": lambda left, right: left != right,
    "=~": _is_same_text,
    "!~": lambda left, right: not _is_same_text(left, right),
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


def _evaluate_call(node: Node, scope: Scope) -> Value:
    function, given = _list_parts(node)[0], _list_parts(node)[-1]
    arguments = [_evaluate_argument(each, scope) for each in _list_parts(given)] if given.type == "arguments" else []
    name = get_text(_list_parts(function)[-1]) if function.type == "member_expression" else get_text(function)
    if function.type == "member_expression" and get_text(_list_parts(function)[0]) not in {"az", "sys"}:
        return Unknown(shorten_node(node))
    if name in FILES:
        return _load_file(name, arguments, scope, node)
    return call_function(name, arguments, shorten_node(node).strip("`"))


def _evaluate_argument(node: Node, scope: Scope) -> Argument:
    if node.type != "lambda_expression":
        return evaluate_node(node, scope)
    *heads, inner = _list_parts(node)
    variables = [
        get_text(each) for head in heads for each in ([head] if head.type == "identifier" else _list_parts(head))
    ]

    def function(*values: Value) -> Value:
        return evaluate_node(inner, scope.with_locals(dict(zip(variables, values, strict=False))))

    return function


def _load_file(name: str, arguments: Sequence[Argument], scope: Scope, node: Node) -> Value:
    path = scope.folder / str(arguments[0])
    try:
        if name == "loadFileAsBase64":
            return base64.b64encode(path.read_bytes()).decode()
        content = path.read_text(encoding="utf-8")
        loaded: Value = json.loads(content) if name == "loadJsonContent" else content
    except (OSError, ValueError):
        return Unknown(shorten_node(node))
    return Unknown(shorten_node(node)) if name == "loadYamlContent" else loaded


def evaluate_loop(node: Node, scope: Scope) -> list[tuple[Mapping[str, Value], bool]]:
    """The variables of each turn of a `for`, and whether that turn is sure to happen.

    Over a list that is empty by default, or unknown, there is one turn with an unknown item, so that its body is seen.
    """
    variables, over = _read_for(node)
    values = evaluate_node(over, scope)
    if isinstance(values, list) and values:
        return [(dict(zip(variables, (value, number), strict=False)), True) for number, value in enumerate(values)]
    item = Unknown(f"an item of {shorten_node(over).strip('`')}")
    return [(dict(zip(variables, (item, Unknown("its number")), strict=False)), isinstance(values, Unknown))]


def _read_for(node: Node) -> tuple[list[str], Node]:
    parts = _list_parts(node)
    head = parts[0]
    variables = [get_text(each) for each in (_list_parts(head) if head.type == "for_loop_parameters" else [head])]
    return variables, parts[1]


def _evaluate_for(node: Node, scope: Scope) -> Value:
    variables, over = _read_for(node)
    values = evaluate_node(over, scope)
    if not isinstance(values, list):
        return Unknown(shorten_node(node))
    turns = (dict(zip(variables, (value, number), strict=False)) for number, value in enumerate(values))
    return [evaluate_node(_list_parts(node)[-1], scope.with_locals(turn)) for turn in turns]


HANDLERS: Final[Mapping[str, Callable[[Node, Scope], Value]]] = {
    "string": _evaluate_string,
    "number": _evaluate_number,
    "boolean": _evaluate_boolean,
    "null": _evaluate_null,
    "identifier": _evaluate_identifier,
    "array": _evaluate_array,
    "object": _evaluate_object,
    "member_expression": _evaluate_member,
    "subscript_expression": _evaluate_subscript,
    "resource_expression": _evaluate_nested,
    "ternary_expression": _evaluate_ternary,
    "parenthesized_expression": _evaluate_parentheses,
    "unary_expression": _evaluate_unary,
    "binary_expression": _evaluate_binary,
    "call_expression": _evaluate_call,
    "for_statement": _evaluate_for,
}
