"""Decode, step, settle: the one place that turns the result of a step into done, later, or a person.

| a step | the account | the message |
|---|---|---|
| returns | as the step saved it | done |
| raises `TryLater` | waits for a new due time; after 24 hours `failed` | done |
| raises `Throttled` | the same, and so does every account of its rate limiter | done |
| raises `SetAside`, `Hold`, `Cannot` | `review`, `held`, `failed` with the reason | done |
| raises `Stop` | as it was; its migration pauses | done |
| raises `StaleWrite` | as somebody else saved it | done |
| raises anything else | at the last attempt `failed` | raised: tried again, then poison |
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Final

from shared import names
from shared.errors import (
    BadMessage,
    Cannot,
    Hold,
    MigrationError,
    SetAside,
    StaleWrite,
    Stop,
    Throttled,
    TryLater,
    Unclear,
    describe_unexpected,
)
from shared.intake.receive_export import receive_export, record_failure
from shared.model.account import Account, Change, apply_event
from shared.model.lifecycle import Event, State
from shared.model.messages import (
    AccountMessage,
    AdoptPlan,
    PieceMessage,
    StageRows,
    StageSuppressions,
    decode_message,
    decode_upload,
)
from shared.model.migration import Migration, Phase
from shared.model.pacing.rate_limit import MAX_TRYING_TIME, UNCLEAR_LIMIT, compute_delay
from shared.model.step import Step
from shared.ports import Ports, Stored
from shared.scheduling.pause import pause_migration
from shared.scheduling.rate_limiter import check_rate_limit, list_rate_limits, record_throttling
from shared.scheduling.release_accounts import return_to_waiting
from shared.telemetry import metrics, spans
from shared.telemetry.progress import record_step

log: Final = logging.getLogger(__name__)

type AccountStep = Callable[[Ports, AccountMessage], Awaitable[None]]

SETTLED: Final = (StaleWrite, TryLater, SetAside, Hold, Cannot, Stop)
"""The errors that the table above settles. Any other error of a step is a bug."""

MAX_STOPS_PER_ACCOUNT: Final = 5
"""How many times one account may stop its migration while others continue. Then the account fails alone."""
MIN_TRIES_BEFORE_FAILURE: Final = 100
"""Beside its age: a migration that was paused for a day has not been trying."""

CAUSES: Final = {
    "directory_unreachable": "directory_unreachable",
    "directory_throttled": "directory_unreachable",
    "message_service_unreachable": "message_service_unreachable",
    "message_in_doubt": "message_service_unreachable",
    "tables_lost": "tables_lost",
}
"""The reason code after the cause of a postponement has lasted 24 hours."""


async def run_account_step(ports: Ports, step: AccountStep, body: bytes, attempt: int) -> None:
    """Run a per-account step on a queue message. `attempt` is its dequeue count.

    Raises:
        BadMessage: the text is not a message of this app.
        Unexpected: a bug. It gives type and place, never the message of the error.
    """
    message = decode_message(body)
    if not isinstance(message, AccountMessage):
        raise BadMessage("a message of another queue")
    with spans.trace_attempt(message, attempt):
        try:
            await check_rate_limit(ports, message)
            await step(ports, message)
        except SETTLED as error:
            await _settle_error(ports, message, error)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is raised again without its message
            spans.mark_failed("unexpected_error")
            last = attempt >= names.MAX_DEQUEUE_COUNT
            await _note_failure(
                _change_account(ports, message, lambda account: _record_failed_attempt(ports, account, last=last))
            )
            raise describe_unexpected(error) from None


async def _note_failure(noting: Awaitable[None]) -> None:
    """Record a failure. If that fails too, no message of either error gets out."""
    try:
        await noting
    except Exception as error:  # noqa: BLE001 - the same
        raise describe_unexpected(error) from None


def _record_failed_attempt(ports: Ports, account: Account, *, last: bool) -> tuple[Account, Change | None]:
    """Record a failed attempt. The last attempt records the failure.

    Earlier ones record that work continues, so that the sweep waits.
    """
    if last:
        return _end_account(ports, account, Event.FAIL, "unexpected_error")
    return replace(account, due_at=ports.clock.now(), unacknowledged_sends=0), None


async def run_upload_step(ports: Ports, body: bytes, attempt: int) -> None:
    """Receive an upload."""
    message = decode_upload(body)
    with spans.trace_attempt(message, attempt):
        try:
            await receive_export(ports, message)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is raised again without its message
            spans.mark_failed("unexpected_error")
            if attempt >= names.MAX_DEQUEUE_COUNT:
                await _note_failure(record_failure(ports, message))
            raise describe_unexpected(error) from None


async def run_piece_step[M: (StageRows, StageSuppressions, AdoptPlan)](
    ports: Ports, step: Callable[[Ports, M], Awaitable[None]], kind: type[M], body: bytes, attempt: int
) -> None:
    """Run a step that works piece by piece on a queue message of its `kind`. `attempt` is its dequeue count."""
    message = decode_message(body)
    if not isinstance(message, kind):
        raise BadMessage("a message of another queue")
    with spans.trace_attempt(message, attempt):
        try:
            await step(ports, message)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is raised again without its message
            spans.mark_failed("unexpected_error")
            if attempt >= names.MAX_DEQUEUE_COUNT:
                await _note_failure(_fail_staging(ports, message))
            raise describe_unexpected(error) from None


async def run_timer(ports: Ports, timer: str, step: Callable[[Ports], Awaitable[object]]) -> None:
    """Run a timer's step.

    A failure is reported and recorded without its message, and the next occurrence tries again.
    """
    try:
        await step(ports)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is raised again without its message
        metrics.count_metric(metrics.TIMER_RUNS, timer=timer, result=metrics.Result.FAILED)
        told = describe_unexpected(error)
        await _note_run(ports.ledger.timer_failures.note(timer, str(told), ports.clock.now()))
        raise told from None
    metrics.count_metric(metrics.TIMER_RUNS, timer=timer, result=metrics.Result.DONE)
    await _note_run(ports.ledger.timer_failures.end(timer))


async def repeat_timer(
    ports: Ports,
    timer: str,
    step: Callable[[Ports], Awaitable[object]],
    is_needed: Callable[[Ports], Awaitable[bool]],
    *,
    wait_seconds: int,
    times: int,
) -> None:
    """Run a timer's step, and again at most `times` times, each after `wait_seconds` and only if `is_needed` says so.

    A timer cannot run each second, because every occurrence costs money even if there is nothing to do. So an
    occurrence that finds work stays a little longer.
    """
    await run_timer(ports, timer, step)
    for _ in range(times):
        await asyncio.sleep(wait_seconds)
        if await is_needed(ports):
            await run_timer(ports, timer, step)


async def _note_run(noting: Awaitable[None]) -> None:
    """Record how a timer ran. If that fails, the run counts all the same."""
    try:
        await noting
    except Exception as error:  # noqa: BLE001 - whatever it is, its message may be personal
        log.warning("how a timer ran could not be noted", extra={"cause": str(describe_unexpected(error))})


async def _fail_staging(ports: Ports, message: PieceMessage) -> None:
    def fail(migration: Migration) -> Migration:
        if migration.phase is not Phase.STAGING:
            return migration
        return replace(migration, phase=Phase.FAILED, reason="staging_failed", moved_at=ports.clock.now())

    await ports.ledger.migrations.change(message.authority, message.migration, fail)


async def _settle_error(ports: Ports, message: AccountMessage, error: MigrationError) -> None:
    note = {"account": message.account, "step": message.kind, "cause": str(error)}
    match error:
        case StaleWrite():
            log.info("somebody else was faster", extra=note)
        case TryLater():
            log.info("postponed", extra=note)
            spans.mark_failed(error.cause)
            metrics.count_metric(metrics.POSTPONED, authority=message.authority, step=message.kind, reason=error.cause)
            if isinstance(error, Throttled) and not error.known:
                await record_throttling(ports, list_rate_limits(Step(message.kind), message.authority), error.after)
            await _change_account(ports, message, lambda account: _postpone_account(ports, account, error))
        case SetAside():
            log.info("set aside for a person", extra=note)
            await _change_account(
                ports, message, lambda account: _end_account(ports, account, Event.SET_ASIDE, error.reason)
            )
        case Hold():
            log.info("held", extra=note)
            await _change_account(
                ports, message, lambda account: _end_account(ports, account, Event.HOLD, error.reason)
            )
        case Cannot():
            log.warning("stuck", extra=note)
            spans.mark_failed(error.reason)
            await _change_account(
                ports, message, lambda account: _end_account(ports, account, Event.FAIL, error.reason)
            )
        case Stop():
            spans.mark_failed(error.reason)
            await _stop_migration(ports, message, error)


async def _stop_migration(ports: Ports, message: AccountMessage, stop: Stop) -> None:
    """Pause the migration.

    After the resume, other accounts go first, so that one account cannot stop its council repeatedly.
    """
    stored = await ports.ledger.accounts.get(message.partition, message.account)
    if stored is not None and stored.record.stops >= MAX_STOPS_PER_ACCOUNT:
        await _change_account(ports, message, lambda account: _end_account(ports, account, Event.FAIL, stop.reason))
        return
    await _pause_migration(ports, message, stop)

    def wait(account: Account) -> tuple[Account, Change | None]:
        now = ports.clock.now()
        waiting, change = return_to_waiting(account, now)
        later = now + compute_delay(account.stops, ports.jitter()) if account.stops else now
        return replace(waiting, stops=account.stops + 1, not_before=later), change

    await _change_account(ports, message, wait)


async def _pause_migration(ports: Ports, message: AccountMessage, stop: Stop) -> None:
    """Pause the account's migration with the one reason."""
    stored = await ports.ledger.accounts.get(message.partition, message.account)
    if stored is not None:
        await pause_migration(ports, message.authority, stored.record.migration, stop.reason, stop.detail)


