"""The report of the doctor: checks, each with what was found, the remedy, and the place in the runbook."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final, Literal

from pydantic import BaseModel

RUNBOOK: Final = "docs/runbook.md"


class Purpose(StrEnum):
    """The purpose for which the directory and the app are examined. Each needs other rights in the directory."""

    ASSESS = "assess"
    """To look: nothing may be changed in the directory until the plan is approved."""
    WAVE = "wave"
    """To move accounts."""
    CLOSED = "closed"
    """All accounts are moved. Nothing may be changed in the directory any more."""


class CheckStatus(StrEnum):
    """The result for a prerequisite. `report_missing` and `report_too_much` are findings."""

    OK = "ok"
    MISSING = "missing"
    TOO_MUCH = "too_much"
    NOT_CHECKED = "not_checked"
    """It could not be examined because of another finding, or because no service says it."""


class Area(StrEnum):
    """The area of a prerequisite. Each area depends on the ones before it."""

    SETTINGS = "settings"
    PROFILES = "profiles"
    STORAGE = "storage"
    CLOCK = "clock"
    DIRECTORY = "directory"
    MESSAGES = "messages"
    CANARY = "canary"


class Code(StrEnum):
    """The codes of findings. The runbook has an anchor for each: `doctor-` and the code with hyphens."""

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
    """One prerequisite and its state. Nothing in it is personal or secret."""

    area: Area
    name: str
    status: CheckStatus
    found: str
    mend: str = ""
    code: Code | None = None
    anchor: str = ""

    @property
    def finding(self) -> bool:
        """True if somebody has to do something."""
        return self.status in {CheckStatus.MISSING, CheckStatus.TOO_MUCH}


def report_ok(area: Area, name: str, found: str) -> Check:
    """All is as it should be."""
    return Check(area, name, CheckStatus.OK, found)


def report_unchecked(area: Area, name: str, because: str) -> Check:
    """Report that nobody could look, or that no service says it."""
    return Check(area, name, CheckStatus.NOT_CHECKED, because)


def report_missing(area: Area, name: str, code: Code, found: str, mend: str) -> Check:
    """Report a prerequisite that is not met."""
    return Check(area, name, CheckStatus.MISSING, found, mend, code, make_anchor(code))


def report_too_much(area: Area, name: str, code: Code, found: str, mend: str) -> Check:
    """Report more rights than are needed. A right that the app does not have cannot be misused."""
    return Check(area, name, CheckStatus.TOO_MUCH, found, mend, code, make_anchor(code))


def make_anchor(code: Code) -> str:
    """Return the anchor in the runbook."""
    return f"{RUNBOOK}#doctor-{code.replace('_', '-')}"


class Report(BaseModel):
    """Every check, in the order of the areas, and how many there are of each status."""

    purpose: Purpose
    authority: str
    """Empty for all."""
    at: datetime
    by: Literal["app", "process"]
    """Who examined: the app with its own identity, or a process that was started for it."""
    findings: int
    counts: dict[CheckStatus, int]
    checks: list[Check]


def make_report(
    purpose: Purpose, authority: str, at: datetime, by: Literal["app", "process"], all_: Sequence[Check]
) -> Report:
    """Put the checks in order and count them."""
    order = list(Area)
    checks = sorted(all_, key=lambda check: order.index(check.area))
    counts = {status: sum(check.status is status for check in checks) for status in CheckStatus}
    found = sum(check.finding for check in checks)
    return Report(purpose=purpose, authority=authority, at=at, by=by, findings=found, counts=counts, checks=checks)
