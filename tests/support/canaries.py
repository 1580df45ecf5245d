"""A canary in memory: the people whom it waits for, and somebody who asks again until it is over."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta

from shared.model.account import DirectoryId
from shared.model.profile import Profile
from shared.model.safeguards.canary import LINKED_REF, RETIRED, Canary
from shared.readiness.run_canary import Asked, CanaryProgress, run_canary_step
from tests.support.world import SOUTH_NORFOLK, HostDiedError, World

ADDRESS = "robin@example.org"
BY = "11111111-1111-4111-8111-111111111111"


@dataclass
class People:
    """The customer who sets a password, and the administrator who deletes. Each can be slow, or do it differently."""

    world: World
    resets: bool = True
    moves: bool = True
    clears: bool = True
    deletes: bool = True
    reset: set[DirectoryId] = field(default_factory=set)

    def act(self) -> None:
        """Do what is their turn."""
        for user in list(self.world.directory.users.values()):
            if self.resets and user.customer_refs.get(SOUTH_NORFOLK) == LINKED_REF and user.id not in self.reset:
                changed = self.world.clock.now() if self.moves else user.password_changed
                flag = False if self.clears else user.must_reset
                self.world.directory.users[user.id] = replace(user, password_changed=changed, must_reset=flag)
                self.reset.add(user.id)
            if self.deletes and user.display_name == RETIRED:
                self.world.directory.bin_user(user.id)


@dataclass
class Story:
    """One canary from its start to its end."""

    world: World = field(default_factory=World)
    address: str = ADDRESS

    def __post_init__(self) -> None:
        self.people = People(self.world)

    @property
    def profile(self) -> Profile:
        """South Norfolk's."""
        return self.world.profiles[SOUTH_NORFOLK]

    def set_directory(self, **changes: object) -> None:
        """Change what the profile says of the directory."""
        changed = self.profile.directory.model_copy(update=changes)
        self.world.profiles[SOUTH_NORFOLK] = self.profile.model_copy(update={"directory": changed})

    async def ask(
        self, *, signed_in: bool | None = None, undo: DirectoryId | None = None, run: int = 0
    ) -> CanaryProgress:
        """One request."""
        return await run_canary_step(self.world.ports, self.profile, Asked(self.address, signed_in, undo, run), BY)

    async def until(self, fits: Callable[[Canary], bool], rounds: int = 600) -> Canary:
        """Ask every five seconds until it is so."""
        run = 0
        for _ in range(rounds):
            try:
                found = (await self.ask(run=run)).canary
            except HostDiedError:
                continue
            run = found.run
            if fits(found):
                return found
            self.world.clock.tick(timedelta(seconds=5))
            self.people.act()
        raise AssertionError("the canary did not get there")

    async def run(self) -> Canary:
        """To its end."""
        return await self.until(lambda canary: canary.finished_at is not None)