async def _change_account(
    ports: Ports, message: AccountMessage, change: Callable[[Account], tuple[Account, Change | None] | None]
) -> None:
    """Change the account as it is now, as long as the message's release is its current one."""
    while True:
        stored: Stored[Account] | None = await ports.ledger.accounts.get(message.partition, message.account)
        if stored is None or stored.record.release != message.release or stored.record.due_at is None:
            return
        changed = change(stored.record)
        if changed is None:
            return
        try:
            await ports.ledger.accounts.save(stored, *changed)
        except StaleWrite:
            continue
        record_step(*changed)
        return


def _end_account(ports: Ports, account: Account, event: Event, reason: str) -> tuple[Account, Change]:
    return apply_event(account, event, ports.clock.now(), reason)


def _postpone_account(ports: Ports, account: Account, later: TryLater) -> tuple[Account, Change | None]:
    now = ports.clock.now()
    since = account.trying_since or now
    if isinstance(later, Unclear):
        unclear = account.unclear_since or now
        if now - unclear >= UNCLEAR_LIMIT and account.state is State.RELEASED:
            return _end_account(ports, account, Event.SET_ASIDE, later.cause)
        account = replace(account, unclear_since=unclear)
    if now - since >= MAX_TRYING_TIME and account.tries >= MIN_TRIES_BEFORE_FAILURE:
        return _end_account(ports, account, Event.FAIL, CAUSES.get(later.cause, "gave_up"))
    wait = later.after if later.after is not None else compute_delay(account.tries, ports.jitter())
    waiting, change = apply_event(account, Event.POSTPONE, now, later.cause)
    waiting = replace(
        waiting, not_before=now + wait, tries=account.tries + 1, trying_since=since, unacknowledged_sends=0
    )
    # One entry tells that it was postponed; hundreds would tell no more.
    return waiting, change if account.tries == 0 else None
