"""Trouble on order: what the sender sees, and what Notify holds afterwards."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from notifications_python_client.errors import HTTPError
from notifications_python_client.notifications import NotificationsAPIClient

from local.standins.notify import services
from local.standins.notify.server import open_notify, serve_notify

SET_PASSWORD = "00000000-0000-0000-0000-000000000001"
type Untyped = Any
"""The official client comes without types, and so does what it returns."""
CONNECT: Untyped = NotificationsAPIClient
NAMES = {"first_name": "Ada", "last_name": "Larter"}


@pytest.fixture
async def address() -> AsyncIterator[str]:
    async with serve_notify(open_notify()) as url:
        yield url


async def send(address: str) -> Untyped:
    def answer() -> Untyped:
        client = CONNECT(services.SOUTH_NORFOLK_LIVE_KEY, base_url=address, timeout=1)
        try:
            return client.send_email_notification("ada@example.org", SET_PASSWORD, NAMES, "run-1")
        finally:
            client.request_session.close()

    return await asyncio.to_thread(answer)


async def failing(address: str) -> tuple[int, str]:
    """The status (503 stands for: no answer) and the error's type, of a send that does not succeed."""
    with pytest.raises(HTTPError) as caught:
        await send(address)
    errors = caught.value.message
    return caught.value.status_code, errors[0]["error"] if isinstance(errors, list) else ""


async def standin(address: str, method: str, path: str, body: object = None, status: int = 200) -> Untyped:
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, f"{address}/_standin/{path}", json=body) as response,
    ):
        assert response.status == status, await response.text()
        return await response.json()


@pytest.mark.parametrize(
    ("kind", "status", "error", "stored"),
    [
        ("error-500-before-store", 500, "Exception", 0),
        ("error-500-after-store", 500, "Exception", 1),
        ("drop-before-store", 503, "", 0),
        ("drop-after-store", 503, "", 1),
        ("hang", 503, "", 0),
        ("hang-after-store", 503, "", 1),
        ("rate-limited", 429, "RateLimitError", 0),
        ("daily-limit", 429, "TooManyRequestsError", 0),
        ("suspended", 403, "AuthError", 0),
        ("clock-wrong", 403, "AuthError", 0),
        ("bad-gateway", 502, "", 0),
    ],
)
async def test_each_fault_is_seen_and_leaves_what_it_says(
    address: str, kind: str, status: int, error: str, stored: int
) -> None:
    await standin(address, "POST", "faults", {"kind": kind, "count": 1})
    assert await failing(address) == (status, error)
    assert len(await standin(address, "GET", "notifications")) == stored
    assert await send(address)


async def test_every_third_send_fails(address: str) -> None:
    await standin(address, "POST", "faults", {"kind": "error-500-before-store", "every": 3})
    seen = []
    for _ in range(6):
        try:
            await send(address)
            seen.append("accepted")
        except HTTPError:
            seen.append("failed")
    assert seen == ["accepted", "accepted", "failed"] * 2


async def test_a_fault_ends_with_its_time_or_when_it_is_cleared(address: str) -> None:
    await standin(address, "POST", "faults", {"kind": "suspended", "seconds": 0.01})
    await asyncio.sleep(0.05)
    assert await send(address)
    await standin(address, "POST", "faults", {"kind": "suspended"})
    assert (await failing(address))[0] == 403
    assert await standin(address, "DELETE", "faults") == {"faults": []}
    assert await send(address)


async def test_the_journal_holds_every_request_with_what_struck_it(address: str) -> None:
    await send(address)
    await standin(address, "POST", "faults", {"kind": "drop-after-store", "count": 1})
    await failing(address)
    first, second = await standin(address, "GET", "journal")
    assert (first["method"], first["path"], first["reference"]) == ("POST", "/v2/notifications/email", "run-1")
    assert (first["status"], first["fault"]) == (201, None)
    assert (second["status"], second["fault"], second["reference"]) == (None, "drop-after-store", "run-1")


async def test_a_wrong_order_says_what_is_wrong(address: str) -> None:
    refused = await standin(address, "POST", "faults", {"kind": "earthquake"}, status=400)
    assert refused["errors"][0].startswith("kind: Input should be 'error-500-before-store'")
    assert (await standin(address, "PATCH", "rules", {"rate_limit": 0}, status=400))["errors"]
    assert (await standin(address, "PATCH", "rules", {"speed": 1}, status=400))["errors"]
    assert (await standin(address, "PATCH", "rules", [], status=400))["errors"]


async def test_health_says_that_it_is_ready(address: str) -> None:
    assert await standin(address, "GET", "health") == {"status": "ok", "notifications": 0}
