"""How a limited number is shared among several that want it: max-min fairness, and turns. Pure."""

from collections.abc import Sequence


def allot_shares(room: int, demands: Sequence[int], first: int = 0) -> list[int]:
    """Return the share of each. All get an equal part, and none more than it asks for.

    What one leaves is shared by the others.

    A remainder goes to one after the other, starting with `first`.
    """
    given = [0] * len(demands)
    while room > 0:
        wanting = [at for at in _rotate_indexes(first, len(demands)) if given[at] < demands[at]]
        if not wanting:
            break
        each = min(room // len(wanting), *(demands[at] - given[at] for at in wanting))
        for at in wanting if each else wanting[:room]:
            given[at] += each or 1
        room -= each * len(wanting) or room
    return given


def interleave_lines[T](lines: Sequence[Sequence[T]], first: int = 0) -> list[T]:
    """One of each line after the other, from the `first` line on, as long as a line has some."""
    longest = max(map(len, lines), default=0)
    order = [lines[at] for at in _rotate_indexes(first, len(lines))]
    return [line[place] for place in range(longest) for line in order if place < len(line)]


def compute_even_shares(held: Sequence[int], waiting: Sequence[int]) -> list[int]:
    """Return how many each should hold, out of what all hold together, given how many of each wait."""
    # What cannot be divided stays where most is: nothing changes hands for one slot more or less.
    most = held.index(max(held)) if held else 0
    return allot_shares(sum(held), [have + want for have, want in zip(held, waiting, strict=True)], most)


def pick_evenly[T](line: Sequence[T], count: int) -> list[T]:
    """Return this number of items of a list, at even distances."""
    return [line[int((at + 0.5) * len(line) / count)] for at in range(count)]


def _rotate_indexes(first: int, count: int) -> list[int]:
    return [(first + at) % count for at in range(count)]
