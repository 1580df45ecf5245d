"""Records as entities and back. Columns have the names of fields, so that people can read the tables in the portal.

Times are UTC text of a fixed width, so that they sort and compare as text. Values with parts are JSON.
"""

import json
from collections.abc import Mapping
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any, Final, cast

from pydantic import TypeAdapter

from shared.adapters.storage.store import Value, Values
from shared.model.account import Account, Change, Cohort
from shared.model.counts.progress import Progress
from shared.model.counts.summary import ShardSummary, Tally
from shared.model.lifecycle import Outcome, State
from shared.model.migration import Migration
from shared.model.pacing.rate_limit import Pace
from shared.model.row import Row
from shared.model.safeguards.canary import Canary
from shared.model.safeguards.rebuild import Rebuild
from shared.model.safeguards.timer_failure import TimerFailure

TIME_FORMAT: Final = "%Y-%m-%dT%H:%M:%S.%fZ"


def format_time(at: datetime) -> str:
    """Return a time as the tables store it."""
    return at.astimezone(UTC).strftime(TIME_FORMAT)


class Mapper[T]:
    """Between one kind of record and its entity."""

    def __init__(self, kind: type[T], **parts: object) -> None:
        self._adapter = TypeAdapter(kind)
        self._parts = frozenset(parts)
        self._names = tuple(each.name for each in fields(cast("Any", kind)))
        self._optional = self._parts | {each.name for each in fields(cast("Any", kind)) if each.default is None}
        """The columns that may have no value. A merge cannot remove a column, so an empty text stands for no value."""

    def values(self, record: T) -> dict[str, Value]:
        """Return the columns of a record. A value that is None or empty has no column."""
        columns: dict[str, Value] = {}
        for name, value in self._adapter.dump_python(record).items():
            if value is None or value in ({}, ()):
                continue
            columns[name] = _make_column(value)
        return columns

    def changed_values(self, before: T, after: T) -> dict[str, Value]:
        """Return the columns to merge into the entity of `before`, so that it equals `after`.

        A column that has no value any more is written as an empty text, because a merge cannot remove a column. This
        works only for records whose fields are plain values, or mappings of plain values.
        """
        pairs = ((name, getattr(before, name), getattr(after, name)) for name in self._names)
        return {
            name: "" if new is None or new in ({}, ()) else _make_column(new) for name, old, new in pairs if old != new
        }

    def record(self, values: Values) -> T:
        """The record of an entity's columns."""
        raw: dict[str, Any] = {
            name: value for name, value in values.items() if value != "" or name not in self._optional
        }
        for name in self._parts & raw.keys():
            raw[name] = json.loads(raw[name])
        return self._adapter.validate_python(raw)


def _make_column(value: object) -> Value:
    if isinstance(value, datetime):
        return format_time(value)
    if isinstance(value, bool | int):
        return value
    if isinstance(value, str):
        return str(value)
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, default=_make_part)


def _make_part(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} has no column")


PROJECTION_COLUMNS: Final = (
    "id",
    "authority",
    "migration",
    "row",
    "state",
    "address_key",
    "not_before",
    "due_at",
    "outcome",
    "reason",
    "directory_id",
    "provisioned_at",
    "notified_at",
    "notify_id",
    "unacknowledged_sends",
    "tables_lost_at",
    "digest",
    "drafted",
    "settled",
    "cohort",
    "first",
    "resubmission",
    "announced_at",
    "announce_id",
    "told_day",
    "owner",
    "decide_by",
)
"""The columns of an account that the gate and the counts look at."""


def read_projection(values: Mapping[str, Any]) -> Account:
    """Return an account with these columns only.

    This is written by hand, because a million accounts are read at a time.
    """
    return Account(
        id=values["id"],
        authority=values["authority"],
        migration=values["migration"],
        row=values["row"],
        state=State(values["state"]),
        staged_at=_parse_time(values["not_before"]),
        digest=values["digest"],
        address_key=values.get("address_key", ""),
        not_before=_parse_time(values["not_before"]),
        due_at=_parse_optional_time(values.get("due_at")),
        outcome=Outcome(values["outcome"]) if values.get("outcome") else None,
        reason=values.get("reason", ""),
        directory_id=values.get("directory_id") or None,
        provisioned_at=_parse_optional_time(values.get("provisioned_at")),
        notified_at=_parse_optional_time(values.get("notified_at")),
        notify_id=values.get("notify_id", ""),
        unacknowledged_sends=values.get("unacknowledged_sends", 0),
        tables_lost_at=_parse_optional_time(values.get("tables_lost_at")),
        drafted=values.get("drafted", False),
        settled=values.get("settled", False),
        cohort=Cohort(values.get("cohort", "")),
        first=values.get("first", ""),
        resubmission=values.get("resubmission", ""),
        announced_at=_parse_optional_time(values.get("announced_at")),
        announce_id=values.get("announce_id", ""),
        told_day=_parse_optional_time(values.get("told_day")),
        owner=values.get("owner", ""),
        decide_by=values.get("decide_by", ""),
    )


