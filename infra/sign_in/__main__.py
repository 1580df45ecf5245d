"""`python3 -m infra.sign_in`: make the registration by which people sign in, in the council's own tenant."""

import argparse
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from infra.graph import AzureCli, CannotGoOnError, Changes, Graph, check_tenant, list_every
from infra.registration import Registration, ensure_registration
from infra.sign_in import holders, manifest

OBJECT_ID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
ABOUT: Final = """\
Make the app registration by which people sign in to the migration app, with its app roles: viewer, operator,
approver, helpdesk. Only people and groups with a role get in. It asks Microsoft Graph as you, through Azure CLI.
Running it twice changes nothing: it looks first, and says every change in a line. Try it with --dry-run.
"""
MORE: Final = """\
app and identity are printed by: azd env get-values   (OPS_URL, IDENTITY_PRINCIPAL_ID)

examples:
  python3 -m infra.sign_in --tenant southnorfolk.gov.uk --url https://func-migration-x.azurewebsites.net \\
      --identity 7c5c0d3e-0000-4000-8000-000000000000 --dry-run
  python3 -m infra.sign_in ... --assign operator=OBJECT_ID_OF_A_GROUP --assign helpdesk=OBJECT_ID_OF_A_GROUP

exit status: 0 done, 1 it could not go on (it says why, and what to do)
There is no client secret: the app's managed identity vouches for the registration.
"""


@dataclass(frozen=True)
class Wish:
    """What is asked for."""

    tenant: str
    url: str
    identity: str
    name: str
    assign: Sequence[tuple[str, str]] = field(default_factory=tuple)
    """Pairs of role and object id of a person or group."""


def set_up(graph: Graph, changes: Changes, wish: Wish) -> str:
    """Make the registration as it should be; returns its client id.

    Raises:
        CannotGoOnError: something is for a person to decide or to mend first.
    """
    tenant = check_tenant(graph, wish.tenant)
    holders.check_identity(graph, wish.identity)
    for holder in {holder: None for _, holder in wish.assign}:
        holders.check_holder(graph, holder)
    app = ensure_registration(graph, changes, wish.name)
    _describe_app(changes, app, wish)
    _ensure_voucher(graph, changes, app, manifest.make_voucher(tenant.id, wish.identity))
    _close_to_others(graph, changes, app)
    for role, holder in wish.assign:
        _assign_role(graph, changes, app, role, holder)
    return app.app_id


def _describe_app(changes: Changes, app: Registration, wish: Wish) -> None:
    path = f"applications/{app.id}"
    web = {
        "redirectUris": [f"{wish.url}/.auth/login/aad/callback"],
        "implicitGrantSettings": {"enableIdTokenIssuance": True},
    }
    api = {"requestedAccessTokenVersion": 2, "oauth2PermissionScopes": [manifest.make_scope()]}
    said = {
        "identifierUris": [f"api://{app.app_id}"],
        "web": web,
        "api": api,
        "appRoles": manifest.make_roles(app.found.get("appRoles", [])),
    }
    new = not _is_contained(app.found, said)
    if new:
        changes.make("have it say its roles, its scope and the way back", "patch", path, said)
    # Apart, because Graph refuses to trust a client with a scope that is made in the same request.
    trusting = {"api": {"preAuthorizedApplications": [manifest.trusted_client()]}}
    if new or not _is_contained(app.found, trusting):
        both = {"api": {**api, **trusting["api"]}}
        changes.make("let Azure CLI ask for tokens to it", "patch", path, both)


def _is_contained(found: object, wanted: object) -> bool:
    """Whether all that is wanted is there; what else is there does not matter."""
    if isinstance(wanted, Mapping):
        return isinstance(found, Mapping) and all(_is_contained(found.get(key), value) for key, value in wanted.items())
    if isinstance(wanted, list):
        return isinstance(found, list) and all(any(_is_contained(one, each) for one in found) for each in wanted)
    return found == wanted


