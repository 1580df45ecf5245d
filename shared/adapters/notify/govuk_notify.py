"""The message service GOV.UK Notify, by its official client.

The client is synchronous and not thread-safe: it is kept off the event loop, in a small pool with one for each thread.
"""

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

from notifications_python_client.errors import APIError
from notifications_python_client.notifications import NotificationsAPIClient

from shared.errors import AnswerLost, Hold, MigrationError, Stop, Throttled, TryLater
from shared.model.account import Authority
from shared.model.message_fields import ANNOUNCING, CHANGE_DATE, PLACEHOLDERS
from shared.model.profile import Profile
from shared.ports import Clock, Letter, Notice, Preview

THREADS: Final = 8
TIMEOUT: Final = 20
RATE_PAUSE: Final = timedelta(seconds=10)
BAD_REQUEST: Final = 400
NO_TEMPLATE: Final = "NoResultFound"
NO_ID: Final = "id is not a valid UUID"
TOO_MANY: Final = 429
SERVER_ERROR: Final = 500
UNREACHABLE: Final = "message_service_unreachable"
KEY_LENGTH: Final = 73
"""The length of service id and secret: two UUIDs and a hyphen. The client checks it. A name may stand before them."""
INVENTED_DATE: Final = "Tuesday 1 December 2026"
FAILED: Final = ("permanent-failure", "temporary-failure", "technical-failure")
RECEIPT_CACHE_TIME: Final = timedelta(seconds=20)
"""How long the list of undelivered messages is remembered."""
RECEIPT_CACHE_FACTOR: Final = 20
"""The list is also remembered for this many times the duration of the request, because it may have many pages."""


