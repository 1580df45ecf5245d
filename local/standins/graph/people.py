"""Two people whom a canary needs: its customer, and the directory's administrator. The stand-in plays both.

They act on canaries only, so that no other account ever changes without a request.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from typing import Final

from local.standins.graph.state import Directory
from local.standins.graph.store import Entry
from local.standins.graph.writing import reset_password, to_bin

LINKED: Final = "canary-linked"
"""Customer reference of a canary whose customer is to set a password."""
RETIRED: Final = "Canary, to be deleted"
"""Display name of a canary that the administrator is to delete."""
PASSWORD_LENGTH: Final = 14
LOOK_EVERY: Final = 0.2


@asynccontextmanager
async def run_people(directory: Directory) -> AsyncIterator[None]:
    """Both act for as long as this lasts."""
    task = asyncio.create_task(_run_customers(directory))
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _run_customers(directory: Directory) -> None:
    customer = Customer(directory)
    while True:
        customer.act()
        run_administrator(directory)
        await asyncio.sleep(LOOK_EVERY)


class Customer:
    """The customer: uses "forgot password" once for each canary, and signs in with the new one."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory
        self.signed_in: set[str] = set()
        """Ids of the users who did."""

    def act(self) -> None:
        """Do what the customer has to do now."""
        rules = self._directory.rules
        for entry in _whose_turn(self._directory, self._list_references(), LINKED):
            if entry.id not in self.signed_in:
                reset_password(
                    self._directory,
                    entry,
                    moves=rules.reset_moves_last_password_change,
                    clears=rules.reset_clears_must_reset,
                    length=PASSWORD_LENGTH,
                )
                self.signed_in.add(entry.id)

    def _list_references(self) -> list[str]:
        """The names of the attributes that hold customer references."""
        return [name for name in self._directory.rules.extension_types() if name.endswith("CustomerRef")]


def run_administrator(directory: Directory) -> None:
    """Delete the users whose name asks for it."""
    for entry in _whose_turn(directory, ["displayName"], RETIRED):
        to_bin(directory, entry)


def _whose_turn(directory: Directory, names: list[str], value: str) -> Iterator[Entry]:
    """Living users that have had this value for long enough."""
    patience = directory.rules.people_act_after_seconds
    for name in names if patience else ():
        for entry in list(directory.store.candidates(name, (value,))):
            waited = directory.now() - entry.changed_at
            if entry.properties.get(name) == value and not entry.deleted and waited >= patience:
                yield entry