def _parse_time(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _parse_optional_time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


ACCOUNT: Final = Mapper(Account, evidence=dict, before=dict)
CHANGES: Final = TypeAdapter(list[Change])
"""Entries of an account's history, oldest first, as they are stored: JSON."""
MIGRATION: Final = Mapper(Migration, layout=dict, plan=dict, gates=list, notices=dict)
ROW: Final = Mapper(Row, person=dict)
PACE: Final = Mapper(Pace)
PROGRESS: Final = Mapper(Progress, samples=list)
REBUILD: Final = Mapper(Rebuild)
TIMER_FAILURE: Final = Mapper(TimerFailure)


def summary_values(summary: ShardSummary) -> Values:
    """The columns of a shard's summary."""
    return {
        "shard": summary.shard,
        "swept_at": format_time(summary.swept_at),
        "counted": summary.counted,
        "settled": _dump_tally(summary.settled),
        "accounts": _dump_tally(summary.accounts),
        "due": summary.due,
        "soon": summary.soon,
        "oldest": format_time(summary.oldest) if summary.oldest else "",
        "fingerprint": summary.fingerprint,
        "plan": summary.plan,
        "took_ms": summary.took_ms,
        "waves": json.dumps({number: dict(tally) for number, tally in summary.waves.items()}, sort_keys=True),
        "told_at": format_time(summary.told_at) if summary.told_at else "",
    }


def summary_record(values: Values) -> ShardSummary:
    """The summary of an entity's columns."""
    oldest = str(values["oldest"])
    return ShardSummary(
        shard=str(values["shard"]),
        swept_at=datetime.fromisoformat(str(values["swept_at"])),
        counted=bool(values["counted"]),
        settled=_load_tally(str(values["settled"])),
        accounts=_load_tally(str(values["accounts"])),
        due=int(values["due"]),
        soon=int(values.get("soon", values["due"])),
        oldest=datetime.fromisoformat(oldest) if oldest else None,
        fingerprint=str(values["fingerprint"]),
        plan=str(values["plan"]),
        took_ms=int(values.get("took_ms", 0)),
        waves={int(number): tally for number, tally in json.loads(str(values.get("waves", "{}"))).items()},
        told_at=_parse_optional_time(str(values.get("told_at", ""))),
    )


def without_reference(columns: Values) -> Values:
    """An account's columns without the customer reference that an undo would put back: a copy must not keep it."""
    before = {key: value for key, value in json.loads(str(columns.get("before", "{}"))).items() if key == "account"}
    kept = {name: value for name, value in columns.items() if name != "before"}
    return {**kept, "before": _make_column(before)} if before else kept


def without_file_name(columns: Values) -> Values:
    """Return a migration's columns without what people typed, because a file may be named after a customer."""
    return {name: value for name, value in columns.items() if name not in {"blob", "detail"}}


def nameless_migration(columns: Values) -> Migration:
    """The migration of such columns."""
    return MIGRATION.record({"blob": "", **columns})


_CANARY: Final = TypeAdapter(Canary)


def canary_values(canary: Canary) -> Values:
    """Return the columns of a canary: those that people look for in the portal, and the whole record as JSON."""
    return {
        "run": canary.run,
        "step": canary.step.value,
        "verdict": canary.verdict,
        "passed_at": format_time(canary.passed_at) if canary.passed_at else "",
        "record": _CANARY.dump_json(canary).decode(),
    }


def canary_record(values: Values) -> Canary:
    """The canary of an entity's columns."""
    return _CANARY.validate_json(str(values["record"]))


def _dump_tally(tally: Tally) -> str:
    return json.dumps([[*key, number] for key, number in sorted(tally.items())], separators=(",", ":"))


def _load_tally(text: str) -> Tally:
    return {(outcome, state, reason): number for outcome, state, reason, number in json.loads(text)}
