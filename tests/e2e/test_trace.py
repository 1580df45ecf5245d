"""One account's trace and the metrics, as a collector gets them from the real host process; nobody's name in them."""

import csv
import io
import re
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from local.azurite import Azurite
from shared import names
from shared.telemetry import metrics, spans
from tests.e2e.kit import SOUTH_NORFOLK, Run, running

pytestmark = [pytest.mark.e2e, pytest.mark.azurite]
FILE = f"{SOUTH_NORFOLK}/portal.csv"
PATIENCE = 60.0
ERROR = 2


@dataclass
class Span:
    """One span as it came over the wire."""

    name: str
    trace: str
    id: str
    parent: str
    start: int
    end: int
    attributes: dict[str, str]
    failed: bool
    said: str
    links: list[str]
    scope: str


@dataclass
class Collector:
    """What was sent so far."""

    spans: list[Span] = field(default_factory=list)
    points: dict[str, list[tuple[dict[str, str], float]]] = field(default_factory=lambda: defaultdict(list))
    texts: set[str] = field(default_factory=set)
    """Every text that came: names, attributes, resources, events, descriptions of a status."""

    def traces(self, body: bytes) -> None:
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            self._read(resource.resource.attributes)
            for scope in resource.scope_spans:
                for span in scope.spans:
                    self.spans.append(self._span(span, scope.scope.name))

    def _span(self, span: Any, scope: str) -> Span:  # noqa: ANN401 - a protobuf message
        self.texts |= {span.name, span.status.message, span.trace_state, scope}
        for event in span.events:
            self.texts.add(event.name)
            self._read(event.attributes)
        for link in span.links:
            self._read(link.attributes)
        return Span(
            span.name,
            span.trace_id.hex(),
            span.span_id.hex(),
            span.parent_span_id.hex(),
            span.start_time_unix_nano,
            span.end_time_unix_nano,
            self._read(span.attributes),
            span.status.code == ERROR,
            span.status.message,
            [link.trace_id.hex() for link in span.links],
            scope,
        )

    def metrics(self, body: bytes) -> None:
        for resource in ExportMetricsServiceRequest.FromString(body).resource_metrics:
            self._read(resource.resource.attributes)
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    self.texts |= {metric.name, metric.unit, metric.description, scope.scope.name}
                    for point in [*metric.gauge.data_points, *metric.sum.data_points]:
                        value = point.as_double or float(point.as_int)
                        self.points[metric.name].append((self._read(point.attributes), value))

    def _read(self, attributes: Any) -> dict[str, str]:  # noqa: ANN401 - a protobuf message
        found = {each.key: _text(each.value) for each in attributes}
        self.texts |= {*found, *found.values()}
        return found

    def until(self, fits: Callable[["Collector"], object], what: str) -> None:
        """Wait for what is sent a little later."""
        deadline = time.monotonic() + PATIENCE
        while not fits(self):
            assert time.monotonic() < deadline, what
            time.sleep(0.2)


def _text(value: Any) -> str:  # noqa: ANN401 - a protobuf message
    kind = value.WhichOneof("value")
    assert kind in {"string_value", "int_value", "double_value", "bool_value"}, "nothing with parts in it"
    return str(getattr(value, kind))


@contextmanager
def collector() -> Iterator[tuple[Collector, str]]:
    """OTLP over HTTP on a free loopback port."""
    found = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            {"/v1/traces": found.traces, "/v1/metrics": found.metrics}[self.path](body)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as the library calls it
            """Nothing: the test tells what matters."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    serving = threading.Thread(target=server.serve_forever, daemon=True)
    serving.start()
    try:
        yield found, f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        serving.join()


def certificate(days: int) -> str:
    """A certificate with its key, which ends in so many days."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "migration")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=days))
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return (secret + made.public_bytes(serialization.Encoding.PEM)).decode()


def accounts(run: Run) -> dict[str, dict[str, Any]]:
    """The accounts on record, by id."""
    return {e["id"]: e for table, e in run.entities() if table == names.ACCOUNTS and e["RowKey"].startswith("account|")}


def test_one_trace_for_each_account_and_every_metric_and_no_name_in_them(
    tmp_path: Path, clean_azurite: Azurite
) -> None:
    with collector() as (collected, address), running(tmp_path, clean_azurite, hosts=0) as run:
        run.stack.settings |= {
            "OTEL_EXPORTER_OTLP_ENDPOINT": address,
            "OTEL_METRIC_EXPORT_INTERVAL": "1000",
            "OTEL_BSP_SCHEDULE_DELAY": "500",
            "DIRECTORY_CLIENT_CERTIFICATE": certificate(20),
        }
        run.stack.add_host()
        migration = _a_migration_with_some_trouble(run, collected)
        moved = {key: a for key, a in accounts(run).items() if a.get("outcome") in {"create", "link"}}
        assert {a["outcome"] for a in moved.values()} == {"create", "link"}
        told = {key for key, account in moved.items() if account["state"] == "told"}
        assert told
        collected.until(lambda c: told <= _with_span(c, names.NOTIFY_CUSTOMER), "the last spans came")
        collected.until(lambda c: set(c.points) == {m.name for m in metrics.METRICS}, f"{sorted(collected.points)}")
        _each_has_one_trace(collected, {key: moved[key] for key in told}, _uploaded(run, migration["migration"]))
        _metrics_say_what_is_so(collected, len(told), moved)
        _nobody_is_named(run, collected)


