"""How a row ended."""

from shared.model.account import Account
from shared.model.lifecycle import MOVING, Outcome, State


def find_outcome(account: Account) -> str:
    """Return the outcome as far as it is known.

    A newly staged account has none, and neither has one that failed before it was compared.

    An account that was to be created or linked, and now waits for a person, has the outcome review.
    """
    if account.state is State.REVIEW:
        return Outcome.REVIEW
    if account.state is State.STAGED or account.outcome is None:
        return "" if account.state in MOVING else Outcome.REVIEW
    return account.outcome
