"""Check that what is read from a resource, a function's result or an object exists there."""

import difflib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from tree_sitter import Node

from local.infra_checks.deployment import Instance
from local.infra_checks.findings import Finding
from local.infra_checks.parsing import shorten_node, walk_nodes
from local.infra_checks.shapes import Shape, Type, list_resources, make_shape
from local.infra_checks.template import Declaration, Template, get_text

RULE: Final = "members"
SUFFIXES: Final = "acrLoginServer azureDatalakeStoreFileSystem keyvaultDns sqlServerHostname storage"
ANSWERS: Final[Mapping[str, frozenset[str]]] = {
    call: frozenset(names.split())
    for call, names in {
        "tenant()": "tenantId country countryCode displayName",
        "subscription()": "id subscriptionId tenantId displayName",
        "resourceGroup()": "id name type location managedBy tags properties",
        "deployment()": "name location properties",
        "deployer()": "objectId tenantId userPrincipalName",
        "environment()": "name authentication activeDirectoryDataLake batch gallery graph graphAudience media "
        "portal resourceManager sqlManagement suffixes vmImageAliasDoc",
        "environment().suffixes": SUFFIXES,
        "environment().authentication": "audiences identityProvider loginEndpoint tenant",
    }.items()
}
"""The members of the results of some functions."""
OF_EVERY_RESOURCE: Final = frozenset({"id", "name", "type", "apiVersion"})


def check_members(template: Template) -> Iterator[Finding]:
    """One file: what it asks of resources and of functions."""
    for node in walk_nodes(template.source.root):
        if node.type == "member_expression" and not _is_careful(node):
            yield from _check_asked(node, template)


def _is_careful(node: Node) -> bool:
    return any(child.type == ".?" for child in node.children)


def _check_asked(node: Node, template: Template) -> Iterator[Finding]:
    owner, name = node.named_children[0], get_text(node.named_children[-1])
    answer = ANSWERS.get(get_text(owner))
    if answer is not None and name not in answer:
        yield _make_missing_finding(template, node, name, answer)
    outline = Chain(template).of(owner)
    if isinstance(outline, Shape) and outline.member(name) is None and name not in OF_EVERY_RESOURCE:
        yield _make_missing_finding(template, node, name, outline.all)


def _make_missing_finding(template: Template, node: Node, name: str, has: Iterable[str]) -> Finding:
    close = difflib.get_close_matches(name, list(has), n=1)
    mend = f"did you mean `{close[0]}`?" if close else "look up what it has, or ask with `.?`"
    return template.source.finding(node, RULE, f"{shorten_node(node)} asks for `{name}`, and there is none", mend)


@dataclass(frozen=True, slots=True)
class Chain:
    """Follows `resource.properties.name` through the schema excerpt."""

    template: Template

    def of(self, node: Node) -> Shape | Type | None:
        """Return the members of an expression. None if they are unknown."""
        if node.type == "identifier":
            declared = self.template.names.get(get_text(node))
            return self._list_resource_members(declared) if declared is not None and not _is_looped(declared) else None
        if node.type == "subscript_expression" and node.named_children[0].type == "identifier":
            declared = self.template.names.get(get_text(node.named_children[0]))
            return self._list_resource_members(declared) if declared is not None and _is_looped(declared) else None
        if node.type != "member_expression" or _is_careful(node):
            return None
        owner = self.of(node.named_children[0])
        found = owner.member(get_text(node.named_children[-1])) if isinstance(owner, Shape) else None
        if found is None or found.spec not in found.types:
            return None
        inner = make_shape(found.types[found.spec], found.types)
        return inner if inner.choice is None else None

    def _list_resource_members(self, declared: Declaration) -> Shape | None:
        if declared.kind != "resource":
            return None
        outline = list_resources().get(declared.type_and_version.lower())
        return outline if outline is not None and outline.choice is None else None


def _is_looped(declared: Declaration) -> bool:
    return declared.value is not None and declared.value.type == "for_statement"


def check_computed(instance: Instance) -> Iterator[Finding]:
    """Objects that were asked, while the template was computed, for what they do not have."""
    for missed in instance.missed:
        yield _make_missing_finding(missed.template, missed.node, missed.name, missed.has)
