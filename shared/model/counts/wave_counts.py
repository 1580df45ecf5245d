"""What the sweep counts for each wave of a plan. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Final

from shared.model.account import Account
from shared.model.lifecycle import MOVING, Outcome, State

type WaveTally = Mapping[str, int]
"""Number of accounts of one wave for each state, and for each of the words below."""

DUE: Final = "due"
"""Accounts with something to do, now or later."""
UNDELIVERED: Final = "undelivered"
"""Their message did not arrive, or the message service did not take it."""
UNOWNED: Final = "unowned"
"""Accounts in review without an owner, or without a date for the decision."""
KNOWN: Final = "known"
"""Accounts in review since the assessment. Those who signed the plan knew of them, so the wave did not include them."""
JUST_TOLD: Final = "just told"
"""Accounts whose message was accepted only just now. The service does not know yet if it arrives."""
RECEIPT_WAIT_TIME: Final = timedelta(minutes=1)
"""After this time, most messages that cannot be delivered were reported back, and the app asked for the reports."""
ADDRESS_UNDELIVERED: Final = "address_undelivered"
NOT_REACHED: Final = frozenset({ADDRESS_UNDELIVERED, "address_refused", "message_in_doubt"})
"""Reasons for accounts that are held because a message did not reach the customer."""


def list_wave_words(account: Account, now: datetime, *, due: bool, undelivered: bool) -> list[str]:
    """Return the words under which an account counts in its wave."""
    just_told = account.notified_at is not None and now < account.notified_at + RECEIPT_WAIT_TIME
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
    """Return the number of accounts in the wave."""
    return sum(tally.get(state, 0) for state in State)


def is_wave_at_rest(tally: WaveTally) -> bool:
    """Return True if no account of the wave has anything to do for now."""
    return not tally.get(DUE) and not any(tally.get(state) for state in MOVING)
