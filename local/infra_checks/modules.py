"""Modules: their files exist and are used, and what is passed is what they declare."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from tree_sitter import Node

from local.infra_checks.findings import Finding
from local.infra_checks.kinds import Kinds, declared_kind
from local.infra_checks.parsing import shorten_node
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

RULE: Final = "modules"
OF_A_MODULE: Final = frozenset({"name", "scope", "params", "dependsOn", "identity", "extensionConfigs"})


def check_modules(template: Template, templates: Mapping[Path, Template]) -> Iterator[Finding]:
    """Every module that a file uses, and the kinds of its own defaults and outputs."""
    kinds = Kinds(template, templates)
    for module in template.of("module"):
        yield from _check_module(module, template, templates, kinds)
    for declared in (*template.of("parameter"), *template.outputs.values()):
        if declared.value is not None:
            yield from _check_argument(declared.value, declared, template, kinds, f"{declared.kind} `{declared.name}`")


def _check_module(
    module: Declaration, template: Template, templates: Mapping[Path, Template], kinds: Kinds
) -> Iterator[Finding]:
    source = template.source
    other = templates.get((source.path.parent / module.path).resolve())
    if other is None:
        yield source.finding(module.node, RULE, f"there is no file `{module.path}`", "mend the path, or write the file")
        return
    written = get_body(module.value)
    for key, _ in list_entries(written):
        if unquote_key(key) not in OF_A_MODULE:
            mend = f"take it away; a module has {', '.join(sorted(OF_A_MODULE))}"
            yield source.finding(key, RULE, f"a module has no `{unquote_key(key)}`", mend)
    given = find_entry(written, "params")
    if given is None or given.type == "object":
        yield from _check_arguments(module, given, other, template, kinds)


def _check_arguments(
    module: Declaration, given: Node | None, other: Template, template: Template, kinds: Kinds
) -> Iterator[Finding]:
    wanted = {each.name: each for each in other.of("parameter")}
    passed = dict((unquote_key(key), (key, value)) for key, value in list_entries(given))  # noqa: C402 - three names a pair
    for name, (key, value) in passed.items():
        if name not in wanted:
            wrong = f"{module.path} has no parameter `{name}`"
            yield template.source.finding(key, RULE, wrong, "take it away, or declare it there")
        else:
            yield from _check_argument(value, wanted[name], template, kinds, f"parameter `{name}` of {module.path}")
    for name, each in wanted.items():
        if name not in passed and not each.optional:
            wrong = f"`{module.name}` does not pass `{name}` to {module.path}"
            yield template.source.finding(module.node, RULE, wrong, "pass it, or give it a default there")


def _check_argument(value: Node, wanted: Declaration, template: Template, kinds: Kinds, what: str) -> Iterator[Finding]:
    kind, is_kind = declared_kind(wanted), kinds.of(value)
    if kind is not None and is_kind is not None and kind != is_kind:
        wrong = f"{what} is {kind}, and this is {is_kind}: {shorten_node(value)}"
        yield template.source.finding(value, RULE, wrong, f"give it {kind}")
    said, allowed = read_literal(value), allowed_values(wanted)
    if said is not None and allowed is not None and said not in allowed:
        wrong = f"{what} does not allow `{said}`"
        yield template.source.finding(value, RULE, wrong, f"take one of {', '.join(sorted(allowed))}")


def allowed_values(declared: Declaration) -> frozenset[str] | None:
    """The texts that `@allowed` names, None without it."""
    for decorator in declared.decorators:
        call = decorator.named_children[0]
        if get_text(call.named_children[0]) == "allowed":
            given = call.named_children[-1].named_children[0]
            texts = [read_literal(each) for each in given.named_children]
            return frozenset(each for each in texts if each is not None) or None
    return None


def check_reached(main: Template, templates: Mapping[Path, Template]) -> Iterator[Finding]:
    """Every file is deployed from `main.bicep`."""
    reached, waiting = set[Path](), [main]
    while waiting:
        template = waiting.pop()
        reached.add(template.source.path)
        paths = [(template.source.path.parent / each.path).resolve() for each in template.of("module")]
        waiting += [templates[path] for path in paths if path in templates and path not in reached]
    for path, template in templates.items():
        if path not in reached and not template.imported and not _has_exports(template):
            wrong = "nothing leads here from main.bicep, so it is not deployed"
            yield Finding(template.source.shown, 1, RULE, wrong, "use it as a module, or delete it")


def _has_exports(template: Template) -> bool:
    return any("export" in get_text(each) for declared in template.names.values() for each in declared.decorators)
