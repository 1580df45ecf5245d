"""`python -m local.standins.notify`: run the stand-in until it is stopped."""

import argparse
import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import Final

from local.standins.notify import services
from local.standins.notify.rules import Rules
from local.standins.notify.server import open_notify, serve_notify
from local.standins.notify.state import Notify
from local.standins.notify.templates import BUILT_IN_FILE, TemplateFileError

CANNOT_START: Final = 2

_EPILOG: Final = f"""
examples:
  python -m local.standins.notify                         on port 7082, everything forgotten at the end
  python -m local.standins.notify --port 0 --data .local/standins/notify
                                                 on a free port, messages kept over restarts
  python -m local.standins.notify --rate-limit 60 --latency-ms 200
                                                 slow, and 21 at once, then one a second

API keys (invented; each also as _test and _team in services.py):
  South Norfolk   {services.SOUTH_NORFOLK_LIVE_KEY}
  Great Yarmouth  {services.GREAT_YARMOUTH_LIVE_KEY}

pages:   /                  the outbox
control: /_standin/health, notifications, journal, faults, rules
         curl -d '{{"kind": "drop-after-store", "count": 1}}' http://127.0.0.1:7082/_standin/faults
"""


def main(arguments: list[str] | None = None) -> int:
    """Run until SIGTERM or Ctrl-C. Returns the exit status."""
    options = _make_parser().parse_args(arguments)
    try:
        notify = open_notify(options.data, options.templates, _given_rules(options))
    except (TemplateFileError, OSError) as error:
        return _cannot_start(str(error))
    try:
        asyncio.run(_run_notify(notify, options.port))
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        return _cannot_start(f"Port {options.port} of 127.0.0.1 cannot be used: {reason}.")
    except OverflowError:
        return _cannot_start(f"Port {options.port} is not a port: it goes from 0 to 65535.")
    except KeyboardInterrupt:
        pass
    return 0


def _make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m local.standins.notify",
        description="A stand-in for GOV.UK Notify: accepts e-mails over its API, sends nothing to anybody.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--port", type=int, default=7082, help="on 127.0.0.1; 0 takes a free one (default 7082)")
    add("--data", type=Path, metavar="DIR", help="keep messages, journal and rules here (default: in memory)")
    add("--templates", type=Path, metavar="FILE", default=BUILT_IN_FILE, help="other templates, as TOML")
    add("--rate-limit", type=int, metavar="N", help="messages a minute for each kind of key (default 3000)")
    add("--daily-limit", type=int, metavar="N", help="messages a day until midnight UTC (default 250000)")
    add("--latency-ms", type=int, metavar="N", help="wait before every answer of the API (default 0)")
    add("--completed-after-ms", type=int, metavar="N", help="from accepted to delivered (default 1000)")
    add("--trial-mode", action="store_true", default=None, help="only team members are reached")
    return parser


def _given_rules(options: argparse.Namespace) -> Rules:
    given = {
        name: value
        for name in ("rate_limit", "daily_limit", "latency_ms", "completed_after_ms", "trial_mode")
        if (value := getattr(options, name)) is not None
    }
    return Rules(**given)


async def _run_notify(notify: Notify, port: int) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        try:
            loop.add_signal_handler(number, stop.set)
        except NotImplementedError:  # Windows: Ctrl-C arrives as KeyboardInterrupt instead
            break
    async with serve_notify(notify, port) as address:
        print(f"notify listening on {address}", flush=True)
        await stop.wait()


def _cannot_start(sentence: str) -> int:
    print(sentence, file=sys.stderr)
    return CANNOT_START


if __name__ == "__main__":
    sys.exit(main())
