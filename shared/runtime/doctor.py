"""`python -m shared.runtime.doctor`: the same examination without the running app.

The app refuses to start for some findings. `ops doctor` starts this module where the app cannot be asked. It needs
nothing but the app's own environment.
"""

import argparse
import asyncio
import sys
from collections.abc import Sequence
from typing import Final

from shared.readiness.rules.report import Purpose, Report
from shared.readiness.run_doctor import UnknownAuthority, run_doctor
from shared.runtime import wiring

ERROR: Final = 1
FINDINGS: Final = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """0: nothing found, 2: findings, 1: it could not be run."""
    chosen = _make_parser().parse_args(arguments)
    wiring.quieten_libraries()
    try:
        found = asyncio.run(run_doctor(Purpose(chosen.purpose), chosen.authority, "process", wiring.open_inspectors))
    except UnknownAuthority as unknown:
        sys.stderr.write(f"{unknown}\n")
        return ERROR
    sys.stdout.write(f"{found.model_dump_json(indent=2) if chosen.json else _format_lines(found)}\n")
    return FINDINGS if found.findings else 0


def _make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m shared.runtime.doctor", description=__doc__.partition("\n")[0])
    add = parser.add_argument
    add("--for", dest="purpose", required=True, choices=list(Purpose), help="what everything is to be ready for")
    add("--authority", default="", help="only this council's own things")
    add("--json", action="store_true", help="everything, for programs (`ops doctor` is for people)")
    return parser


def _format_lines(found: Report) -> str:
    """A line for each check, and how to mend it."""
    lines: list[str] = []
    for check in found.checks:
        lines.append(f"{check.status:<11} {check.area}: {check.name}: {check.found}")
        lines += [f"{'':<11} mend: {check.mend} ({check.anchor})"] if check.mend else []
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
