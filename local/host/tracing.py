"""`--trace-file`: every finished OpenTelemetry span as a line of JSON, so that tests can look for personal data."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult


class FileExporter(SpanExporter):
    """Writes spans to a file as they end."""

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Write one line per span."""
        for span in spans:
            self._file.write(json.dumps(_as_json(span), default=str) + "\n")
        self._file.flush()
        return SpanExportResult.SUCCESS

    def shutdown(self) -> None:
        """Close the file."""
        self._file.close()


def write_spans_to(path: Path) -> None:
    """From now on, write every span of this process to that file, after what is in it already."""
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(FileExporter(path.open("a", encoding="utf-8"))))
    trace.set_tracer_provider(provider)


def _as_json(span: ReadableSpan) -> dict[str, object]:
    context = span.get_span_context()
    return {
        "name": span.name,
        "trace": f"{context.trace_id:032x}" if context else "",
        "parent": f"{span.parent.span_id:016x}" if span.parent else "",
        "attributes": dict(span.attributes or {}),
        "events": [{"name": event.name, "attributes": dict(event.attributes or {})} for event in span.events],
        "status": {"code": span.status.status_code.name, "description": span.status.description},
    }
