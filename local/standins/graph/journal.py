"""The requests to the directory and its answers: the place to look when a count is wrong."""

from collections import Counter, deque
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

MAX_JOURNAL_ENTRIES: Final = 20_000
COUNTED: Final = {"read": "reads", "write": "writes", "batch": "batches"}


@dataclass(frozen=True, slots=True)
class Line:
    """One request, without its query's values: they are personal. ``status`` 0 is no answer."""

    at: str
    method: str
    path: str
    query_keys: tuple[str, ...]
    kind: str
    units: int
    n: int = 0
    status: int = 0
    target: str | None = None
    fault: str | None = None
    in_batch: bool = False
    retry_attempt: int = 0
    seconds: float = 0.0
    """When it was answered, in seconds since 1970 with fractions. `at` is too coarse to measure a pace."""
    marks: tuple[str, ...] = ()
    """The names of the owner markers that it wrote or removed, which show whose write it was. Their values are
    personal.
    """


class Journal:
    """The latest lines, and counters over all of them."""

    def __init__(self, longest: int = MAX_JOURNAL_ENTRIES) -> None:
        self._lines: deque[Line] = deque(maxlen=longest)
        self._counters: Counter[str] = Counter()
        self._n = 0

    def write(self, line: Line) -> None:
        """Number the line and keep it."""
        self._n += 1
        self._lines.append(replace(line, n=self._n))
        self._counters.update(("requests", COUNTED[line.kind], f"status_{line.status}"))
        self._counters["units"] += line.units
        if line.fault:
            self._counters[f"fault_{line.fault}"] += 1

    def clear(self) -> None:
        """Forget the lines and the counters."""
        self._lines.clear()
        self._counters.clear()
        self._n = 0

    def as_json(self) -> dict[str, Any]:
        """Return what the control endpoint shows."""
        return {
            "entries": [asdict(line) for line in self._lines],
            "counters": dict(sorted(self._counters.items())),
        }
