"""The kind of value that an expression gives (text, number …), as far as its form shows it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tree_sitter import Node

from local.infra_checks.template import Declaration, Template, get_text

STRING: Final = "string"
INT: Final = "int"
BOOL: Final = "bool"
ARRAY: Final = "array"
OBJECT: Final = "object"
KINDS: Final = frozenset({STRING, INT, BOOL, ARRAY, OBJECT})

FORMS: Final[Mapping[str, str]] = {
    "string": STRING,
    "number": INT,
    "boolean": BOOL,
    "array": ARRAY,
    "object": OBJECT,
    "for_statement": ARRAY,
}
GIVES: Final[Mapping[str, str]] = {
    name: kind
    for kind, names in {
        STRING: "base64 format guid join newGuid replace string substring toLower toUpper trim uniqueString "
        "uri uriComponent utcNow resourceId subscriptionResourceId tenantResourceId loadTextContent",
        INT: "int length indexOf lastIndexOf dateTimeToEpoch",
        BOOL: "bool contains empty endsWith startsWith",
        ARRAY: "array filter flatten items map objectKeys range split sort",
        OBJECT: "mapValues toObject environment subscription resourceGroup tenant deployment deployer",
    }.items()
    for name in names.split()
}
TRUTHS: Final = frozenset({"==", "!=", "=~", "!~", "<", "<=", ">", ">=", "&&", "||"})


@dataclass(frozen=True, slots=True)
class Kinds:
    """Kinds of the expressions of one file."""

    template: Template
    templates: Mapping[Path, Template]

    def of(self, node: Node, depth: int = 0) -> str | None:
        """Return the kind. None if the form does not show it."""
        if node.type in FORMS:
            return FORMS[node.type]
        parts = [child for child in node.named_children if child.type != "comment"]
        match node.type:
            case "parenthesized_expression":
                return self.of(parts[0], depth)
            case "ternary_expression":
                return self._kind_of_either(parts[1], parts[2], depth)
            case "identifier":
                return self._kind_of_name(get_text(node), depth)
            case "member_expression":
                return self._kind_of_output(node)
            case "call_expression":
                return GIVES.get(get_text(parts[0]))
            case "unary_expression":
                return BOOL if get_text(node).startswith("!") else INT
            case "binary_expression":
                return BOOL if any(get_text(child) in TRUTHS for child in node.children if not child.is_named) else None
        return None

    def _kind_of_either(self, yes: Node, no: Node, depth: int) -> str | None:
        kinds = {self.of(each, depth) for each in (yes, no) if each.type != "null"}
        return kinds.pop() if len(kinds) == 1 else None

    def _kind_of_name(self, name: str, depth: int) -> str | None:
        declared = self.template.names.get(name)
        if declared is None or depth > len(self.template.names):
            return None
        if declared.kind == "parameter":
            return declared_kind(declared)
        if declared.kind == "variable" and declared.value is not None:
            return self.of(declared.value, depth + 1)
        return None

    def _kind_of_output(self, node: Node) -> str | None:
        """`module.outputs.name`."""
        words = get_text(node).split(".")
        module = self.template.names.get(words[0])
        if len(words) != 3 or words[1] != "outputs" or module is None or module.kind != "module":  # noqa: PLR2004
            return None
        other = self.templates.get((self.template.source.path.parent / module.path).resolve())
        output = other.outputs.get(words[2]) if other is not None else None
        return declared_kind(output) if output is not None else None


def declared_kind(declared: Declaration) -> str | None:
    """The kind that a parameter or an output is declared to have."""
    if declared.annotation is None:
        return None
    words = get_text(declared.annotation).removesuffix("?")
    if words.endswith("[]"):
        return ARRAY
    if words.startswith("{"):
        return OBJECT
    return words if words in KINDS else None
