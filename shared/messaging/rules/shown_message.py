"""A message as an invented person would read it."""

from dataclasses import dataclass
from typing import Final

from shared.model.lifecycle import Outcome

INVENTED: Final = {Outcome.CREATE: ("Ada", "Example"), Outcome.LINK: ("Ben", "Example")}
"""The invented names to which the messages on the page are addressed."""


@dataclass(frozen=True, slots=True)
class ShownMessage:
    """The message of one outcome, as an invented person would read it."""

    outcome: Outcome
    name: str
    template: str = ""
    """The id of the template. Empty if the profile has none for this message."""
    version: int | None = None
    """None: nobody asked for it, or there was no answer."""
    subject: str = ""
    body: str = ""
    trouble: str = ""
    """Why it cannot be shown, as a sentence."""
