"""Whoever collects telemetry in this process for a while: spans and metrics as they were given away."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from opentelemetry import trace
from opentelemetry.metrics import _internal as metrics
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, ParentBased, Sampler


@dataclass(frozen=True)
class Point:
    """One value of a metric."""

    name: str
    attributes: dict[str, Any]
    value: float


@dataclass(frozen=True)
class Collected:
    """What was collected so far."""

    exporter: InMemorySpanExporter
    reader: InMemoryMetricReader

    @property
    def spans(self) -> tuple[ReadableSpan, ...]:
        """Every span that ended."""
        return self.exporter.get_finished_spans()

    def spans_of(self, account: str) -> list[ReadableSpan]:
        """The spans that are about one account, as they began."""
        ours = [span for span in self.spans if (span.attributes or {}).get("account") == account]
        return sorted(ours, key=lambda span: span.start_time or 0)

    def points(self) -> list[Point]:
        """Every value of every metric now. Gauges that nobody has set since the last look are not there."""
        data = self.reader.get_metrics_data()
        return [
            Point(metric.name, dict(point.attributes or {}), point.value)  # type: ignore[union-attr]  # no histograms
            for resource in (data.resource_metrics if data else [])
            for scope in resource.scope_metrics
            for metric in scope.metrics
            for point in metric.data.data_points
        ]


def trace_of(span: ReadableSpan) -> str:
    """The id of the trace that a span is in."""
    context = span.get_span_context()
    assert context is not None
    return f"{context.trace_id:032x}"


def id_of(span: ReadableSpan) -> int:
    """The id of the span itself."""
    context = span.get_span_context()
    assert context is not None
    return context.span_id


@contextmanager
def collecting(sampler: Sampler = ParentBased(ALWAYS_ON)) -> Iterator[Collected]:  # noqa: B008 - it keeps nothing
    """Collect; whoever collected before (or nobody) goes on afterwards.

    The library lets a process set the providers once, so a test that is to leave nothing behind sets them by hand.
    """
    exporter, reader = InMemorySpanExporter(), InMemoryMetricReader()
    tracing, metering = TracerProvider(sampler=sampler), MeterProvider(metric_readers=[reader])
    tracing.add_span_processor(SimpleSpanProcessor(exporter))
    before = trace._TRACER_PROVIDER, metrics._METER_PROVIDER  # noqa: SLF001 - as said above
    trace._TRACER_PROVIDER, metrics._METER_PROVIDER = tracing, metering  # noqa: SLF001 - as said above
    try:
        yield Collected(exporter, reader)
    finally:
        trace._TRACER_PROVIDER, metrics._METER_PROVIDER = before  # noqa: SLF001 - as said above
        metering.shutdown()
        tracing.shutdown()
