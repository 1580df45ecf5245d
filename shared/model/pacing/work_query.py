"""Which accounts a query asks for: those of one migration that wait for the same step."""

from dataclasses import dataclass

from shared.model.account import Cohort, MigrationId
from shared.model.lifecycle import Outcome, State


@dataclass(frozen=True, slots=True)
class WorkQuery:
    """Accounts of one migration, in one state, and of one wave where that matters."""

    migration: MigrationId
    state: State
    keys: tuple[str, str] | None = None
    """The range of positions, first included and last not included, as eight hex digits. None for all."""
    cohorts: tuple[Cohort, ...] = ()
    """Only accounts of these cohorts. Empty for all."""
    announced: bool | None = None
    """True or False for accounts with or without an announcement. None for all."""
    outcomes: tuple[Outcome, ...] = ()
    """Only accounts with these outcomes. Empty for all."""
