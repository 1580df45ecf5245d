"""What the registration for sign-in must say: the app roles, the scope for Azure CLI, the way back after signing in."""

from collections.abc import Mapping
from typing import Any, Final
from uuid import NAMESPACE_URL, uuid5

ROLES: Final[Mapping[str, str]] = {
    "viewer": "Sees where everything stands.",
    "operator": "Replays, resumes, checks and mends.",
    "approver": "Signs plans.",
    "helpdesk": "Looks up one caller.",
}
"""App roles, as `shared/access/roles.py` asks for them."""
AZURE_CLI: Final = "04b07795-8ddb-461a-bbee-02f9e1bf7b46"
"""Microsoft's Azure CLI, by which people get the token that `ops` sends."""
SCOPE: Final = "user_impersonation"
_SPACE: Final = "https://customer-account-migration/"


def fixed_id(name: str) -> str:
    """The same id in every run, so that a second run finds what the first one made."""
    return str(uuid5(NAMESPACE_URL, _SPACE + name))


def make_roles(there: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The app roles; one that is there keeps its id, because people are assigned to it. Others' roles stay."""
    known = {each["value"]: each["id"] for each in there}
    ours = [
        {
            "id": known.get(value, fixed_id(f"role/{value}")),
            "value": value,
            "displayName": value.capitalize(),
            "description": description,
            "allowedMemberTypes": ["User"],
            "isEnabled": True,
        }
        for value, description in ROLES.items()
    ]
    return [*ours, *(each for each in there if each["value"] not in ROLES)]


def make_scope() -> dict[str, Any]:
    """The scope that a token for a person carries."""
    sentence = "Ask the migration app as yourself."
    return {
        "id": fixed_id(f"scope/{SCOPE}"),
        "value": SCOPE,
        "type": "User",
        "isEnabled": True,
        "adminConsentDisplayName": sentence,
        "adminConsentDescription": sentence,
        "userConsentDisplayName": sentence,
        "userConsentDescription": sentence,
    }


def trusted_client() -> dict[str, Any]:
    """Azure CLI, which then asks nobody for consent."""
    return {"appId": AZURE_CLI, "delegatedPermissionIds": [fixed_id(f"scope/{SCOPE}")]}


def make_voucher(tenant: str, identity: str) -> dict[str, Any]:
    """The managed identity vouches for the registration, in place of a client secret."""
    return {
        "name": "function-app",
        "issuer": f"https://login.microsoftonline.com/{tenant}/v2.0",
        "subject": identity,
        "audiences": ["api://AzureADTokenExchange"],
    }
