"""The comparison of an extract with the one before it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Compared:
    """The comparison of an extract with the one before it.

    A value is None if there is no earlier extract, or if it cannot be compared any more.
    """

    before: int | None = None
    """Customers of the extract before."""
    new: int | None = None
    missing: int | None = None
    changed: int | None = None
