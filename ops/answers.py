"""The answers of the app, as far as this command line reads them. Unknown fields are ignored."""

from datetime import datetime

from pydantic import BaseModel


class Cause(BaseModel):
    """One reason, and how many it concerns."""

    reason: str
    count: int
    sentence: str
    remedy: str


class Pause(BaseModel):
    """Why a migration is paused."""

    reason: str
    detail: str
    sentence: str
    remedy: str
    since: datetime


class Waits(BaseModel):
    """One thing that a migration waits for; `command` where a person is wanted."""

    what: str
    sentence: str
    command: str


class Speed(BaseModel):
    """The speed of a migration, and the earliest and latest time at which what is due will be done."""

    per_minute: float
    ready_from: datetime | None
    ready_until: datetime | None


class Migration(BaseModel):
    """One upload, and where it stands."""

    migration: str
    authority: str
    council: str
    file: str
    phase: str
    uploaded_at: datetime
    paused: Pause | None
    refused: Cause | None
    """Why the upload was refused, replaced or failed, depending on its phase."""
    superseded_by: str
    rows: int
    staged: int
    outcomes: dict[str, int]
    states: dict[str, int]
    reasons: dict[str, int]
    failures: list[Cause]
    done: int | None = None
    speed: Speed | None = None
    waits: list[Waits] = []
    oldest_waiting_seconds: int | None
    counted_at: datetime | None
    reports: str
    next: str

    @property
    def name(self) -> str:
        """The council as people call it. Its folder where no council of that name is known."""
        return self.council or self.file.split("/", 1)[0]

    @property
    def stuck(self) -> int:
        """Accounts that cannot continue."""
        return sum(cause.count for cause in self.failures)


class Queue(BaseModel):
    """One queue and its poison queue."""

    queue: str
    messages: int
    poison: int


class Lost(BaseModel):
    """A council whose tables were emptied."""

    authority: str
    council: str
    tables: list[str]
    sentence: str
    next: str


class Timer(BaseModel):
    """A timer that keeps failing."""

    timer: str
    since: datetime
    times: int
    sentence: str
    next: str


class Status(BaseModel):
    """The state of everything at one time, newest migrations first."""

    at: datetime
    quota_used: float | None = None
    """Part of our share of the directory's write quota."""
    throttled_share: float | None = None
    """Part of our requests to the directory."""
    migrations: list[Migration]
    queues: list[Queue]
    lost: list[Lost] = []
    timers: list[Timer] = []
    copied_at: datetime | None = None
    """When the newest complete copy of the tables was finished."""


class Stuck(BaseModel):
    """One account that cannot continue."""

    account: str
    authority: str
    migration: str
    row: int
    reason: str
    sentence: str
    remedy: str


class Poison(BaseModel):
    """What failed, and what is in the poison queues."""

    stuck: list[Stuck]
    queues: list[Queue]


class Settled(BaseModel):
    """The result of a replay or discard."""

    accounts: int
    migrations: int
    messages: int


class Resumed(BaseModel):
    """A migration after `pause`, `resume` or `cancel`."""

    migration: str
    phase: str
    paused: bool
    reason: str = ""
    """Why it is paused."""
