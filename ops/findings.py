"""What a person should look at, one sentence each. Pure. The exit status of `ops status` depends on it."""

from datetime import datetime, timedelta
from typing import Final

from ops.answers import Migration, Status
from ops.words import format_count, format_time

FORGOTTEN: Final = timedelta(days=7)
"""How long an upload to a folder without a council counts as news. No later upload can be known to replace it."""


def list_findings(status: Status) -> list[str]:
    """Everything that is lost, stuck, paused, or refused and not made up for since. And timers that keep failing."""
    found = [f"{lost.council}: tables of the app were emptied. {lost.next}" for lost in status.lost]
    found += [f"{timer.sentence} Since {format_time(timer.since)}. {timer.next}" for timer in status.timers]
    found += [sentence for migration in status.migrations for sentence in _list_migration_findings(migration, status)]
    poison = sum(queue.poison for queue in status.queues)
    if poison:
        found.append(f"{format_count(poison, 'message')} in the poison queues: `ops poison list`.")
    return found


def _list_migration_findings(migration: Migration, status: Status) -> list[str]:
    found = []
    if migration.paused:
        found.append(f"{migration.name} is paused: {migration.paused.reason}.")
    if migration.stuck:
        found.append(f"{migration.name}: {format_count(migration.stuck, 'account is', 'accounts are')} stuck.")
    found += [f"{migration.name} waits: {wait.sentence}" for wait in migration.waits if wait.command]
    if migration.phase == "failed" and migration.refused:
        found.append(f"{migration.name}: the file {migration.file} is stuck: {migration.refused.reason}.")
    if refused_for_now(migration, status) and migration.refused:
        found.append(f"{migration.name}: the file {migration.file} was not taken: {migration.refused.reason}.")
    return found


def refused_for_now(migration: Migration, status: Status) -> bool:
    """Return True if an upload was refused and no newer one of the same council has replaced it."""
    if migration.phase != "refused":
        return False
    if not migration.council:
        return _measure_age(migration, status.at) < FORGOTTEN
    return not any(
        other.authority == migration.authority
        and other.uploaded_at > migration.uploaded_at
        and other.phase != "refused"
        for other in status.migrations
    )


def needs_a_look(migration: Migration, status: Status) -> bool:
    """Return True if a finding is about this migration."""
    return bool(_list_migration_findings(migration, status))


def is_moving(status: Status) -> bool:
    """Return True if work continues without help: a message is in a queue, or a migration moves."""
    going = any(_is_going_on(m) for m in status.migrations)
    return going or any(queue.messages for queue in status.queues)


GOING: Final = frozenset({"staging", "classifying", "adopting", "running"})
"""Phases in which work continues without help."""


def _is_going_on(migration: Migration) -> bool:
    return migration.phase in GOING and not migration.paused


def _measure_age(migration: Migration, now: datetime) -> timedelta:
    return now - migration.uploaded_at
