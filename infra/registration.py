"""An app registration and its service principal: found by name, or made. Both scripts begin with this."""

from dataclasses import dataclass, field
from typing import Any, Final

from infra.graph import CannotGoOnError, Changes, Graph, list_every

NEW: Final = "(new)"
"""Stands for an id that does not exist yet, where changes are only said."""
FIELDS: Final = (
    "id,appId,displayName,appRoles,api,web,identifierUris,keyCredentials,passwordCredentials,requiredResourceAccess"
)


@dataclass(frozen=True)
class Registration:
    """The application object, as it was found, and the service principal by which the tenant knows it."""

    id: str
    app_id: str
    principal_id: str
    found: dict[str, Any] = field(default_factory=dict)

    @property
    def exists(self) -> bool:
        """Whether it is more than a plan."""
        return self.id != NEW


def ensure_registration(graph: Graph, changes: Changes, name: str) -> Registration:
    """The registration of this name, made if it is missing.

    Raises:
        CannotGoOnError: there are several, so which one is meant is for a person to say.
    """
    found = list_every(graph, f"applications?$filter=displayName eq '{_quote_text(name)}'&$select=id,appId")
    if len(found) > 1:
        raise CannotGoOnError(
            f'There are {len(found)} app registrations named "{name}". Delete those that nothing uses, or name '
            "another with --name."
        )
    application = (
        graph.ask("get", f"applications/{found[0]['id']}?$select={FIELDS}")
        if found
        else _make_registration(changes, name)
    )
    app_id = str(application.get("appId", NEW))
    return Registration(str(application.get("id", NEW)), app_id, _ensure_principal(graph, changes, app_id), application)


def _make_registration(changes: Changes, name: str) -> dict[str, Any]:
    # Of this tenant alone: Microsoft Graph refuses app permissions to the kind that is open to any identity provider.
    body = {"displayName": name, "signInAudience": "AzureADMyOrg"}
    return changes.make(f'make the app registration "{name}"', "post", "applications", body)


def _ensure_principal(graph: Graph, changes: Changes, app_id: str) -> str:
    found = [] if app_id == NEW else list_every(graph, f"servicePrincipals?$filter=appId eq '{app_id}'&$select=id")
    if found:
        return str(found[0]["id"])
    made = changes.make("make its service principal", "post", "servicePrincipals", {"appId": app_id})
    return str(made.get("id", NEW))


def _quote_text(text: str) -> str:
    return text.replace("'", "''")
