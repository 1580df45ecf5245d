"""Every message that was accepted, kept in SQLite: what the API finds again and what people read."""

import sqlite3
from dataclasses import astuple, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS messages (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE, service TEXT NOT NULL, key_type TEXT NOT NULL, reference TEXT,
    email_address TEXT NOT NULL, template_id TEXT NOT NULL, template_version INTEGER NOT NULL,
    subject TEXT NOT NULL, body TEXT NOT NULL, unsubscribe_url TEXT,
    created_at REAL NOT NULL, sending_at REAL NOT NULL, completed_at REAL NOT NULL, fate TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS by_reference ON messages (reference);
CREATE TABLE IF NOT EXISTS journal (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    at REAL NOT NULL, method TEXT NOT NULL, path TEXT NOT NULL, reference TEXT, status INTEGER, fault TEXT
);
CREATE TABLE IF NOT EXISTS rules (only INTEGER PRIMARY KEY CHECK (only = 1), content TEXT NOT NULL);
"""

# A status is a matter of time alone: nothing runs in the background, nothing is lost at a restart.
_STATUS: Final = "CASE WHEN :now < sending_at THEN 'created' WHEN :now < completed_at THEN 'sending' ELSE fate END"


@dataclass(frozen=True)
class Message:
    """One accepted e-mail. Times are seconds since 1970. `fate` is its status from `completed_at` on."""

    id: str
    service: str
    key_type: str
    reference: str | None
    email_address: str
    template_id: str
    template_version: int
    subject: str
    body: str
    unsubscribe_url: str | None
    created_at: float
    sending_at: float
    completed_at: float
    fate: str

    def status(self, now: float) -> str:
        """Return Notify's status of the message at this time."""
        if now < self.sending_at:
            return "created"
        return "sending" if now < self.completed_at else self.fate


@dataclass(frozen=True)
class Call:
    """One request in the journal; `status` is None if the caller got no answer."""

    at: float
    method: str
    path: str
    reference: str | None
    status: int | None
    fault: str | None


@dataclass(frozen=True)
class Search:
    """The messages to find. A field that is left out does not restrict the search. Newest messages come first."""

    service: str | None = None
    key_type: str | None = None
    reference: str | None = None
    statuses: tuple[str, ...] = ()
    older_than: str | None = None
    created_since: float | None = None
    words: str = ""


_COLUMNS: Final = ", ".join(field.name for field in fields(Message))
_BLANKS: Final = ", ".join("?" for _ in fields(Message))


class Outbox:
    """The messages, the journal and the rules, in memory or in a folder that outlives the process."""

    def __init__(self, folder: Path | None = None) -> None:
        if folder:
            folder.mkdir(parents=True, exist_ok=True)
        self._connection = sqlite3.connect(folder / "notify.sqlite3" if folder else ":memory:", autocommit=True)
        # What is written survives a killed process, as the system holds it; a power cut could lose some.
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = OFF")
        self._connection.executescript(_SCHEMA)

    def close(self) -> None:
        """Release the file."""
        self._connection.close()

    def add(self, message: Message) -> None:
        """Keep a message. Nothing looks whether the reference is known: Notify does not either."""
        self._connection.execute(
            f"INSERT INTO messages ({_COLUMNS}) VALUES ({_BLANKS})",  # noqa: S608 - only names of our own fields
            astuple(message),
        )

    def get(self, message_id: str, service: str | None = None) -> Message | None:
        """The message of this id, if the service (when given) is its owner."""
        row = self._connection.execute(
            f"SELECT {_COLUMNS} FROM messages WHERE id = ? AND service = coalesce(?, service)",  # noqa: S608 - the same
            (message_id, service),
        ).fetchone()
        return Message(*row) if row else None

    def find(self, search: Search, now: float, limit: int = -1, skip: int = 0) -> list[Message]:
        """The messages that fit, newest first. A negative limit means all."""
        where, values = _make_conditions(search, now)
        rows = self._connection.execute(
            f"SELECT {_COLUMNS} FROM messages WHERE {where} ORDER BY sequence DESC LIMIT :limit OFFSET :skip",  # noqa: S608 - conditions are ours, values are bound
            {**values, "limit": limit, "skip": skip},
        )
        return [Message(*row) for row in rows]

    def count(self, search: Search, now: float) -> int:
        """Return how many messages match."""
        where, values = _make_conditions(search, now)
        statement = f"SELECT count(*) FROM messages WHERE {where}"  # noqa: S608 - conditions are ours, values are bound
        return int(self._connection.execute(statement, values).fetchone()[0])

    def record(self, call: Call) -> None:
        """Add a request to the journal."""
        self._connection.execute(
            "INSERT INTO journal (at, method, path, reference, status, fault) VALUES (?, ?, ?, ?, ?, ?)",
            astuple(call),
        )

    def journal(self) -> list[Call]:
        """All requests to the API, oldest first."""
        rows = self._connection.execute(
            "SELECT at, method, path, reference, status, fault FROM journal ORDER BY sequence"
        )
        return [Call(*row) for row in rows]

    def saved_rules(self) -> str | None:
        """The rules as they were last saved, as JSON."""
        row = self._connection.execute("SELECT content FROM rules").fetchone()
        return row[0] if row else None

    def save_rules(self, content: str) -> None:
        """Keep the rules for the next start."""
        self._connection.execute("INSERT OR REPLACE INTO rules (only, content) VALUES (1, ?)", (content,))


def _make_conditions(search: Search, now: float) -> tuple[str, dict[str, object]]:
    conditions = ["1"]
    values: dict[str, object] = {"now": now}
    equal = {"service": search.service, "key_type": search.key_type, "reference": search.reference}
    for column, wanted in equal.items():
        if wanted is not None:
            conditions.append(f"{column} = :{column}")
            values[column] = wanted
    if search.created_since is not None:
        conditions.append("created_at >= :since")
        values["since"] = search.created_since
    if search.older_than is not None:
        conditions.append("sequence < (SELECT sequence FROM messages WHERE id = :older_than)")
        values["older_than"] = search.older_than
    if search.statuses:
        names = {f"status_{number}": status for number, status in enumerate(search.statuses)}
        conditions.append(f"{_STATUS} IN ({', '.join(f':{name}' for name in names)})")
        values.update(names)
    if search.words:
        everything = "lower(email_address || ' ' || subject || ' ' || coalesce(reference, '') || ' ' || body)"
        conditions.append(f"instr({everything}, :words)")
        values["words"] = search.words.lower()
    return " AND ".join(conditions), values


def format_time(at: float) -> str:
    """Return a time as Notify writes it: UTC, microseconds, Z."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
