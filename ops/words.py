"""The words for people: of outcomes, states, phases and queues. A test compares them with the app's own lists."""

from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

OUTCOMES: Final = {
    "link": "joined to an existing account",
    "create": "new account, sets a password",
    "review": "needs a person",
    "reject": "cannot be moved as it stands",
    "duplicate": "the same customer again in the file",
    "unchanged": "moved before, and nothing of it changed",
}

STATES: Final = {
    "staged": "read from the file, not compared yet",
    "classified": "compared, waits for its turn",
    "released": "about to be created or joined",
    "provisioned": "created or joined; no message sent yet",
    "told": "moved, and the customer is told",
    "completed": "nothing more is awaited",
    "review": "needs a person",
    "held": "set aside on purpose",
    "failed": "stuck",
    "undone": "taken back by a person",
    "rejected": "cannot be moved as it stands",
    "duplicate": "the same customer again in the file",
}

PHASES: Final = {
    "staging": "reading rows",
    "classifying": "comparing with the directory",
    "assessed": "assessed",
    "adopting": "approved, taking over the plan",
    "running": "moving accounts",
    "done": "done",
    "refused": "not taken",
    "superseded": "replaced by another upload",
    "cancelled": "stopped for good by a person",
    "failed": "stuck while reading the file",
}

QUEUES: Final = {
    "receive-export": "uploads to look at",
    "stage-rows": "pieces of files to read",
    "stage-suppressions": "pieces of suppression lists to read",
    "classify-account": "accounts to compare",
    "adopt-plan": "shards of approved plans to adopt",
    "provision-account": "accounts to create or join",
    "notify-customer": "customers to tell",
}

LONDON: Final = ZoneInfo("Europe/London")
MINUTE: Final = 60
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR


def format_duration(seconds: int) -> str:
    """`40 s`, `3 min`, `2 h 5 min`, `3 days`: as exactly as a person needs it."""
    if seconds < MINUTE:
        return f"{seconds} s"
    if seconds < HOUR:
        return f"{seconds // MINUTE} min"
    if seconds < 2 * DAY:
        return f"{seconds // HOUR} h {seconds % HOUR // MINUTE} min"
    return f"{seconds // DAY} days"


def format_time(at: datetime) -> str:
    """`2 March 2026 09:00 UTC`, as the app's logs and reports say it."""
    utc = at.astimezone(UTC)
    return f"{utc.day} {utc:%B %Y %H:%M} UTC"


def in_london(at: datetime) -> str:
    """`2 March 2026 09:00 London time`: what is planned for customers is said in their own time."""
    local = at.astimezone(LONDON)
    return f"{local.day} {local:%B %Y %H:%M} London time"


def format_interval(start: datetime, end: datetime) -> str:
    """`between 14:20 and 14:45 UTC`, with the day where it is not one and the same."""
    first, last = start.astimezone(UTC), end.astimezone(UTC)
    if first.date() == last.date():
        return f"between {first:%H:%M} and {last:%H:%M} UTC"
    return f"between {first.day} {first:%B %H:%M} and {last.day} {last:%B %H:%M} UTC"


def format_count(count: int, one: str, several: str = "") -> str:
    """`1 account`, `1,200 accounts`."""
    return f"{count:,} {one if count == 1 else several or f'{one}s'}"
