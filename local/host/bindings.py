"""The bindings of a function, read from what the runtime library indexed."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from local.host.errors import CannotStartError
from local.host.settings import resolve_settings

DEFAULT_CONNECTION = "AzureWebJobsStorage"


@dataclass(frozen=True)
class QueueTrigger:
    """A function that runs for each message of a queue."""

    argument: str
    queue: str
    connection: str
    binary: bool


@dataclass(frozen=True)
class TimerTrigger:
    """A function that runs at the times of a schedule."""

    argument: str
    schedule: str
    use_monitor: bool
    run_on_startup: bool


@dataclass(frozen=True)
class HttpTrigger:
    """A function that answers requests. `route` has no prefix; no `methods` means all of them."""

    argument: str
    route: str
    methods: frozenset[str]


@dataclass(frozen=True)
class QueueOutput:
    """A queue output: what a function returns or sets under this name goes to that queue."""

    argument: str
    queue: str
    connection: str


type Trigger = QueueTrigger | TimerTrigger | HttpTrigger


@dataclass(frozen=True)
class Bindings:
    """One trigger, any number of outputs."""

    trigger: Trigger
    queue_outputs: tuple[QueueOutput, ...]
    http_output: str | None


def parse_bindings(function: str, raw_bindings: Sequence[str], settings: Mapping[str, str]) -> Bindings:
    """The bindings of a function, with every `%SETTING%` in them resolved.

    Raises:
        CannotStartError: a binding is of a kind that this host does not have, or a setting is missing.
    """
    bindings = [_resolve_settings(json.loads(raw), settings) for raw in raw_bindings]
    triggers = [_parse_trigger(function, binding) for binding in bindings if binding["type"].endswith("Trigger")]
    if len(triggers) != 1:
        raise CannotStartError(f"function {function} has {len(triggers)} triggers; it must have one.")
    outputs = [binding for binding in bindings if not binding["type"].endswith("Trigger")]
    http = [binding["name"] for binding in outputs if binding["type"] == "http"]
    return Bindings(
        trigger=triggers[0],
        queue_outputs=tuple(_queue_output(function, each) for each in outputs if each["type"] != "http"),
        http_output=http[0] if http else None,
    )


def _resolve_settings(binding: Mapping[str, Any], settings: Mapping[str, str]) -> dict[str, Any]:
    return {
        key: resolve_settings(value, settings) if isinstance(value, str) else value for key, value in binding.items()
    }


def _parse_trigger(function: str, binding: Mapping[str, Any]) -> Trigger:
    name = binding["name"]
    match binding["type"]:
        case "queueTrigger":
            binary = str(binding.get("dataType", "")).lower() == "binary"
            return QueueTrigger(name, binding["queueName"], binding.get("connection") or DEFAULT_CONNECTION, binary)
        case "timerTrigger":
            return TimerTrigger(
                name,
                binding["schedule"],
                use_monitor=binding.get("useMonitor") is not False,
                run_on_startup=binding.get("runOnStartup") is True,
            )
        case "httpTrigger":
            methods = frozenset(str(method).upper() for method in binding.get("methods") or ())
            return HttpTrigger(name, (binding.get("route") or function).strip("/"), methods)
        case kind:
            raise CannotStartError(f"function {function} has a {kind}, which the local host does not have.")


def _queue_output(function: str, binding: Mapping[str, Any]) -> QueueOutput:
    kind = binding["type"]
    if kind != "queue" or str(binding.get("direction", "OUT")).upper() not in {"OUT", "1"}:
        raise CannotStartError(f"function {function} has a {kind} binding, which the local host does not have.")
    return QueueOutput(binding["name"], binding["queueName"], binding.get("connection") or DEFAULT_CONNECTION)
