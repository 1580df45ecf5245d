"""The services that exist in this Notify, each with its own API keys. Every id and key here is invented."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class KeyType(StrEnum):
    """What a key may do: simulate, reach the team and its guests, or reach everybody."""

    TEST = "test"
    TEAM = "team"
    LIVE = "live"


@dataclass(frozen=True)
class ApiKey:
    """One key as Notify's pages show it: name, service id and secret, joined by hyphens."""

    name: str
    service_id: str
    secret: str
    type: KeyType

    def __str__(self) -> str:
        return f"{self.name}-{self.service_id}-{self.secret}"


@dataclass(frozen=True)
class Service:
    """One council's Notify service; `slug` is what rules, templates and the outbox call it."""

    id: str
    slug: str
    name: str
    email_from: str
    reply_to_id: str
    reply_to: str
    keys: tuple[ApiKey, ...]


def _make_keys(slug: str, service_id: str, digit: str) -> tuple[ApiKey, ...]:
    name = slug.replace("-", "_")
    return tuple(
        ApiKey(f"{name}_{kind}", service_id, f"{digit * 8}-0000-4000-8000-00000000000{number}", kind)
        for number, kind in enumerate((KeyType.LIVE, KeyType.TEST, KeyType.TEAM), start=1)
    )


_SOUTH_NORFOLK_ID: Final = "00000000-0000-4000-8000-000000005001"
_GREAT_YARMOUTH_ID: Final = "00000000-0000-4000-8000-000000005002"

SOUTH_NORFOLK: Final = Service(
    id=_SOUTH_NORFOLK_ID,
    slug="south-norfolk",
    name="South Norfolk Council (stand-in)",
    email_from="south.norfolk.stand.in@notifications.service.gov.uk",
    reply_to_id="00000000-0000-4000-8000-000000006001",
    reply_to="customer.services@south-norfolk.example.org",
    keys=_make_keys("south-norfolk", _SOUTH_NORFOLK_ID, "1"),
)
GREAT_YARMOUTH: Final = Service(
    id=_GREAT_YARMOUTH_ID,
    slug="great-yarmouth",
    name="Great Yarmouth Borough Council (stand-in)",
    email_from="great.yarmouth.stand.in@notifications.service.gov.uk",
    reply_to_id="00000000-0000-4000-8000-000000006002",
    reply_to="customer.services@great-yarmouth.example.org",
    keys=_make_keys("great-yarmouth", _GREAT_YARMOUTH_ID, "2"),
)
BUILT_IN: Final = (SOUTH_NORFOLK, GREAT_YARMOUTH)

SOUTH_NORFOLK_LIVE_KEY: Final = str(SOUTH_NORFOLK.keys[0])
SOUTH_NORFOLK_TEST_KEY: Final = str(SOUTH_NORFOLK.keys[1])
SOUTH_NORFOLK_TEAM_KEY: Final = str(SOUTH_NORFOLK.keys[2])
GREAT_YARMOUTH_LIVE_KEY: Final = str(GREAT_YARMOUTH.keys[0])
GREAT_YARMOUTH_TEST_KEY: Final = str(GREAT_YARMOUTH.keys[1])


def by_id(services: Iterable[Service]) -> Mapping[str, Service]:
    """The services by the id that a token names as its issuer."""
    return {service.id: service for service in services}
