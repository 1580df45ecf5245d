"""What a migration waits for, and for whom. Pure: sentences for people, with what to type where a person is wanted."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from shared.domain.calendar import LONDON
from shared.domain.lifecycle import State
from shared.domain.migration import Migration, Phase
from shared.domain.profile import Profile
from shared.domain.summary import Totals
from shared.domain.wanted import signing_command, waits_for
from shared.domain.wave_tally import UNOWNED
from shared.domain.waves import Wave


@dataclass(frozen=True, slots=True)
class Wait:
    """One thing that is waited for."""

    what: str
    """`signature`, `canary`, `review`, `wave` or `switch`."""
    sentence: str
    command: str = ""
    """What to type; empty where it comes by itself."""


def waits(migration: Migration, profile: Profile, totals: Totals) -> list[Wait]:
    """All that a migration waits for, in the order in which it comes."""
    if migration.paused or not migration.open:
        return []
    found = list(_signatures(migration, profile))
    if migration.phase is not Phase.RUNNING:
        return found
    if migration.superseded_by:
        # No wave of it begins any more; whom it has moved is still to be told.
        return [*found, *_switch(migration, profile, totals)]
    found += _canary(migration, profile, totals)
    found += _review(migration, totals)
    found += _waves(migration)
    found += _switch(migration, profile, totals)
    return found


def _signatures(migration: Migration, profile: Profile) -> Iterator[Wait]:
    for part in waits_for(migration, profile) if migration.plan else ():
        command = signing_command(migration, migration.plan, part) if migration.plan else ""
        yield Wait("signature", f"The signature of {part} is wanted.", command)


def _canary(migration: Migration, profile: Profile, totals: Totals) -> Iterator[Wait]:
    if migration.waits_for_canary and totals.in_state(State.CLASSIFIED, State.RELEASED):
        days = profile.directory.canary_within_days
        yield Wait(
            "canary",
            f"No canary passed within {days} days, which {profile.authority}.toml asks for.",
            f"ops canary --authority {profile.authority} --address MAILBOX",
        )


def _next_wave(migration: Migration) -> Wave | None:
    """The first wave that is not open; later ones wait for it anyhow."""
    waves = migration.plan.waves if migration.plan else ()
    return next((each for each in waves if migration.gate(each.number).opened_at is None), None)


def _review(migration: Migration, totals: Totals) -> Iterator[Wait]:
    """The cases that the gate of the next wave wants in somebody's hands."""
    wave = _next_wave(migration)
    number = totals.waves.get(wave.number - 1, {}).get(UNOWNED, 0) if wave else 0
    if wave and number:
        cases = "review case has" if number == 1 else "review cases have"
        yield Wait(
            "review",
            f"{number:,} {cases} no owner or no day, and wave {wave.number} does not begin before. "
            f"Which: ops review list {migration.id}",
            f"ops review assign {migration.id} REASON --owner TEAM --by-day DATE",
        )


def _waves(migration: Migration) -> Iterator[Wait]:
    wave = _next_wave(migration)
    if wave is None:
        return
    stopped = migration.stops(wave.number)
    if stopped:
        opens = f"ops wave open {migration.id} {wave.number} --why REASON"
        yield Wait("wave", f"{_called(wave)} is stopped: {' '.join(stopped)}", opens)
    else:
        yield Wait("wave", f"{_called(wave)} begins {in_london(wave.starts_at)}.")


def _called(wave: Wave) -> str:
    return f"Wave {wave.number} ({wave.name}, {wave.accounts:,} accounts)"


def _switch(migration: Migration, profile: Profile, totals: Totals) -> Iterator[Wait]:
    at_once = profile.plan.switch == "at-once" and migration.switched_at is None
    if at_once and totals.in_state(State.PROVISIONED):
        yield Wait(
            "switch",
            "Customers are told when a person has confirmed that the portal has switched.",
            f"ops switch confirm {migration.id}",
        )


def in_london(at: datetime | None) -> str:
    """`12 March 2026 09:00 London time`; where there is no date, when the one before is done."""
    if at is None:
        return "when nothing is in its way"
    local = at.astimezone(LONDON)
    return f"{local.day} {local:%B %Y %H:%M} London time"
