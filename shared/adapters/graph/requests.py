"""Requests to Microsoft Graph, one at a time, and the meaning of its answers.

Errors of the SDK do not leave this module.
"""

import asyncio
import re
from collections import deque
from collections.abc import Awaitable
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Final

import httpx
from azure.core.exceptions import AzureError, ClientAuthenticationError
from kiota_abstractions.api_error import APIError

from shared.adapters.graph.attributes import Attributes
from shared.adapters.graph.client import graph_client
from shared.errors import AnswerLost, Cannot, DirectoryRefused, MigrationError, Stop, Throttled, TryLater
from shared.ports import Clock
from shared.telemetry import metrics

if TYPE_CHECKING:
    from azure.core.credentials_async import AsyncTokenCredential

DEADLINE: Final = 25
"""Seconds for a whole request, even if an answer arrives slowly."""
STRAIN_LASTS: Final = timedelta(seconds=5)
HIGHEST_STRAIN: Final = 10
"""The documentation mentions shares up to 1.8. A much higher number is no share."""
LONGEST_PAUSE: Final = 15 * 60
"""Seconds. The directory's own windows are minutes long."""
NOT_FOUND: Final = 404
CONFLICT: Final = 409
TOO_MANY: Final = 429
SERVER_ERROR: Final = 500


class GraphRequests:
    """Requests to Graph, with what the directory said of how full it is. Belongs to one event loop."""

    def __init__(
        self, url: str, attributes: Attributes, credential: "AsyncTokenCredential | None", clock: Clock
    ) -> None:
        self._client = graph_client(url, credential, self._note_strain)
        self._attributes = attributes
        self._clock = clock
        self._blocked_until: datetime | None = None
        self._strains: deque[tuple[datetime, float]] = deque()
        """The load that the directory named, with the time. Each entry names a higher load than the entries after it.
        """

    def strain(self) -> float:
        """The highest share of a limit that an answer of the last seconds spoke of."""
        self._forget_strains()
        return self._strains[0][1] if self._strains else 0.0

    async def _note_strain(self, response: httpx.Response) -> None:
        """Record the load that an answer names. The directory sends it from four fifths of a limit on."""
        try:
            share = float(response.headers.get("x-ms-throttle-limit-percentage", ""))
        except ValueError:
            return
        if not 0 < share <= HIGHEST_STRAIN:
            return
        self._forget_strains()
        while self._strains and self._strains[-1][1] <= share:
            self._strains.pop()
        self._strains.append((self._clock.now(), share))

    def _forget_strains(self) -> None:
        while self._strains and self._strains[0][0] + STRAIN_LASTS < self._clock.now():
            self._strains.popleft()

    async def _read[T](self, request: Awaitable[T]) -> T:
        try:
            return await self._ask(request)
        except _Lost:
            raise TryLater("directory_unreachable") from None
        except DirectoryRefused as refused:
            if refused.attribute:
                raise Stop("attribute_unknown", refused.code) from None
            raise Cannot("directory_refused", refused.code) from None

    async def _write[T](self, request: Awaitable[T]) -> T:
        try:
            return await self._ask(request)
        except _Lost:
            raise AnswerLost from None

    async def _ask[T](self, request: Awaitable[T]) -> T:
        """Make one request. Errors of the SDK may quote what we sent, so nothing of them is passed on."""
        self._wait_while_throttled(request)
        trouble: MigrationError
        try:
            async with asyncio.timeout(DEADLINE):
                answer = await request
        except APIError as error:
            trouble = self._meaning(error)
        except (httpx.ConnectError, httpx.ConnectTimeout):
            trouble = TryLater("directory_unreachable")
        except (httpx.HTTPError, TimeoutError, ValueError):
            trouble = _Lost()
        except ClientAuthenticationError:
            trouble = Stop("directory_sign_in_refused")
        except AzureError:
            # Nothing but the token is fetched by Azure's libraries: the directory was not asked.
            trouble = TryLater("directory_unreachable")
        else:
            metrics.count_metric(metrics.DIRECTORY_REQUESTS, result=metrics.Result.OK)
            return answer
        metrics.count_metric(metrics.DIRECTORY_REQUESTS, result=_count_as(trouble))
        raise trouble

    def _wait_while_throttled(self, request: Awaitable[object]) -> None:
        """Wait while the directory throttles. Requests in that time would only count against us."""
        if self._blocked_until and self._clock.now() < self._blocked_until:
            if asyncio.iscoroutine(request):
                request.close()
            raise Throttled("directory_throttled", self._blocked_until - self._clock.now(), known=True)

    def _meaning(self, error: APIError) -> MigrationError:
        status = error.response_status_code or 0
        code, told = _read_error(error)
        if status == TOO_MANY:
            after = _retry_after(error)
            self._blocked_until = self._clock.now() + (after or timedelta(seconds=5))
            return Throttled("directory_throttled", after)
        if code == "Directory_QuotaExceeded":
            return Stop("directory_full", code)
        if status == NOT_FOUND:
            return NoSuchUser()
        if status == httpx.codes.UNAUTHORIZED:
            return Stop("directory_sign_in_refused", code)
        if status == httpx.codes.FORBIDDEN:
            return Stop("permission_missing", code)
        if status >= SERVER_ERROR or status < httpx.codes.BAD_REQUEST or status == httpx.codes.REQUEST_TIMEOUT:
            return _Lost()
        return DirectoryRefused(
            code,
            conflict=status == CONFLICT or "ObjectConflict" in told or "already exists" in told,
            # Only whether it names what we named; its wording may change.
            attribute=any(name.lower() in told.lower() for name in self._attributes.all) and "InvalidValue" not in told,
            setting=any(word in told for word in ("passwordProfile", "forceChangePassword", "Issuer", "issuer")),
            target=_find_target(error, told),
        )


