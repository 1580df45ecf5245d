"""status: the state of all migrations, from the summaries, with the next actions. Reads no account."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from pydantic import BaseModel

from shared import names
from shared.integrity.backup_tables import find_newest_backup
from shared.integrity.table_loss import find_table_loss
from shared.model.counts.progress import forecast_end
from shared.model.counts.summary import ShardSummary, Totals, add_up_shards
from shared.model.lifecycle import MOVING, State
from shared.model.migration import Kind, Migration, Phase
from shared.model.pacing.rate_limit import WRITE, measure_use, throttled_share
from shared.model.profile import Profile
from shared.model.reasons import explain_reason
from shared.model.safeguards.timer_failure import TimerFailure
from shared.operations.sample import SAMPLED, count_done, count_left
from shared.planning.rules.pending_actions import list_waits
from shared.ports import Ports

COUNTING: Final = "Is being counted again; look in a few minutes. Nothing to do."


class Cause(BaseModel):
    """Stuck accounts of one cause."""

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
    """One thing that a migration waits for, and what to type where a person is wanted."""

    what: str
    sentence: str
    command: str


class Speed(BaseModel):
    """The speed of a migration."""

    per_minute: float
    ready_from: datetime | None
    ready_until: datetime | None
    """The latest end of what is due now, without waves and announcements to come. None if nothing is due."""


class MigrationStatus(BaseModel):
    """One migration."""

    migration: str
    authority: str
    council: str
    file: str
    phase: Phase
    uploaded_at: datetime
    paused: Pause | None
    refused: Cause | None
    superseded_by: str
    rows: int
    staged: int
    outcomes: dict[str, int]
    states: dict[str, int]
    reasons: dict[str, int]
    failures: list[Cause]
    done: int
    """Rows behind which lies what the phase is about."""
    speed: Speed | None
    """None if the speed is unknown, or if nothing moves."""
    waits: list[Waits]
    oldest_waiting_seconds: int | None
    counted_at: datetime | None
    """When the oldest of the counts was made."""
    reports: str
    next: str


class QueueStatus(BaseModel):
    """One queue."""

    queue: str
    messages: int
    poison: int


class FailingTimer(BaseModel):
    """A timer that keeps failing: what it does is not done."""

    timer: str
    since: datetime
    times: int
    sentence: str
    next: str


class LostTables(BaseModel):
    """A council whose tables were emptied. Nothing is done for it until the tables are rebuilt."""

    authority: str
    council: str
    tables: list[str]
    sentence: str
    next: str


class Status(BaseModel):
    """The state of everything at one time."""

    at: datetime
    quota_used: float | None = None
    """The used part of our share of the directory's write quota. None if it is unknown."""
    throttled_share: float | None = None
    """The part of our requests that the directory throttled. None if it is unknown."""
    migrations: list[MigrationStatus]
    queues: list[QueueStatus]
    lost: list[LostTables]
    timers: list[FailingTimer]
    """The timers that keep failing."""
    copied_at: datetime | None
    """When the newest complete copy of the tables was finished. None if there is none yet."""


async def read_status(ports: Ports) -> Status:
    """Return the state of everything, with the newest migration first."""
    found = [
        await _describe_migration(ports, profile, migration)
        for profile in ports.profiles.values()
        async for migration in ports.ledger.migrations.list_all(profile.authority)
    ]
    found += [
        await _describe_migration(ports, None, migration) for migration in await ports.ledger.migrations.list_refused()
    ]
    queues = [
        QueueStatus(
            queue=queue,
            messages=await ports.outbox.depth(queue),
            poison=await ports.outbox.depth(names.poison_of(queue)),
        )
        for queue in names.QUEUES
    ]
    copy = await find_newest_backup(ports)
    used, throttled = await _measure_quota(ports)
    return Status(
        at=ports.clock.now(),
        migrations=sorted(found, key=lambda m: m.uploaded_at, reverse=True),
        queues=queues,
        lost=[lost for profile in ports.profiles.values() for lost in await _list_lost_tables(ports, profile)],
        timers=[
            _describe_failing_timer(trouble)
            for trouble in await ports.ledger.timer_failures.list_all()
            if trouble.lasting
        ],
        copied_at=copy.finished_at if copy else None,
        quota_used=used,
        throttled_share=throttled,
    )


def _describe_failing_timer(trouble: TimerFailure) -> FailingTimer:
    return FailingTimer(
        timer=trouble.timer,
        since=trouble.since,
        times=trouble.times,
        sentence=f"The timer {trouble.timer} has failed {trouble.times} times in a row: {trouble.error}.",
        next="What it does is not done until it runs again; nothing is lost. The runbook says what to do: 'A timer "
        "keeps failing'.",
    )


async def _measure_quota(ports: Ports) -> tuple[float | None, float | None]:
    """Return how much of the directory's write quota was given away lately, and how often the directory throttled."""
    stored, now = await ports.ledger.rate_limits.get(WRITE), ports.clock.now()
    if stored is None:
        return None, None
    return measure_use(stored.record, ports.quotas.write, now), throttled_share(stored.record, ports.quotas.write, now)


async def _list_lost_tables(ports: Ports, profile: Profile) -> list[LostTables]:
    lost = await find_table_loss(ports, profile.authority)
    if lost is None:
        return []
    why = explain_reason("tables_lost")
    under_way = "A rebuild was begun and has not come to its end. " if lost.rebuild else ""
    return [
        LostTables(
            authority=profile.authority,
            council=profile.name,
            tables=sorted(lost.tables),
            sentence=why.sentence,
            next=under_way + why.remedy,
        )
    ]


