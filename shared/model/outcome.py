"""What a row came to."""

from shared.model.account import Account
from shared.model.lifecycle import MOVING, Outcome, State


def find_outcome(account: Account) -> str:
    """The outcome as far as it is known: what is staged anew has none yet, what failed before it was judged neither.

    What was to be created or joined and is now for a person to decide has come to review.
    """
    if account.state is State.REVIEW:
        return Outcome.REVIEW
    if account.state is State.STAGED or account.outcome is None:
        return "" if account.state in MOVING else Outcome.REVIEW
    return account.outcome
