"""The notices for staff about a migration, in plain words. Pure.

A notice names no customer and no file, because a file may be named after a customer.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from shared.model.migration import Kind, Migration, Phase
from shared.model.profile import Profile
from shared.model.reasons import explain_reason

MAX_NEWS_AGE: Final = timedelta(days=1)
"""Older events are no news. A contact who is added later does not get old notices."""


@dataclass(frozen=True, slots=True)
class StaffNotice:
    """One notice that staff get once."""

    key: str
    subject: str
    text: str


def list_notices(migration: Migration, profile: Profile, now: datetime) -> list[StaffNotice]:
    """Return all notices that are news about this migration now, sent or not."""
    found: list[StaffNotice] = []
    for since, key, what, text in _list_conditions(migration, profile):
        if since is not None and now - since < MAX_NEWS_AGE:
            found.append(StaffNotice(key, f"{profile.name}: {what}", _write_text(migration, text)))
    return found


type _Condition = tuple[datetime | None, str, str, str]
"""The start of the condition, its key, what happened in a few words, and the text."""


def _list_conditions(migration: Migration, profile: Profile) -> Iterator[_Condition]:
    if migration.phase is Phase.REFUSED:
        yield _describe_refusal(migration)
        return
    if migration.paused:
        yield _describe_pause(migration)
    if migration.assessed_at is not None and migration.phase is not Phase.CANCELLED:
        yield _describe_assessment(migration)
    yield from _list_missing_approvals(migration, profile)
    yield from _list_closed_gates(migration)
    if migration.phase is Phase.DONE:
        yield _describe_end(migration)


def _write_text(migration: Migration, text: str) -> str:
    return f"Migration {migration.id}.\n\n{text}"


def _describe_refusal(migration: Migration) -> _Condition:
    reason = explain_reason(migration.reason)
    text = (
        f"An uploaded file was not taken, and nothing was done with it. {reason.sentence}\n\n"
        f"What to do: {reason.remedy}\n\n"
        f"The report reports/{migration.folder}/refused.json says where in the file."
    )
    return migration.moved_at or migration.received_at, "refused", "a file was not taken", text


def _describe_pause(migration: Migration) -> _Condition:
    reason = explain_reason(migration.pause_reason)
    text = (
        f"The migration is paused: no account is created, joined or told. {reason.sentence}\n\n"
        f"What to do: {reason.remedy}\n\n"
        f"To go on: ops resume {migration.id}"
    )
    # A pause is told again when it comes again; a person, or a newer plan, had to end the one before it.
    key = f"paused:{migration.pause_reason}:{migration.epoch}"
    return migration.paused_at, key, "a migration is paused", text


def _describe_assessment(migration: Migration) -> _Condition:
    text = (
        f"The assessment is ready. The export has {migration.rows} rows.{_describe_plan(migration)} "
        "Nothing was changed for it in the directory, and nobody was told.\n\n"
        f"Read the report: reports/{migration.folder}/assessment.html\n\n"
        f"Where it stands: ops status --authority {migration.authority}"
    )
    return migration.assessed_at, "assessed", "the assessment is ready", text


def _describe_plan(migration: Migration) -> str:
    plan = migration.plan
    if plan is None:
        return ""
    return f" New accounts: {plan.creates}. Joined to an existing account: {plan.links}. Waves: {len(plan.waves)}."


def _list_missing_approvals(migration: Migration, profile: Profile) -> Iterator[_Condition]:
    plan = migration.plan
    signed = migration.approved_at is not None or profile.plan.approval == "automatic"
    waits = migration.phase is Phase.ASSESSED and migration.kind is Kind.MIGRATE
    if plan is None or signed or plan.rejected_by or not waits:
        return
    for part in plan.wanted(profile.plan.signatures):
        warned = f"\n\nLimits of the profile that it exceeds: {len(plan.warnings)}." if plan.warnings else ""
        text = (
            f"The plan waits for the signature of: {part}. It has {plan.rows} rows."
            f"{_describe_plan(migration)}{warned}\n\n"
            f"Read the report: reports/{migration.folder}/assessment.html\n\n"
            f"Then read the plan, and how to sign it: ops plan show {migration.id}"
        )
        yield plan.made_at, f"signature:{part}", f"a signature is wanted ({part})", text


def _list_closed_gates(migration: Migration) -> Iterator[_Condition]:
    if migration.plan is None:
        return
    starts = {wave.number: wave.starts_at for wave in migration.plan.waves}
    for gate in migration.gates:
        stopped = migration.stops(gate.wave)
        if not stopped:
            continue
        why = "\n".join(f"- {sentence}" for sentence in stopped)
        text = (
            f"Wave {gate.wave} does not start. What is in its way:\n\n{why}\n\n"
            f"Where it stands, and how to go on: ops status --authority {migration.authority}"
        )
        # For a gate that stopped before the time was recorded. A wave without a date is due from the signatures on.
        since = gate.stopped_at or starts.get(gate.wave) or migration.approved_at or migration.assessed_at
        # Mended and stopped anew, it is told again, once a day at most.
        key = f"gate:{gate.wave}:{gate.stopped_at:%Y-%m-%d}" if gate.stopped_at else f"gate:{gate.wave}"
        yield since, key, f"wave {gate.wave} waits for a person", text


def _describe_end(migration: Migration) -> _Condition:
    if migration.kind is Kind.EXCLUDE:
        text = f"The list of people to be left alone was read. It has {migration.rows} lines.\n\nNothing to do."
        return migration.moved_at, "done", "a list was read", text
    # What was planned is told as a plan: how many were moved in the end stands in the result.
    planned = f" What was planned:{_describe_plan(migration)}" if migration.plan else ""
    what = "the migration is done"
    end = f"The migration is done: every one of its {migration.rows} rows has come to rest.{planned}"
    if migration.superseded_by:
        what = "a migration has given way to a newer one"
        end = f"It has given way to {migration.superseded_by}: what it had not begun is left to that one."
    text = (
        f"{end}\n\n"
        f"What became of each row: reports/{migration.folder}/result.csv\n\n"
        f"What is left for people: ops status --authority {migration.authority}"
    )
    return migration.done_at, "done", what, text
