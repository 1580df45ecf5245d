"""The path of every request: delay, fault, token, throttling, the handler, and a line in the journal."""

import asyncio
import re
from contextlib import suppress
from dataclasses import dataclass
from typing import Final
from uuid import uuid4

from local.standins.graph.batch import answer_parts, read_parts
from local.standins.graph.calls import Call, Reply
from local.standins.graph.errors import GraphError, ThrottledError, gateway_timeout, make_unavailable, token_refused
from local.standins.graph.faults import AFTER_STORE, Active, FaultKind
from local.standins.graph.journal import Line
from local.standins.graph.quota import Cost, Verdict, compute_cost
from local.standins.graph.reading import TENANT_ID
from local.standins.graph.routes import find_handler
from local.standins.graph.state import Directory

APPLICATION_ID: Final = "66666666-7777-4888-8999-000000000000"
SCOPE: Final = f"Tenant_Application/ReadWrite/{APPLICATION_ID}/{TENANT_ID}"
BAD_GATEWAY: Final = "<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"
BATCH: Final = ("$batch",)
NOTHING: Final = Cost(0, 0)
MARK: Final = re.compile(r"extension_[0-9a-f]{32}_[A-Za-z0-9]+Account")


@dataclass(frozen=True, slots=True)
class Ids:
    """The two request ids in the headers and in the bodies of errors."""

    request: str
    client: str

    @classmethod
    def of(cls, call: Call) -> "Ids":
        """A new request id, and the caller's own if it sent one."""
        fresh = str(uuid4())
        return cls(fresh, call.headers.get("client-request-id") or fresh)

    def headers(self) -> dict[str, str]:
        """Return the headers of every answer."""
        return {"request-id": self.request, "client-request-id": self.client}


async def answer_call(directory: Directory, call: Call) -> Reply:
    """Answer one request, or each request of a batch. Every one is written down."""
    if directory.rules.latency_ms and not call.in_batch:
        await asyncio.sleep(directory.rules.latency_ms / 1000)
    ids = Ids.of(call)
    is_batch = call.segments == BATCH and call.method == "POST" and not call.in_batch
    taken = NOTHING if is_batch else compute_cost(call.method, call.segments, call.query)
    hit = None if is_batch else directory.faults.strike(call.method, directory.now())
    reply = await (_answer_batch(directory, call, ids) if is_batch else _find_outcome(directory, call, ids, taken, hit))
    headers = ids.headers() | ({} if is_batch else {"x-ms-resource-unit": str(taken.units)})
    _write_down(directory, call, reply, taken, hit)
    return reply.under(headers)


def _make_refusal(error: GraphError, ids: Ids, target: str | None = None) -> Reply:
    return Reply(error.status, error.body(ids.request, ids.client), error.headers, target)


async def _find_outcome(directory: Directory, call: Call, ids: Ids, taken: Cost, hit: Active | None) -> Reply:
    if hit and hit.fault.kind not in AFTER_STORE:
        return await _answer_instead(directory, hit, ids)
    try:
        reply = _answer_allowed(directory, call, taken)
    except GraphError as error:
        reply = _make_refusal(error, ids)
    return _lose_reply(hit, reply, ids) if hit else reply


def _answer_allowed(directory: Directory, call: Call, taken: Cost) -> Reply:
    rules = directory.rules
    if rules.require_token and not call.headers.get("authorization", "").lower().startswith("bearer "):
        raise token_refused("Access token is empty.")
    chosen = find_handler(call)
    verdict = directory.quota.take(taken, rules, len(directory.store), directory.now())
    if verdict.refused:
        raise _make_throttled(directory, verdict)
    try:
        return chosen(directory, call).under(verdict.headers())
    except GraphError as error:
        error.headers = {**verdict.headers(), **error.headers}
        raise


def _make_throttled(directory: Directory, verdict: Verdict) -> ThrottledError:
    headers = verdict.headers() | {
        "x-ms-throttle-scope": SCOPE,
        "x-ms-throttle-information": verdict.information,
    }
    if directory.rules.retry_after_sent:
        headers["Retry-After"] = str(directory.rules.retry_after_seconds or max(1, verdict.wait))
    return ThrottledError(headers)


async def _answer_instead(directory: Directory, hit: Active, ids: Ids) -> Reply:
    """Return the answer that replaces the work of the directory."""
    match hit.fault.kind:
        case FaultKind.THROTTLE_STORM:
            headers = {"x-ms-throttle-scope": SCOPE, "x-ms-throttle-information": "CPULimitExceeded"}
            if hit.fault.retry_after is not None:
                headers["Retry-After"] = str(hit.fault.retry_after)
            return _make_refusal(ThrottledError(headers), ids)
        case FaultKind.HTML_502:
            return Reply(502, page=BAD_GATEWAY)
        case FaultKind.EMPTY_500:
            return Reply(500)
        case FaultKind.UNAUTHORIZED:
            return _make_refusal(token_refused("Lifetime validation failed, the token is expired."), ids)
        case FaultKind.UNAVAILABLE_BEFORE:
            return _make_refusal(make_unavailable(), ids)
        case FaultKind.HANG:
            await _hold_request(directory, hit)
    return Reply(0)


async def _hold_request(directory: Directory, hit: Active) -> None:
    """Hold the request until the fault ends, is cleared, or the directory stops."""
    left = None if hit.until == float("inf") else max(0.0, hit.until - directory.now())
    with suppress(TimeoutError):
        await asyncio.wait_for(hit.ended.wait(), left)


def _lose_reply(hit: Active, reply: Reply, ids: Ids) -> Reply:
    """The work was done, or refused. The caller does not hear of it."""
    match hit.fault.kind:
        case FaultKind.UNAVAILABLE_AFTER:
            return _make_refusal(make_unavailable(), ids, reply.target)
        case FaultKind.GATEWAY_TIMEOUT_AFTER:
            return _make_refusal(gateway_timeout(), ids, reply.target)
    return Reply(0, target=reply.target)


async def _answer_batch(directory: Directory, call: Call, ids: Ids) -> Reply:
    try:
        parts = read_parts(call)
    except GraphError as error:
        return _make_refusal(error, ids)
    return await answer_parts(
        parts, lambda part: answer_call(directory, part), backwards=directory.rules.batch_answers_reversed
    )


def _write_down(directory: Directory, call: Call, reply: Reply, taken: Cost, hit: Active | None) -> None:
    kind = "batch" if taken is NOTHING else "write" if taken.writes else "read"
    retry = call.headers.get("retry-attempt", "0")
    directory.journal.write(
        Line(
            at=directory.stamp(),
            method=call.method,
            path=("/beta" if call.beta else "/v1.0") + call.path,
            query_keys=tuple(call.query),
            kind=kind,
            units=taken.units,
            status=reply.status,
            target=reply.target,
            fault=hit.fault.kind if hit else None,
            in_batch=call.in_batch,
            retry_attempt=int(retry) if retry.isdigit() else 0,
            seconds=round(directory.now(), 3),
            marks=_list_owner_markers(call) if taken.writes else (),
        )
    )


def _list_owner_markers(call: Call) -> tuple[str, ...]:
    """Return the authorities whose owner markers a body names. A body that cannot be read is left to the handler."""
    try:
        return tuple(sorted(name for name in call.json() if MARK.fullmatch(name)))
    except GraphError:
        return ()
