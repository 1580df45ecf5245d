"""Property names, values and types of every resource, against the stored schema excerpt."""

import difflib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tree_sitter import Node

from local.infra_checks.deployment import Deployed
from local.infra_checks.findings import Finding
from local.infra_checks.kinds import ARRAY, BOOL, INT, OBJECT, STRING, Kinds
from local.infra_checks.parsing import shorten_node
from local.infra_checks.shapes import Shape, Type, list_resources, make_shape
from local.infra_checks.template import (
    Declaration,
    Template,
    find_entry,
    get_body,
    get_text,
    list_entries,
    read_literal,
    unquote_key,
)
from local.infra_checks.values import Reference, Unknown, Value, is_known

RULE: Final = "schema"
BICEPS_OWN: Final = frozenset({"parent", "scope", "dependsOn"})
OF_EXISTING: Final = BICEPS_OWN | {"name"}


def check_schema(template: Template, templates: Mapping[Path, Template]) -> list[Finding]:
    """Every resource of a file, in every branch of it, as it is written."""
    written = Written(template, Kinds(template, templates))
    return [finding for declared in template.resources for finding in written.resource(declared)]


def check_deployed(deployed: Iterable[Deployed], seen: Iterable[Finding]) -> Iterator[Finding]:
    """Check the computed template, if the written one has no findings."""
    bad = {finding.file for finding in seen if finding.rule == RULE}
    for each in deployed:
        known_shape = list_resources().get(f"{each.type}@{each.version}".lower())
        if known_shape is None or each.existing or each.template.source.shown in bad:
            continue
        computed = {key: value for key, value in each.properties.items() if key not in BICEPS_OWN}
        for wrong, mend in Computed().object(computed, known_shape, each.type):
            yield each.finding(RULE, wrong, mend)


@dataclass(frozen=True, slots=True)
class Written:
    """Checks expressions as they are written, so that a finding names the line of the wrong word."""

    template: Template
    kinds: Kinds

    def resource(self, declared: Declaration) -> Iterator[Finding]:
        """One resource."""
        full = declared.type_and_version
        known_shape = list_resources().get(full.lower())
        if known_shape is None:
            yield self.finding(declared.node, f"`{full}` is not in the schema excerpt", _other_versions(full))
            return
        written = get_body(declared.value)
        if written is None:
            yield self.finding(declared.node, f"`{declared.name}` has no body", "give it one in braces")
        elif declared.existing:
            for key, _ in list_entries(written):
                if unquote_key(key) not in OF_EXISTING:
                    wrong = f"`{unquote_key(key)}` is given to a resource that is only looked up"
                    yield self.finding(key, wrong, "leave it out, or take `existing` away")
            if find_entry(written, "name") is None:
                yield self.finding(declared.node, f"`{declared.name}` has no name", "give the name to look up")
        else:
            yield from self.object(written, known_shape, full, own=BICEPS_OWN)

    def finding(self, node: Node, wrong: str, mend: str) -> Finding:
        """Something that is wrong at a node."""
        return self.template.source.finding(node, RULE, wrong, mend)

    def object(
        self, node: Node, outline: Shape, path: str, *, whole: bool = True, own: frozenset[str] = frozenset()
    ) -> Iterator[Finding]:
        """An object, member by member. Not `whole`: it is merged with others, so it may lack what is required."""
        chosen = outline.chosen(self._choose_shape(node, outline))
        if chosen is None:
            yield from self._no_choice(node, outline, path)
            return
        given: set[str] = set()
        for key, value in list_entries(node):
            name = key_text(key)
            if name is None or name in own:
                continue
            if name in given:
                yield self.finding(key, f"`{name}` is given twice", "leave one of them out")
            given.add(name)
            yield from self._check_property(key, value, chosen, f"{path}.{name}")
        missing = [name for name in chosen.required if name not in given] if whole else []
        for name in missing:
            yield self.finding(node, f"{path} lacks `{name}`", "give it: the schema requires it")

    def _check_property(self, key: Node, value: Node, outline: Shape, path: str) -> Iterator[Finding]:
        name = key_text(key) or ""
        wanted = outline.member(name)
        if wanted is None:
            yield self.finding(
                key, f"there is no property `{name}` here ({path})", _suggest_name(name, outline.properties)
            )
        elif outline.is_read_only(name):
            yield self.finding(key, f"`{name}` is read-only ({path})", "leave it out: Azure answers it, nobody sets it")
        else:
            yield from self.value(value, wanted, path)

    def _choose_shape(self, node: Node, outline: Shape) -> str | None:
        for key, value in list_entries(node):
            if outline.choice is not None and key_text(key) == outline.choice:
                return read_literal(value)
        return None

    def _no_choice(self, node: Node, outline: Shape, path: str) -> Iterator[Finding]:
        given = next((value for key, value in list_entries(node) if key_text(key) == outline.choice), None)
        choices = ", ".join(sorted(outline.choices))
        if given is None:
            yield self.finding(node, f"{path} lacks `{outline.choice}`", f"give it: one of {choices}")
        elif (said := read_literal(given)) is not None:
            yield self.finding(given, f"`{said}` is no {outline.choice} ({path})", f"take one of {choices}")

    def value(self, node: Node, wanted: Type, path: str, *, whole: bool = True) -> Iterator[Finding]:
        """An expression where a type is wanted."""
        parts = [child for child in node.named_children if child.type != "comment"]
        match node.type:
            case "parenthesized_expression":
                yield from self.value(parts[0], wanted, path, whole=whole)
            case "ternary_expression":
                for part in parts[1:]:
                    yield from self.value(part, wanted, path, whole=whole)
            case "call_expression" if get_text(parts[0]) == "union":
                for part in parts[-1].named_children:
                    yield from self.value(part, wanted, path, whole=False)
            case "identifier" if (variable := self._check_variable(node)) is not None:
                yield from self.value(variable, wanted, path, whole=whole)
            case "null":
                return
            case _:
                yield from self._check_plain(node, parts, wanted, path, whole=whole)

    def _check_variable(self, node: Node) -> Node | None:
        declared = self.template.names.get(get_text(node))
        if declared is None or declared.kind != "variable" or declared.value is None:
            return None
        return declared.value if get_text(declared.value) != get_text(node) else None

    def _check_plain(self, node: Node, parts: list[Node], wanted: Type, path: str, *, whole: bool) -> Iterator[Finding]:
        kind = self.kinds.of(node)
        if kind is not None and wanted.kind not in {None, kind}:
            yield self.finding(node, f"{path} is {kind}: {shorten_node(node)}", f"give it {wanted.spec}")
        elif node.type == "object" and wanted.spec in wanted.types:
            yield from self.object(node, make_shape(wanted.types[wanted.spec], wanted.types), path, whole=whole)
        elif node.type == "array" and wanted.kind == ARRAY:
            for part in parts:
                yield from self.value(part, wanted.item, f"{path}[]")
        elif node.type == "for_statement" and wanted.kind == ARRAY:
            yield from self.value(parts[-1], wanted.item, f"{path}[]")
        elif (said := read_literal(node)) is not None and wanted.literals is not None and said not in wanted.literals:
            choices = ", ".join(sorted(wanted.literals))
            yield self.finding(node, f"`{said}` is not allowed for {path}", f"take one of {choices}")


