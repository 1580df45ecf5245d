"""What stops the host at its start."""


class CannotStartError(Exception):
    """The host cannot start; the message is one line that says what to change."""
