"""The users, the recycle bin, and the file that lets both survive a killed process.

Each write is one line appended to ``users.jsonl`` and flushed before it is answered, so a killed process
loses nothing it has answered (a power cut may). A torn last line is the write that nobody was told of: it is
dropped.
"""

import json
import os
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any, Final

from local.standins.graph.filter_syntax import Properties

if sys.platform != "win32":
    import fcntl

FILE: Final = "users.jsonl"


class FolderTakenError(OSError):
    """Another process keeps its users in the folder."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One user, alive or deleted, with what Graph never shows.

    ``before`` is what lists showed until ``changed_at``. A lagging list still shows it. It is not kept on
    disk: after a restart everything is visible.
    """

    properties: Properties
    force_change: bool = False
    password_length: int = 0
    number: int = 0
    created_at: float = 0.0
    changed_at: float = 0.0
    before: Properties | None = None

    @property
    def id(self) -> str:
        """The object id."""
        return str(self.properties["id"])

    @property
    def deleted(self) -> bool:
        """Return True if the user is in the recycle bin."""
        return bool(self.properties.get("deletedDateTime"))

    def seen(self, now: float, lag: float) -> Properties | None:
        """Return what a list shows at ``now`` if writes take ``lag`` seconds to arrive. None for nothing."""
        return self.before if now < self.changed_at + lag else self.properties


class Store:
    """All users by id, in the order of their creation, and an index from values to ids.

    ``deleted`` is how many of them lie in the recycle bin.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._entries: dict[str, Entry] = {}
        self._index: defaultdict[tuple[str, str], dict[str, None]] = defaultdict(dict)
        self._next = 1
        self.deleted = 0
        self._file: IO[bytes] | None = None
        self._lock: IO[bytes] | None = None
        if folder:
            folder.mkdir(parents=True, exist_ok=True)
            self._lock = _lock_folder(folder)
            self._load_file(folder / FILE)

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._entries.values())

    def get(self, key: str) -> Entry | None:
        """Return a user by object id or userPrincipalName, also a deleted one."""
        found = self._entries.get(key.lower()) or self._entries.get(key)
        if found:
            return found
        named = self.candidates("userPrincipalName", (key,))
        return next((each for each in named if _is_same_text(each.properties.get("userPrincipalName"), key)), None)

    def candidates(self, name: str, values: Iterable[str]) -> Iterator[Entry]:
        """Return users that have, or once had, one of these values in any case. The caller checks them."""
        for value in values:
            for key in tuple(self._index.get((name, value.casefold()), ())):
                if key in self._entries:
                    yield self._entries[key]

    def put(self, entry: Entry, now: float, lag: float) -> Entry:
        """Store a new user or the new state of an old one. On disk before this returns."""
        old = self._entries.get(entry.id)
        number = old.number if old else self._next
        stored = replace(
            entry,
            number=number,
            created_at=old.created_at if old else now,
            changed_at=now,
            before=old.seen(now, lag) if old else None,
        )
        self._append_line({"put": _as_line(stored)})
        self._keep_entry(stored)
        return stored

    def seed(self, entries: Iterable[Entry]) -> None:
        """Store users that were always there: no list lags behind them."""
        for entry in entries:
            self.put(entry, 0.0, 0.0)

    def purge(self, key: str) -> None:
        """Forget a user for good."""
        self._append_line({"purge": key})
        self._forget_entry(key)

    def close(self) -> None:
        """Close the file."""
        for each in (self._file, self._lock):
            if each:
                each.close()
        self._file = self._lock = None

    def _forget_entry(self, key: str) -> None:
        gone = self._entries.pop(key, None)
        self.deleted -= gone.deleted if gone else 0

    def _keep_entry(self, entry: Entry) -> None:
        old = self._entries.get(entry.id)
        self.deleted += entry.deleted - (old.deleted if old else False)
        self._entries[entry.id] = entry
        self._next = max(self._next, entry.number + 1)
        for key in _list_values(entry.properties):
            self._index[key][entry.id] = None

    def _append_line(self, line: Mapping[str, Any]) -> None:
        if self._file:
            self._file.write(json.dumps(line, ensure_ascii=False).encode() + b"\n")
            self._file.flush()

    def _load_file(self, path: Path) -> None:
        if path.exists():
            for line in path.read_bytes().split(b"\n"):
                self._replay_line(line)
        self._compact_file(path)
        self._file = path.open("ab")

    def _replay_line(self, line: bytes) -> None:
        if not line:
            return
        try:
            written = json.loads(line)
        except ValueError:
            return  # torn by a kill: nobody was told of this write
        if "purge" in written:
            self._forget_entry(written["purge"])
        else:
            self._keep_entry(Entry(**written["put"]))

    def _compact_file(self, path: Path) -> None:
        """Rewrite the file with one line a user, in one step, so that it does not grow for ever."""
        fresh = path.with_suffix(".new")
        lines = (json.dumps({"put": _as_line(entry)}, ensure_ascii=False) for entry in self)
        fresh.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        os.replace(fresh, path)  # noqa: PTH105 - the one call that replaces on Windows too is the same in both


def _lock_folder(folder: Path) -> IO[bytes]:
    """Lock the folder: two directories that write one file would lose each other's users.

    The lock ends with the process, however it ends. Windows refuses to replace an open file by itself.
    """
    lock = (folder / "lock").open("wb")
    if sys.platform != "win32":
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.close()
            raise FolderTakenError(f"the folder {folder} is in use by another directory") from None
    return lock


def _as_line(entry: Entry) -> dict[str, Any]:
    return {
        "properties": dict(entry.properties),
        "force_change": entry.force_change,
        "password_length": entry.password_length,
        "number": entry.number,
        "created_at": entry.created_at,
        "changed_at": entry.changed_at,
    }


def _list_values(properties: Properties) -> Iterator[tuple[str, str]]:
    """Return the values that a filter by equality, or the search for a conflict, may look for."""
    for name, value in properties.items():
        if isinstance(value, str):
            yield name, value.casefold()
        elif isinstance(value, list):
            for each in value:
                held = each["issuerAssignedId"] if isinstance(each, dict) else each
                yield name, str(held).casefold()


def _is_same_text(left: object, right: str) -> bool:
    return isinstance(left, str) and left.casefold() == right.casefold()
