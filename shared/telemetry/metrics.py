"""The metrics: one table, against which the workbook and the alarms are checked.

Every call asks for the provider, so that a provider that is set later works too. Attributes have few values (a council,
a state, a queue, a reason, a step). No value may be about one person.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final
from weakref import WeakKeyDictionary, WeakSet

from opentelemetry.metrics import (
    CallbackOptions,
    Counter,
    MeterProvider,
    NoOpMeterProvider,
    Observation,
    get_meter_provider,
)

SCOPE: Final = "migration"
"""The name of our meter and of our tracer. Data of any other scope is not ours."""


class MetricKind(StrEnum):
    """How a metric behaves."""

    COUNTER = "counter"
    """The value only grows. The app reports the growth since the last report."""
    GAUGE = "gauge"
    """The value that the last sweep found. It is reported while it is fresh."""


class Result(StrEnum):
    """How a request or a run ended: the values of the attribute `result`."""

    OK = "ok"
    """The directory answered."""
    SENT = "sent"
    """The message service took the message."""
    DONE = "done"
    """The run of the timer ended well."""
    THROTTLED = "throttled"
    """Asked to wait."""
    REFUSED = "refused"
    """A clear no."""
    LOST = "lost"
    """No answer, or none that can be read."""
    FAILED = "failed"
    """The timer's run ended in an error. The next occurrence tries again."""


@dataclass(frozen=True, slots=True)
class Metric:
    """One line of the table."""

    name: str
    kind: MetricKind
    unit: str
    attributes: tuple[str, ...]
    means: str
    source: str


QUEUE_DEPTH: Final = Metric(
    "migration.queue.depth",
    MetricKind.GAUGE,
    "{message}",
    ("queue",),
    "Messages in a queue, those that are not due yet included; every poison queue is there too",
    "measure",
)
QUEUE_AGE: Final = Metric(
    "migration.queue.age",
    MetricKind.GAUGE,
    "s",
    ("queue",),
    "How long the oldest message that could be taken now has been in the queue; 0 when there is none",
    "measure",
)
ACCOUNTS: Final = Metric(
    "migration.account.count",
    MetricKind.GAUGE,
    "{account}",
    ("authority", "state"),
    "Accounts of a council by state, and rows without an account, as the last sweep counted them",
    "measure",
)
ACCOUNTS_DUE: Final = Metric(
    "migration.account.due",
    MetricKind.GAUGE,
    "{account}",
    ("authority",),
    "Accounts of a council for which something is due now or later",
    "measure",
)
ACCOUNTS_WAIT: Final = Metric(
    "migration.account.wait",
    MetricKind.GAUGE,
    "s",
    ("authority",),
    "How long the account that has been due longest has waited; 0 when none has",
    "measure",
)
PROVISIONED: Final = Metric(
    "migration.account.provisioned",
    MetricKind.COUNTER,
    "{account}",
    ("authority", "outcome"),
    "Accounts that were created or linked, and read back",
    "progress",
)
TOLD: Final = Metric(
    "migration.account.told",
    MetricKind.COUNTER,
    "{account}",
    ("authority", "outcome"),
    "Accounts whose message the message service took",
    "progress",
)
FAILURES: Final = Metric(
    "migration.account.failures",
    MetricKind.COUNTER,
    "{account}",
    ("authority", "state", "reason"),
    "Accounts that left the straight way: failed, held, or set aside for review, each with its reason code",
    "progress",
)
POSTPONED: Final = Metric(
    "migration.account.postponed",
    MetricKind.COUNTER,
    "{account}",
    ("authority", "step", "reason"),
    "Times a step put an account off, and why",
    "worker",
)
DIRECTORY_REQUESTS: Final = Metric(
    "migration.directory.requests",
    MetricKind.COUNTER,
    "{request}",
    ("result",),
    "Requests to the directory: ok, throttled, refused, or lost (no answer that can be read)",
    "graph_requests",
)
MESSAGE_REQUESTS: Final = Metric(
    "migration.message.requests",
    MetricKind.COUNTER,
    "{request}",
    ("authority", "result"),
    "Attempts to send a message: sent, throttled, refused, or lost (no clear answer)",
    "notify_customer",
)
PAUSED: Final = Metric(
    "migration.paused",
    MetricKind.GAUGE,
    "{migration}",
    ("authority", "reason"),
    "Migrations that stand still, by the one reason; not told when none does",
    "measure",
)
TIMER_RUNS: Final = Metric(
    "migration.timer.runs",
    MetricKind.COUNTER,
    "{run}",
    ("timer", "result"),
    "Runs of a timer, done or failed: its heartbeat",
    "worker",
)
CERTIFICATE_DAYS: Final = Metric(
    "migration.certificate.days",
    MetricKind.GAUGE,
    "d",
    (),
    "Days until the certificate ends with which the app signs in to the directory; below 0 when it has",
    "measure",
)
TABLES_LOST: Final = Metric(
    "migration.tables.lost",
    MetricKind.GAUGE,
    "{table}",
    ("authority",),
    "Tables of a council that were emptied and are not made again yet; 0 when none is",
    "measure",
)
COPY_AGE: Final = Metric(
    "migration.copy.age",
    MetricKind.GAUGE,
    "s",
    (),
    "How long ago the newest whole copy of the tables was finished; where there is none, the first upload was taken",
    "measure",
)
UPLOADS_REFUSED: Final = Metric(
    "migration.upload.refused",
    MetricKind.COUNTER,
    "{file}",
    ("authority", "reason"),
    "Uploads that were not taken, and why",
    "receive_export",
)