class NoSuchUser(MigrationError):
    """404."""


class _Lost(MigrationError):
    """No answer, or none that can be read."""


def _count_as(trouble: MigrationError) -> metrics.Result:
    """Return how a failed request is counted."""
    match trouble:
        case NoSuchUser():
            return metrics.Result.OK
        case Throttled():
            return metrics.Result.THROTTLED
        case _Lost() | TryLater():
            return metrics.Result.LOST
        case _:
            return metrics.Result.REFUSED


def _read_error(error: APIError) -> tuple[str, str]:
    """Return Graph's error code and the whole text of the answer, to look for our names in it."""
    main = getattr(error, "error", None)
    if main is None:
        return f"HTTP {error.response_status_code}", ""
    details = [f"{d.code} {d.target} {d.message}" for d in main.details or []]
    return str(main.code or ""), " ".join([str(main.code), str(main.message), str(main.target), *details])


def _find_target(error: APIError, told: str) -> str:
    """Return the property that an answer names. Only the name of a property is returned, so nothing personal."""
    main = getattr(error, "error", None)
    named = [detail.target for detail in main.details or []] + [main.target] if main else []
    named += re.findall(r"property '?([A-Za-z_]+)", told)
    named += [name for name in ("forceChangePasswordNextSignIn", "passwordProfile", "issuer") if name in told]
    return next((name for name in named if name and re.fullmatch(r"[A-Za-z_.]{1,60}", name)), "")


def _retry_after(error: APIError) -> timedelta | None:
    """Return how long to wait, from a number of seconds or a date: at least a second, and at most fifteen minutes."""
    text = (error.response_headers or {}).get("retry-after", "").strip()
    try:
        seconds = float(text) if text.isascii() and text.isdecimal() else _parse_retry_date(text)
    except (ValueError, TypeError, OverflowError):
        return None
    return timedelta(seconds=min(max(seconds, 1), LONGEST_PAUSE)) if seconds > 0 else None


def _parse_retry_date(text: str) -> float:
    return (parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds()
