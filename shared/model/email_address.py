"""Rules for e-mail addresses: which two are the same, and which can be a sign-in name."""

from typing import Final

SIGN_IN_NAME_LENGTH: Final = 64
"""Graph: `issuerAssignedId` holds at most 64 characters."""


class InvalidAddress(ValueError):
    """The text is not an e-mail address. The error carries no part of it."""


def email_key(address: str) -> str:
    """The form in which addresses are compared: lower case, plain ASCII.

    Empty if the address holds anything else than ASCII: look-alike letters are for a person to judge, and Unicode
    case folding has joined strangers before (CVE-2019-19844).

    Raises:
        InvalidAddress: it is no address.
    """
    # Imported here: it is slow to import, and the functions are to be indexed in less than a second.
    from email_validator import EmailNotValidError, validate_email  # noqa: PLC0415

    try:
        valid = validate_email(address, check_deliverability=False)
    except EmailNotValidError:
        raise InvalidAddress from None
    if not address.isascii() or not valid.local_part.isascii():
        return ""
    return f"{valid.local_part.lower()}@{valid.ascii_domain.lower()}"
