"""What the doctor asks of other services. Inspectors gather facts. They change nothing and judge nothing."""

from collections.abc import Mapping
from typing import Protocol

from shared.model.account import Authority
from shared.model.profile import Profile
from shared.ports.doctor_facts import DirectoryFacts, MessageFacts, StorageFacts


class InspectsDirectory(Protocol):
    """Looks at the directory with the app's own credentials."""

    async def look(self, wanted: Mapping[str, str]) -> DirectoryFacts:
        """Gather all facts at the same time. `wanted` maps the name of each extension attribute to its type."""
        ...


class InspectsMessages(Protocol):
    """Looks at the message service with each council's key."""

    async def look(self, profiles: Mapping[Authority, Profile], chosen: frozenset[Authority]) -> MessageFacts:
        """Look at the services of all `profiles`. Test sending only for the `chosen` councils."""
        ...


class InspectsStorage(Protocol):
    """Looks at every container, queue and table that the code names."""

    async def look(self) -> StorageFacts:
        """Gather all facts at the same time."""
        ...