METRICS: Final = (
    QUEUE_DEPTH,
    QUEUE_AGE,
    ACCOUNTS,
    ACCOUNTS_DUE,
    ACCOUNTS_WAIT,
    PROVISIONED,
    TOLD,
    FAILURES,
    POSTPONED,
    DIRECTORY_REQUESTS,
    MESSAGE_REQUESTS,
    PAUSED,
    TIMER_RUNS,
    CERTIFICATE_DAYS,
    TABLES_LOST,
    COPY_AGE,
    UPLOADS_REFUSED,
)

LONGEST_TIMER_SILENCE: Final = {
    "release_accounts": timedelta(minutes=15),
    "reconcile": timedelta(minutes=15),
    "sweep_exports": timedelta(minutes=15),
    "copy_tables": timedelta(hours=26),
}
"""How long each timer may be silent before somebody is called. A timer that is not listed raises no alarm."""

SNAPSHOT_LIFETIME: Final = timedelta(minutes=2)
"""How long a snapshot is fresh. The sweep may continue in another process, and then only that process reports."""


class Snapshot:
    """All values at one time. A value that is missing does not apply."""

    def __init__(self) -> None:
        self._values: dict[str, list[Observation]] = defaultdict(list)

    def note(self, metric: Metric, value: float, **attributes: str) -> None:
        """Take one value in."""
        self._values[metric.name].append(Observation(value, attributes))

    def of(self, metric: Metric) -> list[Observation]:
        """The values of one metric."""
        return self._values.get(metric.name, [])


class Board:
    """The newest snapshot, for as long as it is fresh."""

    def __init__(self, seconds: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._newest = Snapshot()
        self._at = 0.0

    def put_up(self, snapshot: Snapshot) -> None:
        """Take the place of the one before."""
        self._newest, self._at = snapshot, self._seconds()

    def read(self, metric: Metric) -> list[Observation]:
        """Return the values of one metric, or none if the snapshot is too old."""
        stale = self._seconds() - self._at > SNAPSHOT_LIFETIME.total_seconds()
        return [] if stale else self._newest.of(metric)


_board: Final = Board()
_counters: WeakKeyDictionary[MeterProvider, dict[str, Counter]] = WeakKeyDictionary()
_gauged: WeakSet[MeterProvider] = WeakSet()


def is_listening() -> bool:
    """Return True if metrics are collected. If not, nothing needs to be measured."""
    provider = get_meter_provider()
    # The API's own providers stand for none; one of an SDK comes from elsewhere.
    stands_for_none = type(provider).__module__.startswith("opentelemetry.metrics")
    return not stands_for_none and not isinstance(provider, NoOpMeterProvider)


def count_metric(metric: Metric, number: int = 1, **attributes: str) -> None:
    """Count."""
    if not is_listening():
        return
    provider = get_meter_provider()
    made = _counters.setdefault(provider, {})
    if metric.name not in made:
        made[metric.name] = provider.get_meter(SCOPE).create_counter(metric.name, metric.unit, metric.means)
    made[metric.name].add(number, attributes)


def show_snapshot(snapshot: Snapshot) -> None:
    """Report these values until the next snapshot."""
    _board.put_up(snapshot)
    provider = get_meter_provider()
    if is_listening() and provider not in _gauged:
        _gauged.add(provider)
        meter = provider.get_meter(SCOPE)
        for metric in METRICS:
            if metric.kind is MetricKind.GAUGE:
                meter.create_observable_gauge(metric.name, [_make_reading(metric)], metric.unit, metric.means)


def _make_reading(metric: Metric) -> Callable[[CallbackOptions], Iterable[Observation]]:
    return lambda _: _board.read(metric)
