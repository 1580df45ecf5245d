"""Telemetry where it meets libraries: what is set up, what stays off, and what the real directory client counts."""

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from shared.adapters.memory import ManualClock
from shared.errors import BadSetting, MigrationError
from shared.telemetry import metrics
from shared.telemetry.settings import FORBIDDEN
from shared.telemetry.setup import LIBRARIES, configure_telemetry
from tests.contract.standin import NOBODY, standing_in
from tests.contract.test_host import SETTINGS
from tests.support.telemetry import Collected, collecting

ROOT = Path(__file__).parents[2]
INSIGHTS = "InstrumentationKey=00000000-0000-4000-8000-000000000001;IngestionEndpoint=http://127.0.0.1:9/"
NOWHERE = "http://127.0.0.1:9"

LOOK = """
import json, logging, os, sys
import function_app
from opentelemetry import metrics, trace

def wrapped(function):
    return hasattr(function, "__wrapped__")

found = {"modules": sorted(sys.modules), "provider": type(trace.get_tracer_provider()).__module__,
         "meters": type(metrics.get_meter_provider()).__module__,
         "handlers": {name: [type(h).__name__ for h in logging.getLogger(name).handlers] for name in ("", "shared")}}
if "opentelemetry.sdk" in sys.modules:
    import urllib.request
    import httpx, requests, urllib3
    from azure.core.settings import settings
    provider = trace.get_tracer_provider()
    found |= {
        "wrapped": [wrapped(httpx.HTTPTransport.handle_request), wrapped(httpx.AsyncHTTPTransport.handle_async_request),
                    wrapped(httpx.AsyncClient.send), wrapped(requests.Session.send), wrapped(requests.Session.request),
                    wrapped(urllib3.connectionpool.HTTPConnectionPool.urlopen),
                    wrapped(urllib.request.OpenerDirector.open)],
        "azure": [settings.tracing_implementation() is not None, bool(settings.tracing_enabled())],
        "sampler": provider.sampler.get_description(),
        "service": provider.resource.attributes["service.name"],
        "processors": [type(p).__name__ for p in provider._active_span_processor._span_processors],
        "exporters": [type(p.span_exporter).__name__ for p in provider._active_span_processor._span_processors
                      if hasattr(p, "span_exporter")],
    }
print(json.dumps(found))
sys.stdout.flush()
os._exit(0)  # nobody listens where it would send what it has left
"""


