"""Errors that stop the host at its start."""


class CannotStartError(Exception):
    """The host cannot start. The message is one line that says what to change."""