class GovukNotifyNotifier:
    """The `Notifier` port on GOV.UK Notify. Each council has its own service, and so its own key."""

    def __init__(self, url: str, key_of: Callable[[Authority], str | None], clock: Clock) -> None:
        # It logs whole error texts at WARNING.
        logging.getLogger("notifications_python_client").setLevel(logging.CRITICAL)
        self._url = url
        self._key_of = key_of
        self._clock = clock
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="notify")
        self._local = threading.local()
        self._blocked_until: dict[Authority, datetime] = {}
        self._undelivered: dict[Authority, tuple[datetime, list[str]]] = {}

    async def send(self, profile: Profile, letter: Letter) -> str:
        """Send one e-mail. The service sanitises the names, so that a name never becomes a link."""
        values = {"first_name": letter.given_name or "customer", "last_name": letter.surname}
        if letter.change_date:
            values[CHANGE_DATE] = letter.change_date
        return await self._send_message(
            profile,
            lambda client: client.send_email_notification(
                email_address=letter.address,
                template_id=letter.template,
                personalisation=values,
                reference=letter.reference,
                email_reply_to_id=profile.messages.reply_to,
                sanitise_content_for=list(PLACEHOLDERS),
            ),
        )

    async def send_notice(self, profile: Profile, notice: Notice) -> str:
        """Send one e-mail to staff. Subject and text are ours and hold nothing that a person typed."""
        return await self._send_message(
            profile,
            lambda client: client.send_email_notification(
                email_address=notice.address,
                template_id=notice.template,
                personalisation={"subject": notice.subject, "text": notice.text},
                reference=notice.reference,
                email_reply_to_id=profile.messages.reply_to,
            ),
        )

    async def _send_message(self, profile: Profile, request: Callable[[NotificationsAPIClient], Any]) -> str:
        sent = await self._ask_service(profile, request, lost=AnswerLost())
        if not isinstance(sent, dict) or not sent.get("id"):
            raise AnswerLost
        return str(sent["id"])

    async def find(self, profile: Profile, reference: str) -> str | None:
        """The id of a message that the service took with this reference."""
        answer = await self._ask_service(
            profile, lambda client: client.get_all_notifications(reference=reference), lost=TryLater(UNREACHABLE)
        )
        found = answer.get("notifications") if isinstance(answer, dict) else None
        if found is None:
            raise TryLater(UNREACHABLE)
        return str(found[0]["id"]) if found else None

    async def undelivered(self, profile: Profile, since: datetime) -> AsyncIterator[str]:
        """The ids of what failed, newest first."""
        again, known = self._undelivered.get(profile.authority, (None, []))
        asked = self._clock.now()
        if again is None or asked >= again:
            known = [id_ async for id_ in self._list_failed(profile, since)]
            took = self._clock.now() - asked
            self._undelivered[profile.authority] = (asked + max(RECEIPT_CACHE_TIME, RECEIPT_CACHE_FACTOR * took), known)
        for id_ in known:
            yield id_

    async def _list_failed(self, profile: Profile, since: datetime) -> AsyncIterator[str]:
        """Page by page, until one begins before `since`."""
        older_than: str | None = None
        while True:
            ask = partial(NotificationsAPIClient.get_all_notifications, status=list(FAILED), older_than=older_than)
            answer = await self._ask_service(profile, ask, lost=TryLater(UNREACHABLE))
            try:
                page = [
                    (str(each["id"]), datetime.fromisoformat(each["created_at"])) for each in answer["notifications"]
                ]
            except (KeyError, TypeError, ValueError):
                raise TryLater(UNREACHABLE) from None
            for id_, created_at in page:
                if created_at >= since:
                    yield id_
            if not page or page[-1][1] < since:
                return
            older_than = page[-1][0]

    async def preview(self, profile: Profile, message: str, given_name: str, surname: str) -> Preview:
        """Return the template, filled in for a person who does not exist."""
        template = profile.messages.templates[message]  # type: ignore[index]  # a message that the profile has
        values = {"first_name": given_name, "last_name": surname}
        if message in ANNOUNCING:
            values[CHANGE_DATE] = INVENTED_DATE
        answer = await self._ask_service(
            profile, lambda client: client.post_template_preview(template, values), lost=TryLater(UNREACHABLE)
        )
        try:
            return Preview(str(answer["subject"]), str(answer["body"]), int(answer["version"]))
        except (KeyError, TypeError, ValueError):
            raise TryLater(UNREACHABLE) from None

    async def _ask_service(
        self, profile: Profile, request: Callable[[NotificationsAPIClient], Any], lost: MigrationError
    ) -> Any:  # noqa: ANN401 - JSON
        blocked = self._blocked_until.get(profile.authority)
        if blocked and self._clock.now() < blocked:
            raise Throttled("message_service_throttled", blocked - self._clock.now(), known=True)
        trouble: MigrationError
        try:
            return await asyncio.get_running_loop().run_in_executor(
                self._pool, lambda: request(self._get_client(profile.authority))
            )
        except APIError as error:
            trouble = self._read_error_meaning(profile.authority, error, lost)
        raise trouble

    def _get_client(self, authority: Authority) -> NotificationsAPIClient:
        """This thread's client of this council's service."""
        key = self._key_of(authority)
        if not key:
            raise Stop("message_service_refused", f"no NOTIFY_API_KEY for {authority}")
        if len(key) < KEY_LENGTH:
            raise Stop("message_service_refused", f"the NOTIFY_API_KEY for {authority} is not whole")
        clients: dict[Authority, NotificationsAPIClient] = self._local.__dict__.setdefault("clients", {})
        if authority not in clients:
            clients[authority] = NotificationsAPIClient(key, base_url=self._url, timeout=TIMEOUT)
        return clients[authority]

    def _read_error_meaning(self, authority: Authority, error: APIError, lost: MigrationError) -> MigrationError:
        """Return the meaning of an error, by status and type. Of its text, only a named field counts."""
        if error.response is None:
            return lost
        status = error.status_code
        kinds, told = _read_error(error)
        if status == TOO_MANY:
            wait = _until_midnight(self._clock.now()) if "TooManyRequestsError" in kinds else RATE_PAUSE
            self._blocked_until[authority] = self._clock.now() + wait
            return Throttled("message_service_throttled", wait)
        if status >= SERVER_ERROR or status < BAD_REQUEST:
            return lost
        if status == BAD_REQUEST and "ValidationError" in kinds and "email_address" in told:
            return Hold("address_refused")
        about_template = status == BAD_REQUEST and ("ersonalisation" in told or "emplate" in told)
        # A preview names the template in its path alone, so the refusal calls it by no other name.
        unknown = NO_TEMPLATE in kinds or (status == BAD_REQUEST and told == NO_ID)
        about_template = about_template or unknown
        reason = "message_template_refused" if about_template else "message_service_refused"
        return Stop(reason, f"HTTP {status} {' '.join(sorted(kinds))}")


def _read_error(error: APIError) -> tuple[set[str], str]:
    if error.response is None:
        return set(), ""
    try:
        errors = error.response.json().get("errors") or []
    except (ValueError, AttributeError):
        return set(), ""
    return {str(e.get("error")) for e in errors}, " ".join(str(e.get("message")) for e in errors)


def _until_midnight(now: datetime) -> timedelta:
    """The daily limit is reset at midnight UTC."""
    tomorrow = (now + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    return tomorrow - now
