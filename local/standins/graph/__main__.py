"""The command line of the stand-in directory: ``python -m local.standins.graph --port 7081``."""

import argparse
import asyncio
import json
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from aiohttp import web

from local.standins.graph.faults import FaultError, FaultKind, read_fault
from local.standins.graph.rules import RuleError, Rules, Switch, list_switches
from local.standins.graph.server import build_app
from local.standins.graph.state import Directory, read_seed

HOST: Final = "127.0.0.1"
HIGHEST_PORT: Final = 65535
ABOUT: Final = """\
Serve a stand-in for the shared B2C directory on the loopback address, as Microsoft Graph shows it.
Point the Graph client at the address it prints; open the same host and port in a browser to see the people.
"""
MORE: Final = f"""\
While it runs, /_standin/health, users, journal, faults and rules show and change what it does; rules?why
explains every switch. Kinds of faults: {", ".join(FaultKind)}.

examples:
  python -m local.standins.graph --port 7081 --data .local/standins/graph --seed people.json
  python -m local.standins.graph --port 0 --write-limit 60 --write-window 10 --visibility-lag-seconds 5
  python -m local.standins.graph --fault '{{"kind": "unavailable-after-store", "every": 50, "methods": ["POST"]}}'
"""


class StartError(Exception):
    """The directory cannot start. The message is one sentence for the person at the keyboard."""


def make_parser() -> argparse.ArgumentParser:
    """Make the options: where it listens, the users at the start, and one option for each switch."""
    found = argparse.ArgumentParser(
        prog="python -m local.standins.graph",
        usage="%(prog)s [options]",
        description=ABOUT,
        epilog=MORE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    found.add_argument("--port", type=_read_port, default=7081, help="port on 127.0.0.1; 0 takes a free one (7081)")
    found.add_argument("--data", type=Path, help="folder that keeps the users; without it they live in memory")
    found.add_argument("--seed", type=Path, help='{"users": […]}: people to begin with, if the directory is empty')
    found.add_argument("--fault", action="append", default=[], help="trouble to begin with, as JSON; repeatable")
    group = found.add_argument_group("switches")
    for switch in list_switches():
        _add_switch(group, switch)
    return found


def _read_port(text: str) -> int:
    if not text.isdigit() or int(text) > HIGHEST_PORT:
        raise argparse.ArgumentTypeError(f"a port is a number from 0 to {HIGHEST_PORT}, not '{text}'")
    return int(text)


def _add_switch(group: argparse._ArgumentGroup, switch: Switch) -> None:
    option, text = f"--{switch.option}", switch.why.replace("%", "%%")
    match switch.default:
        case bool():
            text += f" ({'on' if switch.default else 'off'})"
            group.add_argument(
                option,
                dest=switch.name,
                default=switch.default,
                action=argparse.BooleanOptionalAction,
                help=text,
            )
        case tuple():
            text += f" Repeatable ({', '.join(switch.default) or 'none'})."
            group.add_argument(option, dest=switch.name, action="append", metavar="NAME", help=text)
        case _:
            text += f" ({switch.default})"
            kind = type(switch.default)
            group.add_argument(option, dest=switch.name, default=switch.default, type=kind, metavar="X", help=text)


def rules_from(options: argparse.Namespace) -> Rules:
    """The switches as the command line sets them. Raises ``RuleError``."""
    values: dict[str, Any] = {}
    for switch in list_switches():
        value = getattr(options, switch.name)
        if isinstance(switch.default, tuple):
            value = switch.default if value is None else tuple(value)
        values[switch.name] = value
    return Rules(**values)


def prepare_directory(options: argparse.Namespace) -> Directory:
    """The directory with its seed and its faults. Raises ``StartError``."""
    try:
        directory = Directory(rules_from(options), options.data)
        if options.seed:
            directory.seed(read_seed(options.seed))
        for text in options.fault:
            directory.faults.add(read_fault(json.loads(text)), directory.now())
    except (RuleError, FaultError, OSError, ValueError) as error:
        raise StartError(str(error)) from error
    return directory


async def serve_directory(directory: Directory, port: int) -> None:
    """Answer until SIGTERM or SIGINT. Raises ``StartError`` when the port is taken."""
    runner = web.AppRunner(build_app(directory), access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        site = web.TCPSite(runner, HOST, port)
        try:
            await site.start()
        except OSError as error:
            raise StartError(
                f"port {port} on {HOST} is taken: stop what listens there or give another --port"
            ) from error
        print(f"directory listening on http://{HOST}:{runner.addresses[0][1]}/v1.0", flush=True)
        await _wait_for_stop()
    finally:
        await runner.cleanup()


async def _wait_for_stop() -> None:
    stop = asyncio.Event()
    try:
        for each in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(each, stop.set)
    except NotImplementedError:  # Windows: Ctrl+C arrives as KeyboardInterrupt
        pass
    await stop.wait()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run it. The exit status is 2 when it could not start."""
    options = make_parser().parse_args(arguments)
    try:
        asyncio.run(serve_directory(prepare_directory(options), options.port))
    except StartError as error:
        print(f"directory: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        pass
    return 0


if __name__ == "__main__":
    sys.exit(main())