def started(**more: str) -> dict[str, object]:
    """What the app looks like, loaded by itself in a process with these settings."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("OTEL_", "APPLICATIONINSIGHTS_"))}
    ended = subprocess.run(  # noqa: S603 - this interpreter, on a text of ours
        [sys.executable, "-c", LOOK],
        env={**inherited, **SETTINGS, **more},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    found: dict[str, object] = json.loads(ended.stdout.splitlines()[-1])
    return found


HEAVY = ("opentelemetry.sdk", "opentelemetry.exporter", "azure.monitor", "google.protobuf", "msgraph")
CLIENTS = ("azure.core", "azure.data", "azure.identity", "azure.storage", "aiohttp", "httpx", "cryptography")
"""What the first account needs, and a host that only asks which functions there are does not."""
WHERE: Mapping[str, dict[str, str]] = {
    "Application Insights": {"APPLICATIONINSIGHTS_CONNECTION_STRING": INSIGHTS},
    "a collector": {"OTEL_EXPORTER_OTLP_ENDPOINT": NOWHERE},
    "both": {"APPLICATIONINSIGHTS_CONNECTION_STRING": INSIGHTS, "OTEL_EXPORTER_OTLP_ENDPOINT": NOWHERE},
}


def test_with_nothing_configured_nothing_is_loaded_and_nothing_set() -> None:
    found = started()
    modules = found["modules"]
    assert isinstance(modules, list)
    assert [name for name in modules if name.startswith(HEAVY)] == []
    assert str(found["provider"]).startswith("opentelemetry.trace")
    assert str(found["meters"]).startswith("opentelemetry.metrics")


def test_the_app_is_indexed_without_any_client_library() -> None:
    modules = started()["modules"]
    assert isinstance(modules, list)
    assert [name for name in modules if name.startswith(CLIENTS)] == []


@pytest.mark.parametrize("where", WHERE.values(), ids=WHERE.keys())
def test_no_http_library_is_instrumented_wherever_telemetry_goes(where: dict[str, str]) -> None:
    found = started(**where)
    assert str(found["provider"]).startswith("opentelemetry.sdk")
    assert str(found["meters"]).startswith("opentelemetry.sdk")
    assert found["wrapped"] == [False] * 7
    assert found["azure"] == [False, False]
    assert str(found["sampler"]).startswith("ParentBased{root:AlwaysOnSampler,")
    assert found["service"] == "customer-account-migration"


def test_only_our_own_log_lines_go_to_application_insights() -> None:
    found = started(**WHERE["Application Insights"])
    assert found["handlers"] == {"": [], "shared": ["LoggingHandler"]}


def test_spans_go_to_both_where_both_are_configured() -> None:
    found = started(**WHERE["both"])
    processors = found["processors"]
    assert isinstance(processors, list)
    assert processors.count("BatchSpanProcessor") == 2


def test_a_share_is_sampled_by_the_standards_name_with_application_insights_too() -> None:
    share = {"OTEL_TRACES_SAMPLER": "parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0.25"}
    for where in ("Application Insights", "a collector"):
        assert str(started(**WHERE[where], **share)["sampler"]).startswith("ParentBased{root:TraceIdRatioBased{0.25}")


def test_every_library_that_the_distribution_would_instrument_is_named() -> None:
    from azure.monitor.opentelemetry import _constants  # noqa: PLC0415 - slow to import

    assert set(LIBRARIES) == set(_constants._ALL_SUPPORTED_INSTRUMENTED_LIBRARIES)  # noqa: SLF001 - nowhere else


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("APPLICATIONINSIGHTS_CONNECTION_STRING", "canary", "APPLICATIONINSIGHTS_CONNECTION_STRING is malformed: it "),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "5", "OTEL_BSP_MAX_QUEUE_SIZE is malformed: it should be a whole number"),
        ("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "canary", "One of OTEL_"),
    ],
)
def test_what_a_library_refuses_stops_the_start_in_one_line_without_the_value(name: str, value: str, says: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", "import function_app"],
        env={**os.environ, **SETTINGS, **WHERE["a collector"], name: value},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert ended.returncode == 1
    last = ended.stderr.splitlines()[-1]
    assert f"BadSetting: {says}" in last
    assert name in last
    assert "canary" not in ended.stderr


def test_the_runtime_is_not_let_to_set_telemetry_up_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(FORBIDDEN, "true")
    with pytest.raises(BadSetting, match=f"{FORBIDDEN} is set: it should not be"):
        configure_telemetry()


@pytest.fixture
def collected() -> Iterator[Collected]:
    with collecting() as found:
        yield found


async def test_each_request_to_the_directory_counts_by_its_result(collected: Collected, clock: ManualClock) -> None:
    async with standing_in(clock) as directory:
        assert await directory.graph.get(NOBODY) is None
        await directory.graph.with_address("ada@example.org")
        directory.fault("unavailable-before-store", count=1)
        directory.fault("throttle-storm", count=1, retry_after=5)
        directory.turn(permissions=[])
        for _ in range(2):
            with pytest.raises(MigrationError):
                await directory.graph.get(NOBODY)
        with pytest.raises(MigrationError, match="directory_throttled"):
            await directory.graph.get(NOBODY)  # not asked while it throttles, so not counted
        clock.tick(metrics.SNAPSHOT_LIFETIME)
        with pytest.raises(MigrationError, match="permission_missing"):
            await directory.graph.get(NOBODY)
        requests = directory.requests
    told = Counter(
        {p.attributes["result"]: p.value for p in collected.points() if p.name == metrics.DIRECTORY_REQUESTS.name}
    )
    assert told == {"ok": 3, "lost": 1, "throttled": 1, "refused": 1}
    assert told.total() == requests
