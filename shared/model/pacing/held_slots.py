"""The slots that a process gave away and that are still to come."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from shared.model.account import AccountId, MigrationId, Place


@dataclass(frozen=True, slots=True)
class Held:
    """A moment that was given away and is still to come."""

    at: datetime
    place: Place
    account: AccountId


@dataclass(slots=True)
class Ahead:
    """Who holds which moments, as far as this process gave them away: a hint where to look, and never a proof."""

    _held: dict[MigrationId, tuple[int, list[Held]]] = field(default_factory=dict)

    def note(self, migration: MigrationId, epoch: int, held: Held) -> None:
        """A moment was given away; what an earlier epoch held is void."""
        there = self._of(migration, epoch)
        there.append(held)
        self._keep(migration, epoch, there)

    def after(self, migration: MigrationId, epoch: int, at: datetime) -> list[Held]:
        """What a migration holds after this moment, earliest first; what is before it is forgotten."""
        held = sorted((each for each in self._of(migration, epoch) if each.at > at), key=lambda each: each.at)
        self._keep(migration, epoch, held)
        return list(held)

    def forget(self, migration: MigrationId, epoch: int, given_up: Sequence[Held]) -> None:
        """These are a migration's no more."""
        gone = set(given_up)
        self._keep(migration, epoch, [each for each in self._of(migration, epoch) if each not in gone])

    def _of(self, migration: MigrationId, epoch: int) -> list[Held]:
        of, held = self._held.get(migration, (epoch, []))
        return held if of == epoch else []

    def _keep(self, migration: MigrationId, epoch: int, held: list[Held]) -> None:
        if self._held.get(migration, (epoch, []))[0] > epoch:
            return  # a pause came in between
        if held:
            self._held[migration] = epoch, held
        else:
            self._held.pop(migration, None)
