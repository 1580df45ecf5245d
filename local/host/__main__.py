"""`python -m local.host`: the local functions host, until Ctrl+C."""

import argparse
import asyncio
import os
import sys
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from local.host import host_json, logs
from local.host.errors import CannotStartError
from local.host.queue_listener import LEASE
from local.host.runtime import load_functions
from local.host.service import Host, Options
from local.host.settings import apply_local_settings


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the host; 0 after a signal, 1 when a listener broke down, 2 when it could not start."""
    chosen = _make_parser().parse_args(arguments)
    logs.configure_logs(chosen.log_level)
    options = Options(
        app=chosen.app.resolve(),
        port=chosen.port,
        lease=timedelta(seconds=chosen.lease),
        drain=timedelta(seconds=chosen.drain),
        event_grid=chosen.event_grid,
    )
    try:
        if chosen.trace_file:
            _start_tracing(chosen.trace_file.resolve())
        apply_local_settings(options.app)
        config = host_json.read_host_json(options.app, os.environ)
        functions = load_functions(options.app, os.environ)
        return asyncio.run(Host(options, functions, config, os.environ).run())
    except CannotStartError as error:
        print(error, file=sys.stderr)
        return 2


def _start_tracing(path: Path) -> None:
    from local.host.tracing import write_spans_to  # noqa: PLC0415 - the SDK is needed for this option only

    write_spans_to(path)


def _make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="dev.py host",
        description="Runs the function app on this machine, with Microsoft's own Python runtime library.",
        epilog="Settings come from the environment, then from the Values of local.settings.json.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--port", type=int, default=7071, help="HTTP port on loopback; 0 for any free one")
    parser.add_argument("--app", type=Path, default=Path(), help="folder with function_app.py and host.json")
    parser.add_argument(
        "--lease",
        type=int,
        default=round(LEASE.total_seconds()),
        metavar="SECONDS",
        help="how long a message in work stays invisible without renewal; Azure has 600",
    )
    parser.add_argument(
        "--drain",
        type=float,
        default=30,
        metavar="SECONDS",
        help="how long running functions may take to finish after the signal to stop",
    )
    parser.add_argument(
        "--log-level", default="INFO", choices=["DEBUG", "INFO", "WARNING", "ERROR"], help="least level shown"
    )
    parser.add_argument(
        "--no-event-grid",
        dest="event_grid",
        action="store_false",
        help="do not tell the queue receive-export about blobs in the container exports",
    )
    parser.add_argument(
        "--trace-file", type=Path, metavar="FILE", help="append every finished OpenTelemetry span as JSON"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
