"""The steps of an account, and the message that each outcome's customer gets."""

from enum import StrEnum
from typing import Final

from shared.model.account import Account
from shared.model.lifecycle import MOVING, Outcome
from shared.model.profile import ACCOUNT_IS_CHANGING, ACCOUNTS_BECOME_ONE, NOW_ONE_ACCOUNT, SET_YOUR_PASSWORD, Profile


class Step(StrEnum):
    """A step that an account may take next, named after its queue."""

    CLASSIFY = "classify-account"
    PROVISION = "provision-account"
    NOTIFY = "notify-customer"


ANNOUNCEMENTS: Final = {Outcome.CREATE: ACCOUNT_IS_CHANGING, Outcome.LINK: ACCOUNTS_BECOME_ONE}
"""Outcome -> the message before anything is done."""


MESSAGES: Final = {Outcome.CREATE: SET_YOUR_PASSWORD, Outcome.LINK: NOW_ONE_ACCOUNT}
"""For each outcome, the message that says what was done."""


def choose_message(account: Account, profile: Profile) -> str | None:
    """Return the name of the next message for this account's customer. None if there is none to send."""
    name = (ANNOUNCEMENTS if account.state in MOVING else MESSAGES).get(account.outcome or Outcome.REVIEW)
    return name if name in profile.messages.templates else None
