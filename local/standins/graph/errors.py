"""Graph's refusals, with their codes and sentences.

Texts marked *unverified* were not found in Microsoft's pages. Callers must not depend on any text.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

DENIED = "Insufficient privileges to complete the operation."
WEAK_PASSWORD = (
    "The specified password does not comply with password complexity requirements. "  # noqa: S105 - a sentence
    "Please provide a different password."
)
QUOTA = (
    "The directory object quota limit for the Tenant has been exceeded. Please ask your administrator to "
    "increase the quota limit or delete objects to reduce the used quota."
)
LOCAL_ONTO_FEDERATED = (
    "Adding a non-federated user signInType is not permitted if the user only has social/federated "
    "identities or no identities"
)


@dataclass(frozen=True, slots=True)
class Detail:
    """One entry of ``error.details``: what exactly was wrong, and with which property."""

    code: str
    target: str


class GraphError(Exception):
    """Graph answers with this status and an error body. Nothing was stored."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        detail: Detail | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.detail = detail
        self.headers: Mapping[str, str] = headers or {}

    def body(self, request_id: str, client_request_id: str) -> dict[str, Any]:
        """The JSON of the answer. ``innerError.date`` carries no zone, as in Graph."""
        error: dict[str, Any] = {"code": self.code, "message": self.message}
        if self.detail:
            error["details"] = [{"code": self.detail.code, "message": self.message, "target": self.detail.target}]
        error["innerError"] = {
            "date": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S"),
            "request-id": request_id,
            "client-request-id": client_request_id,
        }
        return {"error": error}


class ThrottledError(GraphError):
    """429. Its inner error repeats the status, which the other errors do not do."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        super().__init__(429, "TooManyRequests", "Please retry again later.", headers=headers)

    def body(self, request_id: str, client_request_id: str) -> dict[str, Any]:
        """The documented 429 body."""
        body = super().body(request_id, client_request_id)
        body["error"]["innerError"] |= {"code": "429", "message": "Please retry after", "status": "429"}
        return body


def bad_request(message: str, detail: Detail | None = None) -> GraphError:
    """Refuse a value or a combination of values."""
    return GraphError(400, "Request_BadRequest", message, detail)


def make_conflict(name: str, status: int = 400) -> GraphError:
    """Another object, alive or (by a switch) in the recycle bin, holds the value. 400 in Graph, not 409."""
    message = f"Another object with the same value for property {name} already exists."
    return GraphError(status, "Request_BadRequest", message, Detail("ObjectConflict", name))


def invalid_value(name: str) -> GraphError:
    """Refuse the value of one property."""
    message = f"Invalid value specified for property '{name}' of resource 'User'."
    return bad_request(message, Detail("InvalidValue", name))


def make_required(name: str) -> GraphError:
    """Refuse a create of a user that lacks a property."""
    return required_of(name, "User")


def required_of(name: str, kind: str) -> GraphError:
    """Refuse a create that lacks a property (details code unverified)."""
    message = f"A value is required for property '{name}' of resource '{kind}'."
    return bad_request(message, Detail("PropertyRequired", name))


def wrong_shape(name: str) -> GraphError:
    """Refuse JSON of another type than the schema's."""
    message = f"Property {name} in payload has a value that does not match schema."
    return GraphError(400, "BadRequest", message)


def read_only(name: str) -> GraphError:
    """Refuse to write what only the directory writes (text unverified)."""
    return bad_request(f"Property '{name}' is read-only and cannot be set.", Detail("InvalidValue", name))


def unknown_property(name: str) -> GraphError:
    """Refuse a property that a user does not have (text unverified)."""
    return bad_request(f"Property '{name}' does not exist as a declared property or extension property.")


def extensions_unavailable(names: Sequence[str]) -> GraphError:
    """Refuse extension properties that are unknown, of another application, or too new."""
    return bad_request(f"The following extension properties are not available: {','.join(names)}.")


def weak_password() -> GraphError:
    """Refuse a password that is too short, too long or too plain."""
    return bad_request(WEAK_PASSWORD, Detail("InvalidValue", "passwordProfile"))


def unsupported_query(message: str) -> GraphError:
    """Refuse a question that the directory does not answer."""
    return GraphError(400, "Request_UnsupportedQuery", message)


def make_malformed(message: str) -> GraphError:
    """Refuse what could not be read."""
    return GraphError(400, "BadRequest", message)


def no_segment(segment: str) -> GraphError:
    """Refuse an address that is not one of the directory's."""
    return make_malformed(f"Resource not found for the segment '{segment}'.")


def not_found(target: str) -> GraphError:
    """Return 404: there is no such user, or reads do not show the user yet."""
    message = f"Resource '{target}' does not exist or one of its queried reference-property objects are not present."
    return GraphError(404, "Request_ResourceNotFound", message)


def method_refused() -> GraphError:
    """The address exists. This method does not."""
    return GraphError(405, "Request_BadRequest", "Specified HTTP method is not allowed for the request target.")


def make_denied() -> GraphError:
    """The application lacks a permission or a role."""
    return GraphError(403, "Authorization_RequestDenied", DENIED)


def quota_exceeded() -> GraphError:
    """The tenant is full."""
    return GraphError(403, "Directory_QuotaExceeded", QUOTA)


def token_refused(message: str) -> GraphError:
    """No token, or one that is not accepted."""
    return GraphError(401, "InvalidAuthenticationToken", message, headers={"WWW-Authenticate": "Bearer"})


def make_unavailable() -> GraphError:
    """Return 503, which does not say if the write happened."""
    return GraphError(503, "serviceNotAvailable", "The service is temporarily unavailable. Please try again.")


def gateway_timeout() -> GraphError:
    """Return 504, which does not say if the write happened."""
    return GraphError(504, "UnknownError", "The gateway did not receive a response in time.")