def _a_migration_with_some_trouble(run: Run, collected: Collector) -> dict[str, Any]:
    """Refused, throttled, stopped, resumed, and to the end; and something strange lies in poison."""
    run.upload(b"PK\x03\x04", f"{SOUTH_NORFOLK}/no.csv")
    run.paste(names.NOTIFY_CUSTOMER, "this app did not write it")
    run.fault(run.stack.directory, {"kind": "throttle-storm", "count": 3, "retry_after": 1})
    run.rules(run.stack.notify, {"suspended": True})
    run.upload(run.sample(), FILE)
    run.until(FILE, lambda m: m["paused"] is not None)
    collected.until(lambda c: c.points[metrics.PAUSED.name], "the stop is told")
    run.rules(run.stack.notify, {"suspended": False})
    run.resume(run.until(FILE, lambda m: m["paused"] is not None))
    migration = run.done(FILE)
    run.assert_ended_as_true(SOUTH_NORFOLK, migration)
    return migration


def _uploaded(run: Run, migration: str) -> float:
    """When a migration's file was uploaded, in seconds since 1970."""
    [at] = [e["uploaded_at"] for table, e in run.entities() if table == names.MIGRATIONS and e["RowKey"] == migration]
    return datetime.fromisoformat(at).timestamp()


def _with_span(collected: Collector, name: str) -> set[str]:
    return {s.attributes.get("account", "") for s in collected.spans if s.name == name}


def _each_has_one_trace(collected: Collector, told: dict[str, dict[str, Any]], uploaded: float) -> None:
    stories: dict[str, list[Span]] = defaultdict(list)
    for span in collected.spans:
        stories[span.attributes.get("account", "")].append(span)
    runs = {span.trace for span in stories[""]}
    for key, account in told.items():
        story = sorted(stories[key], key=lambda span: (span.start, spans.ACCOUNT_SPANS.index(span.name)))
        assert [*dict.fromkeys(span.name for span in story)] == list(spans.ACCOUNT_SPANS), key
        assert {span.trace for span in story} == {account["trace"].split("-")[1]}
        first, last = story[0], story[-1]
        assert first.parent == ""
        assert {span.parent for span in story[1:]} == {first.id}
        assert set(first.links) <= runs
        assert first.start == round(uploaded * 1_000_000) * 1000
        assert all(span.end >= span.start for span in story)
        assert (last.name, last.attributes["state"]) == (names.NOTIFY_CUSTOMER, "told")
        assert last.attributes["outcome"] == account["outcome"]
        assert last.attributes["migration"] == account["migration"]
    assert any(span.failed and span.said == "message_service_refused" for span in collected.spans)


def _metrics_say_what_is_so(collected: Collector, told: int, moved: dict[str, dict[str, Any]]) -> None:
    def newest(metric: metrics.Metric, **attributes: str) -> float:
        found = [v for a, v in collected.points[metric.name] if attributes.items() <= a.items()]
        assert found, (metric.name, attributes)
        return found[-1]

    collected.until(
        lambda _: newest(metrics.ACCOUNTS, authority=SOUTH_NORFOLK, state="told") == told, "the walk counts them"
    )
    for outcome in ("create", "link"):
        number = sum(account["outcome"] == outcome for account in moved.values())
        assert newest(metrics.PROVISIONED, authority=SOUTH_NORFOLK, outcome=outcome) == number
        assert newest(metrics.TOLD, authority=SOUTH_NORFOLK, outcome=outcome) == number
    assert newest(metrics.UPLOADS_REFUSED, authority=SOUTH_NORFOLK, reason="not_csv") == 1
    assert newest(metrics.PAUSED, authority=SOUTH_NORFOLK, reason="message_service_refused") == 1
    assert newest(metrics.QUEUE_DEPTH, queue=names.poison_of(names.NOTIFY_CUSTOMER)) == 1
    assert newest(metrics.DIRECTORY_REQUESTS, result="throttled") >= 1
    assert newest(metrics.CERTIFICATE_DAYS) == pytest.approx(20, abs=0.2)
    for timer in ("reconcile", "release_accounts"):
        assert newest(metrics.TIMER_RUNS, timer=timer, result="done") >= 1
    for metric in metrics.METRICS:
        assert {frozenset(a) for a, _ in collected.points[metric.name]} == {frozenset(metric.attributes)}


def _nobody_is_named(run: Run, collected: Collector) -> None:
    assert {span.scope for span in collected.spans} == {metrics.SCOPE}
    assert {span.name for span in collected.spans} == set(spans.ACCOUNT_SPANS)
    assert {key for span in collected.spans for key in span.attributes} <= set(spans.ATTRIBUTES)
    people: set[str] = set()
    for row in csv.DictReader(io.StringIO(run.sample().decode())):
        cells = [row[name] for name in ("customer_ref", "email", "first_name", "last_name", "postcode")]
        people |= {cell.strip().lower() for cell in cells if cell and len(cell.strip()) > 2}
    assert people
    told = " ".join(collected.texts).lower()
    assert "@" not in told
    # Whole words: a short name may be part of a word of ours.
    assert people & set(re.split(r"[^\w'-]+", told)) == set()
    assert people & set(re.split(r"\W+", told)) == set()
    assert [person for person in people if " " in person and person in told] == []
