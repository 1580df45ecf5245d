"""What the walk counts of each wave of a plan. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Final

from shared.model.account import Account
from shared.model.lifecycle import MOVING, Outcome, State

type WaveTally = Mapping[str, int]
"""State -> accounts of one wave; and the words below."""

DUE: Final = "due"
"""Something is due to happen to them, now or at a moment to come."""
UNDELIVERED: Final = "undelivered"
"""Their message did not arrive, or the message service did not take it."""
UNOWNED: Final = "unowned"
"""In review, and nobody is to decide it, or not until a day."""
KNOWN: Final = "known"
"""In review since the assessment, so whoever signed knew of them: they were not to be moved in the wave."""
JUST_TOLD: Final = "just told"
"""Their message was taken a moment ago: the service does not know yet whether it arrives."""
RECEIPTS: Final = timedelta(minutes=1)
"""After so long most of what cannot be delivered has come back, and we have asked for it."""
ADDRESS_UNDELIVERED: Final = "address_undelivered"
NOT_REACHED: Final = frozenset({ADDRESS_UNDELIVERED, "address_refused", "message_in_doubt"})
"""Reasons of whoever is held because a message did not get through."""


def list_wave_words(account: Account, now: datetime, *, due: bool, undelivered: bool) -> list[str]:
    """What an account counts as in its wave."""
    just_told = account.notified_at is not None and now < account.notified_at + RECEIPTS
    unowned = account.state is State.REVIEW and not (account.owner and account.decide_by)
    # What was to be moved and goes to review keeps its outcome.
    known = account.state is State.REVIEW and account.outcome is Outcome.REVIEW
    lost = undelivered or (account.state is State.HELD and account.reason in NOT_REACHED)
    words = {DUE: due, UNDELIVERED: lost, UNOWNED: unowned, KNOWN: known, JUST_TOLD: just_told}
    return [account.state, *(word for word, so in words.items() if so)]


def add_up_waves(waves: Iterable[Mapping[int, WaveTally]]) -> dict[int, WaveTally]:
    """Shard after shard, wave by wave."""
    sums: dict[int, Counter[str]] = {}
    for shard in waves:
        for number, tally in shard.items():
            sums.setdefault(number, Counter()).update(tally)
    return dict(sums)


def count_accounts(tally: WaveTally) -> int:
    """How many accounts the wave has."""
    return sum(tally.get(state, 0) for state in State)


def is_wave_at_rest(tally: WaveTally) -> bool:
    """Whether every account of the wave has come to rest for now."""
    return not tally.get(DUE) and not any(tally.get(state) for state in MOVING)
