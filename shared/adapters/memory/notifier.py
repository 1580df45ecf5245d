"""The message service in memory."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime

from shared.model.profile import Profile
from shared.ports import Letter, Notice, Preview


@dataclass
class MemoryNotifier:
    """A message service that takes every letter as often as it is sent."""

    sent: list[Letter] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)
    """The notices that staff got."""
    fail: list[Exception] = field(default_factory=list)
    fail_after: list[Exception] = field(default_factory=list)
    versions: dict[str, int] = field(default_factory=dict)
    """Version of a template by its id, 1 where nothing is said."""
    fail_previews: list[Exception] = field(default_factory=list)
    unreachable: set[str] = field(default_factory=set)
    """Addresses that no message reaches, though the service takes it."""

    async def send(self, profile: Profile, letter: Letter) -> str:  # noqa: ARG002 - one service for all
        """Take a letter."""
        if self.fail:
            raise self.fail.pop(0)
        self.sent.append(letter)
        if self.fail_after:
            raise self.fail_after.pop(0)
        return f"n{len(self.sent)}"

    async def find(self, profile: Profile, reference: str) -> str | None:  # noqa: ARG002 - one service for all
        """Find a letter by its reference."""
        found = [f"n{number}" for number, letter in enumerate(self.sent, 1) if letter.reference == reference]
        found += [f"s{number}" for number, notice in enumerate(self.notices, 1) if notice.reference == reference]
        return found[0] if found else None

    async def send_notice(self, profile: Profile, notice: Notice) -> str:  # noqa: ARG002 - one service for all
        """Take a message to staff."""
        if self.fail:
            raise self.fail.pop(0)
        self.notices.append(notice)
        if self.fail_after:
            raise self.fail_after.pop(0)
        return f"s{len(self.notices)}"

    async def undelivered(self, profile: Profile, since: datetime) -> AsyncIterator[str]:  # noqa: ARG002 - all of them
        """Yield the messages to addresses that cannot be reached."""
        for number, letter in reversed(list(enumerate(self.sent, 1))):
            if letter.address in self.unreachable:
                yield f"n{number}"

    async def preview(self, profile: Profile, message: str, given_name: str, surname: str) -> Preview:
        """A letter of one line."""
        if self.fail_previews:
            raise self.fail_previews.pop(0)
        template = profile.messages.templates[message]  # type: ignore[index]  # a message that the profile has
        body = f"Dear {given_name} {surname},\n\nthis is {message}."
        return Preview(f"{profile.name}: your account", body, self.versions.get(template, 1))
