"""The message service."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from shared.model.profile import Profile


@dataclass(frozen=True, slots=True)
class Letter:
    """A message to one customer."""

    template: str
    address: str
    given_name: str
    surname: str
    reference: str
    change_date: str = ""
    """The day on which the account changes, in words. Only announcements have it."""


@dataclass(frozen=True, slots=True)
class Preview:
    """A message as a customer would read it, and which version of its template that is."""

    subject: str
    body: str
    """In the message service's own Markdown."""
    version: int


@dataclass(frozen=True, slots=True)
class Notice:
    """A message to a member of the council's staff. It has only our own words and no names of customers."""

    template: str
    address: str
    subject: str
    text: str
    reference: str


class Notifier(Protocol):
    """The message service. It does not remove duplicates: two sends reach the customer twice.

    All methods may raise `TryLater` (nothing was sent), `Throttled` or `Stop`. Those that send may also raise `Hold`
    and `AnswerLost`.
    """

    async def send(self, profile: Profile, letter: Letter) -> str:
        """Send a message. Returns the service's id of the message."""
        ...

    async def send_notice(self, profile: Profile, notice: Notice) -> str:
        """Send a message to staff. Returns the service's id of the message."""
        ...

    async def find(self, profile: Profile, reference: str) -> str | None:
        """Return the id of an accepted message with this reference."""
        ...

    def undelivered(self, profile: Profile, since: datetime) -> AsyncIterator[str]:
        """Ids of messages sent since then that did not arrive, as the service knew lately."""
        ...

    async def preview(self, profile: Profile, message: str, given_name: str, surname: str) -> Preview:
        """Return the message of this name as a person with these names would get it. Sends nothing."""
        ...
