"""The slots that a process gave away and that are still to come."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from shared.model.account import AccountId, MigrationId, Partition


@dataclass(frozen=True, slots=True)
class Held:
    """A slot that was given to an account and is still to come."""

    at: datetime
    partition: Partition
    account: AccountId


@dataclass(slots=True)
class Ahead:
    """The slots that this process gave to accounts.

    The tables may say something else, so this is only a hint where to look.
    """

    _held: dict[MigrationId, tuple[int, list[Held]]] = field(default_factory=dict)

    def note(self, migration: MigrationId, epoch: int, held: Held) -> None:
        """Record a slot that was given away. Slots of an earlier epoch are dropped."""
        there = self._list_slots(migration, epoch)
        there.append(held)
        self._keep_slots(migration, epoch, there)

    def after(self, migration: MigrationId, epoch: int, at: datetime) -> list[Held]:
        """Return the slots of a migration after this time, earliest first. Earlier ones are forgotten."""
        held = sorted((each for each in self._list_slots(migration, epoch) if each.at > at), key=lambda each: each.at)
        self._keep_slots(migration, epoch, held)
        return list(held)

    def forget(self, migration: MigrationId, epoch: int, given_up: Sequence[Held]) -> None:
        """These are a migration's no more."""
        gone = set(given_up)
        self._keep_slots(migration, epoch, [each for each in self._list_slots(migration, epoch) if each not in gone])

    def _list_slots(self, migration: MigrationId, epoch: int) -> list[Held]:
        of, held = self._held.get(migration, (epoch, []))
        return held if of == epoch else []

    def _keep_slots(self, migration: MigrationId, epoch: int, held: list[Held]) -> None:
        if self._held.get(migration, (epoch, []))[0] > epoch:
            return  # a pause came in between
        if held:
            self._held[migration] = epoch, held
        else:
            self._held.pop(migration, None)
