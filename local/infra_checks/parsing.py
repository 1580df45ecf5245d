"""Bicep files and their syntax trees. Two parsers read each file, because neither is Bicep's own compiler."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

import tree_sitter_bicep
from pycep import BicepParser
from tree_sitter import Language, Node, Parser

from local.infra_checks.findings import Finding

RULE: Final = "syntax"


@dataclass(frozen=True, slots=True)
class Source:
    """One Bicep file. `shown` is its path as findings print it."""

    path: Path
    shown: str
    text: bytes
    root: Node

    def finding(self, node: Node, rule: str, wrong: str, mend: str) -> Finding:
        """Something that is wrong at a node."""
        return Finding(self.shown, line_of(node), rule, wrong, mend)


def read_source(path: Path, checkout: Path) -> Source:
    """Parse a file. `check_syntax` reports if it has errors."""
    text = path.read_bytes()
    return Source(path.resolve(), path.relative_to(checkout).as_posix(), text, _load_grammar().parse(text).root_node)


def line_of(node: Node) -> int:
    """The line on which a node begins, from 1."""
    return node.start_point.row + 1


def check_syntax(source: Source) -> list[Finding]:
    """Return what one of the parsers cannot read."""
    mend = "mend the syntax there or just before it"
    found = [
        source.finding(node, RULE, f"this cannot be read: {shorten_node(node)}", f"{mend} (tree-sitter)")
        for node in _list_errors(source.root)
    ]
    return found or list(_second_opinion(source, mend))


def shorten_node(node: Node) -> str:
    """A node's text in one short line."""
    if node.is_missing:
        return f"`{node.type}` is missing"
    text = " ".join((node.text or b"").decode(errors="replace").split())
    return f"`{text[:57]}...`" if len(text) > 60 else f"`{text}`"  # noqa: PLR2004 - what fits into a line


def walk_nodes(node: Node) -> Iterator[Node]:
    """A node and everything under it, in the order of the text."""
    yield node
    for child in node.children:
        yield from walk_nodes(child)


@cache
def _load_grammar() -> Parser:
    return Parser(Language(tree_sitter_bicep.language()))


@cache
def _load_pycep() -> BicepParser:
    return BicepParser()


def _list_errors(root: Node) -> Iterator[Node]:
    """The innermost nodes that hold an error, so that the line is the right one."""
    for node in walk_nodes(root):
        if node.is_missing or (node.is_error and not any(child.has_error for child in node.children)):
            yield node


def _second_opinion(source: Source, mend: str) -> Iterator[Finding]:
    """The other parser stops at the first thing that it cannot read."""
    said = _said_by_pycep(source.text.decode())
    if said is not None:
        line, trouble = said
        yield Finding(source.shown, line, RULE, f"this cannot be read: {trouble}", f"{mend} (pycep)")


@cache
def _said_by_pycep(text: str) -> tuple[int, str] | None:
    try:
        _load_pycep().parse(text=text)
    except Exception as error:  # noqa: BLE001 - pycep lets its grammar's own errors out, of several classes
        trouble = " ".join(str(error).split("Expected one of", maxsplit=1)[0].split()) or type(error).__name__
        line = getattr(error, "line", None)
        return (line if isinstance(line, int) and line > 0 else 1, trouble)
    return None
