"""Who is named by an object id: looked up before anything is made, because Graph takes any id and says nothing."""

from typing import Any, Final

from infra.graph import CannotGoOnError, Graph, NotThereError, list_every

MANAGED_IDENTITY: Final = "ManagedIdentity"
PEOPLE: Final = ("#microsoft.graph.user", "#microsoft.graph.group")


def check_identity(graph: Graph, identity: str) -> None:
    """It is the object id of a managed identity of this tenant.

    Raises:
        CannotGoOnError: it is something else. Its voucher would never be taken, and nobody could sign in.
    """
    found = _find_object(graph, f"servicePrincipals/{identity}?$select=id,displayName,servicePrincipalType")
    if found.get("servicePrincipalType") == MANAGED_IDENTITY:
        return
    take = "Take IDENTITY_PRINCIPAL_ID from: azd env get-values"
    if found:
        name = found.get("displayName", "an object without a name")
        raise CannotGoOnError(f'{identity} is "{name}", which is no managed identity. {take}')
    known_as = list_every(graph, f"servicePrincipals?$filter=appId eq '{identity}'&$select=id")
    if known_as:
        raise CannotGoOnError(f"{identity} is a client id; its object id is {known_as[0]['id']}. {take}")
    raise CannotGoOnError(f"This tenant has no managed identity {identity}. {take}")


def check_holder(graph: Graph, holder: str) -> None:
    """It is the object id of a person or a group.

    Raises:
        CannotGoOnError: it is something else, which cannot hold a role of ours.
    """
    found = _find_object(graph, f"directoryObjects/{holder}")
    if not found:
        raise CannotGoOnError(
            f"This tenant has no person or group {holder}. Its object id is in the portal, or: "
            "az ad group show --group NAME --query id; az ad user show --id ADDRESS --query id"
        )
    if found.get("@odata.type") not in PEOPLE:
        kind = str(found.get("@odata.type", "something else")).rpartition(".")[2]
        raise CannotGoOnError(f"{holder} is a {kind}: roles are given to people and groups.")


def _find_object(graph: Graph, path: str) -> dict[str, Any]:
    try:
        return graph.ask("get", path)
    except NotThereError:
        return {}
