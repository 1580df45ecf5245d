"""The stand-in for GOV.UK Notify, driven by the official client."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from functools import partial
from operator import methodcaller
from pathlib import Path
from typing import Any

import aiohttp
import jwt
import pytest
from notifications_python_client.errors import HTTPError
from notifications_python_client.notifications import NotificationsAPIClient

from local.standins.notify import services
from local.standins.notify.errors import NotifyError
from local.standins.notify.outbox import Message
from local.standins.notify.server import open_notify, serve_notify
from local.standins.notify.state import Notify

SET_PASSWORD = "00000000-0000-0000-0000-000000000001"
type Untyped = Any
"""The official client comes without types, and so does what it returns."""
CONNECT: Untyped = NotificationsAPIClient
type Question = Callable[[Untyped], Untyped]
ONE_ACCOUNT = "00000000-0000-0000-0000-000000000002"
GREAT_YARMOUTH_TEMPLATE = "00000000-0000-0000-0000-000000000011"
NAMES = {"first_name": "Ada", "last_name": "Larter"}


@pytest.fixture
def notify() -> Notify:
    return open_notify()


@pytest.fixture
async def address(notify: Notify) -> AsyncIterator[str]:
    async with serve_notify(notify) as url:
        yield url


async def ask(address: str, question: Question, key: str = services.SOUTH_NORFOLK_LIVE_KEY) -> Untyped:
    """What the official client makes of it; it waits for its answer, so it gets a thread."""

    def answer() -> Untyped:
        client = CONNECT(key, base_url=address, timeout=5)
        try:
            return question(client)
        finally:
            client.request_session.close()

    return await asyncio.to_thread(answer)


async def refused(address: str, question: Question, key: str = services.SOUTH_NORFOLK_LIVE_KEY) -> tuple[int, str, str]:
    """The status and the first error's type and message of a request that is not accepted."""
    with pytest.raises(HTTPError) as caught:
        await ask(address, question, key)
    assert caught.value.response is not None
    body = caught.value.response.json()
    assert body["status_code"] == caught.value.status_code
    return caught.value.status_code, body["errors"][0]["error"], body["errors"][0]["message"]


def send(
    connected: Untyped,
    email: str = "ada@example.org",
    template: str = SET_PASSWORD,
    names: dict[str, str] | None = None,
    reference: str | None = "run-1",
    **more: object,
) -> Untyped:
    return connected.send_email_notification(email, template, NAMES if names is None else names, reference, **more)


async def standin(address: str, method: str, path: str, body: object = None) -> Untyped:
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, f"{address}/_standin/{path}", json=body) as response,
    ):
        assert response.status == 200, await response.text()
        return await response.json()


def message_of(notify: Notify, message_id: str) -> Message:
    found = notify.outbox.get(message_id)
    assert found
    return found


async def test_an_accepted_message_is_answered_and_found_again(address: str) -> None:
    accepted = await ask(address, send)
    assert accepted["reference"] == "run-1"
    assert accepted["content"]["subject"] == "Set a new password for your South Norfolk Council account"
    assert accepted["content"]["body"].startswith("Dear Ada Larter,")
    assert accepted["template"]["version"] == 1
    assert accepted["scheduled_for"] is None

    found = await ask(address, lambda c: c.get_notification_by_id(accepted["id"]))
    assert (found["email_address"], found["type"], found["status"]) == ("ada@example.org", "email", "created")
    assert (found["sent_at"], found["completed_at"], found["phone_number"]) == (None, None, None)


async def test_the_same_reference_twice_is_two_messages(address: str) -> None:
    first, second = await ask(address, send), await ask(address, send)
    assert first["id"] != second["id"]
    found = await ask(address, lambda c: c.get_all_notifications(reference="run-1"))
    assert [each["id"] for each in found["notifications"]] == [second["id"], first["id"]]


async def test_a_status_moves_with_time(address: str, notify: Notify) -> None:
    start = time.time()
    notify.clock = lambda: start
    accepted = await ask(address, send)
    for later, expected in ((0.0, "created"), (0.5, "sending"), (1.5, "delivered")):
        now = start + later
        notify.clock = partial(float, now)
        found = await ask(address, lambda c: c.get_notification_by_id(accepted["id"]))
        assert found["status"] == expected
        listed = await ask(address, methodcaller("get_all_notifications", status=expected))
        assert len(listed["notifications"]) == 1


