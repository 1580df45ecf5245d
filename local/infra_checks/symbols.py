"""Every name that an expression uses is declared, and every declared one is used."""

import difflib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tree_sitter import Node

from local.infra_checks.findings import Finding
from local.infra_checks.functions import DECORATORS, NAMES
from local.infra_checks.template import Declaration, Template, get_text

RULE: Final = "symbols"
NAMESPACES: Final = frozenset({"az", "sys"})
TYPES: Final = frozenset({"string", "int", "bool", "array", "object", "any", "resourceInput", "resourceOutput"})
SAYS_NOTHING: Final = frozenset({"comment", "import_functionality", "property_identifier", "primitive_type"})
DECLARED: Final = ("parameter", "variable", "resource", "module", "output", "type", "metadata")
UNUSED: Final[Mapping[str, str]] = {
    "parameter": "nobody uses the parameter",
    "variable": "nobody uses the variable",
    "type": "nobody uses the type",
    "function": "nobody uses the function",
}


def check_symbols(template: Template, templates: Mapping[Path, Template]) -> list[Finding]:
    """One file."""
    reader = Reader(template, templates)
    reader.read()
    return [*reader.found, *_check_twice(template), *_check_unused(template, reader.used)]


def _check_twice(template: Template) -> Iterator[Finding]:
    for declared in template.twice:
        wrong = f"`{declared.name}` is declared twice"
        yield template.source.finding(declared.node, RULE, wrong, "give one of them another name")


def _check_unused(template: Template, used: set[str]) -> Iterator[Finding]:
    for declared in template.names.values():
        kind = "existing resource" if declared.kind == "resource" and declared.existing else declared.kind
        wrong = UNUSED.get(kind, "nobody uses the existing resource" if kind == "existing resource" else "")
        exported = any("export" in get_text(each) for each in declared.decorators)
        if wrong and declared.name not in used and not exported:
            yield template.source.finding(declared.node, RULE, f"{wrong} `{declared.name}`", "take it away, or use it")


