"""What the doctor says: checks, each with what was found, how to mend it and where the runbook tells more."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final, Literal

from pydantic import BaseModel

RUNBOOK: Final = "docs/runbook.md"


class Purpose(StrEnum):
    """What the directory and the app are to be ready for; the directory's rights differ."""

    ASSESS = "assess"
    """To look: nothing may be changed in the directory until the plan is approved."""
    WAVE = "wave"
    """To move accounts."""
    CLOSED = "closed"
    """All is moved: nothing may be changed in the directory any more."""


class Status(StrEnum):
    """How a prerequisite stands. `report_missing` and `report_too_much` are findings."""

    OK = "ok"
    MISSING = "missing"
    TOO_MUCH = "too_much"
    NOT_CHECKED = "not_checked"
    """It could not be looked at because of another finding, or nobody tells it."""


class Area(StrEnum):
    """Where a prerequisite belongs, in the order in which one thing rests on another."""

    SETTINGS = "settings"
    PROFILES = "profiles"
    STORAGE = "storage"
    CLOCK = "clock"
    DIRECTORY = "directory"
    MESSAGES = "messages"
    CANARY = "canary"


class Code(StrEnum):
    """What can be found. The runbook has an anchor for each: `doctor-` and the code with hyphens."""

    SETTING_WRONG = "setting_wrong"
    PROFILE_WRONG = "profile_wrong"
    PROFILE_MESSAGES = "profile_messages"
    STORAGE_UNREACHABLE = "storage_unreachable"
    STORAGE_REFUSED = "storage_refused"
    STORAGE_EMPTY = "storage_empty"
    CONTAINER_MISSING = "container_missing"
    QUEUE_MISSING = "queue_missing"
    TABLE_MISSING = "table_missing"
    PSEUDONYM_KEY_CHANGED = "pseudonym_key_changed"
    CLOCK_OFF = "clock_off"
    CERTIFICATE_UNUSABLE = "certificate_unusable"
    CERTIFICATE_EXPIRING = "certificate_expiring"
    DIRECTORY_UNREACHABLE = "directory_unreachable"
    DIRECTORY_SIGN_IN = "directory_sign_in"
    PERMISSION_MISSING = "permission_missing"
    RIGHT_TOO_MANY = "right_too_many"
    ATTRIBUTE_MISSING = "attribute_missing"
    ATTRIBUTES_UNSEEN = "attributes_unseen"
    DIRECTORY_ALMOST_FULL = "directory_almost_full"
    QUOTA_UNSEEN = "quota_unseen"
    MESSAGES_OFF = "messages_off"
    MESSAGES_UNREACHABLE = "messages_unreachable"
    MESSAGE_KEY_MISSING = "message_key_missing"
    MESSAGE_KEY_REFUSED = "message_key_refused"
    MESSAGE_KEY_FOREIGN = "message_key_foreign"
    TEMPLATE_MISSING = "template_missing"
    TEMPLATE_UNFIT = "template_unfit"
    REPLY_TO_UNKNOWN = "reply_to_unknown"
    SENDING_REFUSED = "sending_refused"
    CANARY_DUE = "canary_due"


@dataclass(frozen=True, slots=True)
class Check:
    """One prerequisite as it stands. Nothing in it is personal or secret."""

    area: Area
    name: str
    status: Status
    found: str
    mend: str = ""
    code: Code | None = None
    anchor: str = ""

    @property
    def finding(self) -> bool:
        """Whether somebody has to do something."""
        return self.status in {Status.MISSING, Status.TOO_MUCH}


def report_ok(area: Area, name: str, found: str) -> Check:
    """All is as it should be."""
    return Check(area, name, Status.OK, found)


def report_unchecked(area: Area, name: str, because: str) -> Check:
    """Nobody could look, or nobody tells."""
    return Check(area, name, Status.NOT_CHECKED, because)


def report_missing(area: Area, name: str, code: Code, found: str, mend: str) -> Check:
    """A prerequisite that is not met."""
    return Check(area, name, Status.MISSING, found, mend, code, make_anchor(code))


def report_too_much(area: Area, name: str, code: Code, found: str, mend: str) -> Check:
    """More than is needed: what nobody has cannot be misused."""
    return Check(area, name, Status.TOO_MUCH, found, mend, code, make_anchor(code))


def make_anchor(code: Code) -> str:
    """Where the runbook tells more."""
    return f"{RUNBOOK}#doctor-{code.replace('_', '-')}"


class Report(BaseModel):
    """Every check, in the order of the areas, and how many there are of each status."""

    purpose: Purpose
    authority: str
    """Empty for all."""
    at: datetime
    by: Literal["app", "process"]
    """Who looked: the app with its own identity, or a process that was started for it."""
    findings: int
    counts: dict[Status, int]
    checks: list[Check]


def make_report(
    purpose: Purpose, authority: str, at: datetime, by: Literal["app", "process"], all_: Sequence[Check]
) -> Report:
    """Put the checks in order and count them."""
    order = list(Area)
    checks = sorted(all_, key=lambda check: order.index(check.area))
    counts = {status: sum(check.status is status for check in checks) for status in Status}
    found = sum(check.finding for check in checks)
    return Report(purpose=purpose, authority=authority, at=at, by=by, findings=found, counts=counts, checks=checks)
