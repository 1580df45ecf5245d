"""Microsoft's Python runtime library: finds the app's functions and calls them."""

import asyncio
import json
import logging
import os
import sys
import time
import types
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import azure.functions  # noqa: F401 - must be imported before the runtime builds its table of bindings
from azure_functions_runtime import handle_event, native_invocation, start_threadpool_executor
from azure_functions_runtime.bindings.datumdef import Datum
from azure_functions_runtime.bindings.meta import load_binding_registry

from local.host import bindings
from local.host.errors import CannotStartError
from local.host.settings import is_disabled

log: Final = logging.getLogger("host.invoke")

# Mistakes in code, for which one line is no help. Anything else that an app raises at its start is meant for people.
_CODE_ERRORS: Final = (ImportError, SyntaxError, NameError, AttributeError, TypeError)


@dataclass(frozen=True)
class Function:
    """One function of the app, as the runtime indexed it."""

    name: str
    id: str
    bindings: bindings.Bindings
    disabled: bool


@dataclass(frozen=True)
class Outcome:
    """How an invocation ended. `outputs` holds what was set by name, and `returned` the return value."""

    ok: bool
    returned: Datum | None = None
    outputs: Sequence[tuple[str, Datum]] = ()


def load_functions(app: Path, settings: Mapping[str, str]) -> tuple[Function, ...]:
    """Index the app in that folder and return its functions in the order in which it registers them.

    The runtime library does this once per process. The process moves into the folder, as in Azure.

    Raises:
        CannotStartError: the app raised, for example because a setting is missing. Or it has no functions.
    """
    os.chdir(app)
    sys.path.insert(0, str(app))
    # The library fills these in where it would otherwise build protobuf messages for the .NET host.
    handle_event.protos = types.SimpleNamespace(
        BindingInfo=_BindingInfo, RpcFunctionMetadata=_Record, RpcRetryOptions=_Record
    )
    load_binding_registry()
    start_threadpool_executor()
    try:
        handle_event.load_function_metadata(str(app), caller_info="local_host")
    except _CODE_ERRORS:
        raise
    except Exception as error:
        raise CannotStartError(str(error).strip() or type(error).__name__) from error
    found = handle_event._metadata_result  # noqa: SLF001 - the library offers no other way to read it
    if not found:
        raise CannotStartError(f"there are no functions in {app}. It should have a function_app.py.")
    return tuple(
        Function(
            each.name,
            each.function_id,
            bindings.parse_bindings(each.name, each.raw_bindings, settings),
            is_disabled(each.name, settings),
        )
        for each in found
    )


async def invoke_function(
    function: Function,
    trigger: Datum,
    metadata: Mapping[str, Datum],
    timeout: timedelta | None,  # noqa: ASYNC109 - functionTimeout is a rule of the host, and it is logged as such
) -> Outcome:
    """Call a function once. What it raises is logged and comes back as an outcome that is not ok."""
    invocation = str(uuid.uuid4())
    started = time.monotonic()
    log.debug("executing", extra={"function": function.name, "invocation": invocation})
    try:
        async with asyncio.timeout(timeout.total_seconds() if timeout else None):
            ok, returned, outputs, _, trace = await native_invocation.invocation_request_native(
                invocation, function.id, [(function.bindings.trigger.argument, trigger)], dict(metadata)
            )
    except TimeoutError:
        ok, returned, outputs, trace = False, None, [], f"FunctionTimeoutException: not done within {timeout}"
    facts = {
        "function": function.name,
        "invocation": invocation,
        "milliseconds": round((time.monotonic() - started) * 1000),
    }
    if ok:
        log.info("succeeded", extra=facts)
    else:
        log.error("failed\n%s", trace, extra=facts)
    return Outcome(ok, returned, outputs)


def make_text_datum(value: str) -> Datum:
    """A string as the host sends it."""
    return Datum(value, "string")


def as_json(value: Any) -> Datum:  # noqa: ANN401 - whatever JSON can hold
    """A value as the host sends what is not a string."""
    return Datum(json.dumps(value), "json")


class _Record:
    """A replacement for a protobuf message that keeps its arguments."""

    def __init__(self, **fields: Any) -> None:  # noqa: ANN401 - as free as the message it stands for
        self.__dict__.update(fields)


class _BindingInfo(_Record):
    out, inout, undefined = 1, 2, 0


setattr(_BindingInfo, "in", 0)  # a keyword, which cannot be written as an attribute
