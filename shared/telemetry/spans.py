"""The trace of an account: from the upload of its export to the message to its customer, over all queues and hosts.

Messages carry the trace context, and the record of the account keeps it. So a release after a loss, a replay or another
host continue the same trace. A span holds ids and codes, never the message of an exception.

| span | from, to |
|---|---|
| `receive-export` | the upload; when it was accepted |
| `stage-rows` | when its row was read; when the account was saved |
| `classify-account`, `provision-account`, `notify-customer` | one attempt each |
| `stage-suppressions`, `adopt-plan` | one piece each |

The work on the whole file has spans with the same names, in a trace of the migration. The first two spans of an account
link to it.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from typing import Final

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Link, Span, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from shared import names
from shared.model.account import Account, AccountId
from shared.model.messages import Message
from shared.model.migration import Migration
from shared.telemetry.metrics import SCOPE

SPANS: Final = names.QUEUES
"""The only spans there are: each is named as the queue of its step."""

ACCOUNT_SPANS: Final = (
    names.RECEIVE_EXPORT,
    names.STAGE_ROWS,
    names.CLASSIFY_ACCOUNT,
    names.PROVISION_ACCOUNT,
    names.NOTIFY_CUSTOMER,
)
"""The spans of an account that is created or linked, in order. The other spans are of one piece of a file or plan."""

ATTRIBUTES: Final = {
    "account": "id of the account",
    "authority": "the council",
    "migration": "id of the migration",
    "release": "number of the release that the message was of",
    "attempt": "dequeue count of the message: above 1 it was tried before",
    "piece": "number of the piece of the file",
    "state": "state of the account, or phase of the migration, that was reached",
    "outcome": "outcome of the account",
    "reason": "reason code; with status error when the attempt failed",
}
"""The only attributes there are."""

_PROPAGATOR: Final = TraceContextTextMapPropagator()


@contextmanager
def trace_attempt(message: Message, number: int) -> Iterator[None]:
    """Open the span of one attempt at a message.

    If the message carries a trace context, the span joins the account's trace.

    An exception is not recorded in it, because its message may be personal: see `mark_failed`.
    """
    ids = {key: value for key, value in message.model_dump().items() if key in ATTRIBUTES}
    around = trace.get_current_span().get_span_context()
    with _get_tracer().start_as_current_span(
        message.kind,
        context=_PROPAGATOR.extract({"traceparent": message.traceparent}, Context()) if message.traceparent else None,
        # The host's own span of this invocation, where it has one, is another trace's.
        links=[Link(around)] if message.traceparent and around.is_valid else None,
        attributes={**ids, "attempt": number},
        record_exception=False,
        set_status_on_exception=False,
    ):
        yield


def mark_failed(code: str) -> None:
    """Mark this attempt as failed. The code says why."""
    span = trace.get_current_span()
    span.set_attribute("reason", code)
    span.set_status(StatusCode.ERROR, code)


def note_attributes(**values: str | None) -> None:
    """Note in the current span what was reached."""
    span = trace.get_current_span()
    for key, value in values.items():
        if value:
            span.set_attribute(key, value)


def get_traceparent() -> str:
    """Return the current span as a message carries it. Empty if tracing is off."""
    return _inject_context(trace.get_current_span())


class Stories:
    """The traces of the accounts that one piece of an export brings.

    Each is begun, and reported only if the account was saved.
    """

    def __init__(self, migration: Migration, now: Callable[[], datetime]) -> None:
        self._migration = migration
        self._now = now
        self._begun: dict[AccountId, Span] = {}

    def begin(self, account: Account) -> Account:
        """Return the account with a trace of its own. The trace is not reported before `kept`."""
        span = self._start_span(names.RECEIVE_EXPORT, account, Context(), self._migration.uploaded_at)
        if not span.get_span_context().is_valid:
            return account
        self._begun[account.id] = span
        return replace(account, trace=_inject_context(span))

    def kept(self, account: Account) -> None:
        """Report the trace of an account that was saved."""
        received = self._begun.pop(account.id, None)
        if received is None:
            return
        received.end(_convert_to_nanoseconds(max(self._migration.received_at, self._migration.uploaded_at)))
        within = trace.set_span_in_context(received, Context())
        staged = self._start_span(names.STAGE_ROWS, account, within, account.staged_at)
        staged.set_attribute("state", account.state)
        staged.end(_convert_to_nanoseconds(max(self._now(), account.staged_at)))

    def _start_span(self, name: str, account: Account, context: Context, at: datetime) -> Span:
        run = trace.get_current_span().get_span_context()
        ids = {"account": account.id, "authority": account.authority, "migration": account.migration}
        return _get_tracer().start_span(
            name,
            context=context,
            links=[Link(run)] if run.is_valid else None,
            attributes={**ids, "piece": self._migration.piece},
            start_time=_convert_to_nanoseconds(at),
        )


def _get_tracer() -> trace.Tracer:
    # Asked for every time, so that whoever sets a provider later is heard.
    return trace.get_tracer(SCOPE)


def _inject_context(span: Span) -> str:
    carrier: dict[str, str] = {}
    _PROPAGATOR.inject(carrier, trace.set_span_in_context(span, Context()))
    return carrier.get("traceparent", "")


def _convert_to_nanoseconds(at: datetime) -> int:
    return round(at.timestamp() * 1_000_000) * 1000
