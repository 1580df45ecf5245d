"""The time."""

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """The time, always UTC and aware."""

    def now(self) -> datetime: ...
