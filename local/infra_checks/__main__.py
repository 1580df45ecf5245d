"""`python -m local.infra_checks [FOLDER]`: the offline gate, as a command."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from local.infra_checks import gate

FINDINGS: Final = 2
HERE: Final = Path(__file__).parents[2]
EPILOG: Final = f"""\
Each finding is a line: file:line: rule: what is wrong; what to do. The rules:
  syntax      two parsers read every file without an error
  symbols     every name that is used is declared, every declared one is used
  members     what is asked of a resource or an object is something that it has
  modules     files exist; what is passed is what they declare
  parameters  main.parameters.json fills the parameters of main.bicep
  nesting     parents and scopes are of the right type
  schema      types, versions, property names and values, against local/infra_checks/schema
  roles       only what local/infra_checks/allowed/roles.toml has: role, for whom, on what, on which condition
  words       no keys handed out, no setting that Flex Consumption refuses
  baseline    accounts, vault and site are closed by what is written
  names       containers, queues, tables, events and councils are those of the code
  settings    app settings are those of the code; secrets come from the vault
  azd         azure.yaml and the tags agree
  policies    checkov; each suppression in place, with a reason

examples:
  python -m local.infra_checks                  this checkout
  python -m local.infra_checks ../other         another one
  python -m local.infra_checks --no-policies    without checkov: a second instead of ten

Exit status: 0 nothing found, 2 findings.
{gate.NOT_RUN}
"""


def main(arguments: Sequence[str]) -> int:
    """Print the findings."""
    parser = argparse.ArgumentParser(
        prog="python -m local.infra_checks",
        description="Checks the Bicep in infra/ against itself, the code, and what is known of Azure, without Azure.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "folder", nargs="?", type=Path, default=HERE, metavar="FOLDER", help="a checkout; else this one"
    )
    parser.add_argument("--no-policies", action="store_true", help="leave checkov out")
    options = parser.parse_args(arguments)
    checkout = checkout_of(options.folder.resolve())
    found = gate.check_infra(checkout, with_policies=not options.no_policies)
    for finding in found:
        print(finding)
    left_out = " checkov was left out as asked." if options.no_policies else ""
    count = "1 finding" if len(found) == 1 else f"{len(found)} findings"
    print(f"{count} in infra.{left_out} {gate.NOT_RUN}", file=sys.stderr)
    return FINDINGS if found else 0


def checkout_of(folder: Path) -> Path:
    """The checkout, also where its `infra` is named."""
    inside = (folder / "main.bicep").is_file() and not (folder / "infra").is_dir()
    return folder.parent if inside else folder


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
