"""Tables are emptied, and somebody makes them again."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from shared import names
from shared.adapters.memory import ManualClock, MemoryNotifier
from shared.model.profile import Profile
from shared.model.safeguards.rebuild import Source
from shared.ports import Letter
from shared.recovery.rebuild import rebuild_tables
from tests.support.world import World


def lose(world: World, *tables: str) -> None:
    """Empty these tables, or all of them."""
    for table in tables or names.TABLES:
        world.tables.empty(table)


async def make_again(world: World, source: Source | None = None) -> int:
    """What the command line does: ask until nothing is left to do; returns how often."""
    for number in range(1, 500):
        progress = await rebuild_tables(world.ports, "", source, "somebody", without_copy=source is Source.EXPORT)
        if progress.finished:
            return number
    raise AssertionError("a rebuild does not come to its end")


@dataclass
class ForgetfulNotifier(MemoryNotifier):
    """A message service that forgets after a week, as the real one does."""

    clock: ManualClock = field(default_factory=ManualClock)
    taken: dict[str, datetime] = field(default_factory=dict)

    async def send(self, profile: Profile, letter: Letter) -> str:
        """Take a letter, and remember when."""
        self.taken[letter.reference] = self.clock.now()
        return await super().send(profile, letter)

    async def find(self, profile: Profile, reference: str) -> str | None:
        """What is remembered still."""
        at = self.taken.get(reference)
        forgotten = at is None or at + timedelta(days=7) < self.clock.now()
        return None if forgotten else await super().find(profile, reference)
