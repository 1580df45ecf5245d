"""An extract beside the one before it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Compared:
    """An extract beside the one before it; None where there is none, or it cannot be told any more."""

    before: int | None = None
    """Customers of the extract before."""
    new: int | None = None
    missing: int | None = None
    changed: int | None = None
