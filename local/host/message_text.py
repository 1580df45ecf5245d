"""The text of a queue message: from the wire to the function, and back."""

import base64
import binascii


class UndecodableError(Exception):
    """The message does not have the encoding that `messageEncoding` in host.json names."""


def decode(content: str, *, as_base64: bool) -> bytes:
    """The body of a message.

    Raises:
        UndecodableError: it should be base64 and is not.
    """
    if not as_base64:
        return content.encode()
    try:
        return base64.b64decode("".join(content.split()), validate=True)
    except (binascii.Error, ValueError):
        raise UndecodableError from None


def decode_text(content: str, *, as_base64: bool) -> str:
    """The body of a message as a string.

    Raises:
        UndecodableError: it should be base64 and is not, or is not UTF-8 behind it.
    """
    try:
        return decode(content, as_base64=as_base64).decode()
    except UnicodeDecodeError:
        raise UndecodableError from None


def encode_text(body: bytes, *, as_base64: bool) -> str:
    """Return the text of a queue message for a body."""
    return base64.b64encode(body).decode() if as_base64 else body.decode()