@pytest.mark.parametrize(
    ("email", "status"),
    [("temp-fail@simulator.notify", "temporary-failure"), ("perm-fail@simulator.notify", "permanent-failure")],
)
async def test_simulator_addresses_fail_in_the_end(address: str, notify: Notify, email: str, status: str) -> None:
    accepted = await ask(address, lambda c: send(c, email), services.SOUTH_NORFOLK_TEST_KEY)
    notify.clock = lambda: time.time() + 5
    found = await ask(address, lambda c: c.get_notification_by_id(accepted["id"]))
    assert found["status"] == status
    failed = await ask(address, lambda c: c.get_all_notifications(status="failed"), services.SOUTH_NORFOLK_TEST_KEY)
    assert [each["id"] for each in failed["notifications"]] == [accepted["id"]]


async def test_a_domain_can_be_told_to_bounce(address: str, notify: Notify) -> None:
    await standin(
        address, "PATCH", "rules", {"permanent_failure_domains": ["gone.example.org"], "completed_after_ms": 0}
    )
    await ask(address, lambda c: send(c, "ada@gone.example.org"))
    notify.clock = lambda: time.time() + 5
    assert [each["status"] for each in await standin(address, "GET", "notifications")] == ["permanent-failure"]


async def test_smoke_addresses_get_an_id_that_nobody_finds(address: str) -> None:
    accepted = await ask(address, lambda c: send(c, "simulate-delivered-2@notifications.service.gov.uk"))
    assert await refused(address, lambda c: c.get_notification_by_id(accepted["id"])) == (
        404,
        "NoResultFound",
        "No result found",
    )
    assert await standin(address, "GET", "notifications") == []


async def test_the_iterator_of_the_client_pages_through_all(address: str, notify: Notify) -> None:
    def send_many(connected: Untyped) -> None:
        for number in range(260):
            send(connected, reference=f"run-{number}")

    await ask(address, send_many)
    found = await ask(address, lambda c: [each["reference"] for each in c.get_all_notifications_iterator()])
    assert found == [f"run-{number}" for number in reversed(range(260))]
    page = await ask(address, lambda c: c.get_all_notifications(template_type="email"))
    assert len(page["notifications"]) == 250
    assert (await ask(address, lambda c: c.get_all_notifications(template_type="letter")))["notifications"] == []
    assert notify.outbox.journal()[-1].status == 200


async def test_a_list_holds_what_the_same_kind_of_key_sent(address: str) -> None:
    accepted = await ask(address, send, services.SOUTH_NORFOLK_TEST_KEY)
    assert (await ask(address, lambda c: c.get_all_notifications()))["notifications"] == []
    assert (await ask(address, lambda c: c.get_notification_by_id(accepted["id"])))["reference"] == "run-1"
    others = services.GREAT_YARMOUTH_LIVE_KEY
    assert (await refused(address, lambda c: c.get_notification_by_id(accepted["id"]), others))[0] == 404


async def test_messages_older_than_the_retention_are_gone(address: str, notify: Notify) -> None:
    accepted = await ask(address, send)
    last_week = replace(message_of(notify, accepted["id"]), id=ONE_ACCOUNT, created_at=time.time() - 8 * 86_400)
    notify.outbox.add(last_week)
    assert len((await ask(address, lambda c: c.get_all_notifications()))["notifications"]) == 1
    assert (await refused(address, lambda c: c.get_notification_by_id(ONE_ACCOUNT)))[0] == 404
    await standin(address, "PATCH", "rules", {"retention_days": 9})
    assert (await ask(address, lambda c: c.get_notification_by_id(ONE_ACCOUNT)))["reference"] == "run-1"


