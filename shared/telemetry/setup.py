"""Where telemetry goes: to Application Insights, to a collector that speaks OTLP over HTTP, to both, or nowhere.

The app sets this up, not the Functions runtime, whose own way switches on the instrumentation of HTTP libraries: the
URLs of look-ups hold people's addresses. Nothing here is imported where nothing is configured.
"""

import logging
import os
from typing import TYPE_CHECKING, Final

from shared.errors import BadSetting

if TYPE_CHECKING:
    from opentelemetry.sdk.metrics.export import MetricReader
    from opentelemetry.sdk.trace import SpanProcessor

APPLICATION_INSIGHTS: Final = "APPLICATIONINSIGHTS_CONNECTION_STRING"
ENDPOINT: Final = "OTEL_EXPORTER_OTLP_ENDPOINT"
TRACES_ENDPOINT: Final = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
METRICS_ENDPOINT: Final = "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT"
SAMPLER: Final = "OTEL_TRACES_SAMPLER"
FORBIDDEN: Final = "PYTHON_APPLICATIONINSIGHTS_ENABLE_TELEMETRY"

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
"""What the distribution would instrument if it were let."""

DEFAULTS: Final = {
    "OTEL_SERVICE_NAME": "customer-account-migration",
    SAMPLER: "parentbased_always_on",
    # A piece of an export begins thousands of traces within a second; beyond this, spans are dropped, never accounts.
    "OTEL_BSP_MAX_QUEUE_SIZE": "16384",
    # The one that asks no other machine.
    "OTEL_EXPERIMENTAL_RESOURCE_DETECTORS": "azure_functions",
    # Neither usage statistics nor features that somebody switches on from afar.
    "APPLICATIONINSIGHTS_STATSBEAT_DISABLED_ALL": "true",
    "APPLICATIONINSIGHTS_CONTROLPLANE_DISABLED": "true",
}
"""Standard settings as this app wants them, unless somebody sets them otherwise."""

_SPELT: Final = {
    "traceidratio": "trace_id_ratio",
    "parentbased_traceidratio": "parentbased_trace_id_ratio",
}
"""Samplers that the distribution calls by another name than the standard."""


def configure() -> None:
    """Send telemetry where the environment says.

    Raises:
        BadSetting: the Functions runtime is told to set it up by itself.
    """
    if os.environ.get(FORBIDDEN, "").lower() in {"1", "true", "t", "yes", "y"}:
        raise BadSetting(
            f"{FORBIDDEN} is set: it should not be, as the runtime would then trace URLs that hold addresses; "
            f"set PYTHON_ENABLE_OPENTELEMETRY to true instead"
        )
    to_insights = bool(os.environ.get(APPLICATION_INSIGHTS))
    traces, metrics = _to_collector(TRACES_ENDPOINT), _to_collector(METRICS_ENDPOINT)
    if not (to_insights or traces or metrics):
        return
    for name, value in DEFAULTS.items():
        os.environ.setdefault(name, value)
    processors = [_span_processor()] if traces else []
    readers = [_metric_reader()] if metrics else []
    if to_insights:
        _start_distribution(processors, readers)
    else:
        _start_sdk(processors, readers)


def _to_collector(own: str) -> bool:
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
    """Application Insights, signed in as APPLICATIONINSIGHTS_AUTHENTICATION_STRING says, by the exporter itself."""
    from azure.monitor.opentelemetry import configure_azure_monitor  # noqa: PLC0415

    os.environ[SAMPLER] = _SPELT.get(os.environ[SAMPLER], os.environ[SAMPLER])
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
    """A collector alone; joins whoever collects spans already, as the local host's `--trace-file` does."""
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
