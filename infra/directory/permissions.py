"""What the app may do in the directory, stage by stage: it reads, then writes for the waves, then only reads again."""

from collections.abc import Collection, Mapping
from enum import StrEnum
from typing import Any, Final

from infra.graph import MICROSOFT_GRAPH, Changes, Graph, list_every
from infra.registration import Registration

READING: Final = ("User.Read.All", "Organization.Read.All")
"""To look customers up, and to see how full the directory is."""
NARROW: Final = ("User.Create", "User.ReadUpdate.All")
WIDE: Final = ("User.ReadWrite.All",)
"""For tenants that do not show the narrow ones yet."""
ROLE: Final = "#microsoft.graph.directoryRole"


class Stage(StrEnum):
    """How far the migration is."""

    ASSESS = "assess"
    """Customers are compared; nothing is written."""
    WAVE = "wave"
    """The plan is approved: accounts are created and marked."""
    CLOSED = "closed"
    """All is moved: writing is taken away."""


def list_permissions(stage: Stage, offered: Collection[str]) -> tuple[str, ...]:
    """The permissions of a stage, as narrow as the tenant offers them."""
    if stage is not Stage.WAVE:
        return READING
    return READING + (NARROW if set(NARROW) <= set(offered) else WIDE)


def settle_permissions(graph: Graph, changes: Changes, app: Registration, stage: Stage) -> tuple[str, ...]:
    """Give the app the permissions of this stage with admin consent, and take every other one of Graph away."""
    microsoft = graph.ask("get", f"servicePrincipals(appId='{MICROSOFT_GRAPH}')?$select=id,appRoles")
    offered = {str(role["value"]): str(role["id"]) for role in microsoft["appRoles"] if _for_apps(role)}
    names = list_permissions(stage, offered)
    ids = {name: offered[name] for name in names}
    _ask_for(changes, app, ids)
    if app.exists:
        held = list_every(graph, f"servicePrincipals/{app.principal_id}/appRoleAssignments")
        of_graph = [each for each in held if each["resourceId"] == microsoft["id"]]
        _take_away(changes, app, of_graph, ids, {id_: name for name, id_ in offered.items()})
        _note_the_rest(graph, changes, app, len(held) - len(of_graph))
    else:
        of_graph = []
    there = {each["appRoleId"] for each in of_graph}
    for name, id_ in ids.items():
        if id_ not in there:
            _grant_permission(changes, app, str(microsoft["id"]), name, id_)
    return names


def _for_apps(role: Mapping[str, Any]) -> bool:
    return "Application" in role["allowedMemberTypes"] and role.get("isEnabled", True)


def _ask_for(changes: Changes, app: Registration, ids: Mapping[str, str]) -> None:
    """What the registration asks for. The portal shows it, and a second admin consent there would grant just this."""
    body = [{"resourceAppId": MICROSOFT_GRAPH, "resourceAccess": [{"id": id_, "type": "Role"} for id_ in ids.values()]}]
    asked = {
        (each["resourceAppId"], one["id"], one["type"])
        for each in app.found.get("requiredResourceAccess", [])
        for one in each["resourceAccess"]
    }
    if asked != {(MICROSOFT_GRAPH, id_, "Role") for id_ in ids.values()}:
        sentence = f"have the registration ask for {', '.join(ids)}"
        changes.make(sentence, "patch", f"applications/{app.id}", {"requiredResourceAccess": body})


def _take_away(
    changes: Changes,
    app: Registration,
    held: Collection[Mapping[str, Any]],
    ids: Mapping[str, str],
    names: Mapping[str, str],
) -> None:
    for each in held:
        if each["appRoleId"] not in ids.values():
            name = names.get(str(each["appRoleId"]), str(each["appRoleId"]))
            path = f"servicePrincipals/{app.principal_id}/appRoleAssignments/{each['id']}"
            changes.make(f"take {name} away", "delete", path)


def _grant_permission(changes: Changes, app: Registration, graph_id: str, name: str, role: str) -> None:
    body = {"principalId": app.principal_id, "resourceId": graph_id, "appRoleId": role}
    changes.make(f"grant {name}", "post", f"servicePrincipals/{app.principal_id}/appRoleAssignments", body)


def _note_the_rest(graph: Graph, changes: Changes, app: Registration, elsewhere: int) -> None:
    """Rights that are not permissions of Graph. They are somebody's decision, so they are only told."""
    if elsewhere:
        changes.note(f"it holds {elsewhere} permissions of other services, and needs none: look at them in the portal")
    for each in list_every(graph, f"servicePrincipals/{app.principal_id}/memberOf?$select=id,displayName"):
        if each.get("@odata.type") == ROLE:
            changes.note(f"it holds the directory role {each['displayName']}, which it never needs: take it away")
    if app.found.get("passwordCredentials"):
        changes.note("it has a client secret. The certificate is the way in: delete the secret")
