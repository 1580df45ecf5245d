"""Rights: only roles from the allow-list, each assignment with a derivable name, a kind of principal and a scope."""

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict
from tree_sitter import Node

from local.bicep.deployment import Deployed
from local.bicep.findings import Finding
from local.bicep.parsing import walk
from local.bicep.template import Declaration, Template, body, entry, text
from local.bicep.values import Reference, Unknown, Value, at

RULE: Final = "roles"
FILE: Final = Path(__file__).parent / "allowed/roles.toml"
LIST: Final = "local/bicep/allowed/roles.toml"
ASSIGNMENTS: Final = "microsoft.authorization/roleassignments"
DEFINITIONS: Final = "microsoft.authorization/roledefinitions"
GUID: Final = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
WITHOUT_KIND: Final = "give it 'ServicePrincipal', 'User' or 'Group': a new principal is not found at once without it"


class Allowed(BaseModel):
    """One entry of the list."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    why: str
    group: bool = False
    writes: bool = False


class Own(Allowed):
    """A role of our own, with everything that it may contain."""

    actions: tuple[str, ...]
    data_actions: tuple[str, ...]


class AllowList(BaseModel):
    """The file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    roles: Mapping[str, Allowed]
    own: Mapping[str, Own]
    others: Mapping[str, Allowed]


@cache
def allowed() -> AllowList:
    """The allow-list."""
    return AllowList.model_validate(tomllib.loads(FILE.read_text(encoding="utf-8")))


def check(template: Template) -> Iterator[Finding]:
    """GUIDs and role assignments as they are written, in every branch."""
    yield from _guids(template)
    for declared in template.resources:
        if declared.type_and_version.lower().startswith(ASSIGNMENTS) and not declared.existing:
            yield from _assignment(declared, template)
        elif _makes_a_role(declared) and declared.name not in allowed().own:
            wrong = f"`{declared.name}` makes a role of our own"
            yield template.source.finding(declared.node, RULE, wrong, "take a built-in role, which people can look up")


def _makes_a_role(declared: Declaration) -> bool:
    return declared.type_and_version.lower().startswith(DEFINITIONS) and not declared.existing


def _guids(template: Template) -> Iterator[Finding]:
    known = {*allowed().roles, *allowed().others}
    for node in walk(template.source.root):
        if node.type == "string_content" and not _is_description(node):
            for guid in GUID.findall(text(node)):
                if guid.lower() not in known:
                    wrong = f"`{guid}` is not on the list of roles and ids"
                    yield template.source.finding(node, RULE, wrong, f"take it away, or add it with a reason to {LIST}")


def _is_description(node: Node) -> bool:
    above = node.parent
    while above is not None and above.type not in {"decorator", "infrastructure"}:
        above = above.parent
    return above is not None and above.type == "decorator"


def _assignment(declared: Declaration, template: Template) -> Iterator[Finding]:
    source, written = template.source, body(declared.value)
    name = _followed(entry(written, "name"), template)
    if name is None or name.type != "call_expression" or not text(name).startswith("guid("):
        wrong = f"the name of `{declared.name}` is not made by guid()"
        yield source.finding(
            name or declared.node, RULE, wrong, "name it guid(scope, principal, role): derivable, once"
        )
    properties = _followed(entry(written, "properties"), template)
    if properties is not None and entry(properties, "principalType") is None:
        yield source.finding(declared.node, RULE, f"`{declared.name}` has no principalType", WITHOUT_KIND)


def _followed(node: Node | None, template: Template) -> Node | None:
    """What a variable stands for."""
    declared = template.names.get(text(node)) if node is not None and node.type == "identifier" else None
    return declared.value if declared is not None and declared.kind == "variable" else node


def check_deployed(deployed: Iterable[Deployed], exports: str) -> Iterator[Finding]:
    """What role each assignment comes to, and on what; `exports` is the container for uploads."""
    known = list(deployed)
    own = {each.name: each for each in known if each.type.lower() == DEFINITIONS and each.symbol in allowed().own}
    for each in own.values():
        yield from _definition(each, allowed().own[each.symbol])
    for each in known:
        if each.type.lower() != ASSIGNMENTS or each.existing:
            continue
        role = _role(at(dict(each.properties), "properties", "roleDefinitionId"), own)
        if role is None:
            wrong = f"`{each.symbol}` gives a role that cannot be read off the template"
            yield each.finding(RULE, wrong, "write the role's id as a literal, not as a parameter without a default")
        elif role not in _allowed():
            wrong = f"`{each.symbol}` gives role `{role}`, which is not on the list"
            yield each.finding(RULE, wrong, f"take a role of the list, or add this one with a reason to {LIST}")
        elif (missing := _condition(each, _allowed()[role], exports)) is not None:
            yield each.finding(RULE, *missing)
        elif "scope" not in each.properties and not _allowed()[role].group:
            wrong = f"`{each.symbol}` gives {_allowed()[role].name} on everything in the group"
            yield each.finding(RULE, wrong, "give it a scope: the one resource that it is needed for")


def _condition(each: Deployed, role: Allowed, exports: str) -> tuple[str, str] | None:
    """Whoever may write into the uploads may do so in one council's folder only."""
    properties = at(dict(each.properties), "properties")
    scope = each.properties.get("scope")
    condition = at(properties, "condition")
    on_uploads = isinstance(scope, Reference) and scope.ask("name") == exports
    if role.writes and on_uploads and "blobs:path" not in str(condition):
        return f"`{each.symbol}` lets somebody write everywhere in `{exports}`", "add a condition on the blob's path"
    if condition is not None and at(properties, "conditionVersion") != "2.0":
        return f"the condition of `{each.symbol}` has no version", "set conditionVersion to '2.0'"
    return None


def _allowed() -> Mapping[str, Allowed]:
    """The roles that may be given, by their id or, of our own, by their symbol."""
    return {**allowed().roles, **allowed().own}


def _definition(each: Deployed, own: Own) -> Iterator[Finding]:
    """A role of our own holds what the list says, and can be given in the group alone."""
    properties = at(dict(each.properties), "properties")
    rights = at(properties, "permissions")
    held = rights[0] if isinstance(rights, list) and len(rights) == 1 else None
    wanted = {"actions": own.actions, "dataActions": own.data_actions, "notActions": (), "notDataActions": ()}
    for kind, names in wanted.items():
        found = at(held, kind)
        if not isinstance(found, list) or sorted(map(str, found)) != sorted(names):
            wrong = f"`{each.symbol}` has other {kind} than the list says"
            yield each.finding(RULE, wrong, f"let them be {list(names)}, or change {LIST} with a reason")
    if str(at(properties, "assignableScopes")) != str([Unknown("resourceGroup().id")]):
        yield each.finding(RULE, f"`{each.symbol}` can be given elsewhere", "let assignableScopes be the group alone")
    if not str(at(properties, "roleName")).startswith(own.name):
        yield each.finding(RULE, f"`{each.symbol}` has another roleName", f"let it begin with '{own.name}'")


def _role(value: Value, own: Mapping[str, Deployed]) -> str | None:
    """An id, or the symbol of a role of our own."""
    for name, definition in own.items():
        if isinstance(value, str) and value.endswith(f"/{name}"):
            return definition.symbol
    found = GUID.findall(value) if isinstance(value, str) else []
    return found[-1].lower() if found else None
