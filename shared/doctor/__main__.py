"""`python -m shared.doctor`: the same examination without the app, which refuses to start for some of its findings.

The environment is the app's. `ops doctor` starts this where the app cannot be asked; nothing else is needed for it.
"""

import argparse
import asyncio
import sys
from collections.abc import Sequence
from typing import Final

from shared import wiring
from shared.doctor.report import Purpose, Report
from shared.doctor.run import UnknownAuthority, run

ERROR: Final = 1
FINDINGS: Final = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """0: nothing found, 2: findings, 1: it could not be run."""
    chosen = _parser().parse_args(arguments)
    wiring.quieten()
    try:
        found = asyncio.run(run(Purpose(chosen.purpose), chosen.authority, "process", wiring.inspectors))
    except UnknownAuthority as unknown:
        sys.stderr.write(f"{unknown}\n")
        return ERROR
    sys.stdout.write(f"{found.model_dump_json(indent=2) if chosen.json else _lines(found)}\n")
    return FINDINGS if found.findings else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m shared.doctor", description=__doc__.partition("\n")[0])
    add = parser.add_argument
    add("--for", dest="purpose", required=True, choices=list(Purpose), help="what everything is to be ready for")
    add("--authority", default="", help="only this council's own things")
    add("--json", action="store_true", help="everything, for programs (`ops doctor` is for people)")
    return parser


def _lines(found: Report) -> str:
    """A line for each check, and how to mend it."""
    lines: list[str] = []
    for check in found.checks:
        lines.append(f"{check.status:<11} {check.area}: {check.name}: {check.found}")
        lines += [f"{'':<11} mend: {check.mend} ({check.anchor})"] if check.mend else []
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
