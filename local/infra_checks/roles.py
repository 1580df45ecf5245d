"""Rights: only roles from the allow-list, each assignment with a derivable name, a kind of principal and a scope."""

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict
from tree_sitter import Node

from local.infra_checks import grants
from local.infra_checks.deployment import Deployed
from local.infra_checks.findings import Finding
from local.infra_checks.parsing import walk_nodes
from local.infra_checks.template import Declaration, Template, find_entry, get_body, get_text
from local.infra_checks.values import Unknown, Value, get_value

RULE: Final = "roles"
FILE: Final = Path(__file__).parent / "allowed/roles.toml"
LIST: Final = "local/infra_checks/allowed/roles.toml"
DEFINITIONS: Final = "microsoft.authorization/roledefinitions"
GUID: Final = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
WITHOUT_KIND: Final = "give it 'ServicePrincipal', 'User' or 'Group': a new principal is not found at once without it"


class Allowed(BaseModel):
    """One entry of the list."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    why: str


class Role(Allowed):
    """A role that may be assigned. `to` names the holders, and the targets for each."""

    to: Mapping[str, Sequence[str]]

    @property
    def grants(self) -> list[grants.Grant]:
        """Return the grants one by one."""
        return [grants.Grant(holder, on) for holder, places in self.to.items() for on in places]


class Own(Role):
    """A role of our own, with everything that it may contain."""

    actions: tuple[str, ...]
    data_actions: tuple[str, ...]


class Condition(BaseModel):
    """The condition that a grant must have: exactly this text."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    to: str
    on: str
    why: str
    text: str


