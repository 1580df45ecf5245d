"""What a migration waits for, and who has to act. Pure.

Sentences for people, with the command if a person has to act.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from shared.model.calendar import LONDON, convert_from_london
from shared.model.counts.summary import Totals
from shared.model.counts.wave_counts import DUE, JUST_TOLD, UNOWNED, is_wave_at_rest
from shared.model.lifecycle import MOVING, State
from shared.model.migration import Migration, Phase
from shared.model.profile import Profile
from shared.model.wave import Wave
from shared.planning.rules.pending_signatures import list_missing_parts, make_signing_command


@dataclass(frozen=True, slots=True)
class Wait:
    """One thing that is waited for."""

    what: str
    """`signature`, `canary`, `review`, `wave` or `switch`."""
    sentence: str
    command: str = ""
    """The command to type. Empty if nobody has to act."""


def list_waits(migration: Migration, profile: Profile, totals: Totals, now: datetime) -> list[Wait]:
    """All that a migration waits for, in the order in which it comes."""
    if migration.paused or not migration.open:
        return []
    found = list(_list_missing_approvals(migration, profile))
    if migration.phase is not Phase.RUNNING:
        return found
    if migration.superseded_by:
        # No wave of it begins any more; whom it has moved is still to be told.
        return [*found, *_list_switch_wait(migration, profile, totals, now)]
    found += _list_canary_wait(migration, profile, totals)
    found += _list_unowned_cases(migration, totals)
    found += _list_wave_waits(migration, totals, now)
    found += _list_switch_wait(migration, profile, totals, now)
    return found


def _list_missing_approvals(migration: Migration, profile: Profile) -> Iterator[Wait]:
    for part in list_missing_parts(migration, profile) if migration.plan else ():
        command = make_signing_command(migration, migration.plan, part) if migration.plan else ""
        yield Wait("signature", f"The signature of {part} is wanted.", command)


def _list_canary_wait(migration: Migration, profile: Profile, totals: Totals) -> Iterator[Wait]:
    if migration.waits_for_canary and totals.in_state(State.CLASSIFIED, State.RELEASED):
        days = profile.directory.canary_within_days
        yield Wait(
            "canary",
            f"No canary passed within {days} days, which {profile.authority}.toml asks for.",
            f"ops canary --authority {profile.authority} --address MAILBOX",
        )


def _find_next_wave(migration: Migration) -> Wave | None:
    """Return the first wave that is not open. Later waves wait for it in any case."""
    waves = migration.plan.waves if migration.plan else ()
    return next((each for each in waves if migration.gate(each.number).opened_at is None), None)


def _list_unowned_cases(migration: Migration, totals: Totals) -> Iterator[Wait]:
    """Return the cases that the gate of the next wave wants to have an owner."""
    wave = _find_next_wave(migration)
    number = totals.waves.get(wave.number - 1, {}).get(UNOWNED, 0) if wave else 0
    if wave and number:
        cases = "review case has" if number == 1 else "review cases have"
        yield Wait(
            "review",
            f"{number:,} {cases} no owner or no day, and wave {wave.number} does not begin before. "
            f"Which: ops review list {migration.id}",
            f"ops review assign {migration.id} REASON --owner TEAM --by-day DATE",
        )


def _list_wave_waits(migration: Migration, totals: Totals, now: datetime) -> Iterator[Wait]:
    wave = _find_next_wave(migration)
    if wave is None:
        return
    stopped = migration.stops(wave.number)
    if stopped:
        opens = f"ops wave open {migration.id} {wave.number} --why REASON"
        yield Wait("wave", f"{_name_wave(wave)} is stopped: {' '.join(stopped)}", opens)
    else:
        over = wave.starts_at is not None and wave.starts_at <= now
        begins = count_held_back(migration, wave, totals, now) or format_in_london(None if over else wave.starts_at)
        yield Wait("wave", f"{_name_wave(wave)} begins {begins}.")


def count_held_back(migration: Migration, wave: Wave, totals: Totals, now: datetime) -> str:
    """Return what holds the next wave back after its day has come: `as soon as wave 1 is at rest.

    ...`, else an empty text.
    """
    comes = migration.phase is Phase.RUNNING and not migration.paused and not migration.superseded_by
    early = wave.starts_at is not None and now < wave.starts_at
    if not comes or early or wave != _find_next_wave(migration) or migration.stops(wave.number):
        return ""
    last, before = wave.number - 1, totals.waves.get(wave.number - 1, {})
    if not is_wave_at_rest(before):
        moving = sum(before.get(state, 0) for state in MOVING)
        number, left = (moving, "to be moved") if moving else (before.get(DUE, 0), "to be told")
        are = "is" if number == 1 else "are"
        return f"as soon as wave {last} is at rest: {number:,} of its accounts {are} still {left}"
    return f"as soon as it is known whom the messages of wave {last} reached" if before.get(JUST_TOLD) else ""


def _name_wave(wave: Wave) -> str:
    return f"Wave {wave.number} ({wave.name}, {wave.accounts:,} accounts)"


def _list_switch_wait(migration: Migration, profile: Profile, totals: Totals, now: datetime) -> Iterator[Wait]:
    at_once = profile.plan.switch == "at-once" and migration.switched_at is None
    if not at_once or not totals.in_state(State.PROVISIONED):
        return
    switch_at = convert_from_london(profile.plan.switch_at) if profile.plan.switch_at else now
    if now < switch_at:
        told = "Customers are told when a person has confirmed it then."
        yield Wait("switch", f"The portal switches on {format_in_london(switch_at)}. {told}")
    else:
        yield Wait(
            "switch",
            "Customers are told when a person has confirmed that the portal has switched.",
            f"ops switch confirm {migration.id}",
        )


def format_in_london(at: datetime | None) -> str:
    """Return a time like `12 March 2026 09:00 London time`.

    A wave without a date starts when the one before is done.
    """
    if at is None:
        return "when nothing is in its way"
    local = at.astimezone(LONDON)
    return f"{local.day} {local:%B %Y %H:%M} London time"
