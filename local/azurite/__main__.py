"""`python -m local.azurite`: the storage emulator in the foreground, until Ctrl+C."""

import argparse
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from local.azurite.runner import DEFAULT_PORTS, AzuriteError, Ports, run_azurite


def main(arguments: Sequence[str] | None = None) -> int:
    """Run Azurite until a signal arrives. The exit status is 0 then, 2 when it could not be started."""
    options = _make_parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, _raise_interrupt)
    try:
        with run_azurite(Ports.following(options.port) if options.port else None, options.data) as azurite:
            ports = azurite.ports
            print(f"azurite listening: blob {ports.blob}, queue {ports.queue}, table {ports.table}")
            print(f"connection string: {azurite.connection_string}", flush=True)
            return azurite.process.wait()
    except AzuriteError as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 0


def _make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="dev.py azurite", description="The storage emulator, on loopback only.")
    parser.add_argument(
        "--port",
        type=int,
        default=DEFAULT_PORTS.blob,
        help="blob port; queue and table take the next two (default: %(default)s; 0: any free ports)",
    )
    parser.add_argument("--data", type=Path, help="folder to keep the data in (default: in memory, gone at the end)")
    return parser


def _raise_interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
