"""A Bicep file as what it declares: parameters, variables, resources, modules, outputs."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from tree_sitter import Node

from local.infra_checks.parsing import Source

KINDS: Final[Mapping[str, str]] = {
    "parameter_declaration": "parameter",
    "variable_declaration": "variable",
    "resource_declaration": "resource",
    "module_declaration": "module",
    "output_declaration": "output",
    "type_declaration": "type",
    "user_defined_function": "function",
}
ANNOTATED: Final = frozenset({"parameter_declaration", "output_declaration"})


@dataclass(frozen=True, slots=True)
class Declaration:
    """One declared thing. `value` is what stands after the equals sign, None if nothing does."""

    kind: str
    name: str
    node: Node
    value: Node | None
    decorators: tuple[Node, ...] = ()
    nested: tuple["Declaration", ...] = ()
    parent: "Declaration | None" = None

    @property
    def existing(self) -> bool:
        """True if the resource is only looked up, not deployed."""
        return any(child.type == "existing" for child in self.node.children)

    @property
    def path(self) -> str:
        """The quoted text after the name: a resource's type and version, or a module's file."""
        return read_literal(self.node.named_children[1]) or ""

    @property
    def type_and_version(self) -> str:
        """A resource's type and API version. A nested resource is named by the last part only."""
        if self.parent is None or "/" in self.path:
            return self.path
        above, _, version = self.parent.type_and_version.partition("@")
        last, _, own = self.path.partition("@")
        return f"{above}/{last}@{own or version}"

    @property
    def annotation(self) -> Node | None:
        """The declared type."""
        return next((child for child in self.node.named_children if child.type == "type"), None)

    @property
    def optional(self) -> bool:
        """True if a parameter may be left out."""
        nullable = self.annotation is not None and get_text(self.annotation).endswith("?")
        return self.value is not None or nullable


@dataclass(slots=True)
class Template:
    """All declarations of a file. Nested resources are in `resources` too, behind the one that holds them."""

    source: Source
    names: dict[str, Declaration] = field(default_factory=dict)
    outputs: dict[str, Declaration] = field(default_factory=dict)
    twice: list[Declaration] = field(default_factory=list)
    imported: dict[str, Node] = field(default_factory=dict)
    resources: list[Declaration] = field(default_factory=list)

    def of(self, kind: str) -> Iterator[Declaration]:
        """The top-level declarations of a kind."""
        return (each for each in self.names.values() if each.kind == kind)


def read_template(source: Source) -> Template:
    """Read the declarations of a file that both parsers could read."""
    template = Template(source)
    decorators: tuple[Node, ...] = ()
    for node in source.root.named_children:
        if node.type == "decorators":
            decorators = tuple(node.named_children)
            continue
        if node.type == "import_functionality":
            _read_import(template, node)
        elif node.type in KINDS:
            _add_declaration(template, _read_declaration(node, decorators))
        if node.type != "comment":
            decorators = ()
    return template


def _add_declaration(template: Template, declared: Declaration) -> None:
    table = template.outputs if declared.kind == "output" else template.names
    if declared.name in table:
        template.twice.append(declared)
    table[declared.name] = declared
    if declared.kind == "resource":
        template.resources += with_nested(declared)


def with_nested(resource: Declaration) -> Iterator[Declaration]:
    """A resource and all that are declared in it."""
    yield resource
    for each in resource.nested:
        yield from with_nested(each)


def _read_declaration(node: Node, decorators: tuple[Node, ...], parent: Declaration | None = None) -> Declaration:
    kind = KINDS[node.type]
    children = [child for child in node.named_children if child.type not in {"comment", "decorators"}]
    first = next(child for child in children if child.type in {"identifier", "compatible_identifier"})
    behind = children[2:] if kind in {"resource", "module"} or node.type in ANNOTATED else children[1:]
    value = behind[-1] if behind else None
    declared = Declaration(kind, get_text(first), node, value, decorators, (), parent)
    if kind != "resource" or value is None:
        return declared
    inner = tuple(_read_declaration(each, (), declared) for each in _list_nested(value))
    return Declaration(kind, declared.name, node, value, decorators, inner, parent)


def _list_nested(value: Node) -> Iterator[Node]:
    for entry in (get_body(value) or value).named_children:
        for child in entry.named_children if entry.type == "object_property" else ():
            if child.type == "resource_declaration":
                yield child


def _read_import(template: Template, node: Node) -> None:
    for child in node.named_children:
        if child.type == "identifier":
            template.imported[get_text(child)] = node


def get_text(node: Node) -> str:
    """A node's text."""
    return (node.text or b"").decode()


def get_body(value: Node | None) -> Node | None:
    """The object of a resource or module, inside its loop and its condition."""
    while value is not None and value.type in {"if_statement", "for_statement"}:
        value = value.named_children[-1]
    return value if value is not None and value.type == "object" else None


def list_entries(node: Node | None) -> Iterator[tuple[Node, Node]]:
    """The keys and values of an object. Nested resources are none."""
    for entry in node.named_children if node is not None else ():
        parts = [child for child in entry.named_children if child.type != "comment"]
        if entry.type == "object_property" and len(parts) == 2:  # noqa: PLR2004 - a key and a value
            yield parts[0], parts[1]


def find_entry(node: Node | None, key: str) -> Node | None:
    """The value under a key of an object."""
    return next((value for each, value in list_entries(node) if unquote_key(each) == key), None)


def unquote_key(key: Node) -> str:
    """A key without quotes, as it is written."""
    return get_text(key)[1:-1] if key.type == "string" else get_text(key)


def read_literal(node: Node) -> str | None:
    """The text of a string without interpolation, None of anything else."""
    if node.type != "string":
        return None
    parts = list(list_pieces(node))
    return "".join(map(str, parts)) if all(isinstance(part, str) for part in parts) else None


QUOTES: Final = "'''"
ESCAPED: Final = re.compile(r"\\(u\{(?P<code>[0-9a-fA-F]+)\}|(?P<sign>.))")
SIGNS: Final[Mapping[str, str]] = {"n": "\n", "r": "\r", "t": "\t"}


def list_pieces(node: Node) -> Iterator[str | Node]:
    """The parts of a string in their order: texts, and the nodes that are put in between.

    Read off the text, not off the nodes: the grammar has none for an escaped dollar.
    """
    whole = node.text or b""
    if get_text(node).startswith(QUOTES):
        yield get_text(node)[3:-3].removeprefix("\r").removeprefix("\n")
        return
    start = 1
    for child in node.named_children:
        if child.type == "interpolation":
            yield _unescape_text(whole[start : child.start_byte - node.start_byte])
            yield child
            start = child.end_byte - node.start_byte
    yield _unescape_text(whole[start:-1])


def _unescape_text(raw: bytes) -> str:
    return ESCAPED.sub(_unescape_sign, raw.decode())


def _unescape_sign(found: re.Match[str]) -> str:
    if found["code"]:
        return chr(int(found["code"], 16))
    return SIGNS.get(found["sign"], found["sign"])