class Computed:
    """Checks the values of expressions, through parameters, modules and functions."""

    def object(self, value: Mapping[str, Value], outline: Shape, path: str) -> Iterator[tuple[str, str]]:
        """An object, member by member."""
        choice = value.get(outline.choice) if outline.choice is not None else None
        chosen = outline.chosen(choice if isinstance(choice, str) else None)
        if chosen is None:
            return
        unsure = not all(is_known(key) for key in value)
        for name, each in value.items():
            wanted = chosen.member(name)
            if wanted is None and is_known(name):
                yield f"there is no property `{name}` here ({path})", _suggest_name(name, chosen.properties)
            elif wanted is not None and not chosen.is_read_only(name):
                yield from self.value(each, wanted, f"{path}.{name}")
        missing = [name for name in chosen.required if name not in value] if not unsure else []
        for name in missing:
            yield f"{path} lacks `{name}`", "give it: the schema requires it"

    def value(self, value: Value, wanted: Type, path: str) -> Iterator[tuple[str, str]]:
        """A value where a type is wanted."""
        kind = kind_of(value)
        if kind is None or wanted.kind is None:
            return
        if kind != wanted.kind:
            yield f"{path} comes to {kind}: `{str(value)[:60]}`", f"give it {wanted.spec}"
        elif isinstance(value, dict) and wanted.spec in wanted.types:
            yield from self.object(value, make_shape(wanted.types[wanted.spec], wanted.types), path)
        elif isinstance(value, list):
            for each in value:
                yield from self.value(each, wanted.item, f"{path}[]")
        elif (
            isinstance(value, str) and is_known(value) and wanted.literals is not None and value not in wanted.literals
        ):
            yield f"{path} comes to `{value}`", f"take one of {', '.join(sorted(wanted.literals))}"


def kind_of(value: Value) -> str | None:
    """The kind of a value, None if it is not known."""
    if value is None or isinstance(value, Unknown | Reference):
        return None
    kinds = {bool: BOOL, int: INT, str: STRING, list: ARRAY, dict: OBJECT}
    return kinds[type(value)]


def key_text(key: Node) -> str | None:
    """The name of a property; None if it is put together."""
    return get_text(key) if key.type != "string" else read_literal(key)


def _suggest_name(name: str, known_names: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(known_names), n=1)
    return f"did you mean `{close[0]}`?" if close else "leave it out, or look its name up"


def _other_versions(full: str) -> str:
    kind, _, _ = full.partition("@")
    versions = [name.partition("@")[2] for name in list_resources() if name.partition("@")[0] == kind.lower()]
    if versions:
        return f"take version {' or '.join(versions)}, or add this one to local/infra_checks/schema"
    close = difflib.get_close_matches(full.lower(), list(list_resources()), n=1)
    meant = f"did you mean `{close[0]}`? Otherwise " if close else ""
    return f"{meant}add it to WANTED in local/infra_checks/excerpt.py and run that"
