"""Who gets how much when several want the same: max-min fairness, and turns. Pure."""

from collections.abc import Sequence


def allot(room: int, demands: Sequence[int], first: int = 0) -> list[int]:
    """What each gets of the room: an equal part, nobody more than it asks; what one leaves goes to the others.

    What cannot be divided goes to one after the other, from the `first` on.
    """
    given = [0] * len(demands)
    while room > 0:
        wanting = [at for at in _from(first, len(demands)) if given[at] < demands[at]]
        if not wanting:
            break
        each = min(room // len(wanting), *(demands[at] - given[at] for at in wanting))
        for at in wanting if each else wanting[:room]:
            given[at] += each or 1
        room -= each * len(wanting) or room
    return given


def in_turns[T](lines: Sequence[Sequence[T]], first: int = 0) -> list[T]:
    """One of each line after the other, from the `first` line on, as long as a line has some."""
    longest = max(map(len, lines), default=0)
    order = [lines[at] for at in _from(first, len(lines))]
    return [line[place] for place in range(longest) for line in order if place < len(line)]


def _from(first: int, count: int) -> list[int]:
    return [(first + at) % count for at in range(count)]
