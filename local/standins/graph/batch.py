"""``$batch``: up to 20 requests in one, each answered, throttled and charged alone. It is no transaction."""

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from local.standins.graph.calls import Call, Reply, split_address
from local.standins.graph.errors import GraphError, make_malformed, no_segment

MOST: Final = 20


@dataclass(frozen=True, slots=True)
class Part:
    """One request of a batch. ``refused`` is what is wrong with it alone."""

    id: str
    call: Call
    depends_on: tuple[str, ...] = ()
    refused: GraphError | None = None


def read_parts(call: Call) -> list[Part]:
    """The parts. Raises the outer 400 when the batch cannot be read as one."""
    wanted = call.json().get("requests")
    if not isinstance(wanted, list) or not wanted or not all(isinstance(each, dict) for each in wanted):
        raise make_malformed("Invalid batch payload format.")
    if len(wanted) > MOST:
        raise make_malformed(f"Number of batch request steps exceeds the maximum value of {MOST}.")
    ids = [each.get("id") for each in wanted]
    if not all(isinstance(each, str) and each for each in ids):
        raise make_malformed("Every batch request must have an id that is a string.")
    if len({str(each).lower() for each in ids}) < len(ids):
        raise make_malformed("Each batch request must have a unique id.")
    parts = [_read_part(call, each) for each in wanted]
    _check_order(parts)
    return parts


def _read_part(outer: Call, wanted: Mapping[str, Any]) -> Part:
    method, url = wanted.get("method"), wanted.get("url")
    headers = {str(name).lower(): str(value) for name, value in (wanted.get("headers") or {}).items()}
    if not isinstance(method, str) or not isinstance(url, str):
        raise make_malformed("Every batch request must have a method and a url.")
    segments, query = split_address(url)
    body = b"" if wanted.get("body") is None else json.dumps(wanted["body"]).encode()
    call = Call(
        method=method.upper(),
        segments=segments,
        query=query,
        headers={"authorization": outer.headers.get("authorization", ""), **headers},
        body=body,
        root=outer.root,
        beta=outer.beta,
        in_batch=True,
    )
    depends_on = tuple(str(each).lower() for each in wanted.get("dependsOn") or ())
    return Part(wanted["id"], call, depends_on, _find_refusal(url, call))


def _find_refusal(url: str, call: Call) -> GraphError | None:
    if "://" in url:  # what the SDK's own batch sends
        return no_segment(url.split("/", maxsplit=1)[0])
    if call.body and "content-type" not in call.headers:
        return make_malformed("A batch request with a body needs a Content-Type header.")
    return None


def _check_order(parts: Sequence[Part]) -> None:
    """A part may depend only on parts before it."""
    before: set[str] = set()
    for part in parts:
        if not before.issuperset(part.depends_on):
            raise make_malformed("A batch request depends on one that does not come before it.")
        before.add(part.id.lower())


async def answer_parts(parts: Sequence[Part], answer: Callable[[Call], Awaitable[Reply]], *, backwards: bool) -> Reply:
    """Answer the parts in order. The answers come in another order, to be matched by id."""
    statuses: dict[str, int] = {}
    responses: list[dict[str, Any]] = []
    for part in parts:
        reply = await _answer_part(part, statuses, answer)
        if reply.status == 0:
            return reply  # the connection carries the whole batch
        statuses[part.id.lower()] = reply.status
        responses.append(_make_response(part.id, reply))
    return Reply(200, {"responses": responses[::-1] if backwards else responses})


async def _answer_part(part: Part, statuses: Mapping[str, int], answer: Callable[[Call], Awaitable[Reply]]) -> Reply:
    if any(statuses[each] >= 400 for each in part.depends_on):  # noqa: PLR2004 - HTTP's own line
        error = GraphError(424, "FailedDependency", "A request that this one depends on failed.")
    elif part.refused:
        error = part.refused
    else:
        return await answer(part.call)
    return Reply(error.status, error.body("", ""))


def _make_response(part_id: str, reply: Reply) -> dict[str, Any]:
    headers = dict(reply.headers)
    response: dict[str, Any] = {"id": part_id, "status": reply.status, "headers": headers}
    if reply.body is not None:
        headers["Content-Type"] = "application/json"
        response["body"] = reply.body
    elif reply.page is not None:
        headers["Content-Type"] = "text/html"
        response["body"] = reply.page
    return response
