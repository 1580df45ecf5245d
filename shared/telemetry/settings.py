"""Checks of the telemetry settings, before a library reads them.

The libraries would stop the start with their own words for one wrong value. For another, they would log a line and
report nothing, or everything twice as often.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Final
from urllib.parse import urlsplit

APPLICATION_INSIGHTS: Final = "APPLICATIONINSIGHTS_CONNECTION_STRING"
SIGN_IN: Final = "APPLICATIONINSIGHTS_AUTHENTICATION_STRING"
ENDPOINT: Final = "OTEL_EXPORTER_OTLP_ENDPOINT"
TRACES_ENDPOINT: Final = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
METRICS_ENDPOINT: Final = "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT"
SAMPLER: Final = "OTEL_TRACES_SAMPLER"
SAMPLER_ARGUMENT: Final = "OTEL_TRACES_SAMPLER_ARG"
QUEUE_SIZE: Final = "OTEL_BSP_MAX_QUEUE_SIZE"
BATCH_SIZE: Final = "OTEL_BSP_MAX_EXPORT_BATCH_SIZE"
FORBIDDEN: Final = "PYTHON_APPLICATIONINSIGHTS_ENABLE_TELEMETRY"

SPELT: Final = {
    "traceidratio": "trace_id_ratio",
    "parentbased_traceidratio": "parentbased_trace_id_ratio",
}
"""Samplers that Application Insights' library calls by another name than the standard."""
PLAIN_SAMPLERS: Final = ("always_on", "always_off", "parentbased_always_on", "parentbased_always_off")
INSIGHTS_SAMPLERS: Final = (*SPELT.values(), "microsoft.fixed_percentage", "microsoft.rate_limited")
NUMBERS: Final = (
    BATCH_SIZE,
    "OTEL_BSP_SCHEDULE_DELAY",
    "OTEL_BSP_EXPORT_TIMEOUT",
    "OTEL_METRIC_EXPORT_INTERVAL",
    "OTEL_METRIC_EXPORT_TIMEOUT",
)
USUAL_BATCH: Final = 512
DEFAULT_QUEUE_SIZE: Final = 16384
"""A piece of an export starts thousands of traces within a second. Spans beyond this number are dropped, but never
accounts.
"""
KEY: Final = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"


_SHOULD_NOT: Final = (
    "it should not be, as the runtime would then trace URLs that hold addresses; "
    "set PYTHON_ENABLE_OPENTELEMETRY to true instead"
)


def wrong_settings(environment: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield each setting that a library would refuse or ignore, with the line that names it and says what it should be.

    If nothing is sent anywhere, the settings are not read.
    """
    if environment.get(FORBIDDEN, "").lower() in {"1", "true", "t", "yes", "y"}:
        yield FORBIDDEN, f"{FORBIDDEN} is set: {_SHOULD_NOT}"
    given = {name: value for name, value in environment.items() if value}
    checks = _check_collector(given)
    if APPLICATION_INSIGHTS in given:
        checks = {**_check_insights(given), **checks}
    if given.keys() & {APPLICATION_INSIGHTS, ENDPOINT, TRACES_ENDPOINT, METRICS_ENDPOINT}:
        for name, should_be in {**checks, **_check_sampling(given), **_check_numbers(given)}.items():
            yield name, f"{name} is malformed: it should be {should_be}"


def _check_insights(given: Mapping[str, str]) -> dict[str, str]:
    wrong: dict[str, str] = {}
    connection = _read_pairs(given[APPLICATION_INSIGHTS])
    if (
        connection is None
        or not re.fullmatch(KEY, connection.get("instrumentationkey", ""))
        or connection.get("authorization", "ikey").lower() != "ikey"
    ):
        wrong[APPLICATION_INSIGHTS] = (
            "the connection string as Application Insights shows it, without a semicolon at the end: "
            "InstrumentationKey=00000000-0000-0000-0000-000000000000;IngestionEndpoint=https://…"
        )
    sign_in = _read_pairs(given[SIGN_IN]) if SIGN_IN in given else {"authorization": "AAD"}
    if sign_in is None or sign_in.get("authorization") != "AAD":
        wrong[SIGN_IN] = "Authorization=AAD, with ClientId=… of the app's identity before it"
    return wrong


def _read_pairs(text: str) -> dict[str, str] | None:
    """Read `Name=value;Name=value` with names in lower case.

    Return None for another form, such as a semicolon at the end.
    """
    parts = [part.split("=") for part in text.split(";")]
    if any(len(part) != 2 for part in parts):  # noqa: PLR2004 - name, value
        return None
    return {name.lower(): value for name, value in parts}


def _check_collector(given: Mapping[str, str]) -> dict[str, str]:
    endpoints = [name for name in (ENDPOINT, TRACES_ENDPOINT, METRICS_ENDPOINT) if name in given]
    return {
        name: "the address of a collector, like http://127.0.0.1:4318"
        for name in endpoints
        if not _is_address(given[name])
    }


def _is_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname)


def _check_sampling(given: Mapping[str, str]) -> dict[str, str]:
    sampler = given.get(SAMPLER, "always_on")
    known = [*PLAIN_SAMPLERS, *SPELT, *(INSIGHTS_SAMPLERS if APPLICATION_INSIGHTS in given else ())]
    if sampler not in known:
        return {SAMPLER: f"one of {', '.join([*PLAIN_SAMPLERS, *SPELT])}"}
    if sampler.endswith(("ratio", "fixed_percentage")) and SAMPLER_ARGUMENT in given:
        share = _read_number(given[SAMPLER_ARGUMENT])
        if share is None or not 0 <= share <= 1:
            return {SAMPLER_ARGUMENT: "a number from 0 to 1, like 0.1: the share of traces that are kept"}
    return {}


def _check_numbers(given: Mapping[str, str]) -> dict[str, str]:
    wrong = {
        name: "a whole number above 0" for name in NUMBERS if name in given and not _read_whole_number(given[name])
    }
    batch = _read_whole_number(given.get(BATCH_SIZE, "")) or USUAL_BATCH
    size = given.get(QUEUE_SIZE)
    if size is not None and _read_whole_number(size) < batch:
        wrong[QUEUE_SIZE] = f"a whole number, like 16384, and at least as large as a batch ({BATCH_SIZE}): {batch}"
    elif size is None and _read_whole_number(given.get(BATCH_SIZE, "1")) > DEFAULT_QUEUE_SIZE:
        wrong[BATCH_SIZE] = f"at most as large as the queue: {DEFAULT_QUEUE_SIZE}, unless {QUEUE_SIZE} says more"
    return wrong


def _read_whole_number(text: str) -> int:
    """The number, 0 where it is none."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else 0  # noqa: PLR2004 - no such number


def _read_number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
