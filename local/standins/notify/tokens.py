"""The caller: the JSON Web Token that the official client signs for every request."""

from collections.abc import Mapping
from typing import Any, Final

import jwt

from local.standins.notify.errors import NotifyError, clock_wrong, make_forbidden
from local.standins.notify.services import ApiKey, Service

CLOCK_TOLERANCE_SECONDS: Final = 30


def authenticate_request(header: str | None, services: Mapping[str, Service], now: float) -> tuple[Service, ApiKey]:
    """The service and key that signed the request. Raises `NotifyError` 401 or 403."""
    token = _bearer_token(header)
    service = services.get(_read_issuer(token))
    if service is None:
        raise make_forbidden("Invalid token: service not found")
    for key in service.keys:
        claims = _read_claims(token, key)
        if claims is not None:
            _check_time(claims, now)
            return service, key
    raise make_forbidden("Invalid token: API key not found")


def _bearer_token(header: str | None) -> str:
    if not header:
        raise NotifyError(401, "AuthError", "Unauthorized: authentication token must be provided")
    scheme, _, token = header.partition(" ")
    if scheme.title() != "Bearer":
        raise NotifyError(401, "AuthError", "Unauthorized: authentication bearer scheme must be used")
    return token


def _read_issuer(token: str) -> str:
    try:
        claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    except jwt.InvalidTokenError:
        raise make_forbidden("Invalid token: not a valid JSON web token") from None
    if "iss" not in claims:
        raise make_forbidden("Invalid token: iss field not provided")
    return str(claims["iss"])


def _read_claims(token: str, key: ApiKey) -> dict[str, Any] | None:
    """Return the claims. None if another key signed the token.

    The time is checked later, so that a wrong clock gets its own error.
    """
    try:
        return jwt.decode(token, key.secret, algorithms=["HS256"], options={"verify_iat": False})
    except jwt.InvalidAlgorithmError:
        raise make_forbidden("Invalid token: algorithm used is not HS256") from None
    except jwt.InvalidTokenError:
        return None


def _check_time(claims: Mapping[str, Any], now: float) -> None:
    issued_at = claims.get("iat")
    if not isinstance(issued_at, int | float):
        raise make_forbidden("Invalid token: iat field not provided")
    if abs(now - issued_at) > CLOCK_TOLERANCE_SECONDS + 1:  # the client's time has whole seconds
        raise clock_wrong()
