"""What went wrong, named for what happens next.

*Later*: the account gets a new moment. *Cannot*: a reason code and a person. *Stop*: the migration pauses with one
reason. Anything else is a bug and is raised. No message here may hold anything personal.
"""

import traceback
from datetime import timedelta
from pathlib import Path


class MigrationError(Exception):
    """Whatever this app raises on purpose."""


class ActionRefused(MigrationError):
    """A person asked for something that cannot be done now. The sentence says why, and what to do instead."""


class TryLater(MigrationError):
    """The other side is not able to answer now. The account gets a new moment; no attempt is used up."""

    def __init__(self, cause: str, after: timedelta | None = None) -> None:
        super().__init__(cause)
        self.cause = cause
        self.after = after


class Throttled(TryLater):
    """The other side asks everybody to wait: a new slot, not a private delay.

    `known`: nobody was asked, because everybody waits already.
    """

    def __init__(self, cause: str, after: timedelta | None = None, *, known: bool = False) -> None:
        super().__init__(cause, after)
        self.known = known


class Unclear(TryLater):
    """An effect may or may not have happened and nobody is to be found yet: later, then a person."""


class Cannot(MigrationError):
    """This one account cannot go on; the reason code says why and a person decides."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason} {detail}".strip())
        self.reason = reason
        self.detail = detail


class SetAside(MigrationError):
    """The evidence does not suffice any more: to review, never silently another way."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Hold(MigrationError):
    """The customer cannot be reached as it stands; the account keeps what was done and waits."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Stop(MigrationError):
    """What would repeat for every account. The migration pauses with this one reason until somebody mends it."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason} {detail}".strip())
        self.reason = reason
        self.detail = detail


class Superseded(MigrationError):
    """The export was overwritten or removed while it was being read."""


class StaleWrite(MigrationError):
    """Somebody else changed this record first (ETag). Look again; nothing was written."""


class BadMessage(MigrationError):
    """A queue message that this app did not write."""


class BadSetting(MigrationError):
    """A setting or profile is missing or malformed. The message is one line that names it and the remedy."""


class Unexpected(MigrationError):
    """A bug, told without its message, which could hold something personal: type and place only."""


class DirectoryRefused(MigrationError):
    """The directory answered a write with an error that decides nothing: look up what is there.

    `code` is Graph's error code, `conflict` whether it speaks of a holder of the same value, `names` the
    attributes of ours which the answer mentions, `setting` whether it mentions one that is the same for everybody.
    `target` is the property that the answer names: told to people, and nothing is decided by it.
    """

    def __init__(self, code: str, *, conflict: bool, attribute: bool, setting: bool, target: str = "") -> None:
        super().__init__(code)
        self.target = target
        self.code = code
        self.conflict = conflict
        self.attribute = attribute
        self.setting = setting


class AnswerLost(MigrationError):
    """A write got no answer that could be read (5xx, time-out, dropped connection): it may have happened."""


def describe_unexpected(error: BaseException) -> Unexpected:
    """An error told by its type and the places in our code it came through; its message may be personal."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "site-packages" not in frame.filename]
    place = " < ".join(f"{Path(frame.filename).name}:{frame.lineno}" for frame in [*frames[-1:], *reversed(ours[-4:])])
    return Unexpected(f"{type(error).__name__} at {place}")