def _ensure_voucher(graph: Graph, changes: Changes, app: Registration, voucher: dict[str, Any]) -> None:
    path = f"applications/{app.id}/federatedIdentityCredentials"
    there = list_every(graph, path) if app.exists else []
    ours = [each for each in there if each["name"] == voucher["name"]]
    if not ours:
        changes.make("let the app's managed identity vouch for it", "post", path, voucher)
    elif not _is_contained(ours[0], voucher):
        changes.make("let another managed identity vouch for it", "patch", f"{path}/{ours[0]['id']}", voucher)


def _close_to_others(graph: Graph, changes: Changes, app: Registration) -> None:
    """Without it everybody in the tenant would get a token, if one without a role."""
    path = f"servicePrincipals/{app.principal_id}"
    if app.exists and graph.ask("get", f"{path}?$select=appRoleAssignmentRequired").get("appRoleAssignmentRequired"):
        return
    changes.make("close it to everybody without a role", "patch", path, {"appRoleAssignmentRequired": True})


def _assign_role(graph: Graph, changes: Changes, app: Registration, role: str, holder: str) -> None:
    ids = {each["value"]: each["id"] for each in manifest.make_roles(app.found.get("appRoles", []))}
    path = f"servicePrincipals/{app.principal_id}/appRoleAssignedTo"
    there = list_every(graph, path) if app.exists else []
    if not any(each["principalId"] == holder and each["appRoleId"] == ids[role] for each in there):
        body = {"principalId": holder, "resourceId": app.principal_id, "appRoleId": ids[role]}
        changes.make(f"give {holder} the role {role}", "post", path, body)


def main(arguments: Sequence[str] | None = None) -> int:
    """Do it and say what was done; returns the exit status."""
    options = make_parser().parse_args(arguments)
    wish = Wish(options.tenant, options.url.rstrip("/"), options.identity, options.name, options.assign)
    try:
        changes = Changes(graph := AzureCli(), print, dry=options.dry_run)
        client = set_up(graph, changes, wish)
    except CannotGoOnError as error:
        print(f"Stopped: {error}", file=sys.stderr)
        return 1
    print(f"{changes.count or 'Nothing'} {'to change' if options.dry_run else 'changed'}. Then:")
    print(f"  azd env set SIGN_IN_CLIENT_ID {client}\n  azd provision")
    return 0


def make_parser() -> argparse.ArgumentParser:
    """The options."""
    found = argparse.ArgumentParser(
        prog="python3 -m infra.sign_in",
        description=ABOUT,
        epilog=MORE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    found.add_argument("--tenant", required=True, help="a domain of the council's tenant: checked before anything")
    found.add_argument("--url", required=True, type=_read_address, help="the app's address (OPS_URL)")
    found.add_argument(
        "--identity", required=True, type=_read_object_id, metavar="ID", help="of the app (IDENTITY_PRINCIPAL_ID)"
    )
    found.add_argument(
        "--assign",
        action="append",
        type=_read_pair,
        default=[],
        metavar="ROLE=ID",
        help="give a person or group a role",
    )
    name = "Customer account migration: sign-in"
    found.add_argument("--name", default=name, help="of the app registration (%(default)s)")
    found.add_argument("--dry-run", "-n", action="store_true", help="say what would be changed, and change nothing")
    return found


def _read_address(text: str) -> str:
    if not text.startswith("https://"):
        raise argparse.ArgumentTypeError(f"{text} should begin with https://")
    return text


def _read_object_id(text: str) -> str:
    if not OBJECT_ID.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text} should be an object id, like 7c5c0d3e-0000-4000-8000-000000000000")
    return text.lower()


def _read_pair(text: str) -> tuple[str, str]:
    role, _, holder = text.partition("=")
    if role not in manifest.ROLES or not holder:
        raise argparse.ArgumentTypeError(
            f"{text} should be like operator=OBJECT_ID; roles: {', '.join(manifest.ROLES)}"
        )
    return role, _read_object_id(holder)


if __name__ == "__main__":
    sys.exit(main())
