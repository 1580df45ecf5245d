"""What the current span and the metrics record when an account moves on. No other module decides this."""

from typing import Final

from shared.model.account import Account, Change
from shared.model.lifecycle import Event
from shared.telemetry import metrics, spans

SET_BACK: Final = frozenset({Event.FAIL, Event.HOLD, Event.SET_ASIDE})
"""Off the straight way: a person may have to look."""


def record_step(account: Account, change: Change | None) -> None:
    """Record that the current step saved an account after `change`. None: the state did not change."""
    spans.note_attributes(migration=account.migration, state=account.state, outcome=account.outcome)
    if change is not None:
        spans.note_attributes(reason=change.reason)
        count_change(account, change)


def count_change(account: Account, change: Change) -> None:
    """Record the same for work that is no step of an account."""
    outcome = account.outcome or ""
    if change.event is Event.PROVISION:
        metrics.count_metric(metrics.PROVISIONED, authority=account.authority, outcome=outcome)
    elif change.event is Event.TELL:
        metrics.count_metric(metrics.TOLD, authority=account.authority, outcome=outcome)
    elif change.event in SET_BACK:
        metrics.count_metric(metrics.FAILURES, authority=account.authority, state=change.state, reason=change.reason)
