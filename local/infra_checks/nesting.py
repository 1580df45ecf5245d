"""Which part contains which: parents of resources, and scopes of modules."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

from local.infra_checks.deployment import Deployed
from local.infra_checks.findings import Finding
from local.infra_checks.template import Declaration, Template, find_entry, get_body, get_text, read_literal
from local.infra_checks.values import MARKED

RULE: Final = "nesting"
GROUP: Final = "resourceGroup"
OF_A_SUBSCRIPTION: Final = frozenset(
    {
        "microsoft.resources/resourcegroups",
        "microsoft.authorization/roleassignments",
        "microsoft.authorization/locks",
        "microsoft.consumption/budgets",
        "microsoft.insights/diagnosticsettings",
    }
)
"""Types that can be deployed to a subscription as a whole."""


def check_nesting(template: Template, templates: Mapping[Path, Template]) -> Iterator[Finding]:
    """One file."""
    for declared in template.resources:
        yield from _check_parent(declared, template)
        yield from _own_scope(declared, template)
    for module in template.of("module"):
        yield from _check_module_target(module, template, templates)


def find_target(template: Template) -> str:
    """Return the scope to which a file is deployed."""
    for node in template.source.root.named_children:
        if node.type == "target_scope_assignment":
            return read_literal(node.named_children[0]) or GROUP
    return GROUP


def _check_parent(declared: Declaration, template: Template) -> Iterator[Finding]:
    """A `parent` is of the type just above."""
    given = find_entry(get_body(declared.value), "parent")
    parent = template.names.get(get_text(given)) if given is not None and given.type == "identifier" else None
    if given is None or parent is None or parent.kind != "resource":
        return
    above = declared.type_and_version.partition("@")[0].rpartition("/")[0]
    is_type = parent.type_and_version.partition("@")[0]
    if is_type.lower() != above.lower():
        wrong = f"the parent of `{declared.name}` is a {is_type}"
        yield template.source.finding(given, RULE, wrong, f"give it a {above}")


def _own_scope(declared: Declaration, template: Template) -> Iterator[Finding]:
    kind = declared.type_and_version.partition("@")[0].lower()
    scoped = find_entry(get_body(declared.value), "scope") is not None or declared.parent is not None
    if find_target(template) != GROUP and kind not in OF_A_SUBSCRIPTION and not scoped:
        wrong = f"`{declared.name}` cannot be deployed to a {find_target(template)}"
        yield template.source.finding(declared.node, RULE, wrong, "put it into a module with a resource group as scope")
    if find_target(template) == GROUP and kind == "microsoft.resources/resourcegroups" and not declared.existing:
        wrong = f"`{declared.name}` is made inside another group"
        yield template.source.finding(
            declared.node, RULE, wrong, "declare it in a file whose targetScope is subscription"
        )


def _check_module_target(
    module: Declaration, template: Template, templates: Mapping[Path, Template]
) -> Iterator[Finding]:
    other = templates.get((template.source.path.parent / module.path).resolve())
    if (
        other is None
        or find_entry(get_body(module.value), "scope") is not None
        or find_target(other) == find_target(template)
    ):
        return
    wrong = f"module `{module.name}` is for a {find_target(other)}, and this file for a {find_target(template)}"
    yield template.source.finding(module.node, RULE, wrong, "give it a scope")


def check_deployed(deployed: Iterable[Deployed]) -> Iterator[Finding]:
    """A name has as many parts as its type has below the resource that holds it."""
    for each in deployed:
        below = each.type.count("/") - 1 - len(each.within)
        parts = MARKED.sub("", each.name).count("/")
        if parts != max(below, 0) and not (each.within and parts == 0):
            wrong = f"the name of `{each.symbol}` has {parts + 1} parts and its type wants {max(below, 0) + 1}"
            yield each.finding(RULE, wrong, "give it a parent, or write the names of those that hold it before its own")