async def _describe_migration(ports: Ports, profile: Profile | None, migration: Migration) -> MigrationStatus:
    summaries = await ports.ledger.summaries.list_all(migration.authority, migration.id)
    totals = add_up_shards(summaries)
    oldest = totals.oldest
    waiting = max(int((ports.clock.now() - oldest).total_seconds()), 0) if oldest else None
    return MigrationStatus(
        migration=migration.id,
        authority=migration.authority,
        council=profile.name if profile else "",
        file=migration.blob,
        phase=migration.phase,
        uploaded_at=migration.uploaded_at,
        paused=_describe_pause(migration),
        refused=_describe_cause(migration.reason, migration.detail) if migration.reason else None,
        superseded_by=migration.superseded_by,
        rows=migration.rows,
        staged=migration.row,
        outcomes={outcome.value: count for outcome, count in totals.outcomes().items()},
        states=totals.states(),
        reasons=totals.reasons(),
        failures=[_describe_cause(reason, "", count) for reason, count in totals.failures().items()],
        done=count_done(migration, totals),
        speed=await _measure_speed(ports, migration, totals),
        waits=_describe_waits(migration, profile, totals, ports.clock.now()),
        oldest_waiting_seconds=waiting,
        counted_at=min((summary.swept_at for summary in summaries), default=None),
        reports=f"{names.REPORTS}/{migration.folder}/",
        next=_describe_next_step(migration, profile, totals, ports.clock.now())
        if _is_counted(migration, summaries)
        else COUNTING,
    )


async def _measure_speed(ports: Ports, migration: Migration, totals: Totals) -> Speed | None:
    """Return what the samples of the sweep say.

    Nothing if the migration stands still or has no sample in this phase.
    """
    if migration.phase not in SAMPLED or migration.paused:
        return None
    progress = await ports.ledger.progress.get(migration.authority, migration.id)
    if progress is None or progress.phase != migration.phase:
        return None
    running = migration.phase is Phase.RUNNING
    soon = min(totals.soon, count_left(migration, totals))
    told = forecast_end(progress.samples, soon, ports.clock.now(), ports.quotas.write if running else None)
    return (
        Speed(per_minute=round(told.per_minute, 1), ready_from=told.earliest, ready_until=told.latest) if told else None
    )


def _describe_waits(migration: Migration, profile: Profile | None, totals: Totals, now: datetime) -> list[Waits]:
    found = list_waits(migration, profile, totals, now) if profile else []
    return [Waits(what=wait.what, sentence=wait.sentence, command=wait.command) for wait in found]


def _is_counted(migration: Migration, summaries: Sequence[ShardSummary]) -> bool:
    """Return True if the counts of accounts are valid. After a rebuild they are not, until the next sweep."""
    return migration.phase is not Phase.DONE or migration.paused or any(summary.counted for summary in summaries)


def _describe_pause(migration: Migration) -> Pause | None:
    if migration.paused_at is None:
        return None
    why = explain_reason(migration.pause_reason)
    return Pause(
        reason=migration.pause_reason,
        detail=migration.pause_detail,
        sentence=why.sentence,
        remedy=why.remedy,
        since=migration.paused_at,
    )


def _describe_cause(reason: str, detail: str, count: int = 1) -> Cause:
    why = explain_reason(reason)
    sentence = f"{why.sentence} ({detail})" if detail else why.sentence
    return Cause(reason=reason, count=count, sentence=sentence, remedy=why.remedy)


def _count_missing_rows(migration: Migration, totals: Totals) -> int:
    """Return how many rows of an export under comparison no account explains. 0 while the counts are not complete."""
    alone = migration.phase is Phase.CLASSIFYING and not migration.superseded_by and migration.rebuilt_at is None
    counted = alone and totals.complete and not totals.in_state(State.STAGED)
    return max(migration.rows - totals.rows, 0) if counted else 0


def _describe_next_step(migration: Migration, profile: Profile | None, totals: Totals, now: datetime) -> str:
    """One sentence: what happens, or what a person should do."""
    if migration.paused:
        return f"Paused. {explain_reason(migration.pause_reason).remedy}"
    gone = _count_missing_rows(migration, totals)
    if gone:
        return (
            f"{gone} rows have no account any more: somebody deleted records from the tables, and this does not go on. "
            "Find out who, then upload the file again; whoever was moved is found by our mark, and goes to review."
        )
    if migration.phase in {Phase.REFUSED, Phase.FAILED, Phase.SUPERSEDED, Phase.CANCELLED}:
        return explain_reason(migration.reason).remedy
    if migration.superseded_by and totals.in_state(*MOVING):
        return f"Superseded by {migration.superseded_by}; if that one was never read whole, upload its file again."
    if migration.kind is Kind.ASSESS and migration.phase is Phase.ASSESSED:
        return "Assessed, and that is all it was uploaded for. Read assessment.html; nothing else to do."
    first = next(iter(_describe_waits(migration, profile, totals, now)), None)
    stuck = sum(totals.failures().values())
    if stuck:
        return f"{stuck} stuck: see `ops poison list`, mend the cause, then `ops poison replay`."
    if first is not None:
        return f"Waits: {first.sentence} Type: {first.command}" if first.command else f"Waits: {first.sentence}"
    review = totals.states().get("review", 0)
    if migration.phase is Phase.DONE:
        done = f"Done. {review} need a person: see result.csv." if review else "Done. Nothing to do."
        return f"{done} Rows of it are gone, so result.csv stays as it was." if migration.rows_lost else done
    return {
        Phase.STAGING: "Rows are being read. Nothing to do.",
        Phase.ASSESSED: "The plan waits; read it with `ops plan show`.",
        Phase.ADOPTING: "The plan is approved, and its accounts are being taken over. Nothing to do.",
        Phase.CLASSIFYING: "Accounts are being compared with the directory; nothing is changed there. Nothing to do.",
    }.get(migration.phase, "Accounts are being moved. Nothing to do.")
