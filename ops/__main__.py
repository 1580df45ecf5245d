"""`python -m ops`: what `python3 dev.py ops` runs."""

import sys
from collections.abc import Sequence
from typing import Final

import typer
from typer import rich_utils

from ops.commands import commands
from ops.shell import ERROR, print_error

STOPPED: Final = 130
"""The exit status that a shell expects of a program that ended with Ctrl+C."""


def main(arguments: Sequence[str]) -> int:
    """Run one command. Returns its exit status. A wrong command line is 1, because 2 means findings."""
    try:
        result = commands(list(arguments) or ["--help"], prog_name="ops", standalone_mode=False)
    except typer.TyperException as error:
        rich_utils.rich_format_error(error)  # type: ignore[arg-type]  # what typer itself does with it
        return ERROR
    except (typer.Abort, KeyboardInterrupt):
        print_error("Stopped.")
        return STOPPED
    return result if isinstance(result, int) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
