"""Which addresses Notify accepts, and what happens to a message to them."""

import re
from enum import StrEnum
from typing import Final

_LOCAL_PART: Final = re.compile(r"[a-zA-Z0-9.!#$%&'*+/=?^_`{|}~\-]+")
_HOST_LABEL: Final = re.compile(r"(xn|[a-z0-9]+)(-?-[a-z0-9]+)*", re.IGNORECASE)
_TOP_LEVEL: Final = re.compile(r"[a-z]{2,63}|xn--([a-z0-9]+-)*[a-z0-9]+", re.IGNORECASE)
_LONGEST_ADDRESS: Final = 320
_LONGEST_HOST: Final = 253
_LONGEST_LABEL: Final = 63

SMOKE_TEST_ADDRESSES: Final = frozenset(
    f"simulate-delivered{suffix}@notifications.service.gov.uk" for suffix in ("", "-2", "-3")
)
"""Addresses that are accepted with an id, but not stored: nobody can find such a message again."""


class Fate(StrEnum):
    """The last status of a message: what the mail provider said in the end."""

    DELIVERED = "delivered"
    PERMANENT_FAILURE = "permanent-failure"
    TEMPORARY_FAILURE = "temporary-failure"


SIMULATED_FATES: Final = {
    "temp-fail@simulator.notify": Fate.TEMPORARY_FAILURE,
    "perm-fail@simulator.notify": Fate.PERMANENT_FAILURE,
}


def is_email_address(text: str) -> bool:
    """Return True if Notify accepts this address. Its rules for the local part are stricter than the standards."""
    local, separator, host = text.strip().rpartition("@")
    if not separator or ".." in text or len(text) > _LONGEST_ADDRESS:
        return False
    return _LOCAL_PART.fullmatch(local) is not None and _is_host(host)


def _is_host(host: str) -> bool:
    try:
        ascii_host = host.encode("idna").decode("ascii")
    except UnicodeError:
        return False
    labels = ascii_host.split(".")
    return (
        len(ascii_host) <= _LONGEST_HOST
        and len(labels) > 1
        and all(len(label) <= _LONGEST_LABEL and _HOST_LABEL.fullmatch(label) for label in labels)
        and _TOP_LEVEL.fullmatch(labels[-1]) is not None
    )
