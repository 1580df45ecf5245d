"""The placeholders that the templates of the message service have."""

from typing import Final

from shared.model.profile import ACCOUNT_IS_CHANGING, ACCOUNTS_BECOME_ONE

PLACEHOLDERS: Final = ("first_name", "last_name")


STAFF_PLACEHOLDERS: Final = ("subject", "text")


CHANGE_DATE: Final = "change_date"
"""This field is also filled in for messages before the change."""


ANNOUNCING: Final = frozenset({ACCOUNT_IS_CHANGING, ACCOUNTS_BECOME_ONE})
