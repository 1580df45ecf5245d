"""Who holds which role on what, and under which condition, with an invented person in every list."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, NamedTuple

from local.infra_checks.deployment import Deployed
from local.infra_checks.values import MARKED, Reference, Unknown, Value, get_value, write_value

ASSIGNMENTS: Final = "microsoft.authorization/roleassignments"
GROUP: Final = "the resource group"


REGISTRATION: Final = "5191519e-0000-4000-8000-000000000000"
"""The invented registration for sign-in."""


def _make_holder(holder: str, **more: Value) -> list[Value]:
    return [{"principalId": Unknown(holder), "principalType": "Group", **more}]


PEOPLE: Final[Mapping[str, Value]] = {
    "uploaders": _make_holder("an uploader", authority=Unknown("council")),
    "operators": _make_holder("an operator"),
    "keepers": _make_holder("a keeper"),
    "signInClientId": REGISTRATION,
}
"""Parameters of main.bicep that are empty by default. They are filled in, so that their role assignments can be seen.
"""


class Grant(NamedTuple):
    """A role assignment: the holder as the template names it, and the target."""

    holder: str
    on: str


def list_assignments(deployed: Iterable[Deployed]) -> Iterator[Deployed]:
    """Return the resources that assign a role."""
    return (each for each in deployed if each.type.lower() == ASSIGNMENTS and not each.existing)


def read_grant(each: Deployed) -> Grant:
    """Return the grant of a role assignment."""
    return Grant(
        write_value(get_value(dict(each.properties), "properties", "principalId")).strip("«»"), read_scope(each)
    )


def read_scope(each: Deployed) -> str:
    """Kind and path of the resource it is for: `containers stdata/default/reports`. What Azure adds is left out."""
    found = each.properties.get("scope")
    if found is None:
        return GROUP
    if not isinstance(found, Reference):
        return write_value(found)
    kind = found.declared.type_and_version.partition("@")[0].rpartition("/")[2]
    return f"{kind} {'/'.join(_read_path(found))}"


def _read_path(found: Value) -> list[str]:
    if not isinstance(found, Reference):
        return []
    return [*_read_path(found.ask("parent")), MARKED.sub("", write_value(found.ask("name")))]


def read_condition(each: Deployed) -> str:
    """Its condition in one line, empty if it has none."""
    found = get_value(dict(each.properties), "properties", "condition")
    return "" if found is None else one_line(write_value(found))


def one_line(text: str) -> str:
    """Return a condition in one line, as Azure reads it."""
    return re.sub(r"\s+", " ", text).strip()