@pytest.mark.parametrize(
    ("question", "status", "error", "message"),
    [
        (lambda c: send(c, "not an address"), 400, "ValidationError", "email_address Not a valid email address"),
        (lambda c: send(c, "ada@example"), 400, "ValidationError", "email_address Not a valid email address"),
        (lambda c: send(c, template="x"), 400, "ValidationError", "template_id is not a valid UUID"),
        (lambda c: send(c, reference="r" * 1001), 400, "ValidationError", "reference is too long"),
        (lambda c: c.post("/v2/notifications/email", {"template_id": SET_PASSWORD}), 400, "ValidationError",
         "email_address is a required property"),
        (lambda c: c.post("/v2/notifications/email", []), 400, "BadRequestError", "Invalid JSON supplied in POST data"),
        (lambda c: send(c, template=GREAT_YARMOUTH_TEMPLATE), 400, "BadRequestError", "Template not found"),
        (lambda c: send(c, names={"last_name": "Larter"}), 400, "BadRequestError",
         "Missing personalisation: first_name"),
        (lambda c: send(c, email_reply_to_id=SET_PASSWORD), 400, "BadRequestError",
         f"email_reply_to_id {SET_PASSWORD} does not exist in database for service id {services.SOUTH_NORFOLK.id}"),
        (lambda c: c.send_sms_notification("07700900000", SET_PASSWORD), 400, "BadRequestError",
         "Service is not allowed to send text messages"),
        (lambda c: c.send_letter_notification(SET_PASSWORD, {"address_line_1": "x"}), 400, "BadRequestError",
         "Service is not allowed to send letters"),
        (lambda c: c.get_notification_by_id("1"), 400, "ValidationError", "id is not a valid UUID"),
        (lambda c: c.get_all_notifications(template_type="fax"), 400, "ValidationError",
         "template_type fax is not one of [sms, email, letter]"),
        (lambda c: c.get_template(GREAT_YARMOUTH_TEMPLATE), 404, "NoResultFound", "No result found"),
        (lambda c: c.get_template_version(SET_PASSWORD, 2), 404, "NoResultFound", "No result found"),
        (lambda c: c.post_template_preview(SET_PASSWORD, {}), 400, "BadRequestError",
         "Missing personalisation: first_name, last_name"),
    ],
)  # fmt: skip
async def test_what_is_wrong_is_told_as_documented(
    address: str, question: Question, status: int, error: str, message: str
) -> None:
    assert await refused(address, question) == (status, error, message)


async def test_a_wrong_status_in_a_query_names_the_right_ones(address: str) -> None:
    status, error, message = await refused(address, lambda c: c.get_all_notifications(status="lost"))
    assert (status, error) == (400, "ValidationError")
    assert message.startswith("status lost is not one of [cancelled, created, sending")


async def test_longest_reference_is_accepted(address: str) -> None:
    assert len((await ask(address, lambda c: send(c, reference="r" * 1000)))["reference"]) == 1000


async def test_another_secret_is_refused(address: str) -> None:
    wrong = f"{services.SOUTH_NORFOLK_LIVE_KEY[:-1]}9"
    assert await refused(address, send, wrong) == (403, "AuthError", "Invalid token: API key not found")


async def test_an_unknown_service_is_refused(address: str) -> None:
    unknown = f"x-{SET_PASSWORD}-{services.SOUTH_NORFOLK.keys[0].secret}"
    assert await refused(address, send, unknown) == (403, "AuthError", "Invalid token: service not found")


@pytest.mark.parametrize("wrong_by", [-40, 40])
async def test_a_clock_that_is_wrong_by_more_than_half_a_minute_is_refused(address: str, wrong_by: int) -> None:
    key = services.SOUTH_NORFOLK.keys[0]
    token = jwt.encode({"iss": key.service_id, "iat": int(time.time()) + wrong_by}, key.secret)
    async with (
        aiohttp.ClientSession(headers={"Authorization": f"Bearer {token}"}) as session,
        session.get(f"{address}/v2/templates") as response,
    ):
        assert response.status == 403
        error = (await response.json())["errors"][0]
        assert error["error"] == "AuthError"
        assert "system clock must be accurate to within 30 seconds" in error["message"]


async def test_no_token_is_refused(address: str) -> None:
    async with aiohttp.ClientSession() as session, session.get(f"{address}/v2/templates") as response:
        assert response.status == 401


async def test_a_team_key_reaches_only_the_team(address: str) -> None:
    status, error, message = await refused(address, send, services.SOUTH_NORFOLK_TEAM_KEY)
    assert (status, error) == (400, "BadRequestError")
    assert "team-only API key" in message
    assert await ask(address, lambda c: send(c, "guest@example.org"), services.SOUTH_NORFOLK_TEAM_KEY)


