"""Where telemetry is sent: to Application Insights, to a collector that speaks OTLP over HTTP, to both, or nowhere.

The app sets this up itself. The Functions runtime would switch on the instrumentation of HTTP libraries, and the URLs
of look-ups hold addresses of people. Nothing is imported here if nothing is configured.
"""

import logging
import os
from typing import TYPE_CHECKING, Final

from shared.errors import BadSetting
from shared.telemetry.settings import (
    APPLICATION_INSIGHTS,
    DEFAULT_QUEUE_SIZE,
    ENDPOINT,
    METRICS_ENDPOINT,
    QUEUE_SIZE,
    SAMPLER,
    SPELT,
    TRACES_ENDPOINT,
    wrong_settings,
)

if TYPE_CHECKING:
    from opentelemetry.sdk.metrics.export import MetricReader
    from opentelemetry.sdk.trace import SpanProcessor

LIBRARIES: Final = (
    "azure_sdk",
    "django",
    "fastapi",
    "flask",
    "httpx",
    "httpx2",
    "psycopg2",
    "requests",
    "urllib",
    "urllib3",
)
"""What the distribution would instrument by default."""

DEFAULTS: Final = {
    "OTEL_SERVICE_NAME": "customer-account-migration",
    SAMPLER: "parentbased_always_on",
    QUEUE_SIZE: str(DEFAULT_QUEUE_SIZE),
    # So many seconds a process waits at its end for a collector that does not answer, once for each kind.
    "OTEL_EXPORTER_OTLP_TIMEOUT": "5",
    # The one that asks no other machine.
    "OTEL_EXPERIMENTAL_RESOURCE_DETECTORS": "azure_functions",
    # Neither usage statistics nor features that somebody switches on from afar.
    "APPLICATIONINSIGHTS_STATSBEAT_DISABLED_ALL": "true",
    "APPLICATIONINSIGHTS_CONTROLPLANE_DISABLED": "true",
}
"""The defaults of this app for standard settings."""


def configure_telemetry() -> None:
    """Send telemetry to the targets that the environment names.

    Raises:
        BadSetting: a setting is malformed, or tells the Functions runtime to set telemetry up by itself.
    """
    for _, sentence in wrong_settings(os.environ):
        raise BadSetting(sentence)
    to_insights = bool(os.environ.get(APPLICATION_INSIGHTS))
    traces, metrics = _send_to_collector(TRACES_ENDPOINT), _send_to_collector(METRICS_ENDPOINT)
    if not (to_insights or traces or metrics):
        return
    for name, value in DEFAULTS.items():
        os.environ.setdefault(name, value)
    try:
        _start_telemetry(to_insights=to_insights, traces=traces, metrics=metrics)
    except ValueError:
        # Its text may quote the value, and some values are secrets.
        names = ", ".join(sorted(name for name in os.environ if name.startswith("OTEL_")))
        raise BadSetting(f"One of {names} is malformed: the OpenTelemetry library refuses it") from None


def _start_telemetry(*, to_insights: bool, traces: bool, metrics: bool) -> None:
    processors = [_span_processor()] if traces else []
    readers = [_metric_reader()] if metrics else []
    if to_insights:
        _start_distribution(processors, readers)
    else:
        _start_sdk(processors, readers)


def _send_to_collector(own: str) -> bool:
    return bool(os.environ.get(own) or os.environ.get(ENDPOINT))


def _span_processor() -> "SpanProcessor":
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

    return BatchSpanProcessor(OTLPSpanExporter())


def _metric_reader() -> "MetricReader":
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter  # noqa: PLC0415
    from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader  # noqa: PLC0415

    return PeriodicExportingMetricReader(OTLPMetricExporter())


def _start_distribution(processors: "list[SpanProcessor]", readers: "list[MetricReader]") -> None:
    """Start Application Insights. The exporter signs in as APPLICATIONINSIGHTS_AUTHENTICATION_STRING says."""
    from azure.monitor.opentelemetry import configure_azure_monitor  # noqa: PLC0415

    os.environ[SAMPLER] = SPELT.get(os.environ[SAMPLER], os.environ[SAMPLER])
    configure_azure_monitor(
        instrumentation_options={library: {"enabled": False} for library in LIBRARIES},
        # Our own lines only: they are constant, with ids beside them. Other libraries' lines may hold anything.
        logger_name="shared",
        span_processors=processors,
        metric_readers=readers,
        enable_live_metrics=False,
        enable_performance_counters=False,
        disable_offline_storage=True,
    )
    logging.getLogger("shared").setLevel(logging.INFO)


def _start_sdk(processors: "list[SpanProcessor]", readers: "list[MetricReader]") -> None:
    """Start a collector alone.

    If another collects spans already, for example the local host with `--trace-file`, join it.
    """
    from opentelemetry import metrics, trace  # noqa: PLC0415
    from opentelemetry.sdk.metrics import MeterProvider  # noqa: PLC0415
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415

    if processors:
        provider = trace.get_tracer_provider()
        if not isinstance(provider, TracerProvider):
            provider = TracerProvider()
            trace.set_tracer_provider(provider)
        for processor in processors:
            provider.add_span_processor(processor)
    if readers:
        metrics.set_meter_provider(MeterProvider(metric_readers=readers))
