"""`python3 -m infra.directory`: set the shared directory up for the migration, as its administrator."""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from infra.directory import attributes, credentials, permissions
from infra.directory.permissions import Stage
from infra.graph import AzureCli, CannotGoOnError, Changes, Graph, check_tenant
from infra.registration import ensure_registration

PROFILES: Final = Path(__file__).resolve().parents[2] / "authorities"
ABOUT: Final = """\
Set the shared directory up for the migration: the app registration with its certificate, its permissions with your
consent, and the extension attributes. It asks Microsoft Graph as you, through Azure CLI. Running it twice changes
nothing: it looks first, and says every change in a line. Try it with --dry-run.
"""
MORE: Final = """\
the stages:
  assess   User.Read.All, Organization.Read.All: customers are compared, nothing can be written
  wave     and User.Create, User.ReadUpdate.All (where the tenant does not show these: User.ReadWrite.All).
           Grant it when the plan is signed
  closed   as assess again: writing is taken away

sign in first:
  az login --tenant norfolkidentity.onmicrosoft.com --allow-no-subscriptions

examples:
  python3 -m infra.directory --tenant norfolkidentity.onmicrosoft.com --stage assess --dry-run
  python3 -m infra.directory --tenant norfolkidentity.onmicrosoft.com --stage assess --certificate directory.cer
  python3 -m infra.directory --tenant norfolkidentity.onmicrosoft.com --stage wave
  python3 -m infra.directory --tenant norfolkidentity.onmicrosoft.com --stage closed

exit status: 0 done, 1 it could not go on (it says why, and what to do)
User flows cannot be set from here: docs/directory-setup.md says what to do in the portal.
"""


@dataclass(frozen=True)
class Wish:
    """What the administrator asks for."""

    tenant: str
    stage: Stage
    name: str
    prefixes: Sequence[str] = field(default_factory=tuple)
    certificate: str = ""
    alone: bool = False


def set_up(graph: Graph, changes: Changes, wish: Wish) -> dict[str, str]:
    """Make the directory as it should be; returns the settings that the council needs.

    Raises:
        CannotGoOnError: something is for a person to decide or to mend first.
    """
    tenant = check_tenant(graph, wish.tenant)
    extensions_app = attributes.define_attributes(graph, changes, attributes.list_attributes(wish.prefixes))
    app = ensure_registration(graph, changes, wish.name)
    if wish.certificate:
        credentials.trust_certificate(changes, app, wish.certificate, alone=wish.alone)
    elif not app.found.get("keyCredentials"):
        changes.note("it has no certificate yet: run this again with --certificate when the council has made one")
    permissions.settle_permissions(graph, changes, app, wish.stage)
    return {
        # The issuer of local identities: the first domain, whichever of its names was typed.
        "DIRECTORY_TENANT": tenant.domain,
        "DIRECTORY_TENANT_ID": tenant.id,
        "DIRECTORY_CLIENT_ID": app.app_id,
        "DIRECTORY_EXTENSIONS_APP_ID": extensions_app,
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Do it and say what was done; returns the exit status."""
    options = make_parser().parse_args(arguments)
    try:
        changes = Changes(graph := AzureCli(), print, dry=options.dry_run)
        settings = set_up(graph, changes, _read_wish(options))
    except CannotGoOnError as error:
        print(f"Stopped: {error}", file=sys.stderr)
        return 1
    print(f"{changes.count or 'Nothing'} {'to change' if options.dry_run else 'changed'}. For the council:")
    for name, value in settings.items():
        print(f"  azd env set {name} '{value}'")
    return 0


def make_parser() -> argparse.ArgumentParser:
    """The options."""
    found = argparse.ArgumentParser(
        prog="python3 -m infra.directory",
        description=ABOUT,
        epilog=MORE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    found.add_argument("--tenant", required=True, help="the directory's domain: what you mean, checked before anything")
    found.add_argument("--stage", required=True, type=Stage, choices=list(Stage), help="see below")
    found.add_argument("--certificate", type=Path, metavar="FILE", help="public part of the app's certificate")
    found.add_argument("--alone", action="store_true", help="trust no other certificate any more: after a renewal")
    found.add_argument(
        "--prefix", action="append", help="of a council's attributes, like SouthNorfolk (default: of every profile)"
    )
    found.add_argument("--name", default="Customer account migration", help="of the app registration (%(default)s)")
    found.add_argument("--dry-run", "-n", action="store_true", help="say what would be changed, and change nothing")
    return found


def _read_wish(options: argparse.Namespace) -> Wish:
    certificate = credentials.public_part(options.certificate) if options.certificate else ""
    if options.alone and not certificate:
        raise CannotGoOnError("--alone needs the --certificate that is to stay.")
    prefixes = options.prefix or attributes.prefixes_of(PROFILES)
    return Wish(options.tenant, options.stage, options.name, prefixes, certificate, options.alone)


if __name__ == "__main__":
    sys.exit(main())
