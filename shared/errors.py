"""What can go wrong, named for what happens next.

*Later*: the account gets a new due time. *Cannot*: the account gets a reason code, and a person decides. *Stop*: the
migration pauses with one reason. Any other error is a bug and is raised. No message here may hold anything personal.
"""

import traceback
from datetime import timedelta
from pathlib import Path


class MigrationError(Exception):
    """An error that this app raises on purpose."""


class ActionRefused(MigrationError):
    """A person asked for something that cannot be done now. The sentence says why, and what to do instead."""


class TryLater(MigrationError):
    """The other service cannot answer now. The account gets a new due time, and no attempt is used up."""

    def __init__(self, cause: str, after: timedelta | None = None) -> None:
        super().__init__(cause)
        self.cause = cause
        self.after = after


class Throttled(TryLater):
    """The other service asks all callers to wait. The account gets a new slot.

    `known`: the service was not asked, because all callers already wait.
    """

    def __init__(self, cause: str, after: timedelta | None = None, *, known: bool = False) -> None:
        super().__init__(cause, after)
        self.known = known


class Unclear(TryLater):
    """A change may or may not have happened, and no user can be found yet.

    The account tries again later, and then a person decides.
    """


class Cannot(MigrationError):
    """This one account cannot continue. The reason code says why, and a person decides."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason} {detail}".strip())
        self.reason = reason
        self.detail = detail


class SetAside(MigrationError):
    """The evidence is not sufficient any more. The account goes to review, and nothing else is tried."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Hold(MigrationError):
    """The customer cannot be reached at this address. The account keeps what was done, and waits."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Stop(MigrationError):
    """An error that would repeat for every account.

    The migration pauses with this one reason until somebody repairs the cause.
    """

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason} {detail}".strip())
        self.reason = reason
        self.detail = detail


class Superseded(MigrationError):
    """The export was overwritten or removed while it was being read."""


class StaleWrite(MigrationError):
    """Another process changed this record first (ETag). Nothing was written. Read the record again."""


class BadMessage(MigrationError):
    """A queue message that this app did not write."""


class BadSetting(MigrationError):
    """A setting or profile is missing or malformed. The message is one line that names it and the remedy."""


class Unexpected(MigrationError):
    """A bug, reported without its message, which could be personal. It gives only type and place."""


class DirectoryRefused(MigrationError):
    """The directory refused a write, and the error alone decides nothing: look up what is there.

    `code` is Graph's error code. `conflict` is True if the error speaks of another holder of the same value.
    `attribute` is True if the answer mentions an attribute of ours, and `setting` if it mentions a setting that is the
    same for all accounts. `target` is the property that the answer names. People see it, and no decision rests on it.
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
    """Return an error that names the type and the places in our code.

    The original message may be personal and is left out.
    """
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "site-packages" not in frame.filename]
    place = " < ".join(f"{Path(frame.filename).name}:{frame.lineno}" for frame in [*frames[-1:], *reversed(ours[-4:])])
    return Unexpected(f"{type(error).__name__} at {place}")