class AllowList(BaseModel):
    """The file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    roles: Mapping[str, Role]
    own: Mapping[str, Own]
    others: Mapping[str, Allowed]
    conditions: Sequence[Condition]

    @property
    def given(self) -> Mapping[str, Role]:
        """The roles that may be given, by their id or, of our own, by their symbol."""
        return {**self.roles, **self.own}

    def condition(self, grant: grants.Grant) -> str:
        """The condition that a right must have, empty for none."""
        return next((grants.one_line(each.text) for each in self.conditions if (each.to, each.on) == grant), "")


@cache
def read_allow_list() -> AllowList:
    """The allow-list."""
    return AllowList.model_validate(tomllib.loads(FILE.read_text(encoding="utf-8")))


def check_roles(template: Template) -> Iterator[Finding]:
    """GUIDs and role assignments as they are written, in every branch."""
    yield from _check_guids(template)
    for declared in template.resources:
        if declared.type_and_version.lower().startswith(grants.ASSIGNMENTS) and not declared.existing:
            yield from _check_assignment(declared, template)
        elif _makes_a_role(declared) and declared.name not in read_allow_list().own:
            wrong = f"`{declared.name}` makes a role of our own"
            yield template.source.finding(declared.node, RULE, wrong, "take a built-in role, which people can look up")


def _makes_a_role(declared: Declaration) -> bool:
    return declared.type_and_version.lower().startswith(DEFINITIONS) and not declared.existing


def _check_guids(template: Template) -> Iterator[Finding]:
    known = {*read_allow_list().roles, *read_allow_list().others}
    for node in walk_nodes(template.source.root):
        if node.type == "string_content" and not _is_description(node):
            for guid in GUID.findall(get_text(node)):
                if guid.lower() not in known:
                    wrong = f"`{guid}` is not on the list of roles and ids"
                    yield template.source.finding(node, RULE, wrong, f"take it away, or add it with a reason to {LIST}")


def _is_description(node: Node) -> bool:
    above = node.parent
    while above is not None and above.type not in {"decorator", "infrastructure"}:
        above = above.parent
    return above is not None and above.type == "decorator"


def _check_assignment(declared: Declaration, template: Template) -> Iterator[Finding]:
    source, written = template.source, get_body(declared.value)
    name = _follow_variable(find_entry(written, "name"), template)
    if name is None or name.type != "call_expression" or not get_text(name).startswith("guid("):
        wrong = f"the name of `{declared.name}` is not made by guid()"
        yield source.finding(
            name or declared.node, RULE, wrong, "name it guid(scope, principal, role): derivable, once"
        )
    properties = _follow_variable(find_entry(written, "properties"), template)
    if properties is not None and find_entry(properties, "principalType") is None:
        yield source.finding(declared.node, RULE, f"`{declared.name}` has no principalType", WITHOUT_KIND)


def _follow_variable(node: Node | None, template: Template) -> Node | None:
    """Return the value of a variable."""
    declared = template.names.get(get_text(node)) if node is not None and node.type == "identifier" else None
    return declared.value if declared is not None and declared.kind == "variable" else node


def check_deployed(deployed: Iterable[Deployed]) -> Iterator[Finding]:
    """Check each assignment: its role, its holder, its target and its condition."""
    known = list(deployed)
    own = {
        each.name: each for each in known if each.type.lower() == DEFINITIONS and each.symbol in read_allow_list().own
    }
    for each in own.values():
        yield from _check_definition(each, read_allow_list().own[each.symbol])
    for each in grants.list_assignments(known):
        role = _find_role(get_value(dict(each.properties), "properties", "roleDefinitionId"), own)
        wrong = (
            _wrong_role(each, role) or _wrong_grant(each, read_allow_list().given[str(role)]) or _wrong_condition(each)
        )
        if wrong is not None:
            yield each.finding(RULE, *wrong)
    yield from _not_given(known, own)


def _not_given(known: Sequence[Deployed], own: Mapping[str, Deployed]) -> Iterator[Finding]:
    """Return grants of the list that nobody has. Either something cannot work, or the list is too long."""
    certain = [each for each in grants.list_assignments(known) if each.certain]
    given = {
        (_find_role(get_value(dict(each.properties), "properties", "roleDefinitionId"), own), grants.read_grant(each))
        for each in certain
    }
    for id_, role in read_allow_list().given.items():
        for grant in role.grants:
            if (id_, grant) not in given:
                wrong = f"nothing gives `{grant.holder}` the role {role.name} on `{grant.on}`"
                yield Finding("infra/main.bicep", 1, RULE, wrong, f"assign it in a module, or take it off {LIST}")


def _wrong_role(each: Deployed, role: str | None) -> tuple[str, str] | None:
    if role is None:
        wrong = f"`{each.symbol}` gives a role that cannot be read off the template"
        return wrong, "write the role's id as a literal, not as a parameter without a default"
    if role not in read_allow_list().given:
        wrong = f"`{each.symbol}` gives role `{role}`, which is not on the list"
        return wrong, f"take a role of the list, or add this one with a reason to {LIST}"
    return None


def _wrong_grant(each: Deployed, role: Role) -> tuple[str, str] | None:
    """A role is given to those alone, and on that alone, for which the list has it."""
    grant = grants.read_grant(each)
    if grant in role.grants:
        return None
    where = "everything in the group" if grant.on == grants.GROUP else f"`{grant.on}`"
    right = ", ".join(role.to.get(grant.holder, ())) or "nothing"
    mend = f"{LIST} has it for them on {right}: mend scope or principal, or add it there"
    return f"`{each.symbol}` gives `{grant.holder}` the role {role.name} on {where}", mend


def _wrong_condition(each: Deployed) -> tuple[str, str] | None:
    """Check conditions.

    An uploader may write only to the council's folder, and an observer may not read reports that list people.
    """
    grant, found = grants.read_grant(each), grants.read_condition(each)
    wanted = read_allow_list().condition(grant)
    if found != wanted:
        wrong = f"the condition of `{each.symbol}` is not the one that was looked at"
        return wrong, f"let it come to: {wanted or '(none)'}; or change it in {LIST}, too"
    if found and get_value(dict(each.properties), "properties", "conditionVersion") != "2.0":
        return f"the condition of `{each.symbol}` has no version", "set conditionVersion to '2.0'"
    return None


def _check_definition(each: Deployed, own: Own) -> Iterator[Finding]:
    """Check that a role of our own holds what the list says, and can be assigned only in the group."""
    properties = get_value(dict(each.properties), "properties")
    rights = get_value(properties, "permissions")
    held = rights[0] if isinstance(rights, list) and len(rights) == 1 else None
    wanted = {"actions": own.actions, "dataActions": own.data_actions, "notActions": (), "notDataActions": ()}
    for kind, names in wanted.items():
        found = get_value(held, kind)
        if not isinstance(found, list) or sorted(map(str, found)) != sorted(names):
            wrong = f"`{each.symbol}` has other {kind} than the list says"
            yield each.finding(RULE, wrong, f"let them be {list(names)}, or change {LIST} with a reason")
    if str(get_value(properties, "assignableScopes")) != str([Unknown("resourceGroup().id")]):
        yield each.finding(RULE, f"`{each.symbol}` can be given elsewhere", "let assignableScopes be the group alone")
    if not str(get_value(properties, "roleName")).startswith(own.name):
        yield each.finding(RULE, f"`{each.symbol}` has another roleName", f"let it begin with '{own.name}'")


def _find_role(value: Value, own: Mapping[str, Deployed]) -> str | None:
    """An id, or the symbol of a role of our own."""
    for name, definition in own.items():
        if isinstance(value, str) and value.endswith(f"/{name}"):
            return definition.symbol
    found = GUID.findall(value) if isinstance(value, str) else []
    return found[-1].lower() if found else None
