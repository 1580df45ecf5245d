"""host.json: the few settings that this host obeys, with the defaults of the real host.

As in the real host, an app setting overrides the file: `AzureFunctionsJobHost__extensions__queues__batchSize`.
"""

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from local.host.errors import CannotStartError

_DURATION: Final = re.compile(r"(?:(\d+)\.)?(\d{1,2}):(\d{2}):(\d{2}(?:\.\d+)?)")
_NO_TIMEOUT: Final = "-1"
OVERRIDE: Final = "AzureFunctionsJobHost__"
"""How a setting that overrides host.json begins. Two underscores separate the keys."""


@dataclass(frozen=True)
class QueueOptions:
    """`extensions.queues`: they hold for every queue function of the app."""

    batch_size: int = 16
    new_batch_threshold: int = field(default_factory=lambda: 8 * (os.cpu_count() or 1))
    max_dequeue_count: int = 5
    visibility_timeout: timedelta = timedelta(0)
    """The delay before the next attempt after a failure. It is not the lease while a message is worked on."""
    max_polling_interval: timedelta = timedelta(minutes=1)
    base64: bool = True


@dataclass(frozen=True)
class HostJson:
    """The whole file."""

    queues: QueueOptions = field(default_factory=QueueOptions)
    route_prefix: str = "api"
    function_timeout: timedelta | None = timedelta(minutes=30)


def read_host_json(app: Path, settings: Mapping[str, str]) -> HostJson:
    """Read the app's host.json, and the settings that go before it.

    Raises:
        CannotStartError: it is missing or malformed.
    """
    file = app / "host.json"
    try:
        content = json.loads(file.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise CannotStartError(f"there is no host.json in {app}. Is this the folder of a function app?") from None
    except ValueError as error:
        raise CannotStartError(f"host.json is not valid JSON: {error}") from None
    _override_setting(content, settings)
    extensions = content.get("extensions", {})
    return HostJson(
        queues=_read_queue_options(extensions.get("queues", {})),
        route_prefix=extensions.get("http", {}).get("routePrefix", "api").strip("/"),
        function_timeout=_parse_timeout(content.get("functionTimeout", "00:30:00")),
    )


def _override_setting(content: dict[str, Any], settings: Mapping[str, str]) -> None:
    for name, value in settings.items():
        if name.startswith(OVERRIDE):
            *path, last = name.removeprefix(OVERRIDE).split("__")
            there = content
            for key in path:
                there = there.setdefault(key, {})
            there[last] = value


def parse_duration(text: str) -> timedelta:
    """A .NET TimeSpan, `[days.]hours:minutes:seconds`."""
    found = _DURATION.fullmatch(text)
    if found is None:
        raise CannotStartError(f"host.json: {text!r} is not a duration like 00:00:30.")
    days, hours, minutes, seconds = found.groups()
    return timedelta(days=int(days or 0), hours=int(hours), minutes=int(minutes), seconds=float(seconds))


def _read_queue_options(content: Mapping[str, Any]) -> QueueOptions:
    batch_size = int(content.get("batchSize", 16))
    encoding = content.get("messageEncoding", "base64").lower()
    if encoding not in {"base64", "none"}:
        raise CannotStartError(f"host.json: messageEncoding is {encoding!r}; it can be base64 or none.")
    return QueueOptions(
        batch_size=batch_size,
        new_batch_threshold=int(content.get("newBatchThreshold", batch_size // 2 * (os.cpu_count() or 1))),
        max_dequeue_count=int(content.get("maxDequeueCount", 5)),
        visibility_timeout=parse_duration(content.get("visibilityTimeout", "00:00:00")),
        max_polling_interval=parse_duration(content.get("maxPollingInterval", "00:01:00")),
        base64=encoding == "base64",
    )


def _parse_timeout(text: str) -> timedelta | None:
    return None if text == _NO_TIMEOUT else parse_duration(text)