@dataclass(slots=True)
class Reader:
    """Follows every expression of a file, with the names that are bound there."""

    template: Template
    templates: Mapping[Path, Template]
    found: list[Finding] = field(default_factory=list)
    used: set[str] = field(default_factory=set)

    def read(self) -> None:
        """The whole file."""
        for node in self.template.source.root.named_children:
            self.visit(node, frozenset())

    def visit(self, node: Node, bound: frozenset[str]) -> None:
        """A node and all under it. `bound`: variables of loops and lambdas, nested resources, a type's own names."""
        if node.type in SAYS_NOTHING:
            return
        visit = VISITS.get(node.type)
        if visit is not None:
            visit(self, node, bound)
            return
        for child in node.named_children:
            self.visit(child, bound)

    def on_declaration(self, node: Node, bound: frozenset[str]) -> None:
        """Read what follows the name."""
        parts = _list_parts(node)
        inner = bound | set(_list_nested_names(node)) if node.type == "resource_declaration" else bound
        for child in parts[1:]:
            self.visit(child, inner)

    def on_function(self, node: Node, bound: frozenset[str]) -> None:
        """A function of our own, with its parameters."""
        parts = _list_parts(node)
        parameters = [each for part in parts if part.type == "parameters" for each in _list_parts(part)]
        for child in parts[1:]:
            self.visit(child, bound | {get_text(_list_parts(each)[0]) for each in parameters})

    def on_entry(self, node: Node, bound: frozenset[str]) -> None:
        """A key is no name of anything, but a value may be."""
        parts = [part for part in _list_parts(node) if part.type != "decorators"]
        if parts and parts[0].type in {"identifier", "compatible_identifier"}:
            parts = parts[1:]
        for part in parts:
            self.visit(part, bound)

    def on_lambda(self, node: Node, bound: frozenset[str]) -> None:
        """Its variables are known inside."""
        *heads, inner = _list_parts(node)
        self.visit(inner, bound | set(_list_names(heads)))

    def on_loop(self, node: Node, bound: frozenset[str]) -> None:
        """Its variables are known inside."""
        head, over, *inner = _list_parts(node)
        self.visit(over, bound)
        names = [get_text(each) for each in (_list_parts(head) if head.type == "for_loop_parameters" else [head])]
        for part in inner:
            self.visit(part, bound | set(names))

    def on_decorator(self, node: Node, bound: frozenset[str]) -> None:
        """It must be one that Bicep has."""
        for call in _list_parts(node):
            name = (
                get_text(_list_parts(call)[0]).rpartition(".")[2] if call.type == "call_expression" else get_text(call)
            )
            if name not in DECORATORS:
                self._make_missing(node, f"there is no decorator `{name}`", name, DECORATORS)
            for child in _list_parts(call)[1:]:
                self.visit(child, bound)

    def on_call(self, node: Node, bound: frozenset[str]) -> None:
        """The function must be one that Bicep or the file has."""
        function, *given = _list_parts(node)
        if function.type == "identifier":
            name = get_text(function)
            self.used.add(name)
            declared = self.template.names.get(name)
            fine = name in NAMES or name.startswith("list") or name in self.template.imported
            if not fine and (declared is None or declared.kind != "function"):
                self._make_missing(node, f"there is no function `{name}`", name, NAMES)
        else:
            self.visit(function, bound)
        for child in given:
            self.visit(child, bound)

    def on_name(self, node: Node, bound: frozenset[str]) -> None:
        """It must be declared."""
        name = get_text(node)
        self.used.add(name)
        if name not in bound | TYPES | NAMESPACES | self.template.names.keys() | self.template.imported.keys():
            self._make_missing(node, f"`{name}` is not declared", name, {*bound, *self.template.names})

    def on_member(self, node: Node, bound: frozenset[str]) -> None:
        """Check the member of a module: only its outputs can be read."""
        owner, *_ = _list_parts(node)
        self.visit(owner, bound)
        words = get_text(node).replace("!", "").replace("?", "").split(".")
        declared = self.template.names.get(words[0].partition("[")[0])
        if declared is None or declared.kind != "module" or len(words) < 2:  # noqa: PLR2004 - module.something
            return
        if words[1] not in {"outputs", "name"}:
            self._make_missing(node, f"a module has no `{words[1]}`", words[1], {"outputs", "name"})
        elif len(words) == 3 and words[1] == "outputs":  # noqa: PLR2004 - module.outputs.name
            self._read_output(node, declared, words[2].partition("[")[0])

    def _read_output(self, node: Node, module: Declaration, name: str) -> None:
        other = self.templates.get((self.template.source.path.parent / module.path).resolve())
        if other is not None and name not in other.outputs:
            self._make_missing(node, f"{module.path} has no output `{name}`", name, other.outputs)

    def on_nested(self, node: Node, bound: frozenset[str]) -> None:
        """`parent::child`: the parent must hold it."""
        owner, name = _list_parts(node)[0], get_text(_list_parts(node)[-1])
        self.visit(owner, bound)
        declared = self.template.names.get(get_text(owner))
        if declared is not None and name not in {each.name for each in declared.nested}:
            self._make_missing(
                node, f"`{declared.name}` holds no resource `{name}`", name, [e.name for e in declared.nested]
            )

    def _make_missing(self, node: Node, wrong: str, name: str, candidates: Iterable[str]) -> None:
        close = difflib.get_close_matches(name, sorted(candidates), n=1)
        mend = f"did you mean `{close[0]}`?" if close else "declare it, or take it away"
        self.found.append(self.template.source.finding(node, RULE, wrong, mend))


VISITS: Final[Mapping[str, Callable[[Reader, Node, frozenset[str]], None]]] = {
    "identifier": Reader.on_name,
    "compatible_identifier": Reader.on_name,
    "decorator": Reader.on_decorator,
    "object_property": Reader.on_entry,
    "for_statement": Reader.on_loop,
    "lambda_expression": Reader.on_lambda,
    "call_expression": Reader.on_call,
    "member_expression": Reader.on_member,
    "resource_expression": Reader.on_nested,
    "user_defined_function": Reader.on_function,
    "assert_statement": Reader.on_declaration,
    "parameter": Reader.on_declaration,
    **{f"{kind}_declaration": Reader.on_declaration for kind in DECLARED},
}


def _list_parts(node: Node) -> list[Node]:
    return [child for child in node.named_children if child.type != "comment"]


def _list_names(heads: Iterable[Node]) -> Iterator[str]:
    for head in heads:
        yield from ([get_text(head)] if head.type == "identifier" else map(get_text, _list_parts(head)))


def _list_nested_names(node: Node) -> Iterator[str]:
    """Return the names of nested resources, which can refer to each other."""
    for child in node.named_children:
        if child.type == "resource_declaration":
            yield get_text(_list_parts(child)[0])
        elif child.type in {"object", "object_property", "if_statement", "for_statement"}:
            yield from _list_nested_names(child)
