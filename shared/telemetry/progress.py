"""What the current span and the metrics learn when an account moves on; nothing else decides what counts as what."""

from typing import Final

from shared.model.account import Account, Change
from shared.model.lifecycle import Event
from shared.telemetry import metrics, spans

SET_BACK: Final = frozenset({Event.FAIL, Event.HOLD, Event.SET_ASIDE})
"""Off the straight way: a person may have to look."""


def reached(account: Account, change: Change | None) -> None:
    """An account was saved by the step that runs now, after what `change` tells (None: nothing of its state)."""
    spans.note(migration=account.migration, state=account.state, outcome=account.outcome)
    if change is not None:
        spans.note(reason=change.reason)
        count(account, change)


def count(account: Account, change: Change) -> None:
    """The same, for those who are no step of an account."""
    outcome = account.outcome or ""
    if change.event is Event.PROVISION:
        metrics.add(metrics.PROVISIONED, authority=account.authority, outcome=outcome)
    elif change.event is Event.TELL:
        metrics.add(metrics.TOLD, authority=account.authority, outcome=outcome)
    elif change.event in SET_BACK:
        metrics.add(metrics.FAILURES, authority=account.authority, state=change.state, reason=change.reason)
