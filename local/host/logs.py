"""Logging of the host process: one line per record, ids behind it, nothing personal."""

import logging
import sys
from typing import Final

# Their INFO lines hold whole URLs, filters and all.
_QUIET: Final = ("httpx", "httpcore", "azure", "urllib3", "notifications_python_client", "aiohttp.access", "msal")

_STANDARD: Final = {*vars(logging.makeLogRecord({})), "message", "asctime"}


class Formatter(logging.Formatter):
    """Appends what a call passed in `extra`, because that is where this project keeps its ids."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, with its extras as key=value before any traceback."""
        extras = " ".join(f"{key}={value}" for key, value in vars(record).items() if key not in _STANDARD)
        first, *rest = super().format(record).split("\n", 1)
        return "\n".join([f"{first} {extras}".rstrip(), *rest])


def configure_logs(level: str) -> None:
    """Send the log to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Formatter("%(asctime)s %(levelname)-7s %(name)s: %(message)s"))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    # The runtime library logs each failed invocation with its traceback; so does the host, with the name.
    logging.getLogger("azure.functions").setLevel(logging.CRITICAL)