async def test_in_trial_mode_only_the_team_is_reached_and_tests_go_on(address: str) -> None:
    await standin(address, "PATCH", "rules", {"trial_mode": ["south-norfolk"]})
    status, error, message = await refused(address, send)
    assert (status, error) == (400, "BadRequestError")
    assert "trial mode" in message
    assert await ask(address, lambda c: send(c, "team.member@example.org"))
    assert await ask(address, send, services.SOUTH_NORFOLK_TEST_KEY)
    assert await ask(address, lambda c: send(c, template=GREAT_YARMOUTH_TEMPLATE), services.GREAT_YARMOUTH_LIVE_KEY)


async def test_a_suspended_service_is_refused_and_the_other_goes_on(address: str) -> None:
    await standin(address, "PATCH", "rules", {"suspended": ["south-norfolk"]})
    assert await refused(address, send) == (403, "AuthError", "Invalid token: service is archived")
    assert await ask(address, lambda c: c.get_all_templates(), services.GREAT_YARMOUTH_LIVE_KEY)


async def test_a_burst_is_limited_for_each_kind_of_key_and_refills(address: str, notify: Notify) -> None:
    await standin(address, "PATCH", "rules", {"rate_limit": 6})
    notify.steady = lambda: 100.0
    for _ in range(3):
        await ask(address, send)
    assert await refused(address, send) == (
        429,
        "RateLimitError",
        "Exceeded rate limit for key type LIVE of 6 requests per 60 seconds",
    )
    assert await ask(address, send, services.SOUTH_NORFOLK_TEST_KEY)
    notify.steady = lambda: 110.0
    assert await ask(address, send)


async def test_a_day_has_a_limit(address: str, notify: Notify) -> None:
    await standin(address, "PATCH", "rules", {"daily_limit": 2})
    await ask(address, send)
    await ask(address, send)
    assert await refused(address, send) == (429, "TooManyRequestsError", "Exceeded send limits (2) for today")
    notify.change_rules(notify.rules.changed({"daily_limit": 3}))
    assert await ask(address, send)


async def test_the_day_ends_at_midnight_utc(address: str, notify: Notify) -> None:
    service, key = services.SOUTH_NORFOLK, services.SOUTH_NORFOLK.keys[0]
    await standin(address, "PATCH", "rules", {"daily_limit": 1})
    await ask(address, send)
    with pytest.raises(NotifyError):
        notify.check_limits(service, key)
    notify.clock = lambda: time.time() + 86_400
    notify.check_limits(service, key)


async def test_names_cannot_add_links_or_formatting_when_sanitised(address: str) -> None:
    names = {"first_name": "[Click](https://evil.example.net)", "last_name": "# https://evil.example.net *x*"}
    guarded = await ask(address, lambda c: send(c, names=names, sanitise_content_for=["first_name", "last_name"]))
    assert "evil" not in guarded["content"]["body"]
    assert r"\[Click\]" in guarded["content"]["body"]
    open_to_all = await ask(address, lambda c: send(c, names=names))
    assert "[Click](https://evil.example.net)" in open_to_all["content"]["body"]


async def test_templates_are_shown_and_previewed_without_sending(address: str) -> None:
    listed = await ask(address, lambda c: c.get_all_templates())
    found = {each["name"]: each["id"] for each in listed["templates"]}
    assert (found["set-your-password"], found["now-one-account"]) == (SET_PASSWORD, ONE_ACCOUNT)
    assert set(found) - {"set-your-password", "now-one-account"} == {
        "account-is-changing",
        "accounts-become-one",
        "staff-notice",
    }
    template = await ask(address, lambda c: c.get_template(ONE_ACCOUNT))
    assert set(template["personalisation"]) == {"first_name", "last_name"}
    preview = await ask(address, lambda c: c.post_template_preview(ONE_ACCOUNT, NAMES))
    assert preview["body"].startswith("Dear Ada Larter,")
    assert "<h2>What has changed</h2>" in preview["html"]
    assert await standin(address, "GET", "notifications") == []


async def test_everything_outlives_a_restart(tmp_path: Path) -> None:
    async with serve_notify(open_notify(tmp_path)) as address:
        accepted = await ask(address, send)
        await standin(address, "PATCH", "rules", {"daily_limit": 1})
    async with serve_notify(open_notify(tmp_path)) as address:
        assert (await ask(address, lambda c: c.get_notification_by_id(accepted["id"])))["reference"] == "run-1"
        assert (await refused(address, send))[1] == "TooManyRequestsError"
        assert len(await standin(address, "GET", "journal")) == 3
