"""The errors of Notify's API, in the shape its documentation shows. Callers map them by status and type."""

from collections.abc import Sequence
from typing import Any

from aiohttp import web


class NotifyError(Exception):
    """Answered as JSON with a status, and one type and message for each thing that is wrong."""

    def __init__(self, status: int, error: str, *messages: str) -> None:
        super().__init__(f"{status} {error}: {'; '.join(messages)}")
        self.status = status
        self.errors: Sequence[dict[str, str]] = [{"error": error, "message": text} for text in messages]

    def response(self) -> web.Response:
        """The answer as Notify would give it."""
        body: dict[str, Any] = {"status_code": self.status, "errors": self.errors}
        return web.json_response(body, status=self.status)


def bad_request(message: str) -> NotifyError:
    """A request that is well formed but that this service, key or template does not allow."""
    return NotifyError(400, "BadRequestError", message)


def make_invalid(*messages: str) -> NotifyError:
    """A request whose fields do not fit the documented schema."""
    return NotifyError(400, "ValidationError", *messages)


def make_forbidden(message: str) -> NotifyError:
    """A token or service that Notify does not accept."""
    return NotifyError(403, "AuthError", message)


def service_suspended() -> NotifyError:
    """A suspended service's keys stop working. The wording is the API's."""
    return make_forbidden("Invalid token: service is archived")


def clock_wrong() -> NotifyError:
    """Return the error for a token whose time is more than 30 seconds from ours."""
    return make_forbidden("Error: Your system clock must be accurate to within 30 seconds")


def rate_limited(key_type: str, limit: int) -> NotifyError:
    """More than the limit of the last minute. Trying again in some seconds helps."""
    message = f"Exceeded rate limit for key type {key_type.upper()} of {limit} requests per 60 seconds"
    return NotifyError(429, "RateLimitError", message)


def daily_limit_reached(limit: int) -> NotifyError:
    """The day's allowance is used up. It returns at midnight UTC."""
    return NotifyError(429, "TooManyRequestsError", f"Exceeded send limits ({limit}) for today")


def not_found() -> NotifyError:
    """Nothing of this id belongs to the caller's service."""
    return NotifyError(404, "NoResultFound", "No result found")


def internal_error() -> NotifyError:
    """Notify was unable to process the request. Whether it stored anything is not said."""
    return NotifyError(500, "Exception", "Internal server error")
