"""The gate before each wave: it opens, its time has not come, or it waits for a person, with the reason. Pure.

The gate checks the results of the wave before, the points to confirm, the expected calls, and if the plan is still the
signed one. A person may open a wave all the same. Who did so, and why, is recorded.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Final

from shared.errors import ActionRefused
from shared.model.calendar import LONDON, convert_from_london
from shared.model.counts.wave_counts import (
    JUST_TOLD,
    KNOWN,
    UNDELIVERED,
    UNOWNED,
    WaveTally,
    count_accounts,
    is_wave_at_rest,
)
from shared.model.lifecycle import State
from shared.model.migration import Gate, Migration, Phase
from shared.model.profile import Profile
from shared.model.wave import Wave
from shared.planning.rules.estimate import estimate_calls

MAX_REASON_LETTERS: Final = 200
"""The most letters that somebody may type: enough for a reason, not for a report."""
ALL_THE_SAME: Final = 'or open it all the same: ops wave open {migration} {wave} --why "...".'


class GateDecision(StrEnum):
    """The answer of the gate about a wave."""

    OPEN = "open"
    NOT_YET = "not yet"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class Said:
    """The gate's answer, in sentences for people."""

    answer: GateDecision
    sentences: tuple[str, ...] = ()
    at: datetime | None = None
    """When to ask again, if the wave only waits for a time."""


type Versions = Mapping[str, tuple[str, int]]
"""Message -> id and version of its template."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known when the gate is asked."""

    before: WaveTally
    """The results of the wave before. Empty for the first wave."""
    profile: str
    """Fingerprint of the profile as it is now."""
    versions: Versions | None
    """Versions of the templates now. None if nobody asked, or if no message is sent at all."""


def judge_wave(wave: Wave, migration: Migration, profile: Profile, facts: Facts, now: datetime) -> Said:
    """Return if a wave may begin. A reason that needs a person is given before one that needs time."""
    if not is_wave_at_rest(facts.before):
        return Said(GateDecision.NOT_YET, (f"Wave {wave.number - 1} is not at rest yet.",))
    stops = [*_check_rates(wave, profile, facts.before), *list_changes(migration, facts)]
    if wave.starts_at is not None and now < wave.starts_at:
        if not stops:
            return Said(
                GateDecision.NOT_YET, (f"Wave {wave.number} starts on {_format_time(wave.starts_at)}.",), wave.starts_at
            )
    else:
        stops += _list_unconfirmed(wave, migration, profile)
    stops += count_calls(wave, profile)
    if not stops and facts.before.get(JUST_TOLD):
        return Said(
            GateDecision.NOT_YET, (f"It is not known yet whom the messages of wave {wave.number - 1} reached.",)
        )
    if not stops:
        return Said(GateDecision.OPEN)
    return Said(GateDecision.STOPPED, (*stops, _describe_next_action(migration, wave.number)))


def _describe_next_action(migration: Migration, wave: int) -> str:
    """Return the next action after everything that stops a wave."""
    return f"Mend it, {ALL_THE_SAME.format(migration=migration.id, wave=wave)}"


def _check_rates(wave: Wave, profile: Profile, before: WaveTally) -> list[str]:
    """Check the results of the wave before against the limits of the profile."""
    limits = profile.plan.gate
    # What the assessment had put in review was signed so, and says nothing of how the wave went.
    known = before.get(KNOWN, 0)
    rates = (
        (before.get(State.FAILED, 0), limits.failed_percent, "stuck", "failed_percent", "replay (ops poison)"),
        (before.get(State.REVIEW, 0) - known, limits.review_percent, "in review", "review_percent", "look why"),
        (before.get(UNDELIVERED, 0), limits.undelivered_percent, "not reached", "undelivered_percent", "look why"),
    )
    everybody, last = count_accounts(before) - known, wave.number - 1
    found = [
        f"Of {everybody} accounts of wave {last}, {number} are {what}: {100 * number / everybody:.1f} %, "
        f"and plan.gate.{key} allows {limit:g} %; {remedy}."
        for number, limit, what, key, remedy in rates
        if number and 100 * number > limit * everybody
    ]
    unowned = before.get(UNOWNED, 0)
    if unowned:
        found.append(
            f"{unowned} review cases of wave {last} have no owner or no date; give them both (ops review assign)."
        )
    return found


def list_changes(migration: Migration, facts: Facts) -> list[str]:
    """Return what differs from the signed plan."""
    plan = migration.plan
    if plan is None:
        return []
    found: list[str] = []
    if plan.profile and plan.profile != facts.profile:
        found.append("The profile is not the one that was signed; put it back, or upload again and sign the new plan.")
    for template in plan.templates if facts.versions is not None else ():
        id_, version = (facts.versions or {}).get(template.message, ("", 0))
        if (id_, version) != (template.id, template.version):
            found.append(
                f"The text of {template.message} has changed: version {template.version} was signed, and it is "
                f"{f'version {version}' if version else 'not to be seen'} now; upload again and sign the new plan."
            )
    if migration.approved_at is not None:
        signed = {template.message for template in plan.templates}
        found += [
            f"{message} was not signed, and it would be sent now; switch the message service off again, or upload "
            "again and sign the new plan."
            for message in facts.versions or ()
            if message not in signed
        ]
    return found


def _list_unconfirmed(wave: Wave, migration: Migration, profile: Profile) -> list[str]:
    return [
        _make_confirm_command(migration, wave.number, point)
        for point in list_unconfirmed(migration, profile, wave.number)
    ]


def list_unconfirmed(migration: Migration, profile: Profile, wave: int) -> list[str]:
    """Return the points of the checklist that nobody has confirmed for a wave."""
    checked = migration.gate(wave).checked
    return [point for point in profile.plan.checklist if point not in checked]


def _make_confirm_command(migration: Migration, wave: int, point: str) -> str:
    return f'"{point}" is not confirmed for wave {wave}; confirm it: ops wave check {migration.id} {wave} "{point}".'


def count_calls(wave: Wave, profile: Profile) -> list[str]:
    """Return a sentence about the calls that the help desk would get, or none if it can take them."""
    desk, share = profile.plan.desk_calls_per_day, profile.plan.calls_percent
    calls = estimate_calls(wave.accounts, share)
    if not desk or calls <= desk:
        return []
    sentence = (
        f"Wave {wave.number} has {wave.accounts} accounts: about {calls} calls at {share:g} %, and the desk takes "
        f"{desk} a day; plan smaller waves and sign the new plan."
    )
    return [sentence]


def _format_time(at: datetime) -> str:
    return f"{at.astimezone(LONDON):%d %B %Y at %H:%M}"


def record_gate_answer(migration: Migration, wave: int, said: Said, now: datetime) -> Migration:
    """Return the migration with the answer of the gate. An open wave stays open."""
    gate = migration.gate(wave)
    if gate.opened_at is not None:
        return migration
    if said.answer is GateDecision.OPEN:
        return set_gate(migration, replace(gate, opened_at=now, stopped=(), stopped_at=None))
    if said.answer is GateDecision.STOPPED:
        return set_gate(migration, replace(gate, stopped=said.sentences, stopped_at=gate.stopped_at or now))
    return set_gate(migration, replace(gate, stopped=(), stopped_at=None))


def set_gate(migration: Migration, gate: Gate) -> Migration:
    """The migration with one gate as it is now."""
    if gate == migration.gate(gate.wave):
        return migration
    gates = (*(other for other in migration.gates if other.wave != gate.wave), gate)
    return replace(migration, gates=tuple(sorted(gates, key=lambda each: each.wave)))


def open_by_person(migration: Migration, profile: Profile, number: int, by: str, why: str, now: datetime) -> Migration:
    """Return the migration after a person opened a wave although the gate had stopped it.

    Raises:
        ActionRefused: there is no such wave, it is open, it is not its turn, or the reason is missing.
    """
    wave = _find_wave(migration, number)
    if migration.phase is not Phase.RUNNING or not migration.may_move(profile):
        raise ActionRefused(f"Nothing of this migration may move: it is {migration.phase}. Sign its plan first.")
    if migration.gate(number).opened_at is not None:
        raise ActionRefused(f"Wave {number} is open already. Nothing is left to do.")
    if number > 1 and migration.gate(number - 1).opened_at is None:
        raise ActionRefused(
            f"Wave {number - 1} is not open yet, and waves go one after the other. Open that one first."
        )
    if wave.starts_at is not None and now < wave.starts_at:
        raise ActionRefused(
            f"Wave {number} starts on {_format_time(wave.starts_at)}, and its customers were told so. "
            "For another day change the profile, upload again and sign the new plan."
        )
    gate = replace(migration.gate(number), stopped=(), stopped_at=None)
    return set_gate(migration, replace(gate, opened_at=now, opened_by=by, why=check_typed_text(why, "why")))


def record_confirmation(migration: Migration, profile: Profile, number: int, point: str, by: str) -> Migration:
    """The migration after a person confirmed one point for one wave: the point is in its way no more.

    Again changes nothing: the first name stays.

    Raises:
        ActionRefused: there is no such wave or point, or the wave is open.
    """
    _find_wave(migration, number)
    points = profile.plan.checklist
    if point not in points:
        known = ", ".join(f'"{each}"' for each in points) or "none"
        raise ActionRefused(f"The profile's checklist has no such point. It has: {known}.")
    gate = migration.gate(number)
    if point in gate.checked:
        return migration
    if gate.opened_at is not None:
        raise ActionRefused(f"Wave {number} is open already. Nothing is left to confirm for it.")
    left = tuple(sentence for sentence in gate.stopped if sentence != _make_confirm_command(migration, number, point))
    stopped = () if left == (_describe_next_action(migration, number),) else left
    return set_gate(migration, replace(gate, checked={**gate.checked, point: by}, stopped=stopped))


def record_switch(migration: Migration, profile: Profile, by: str, now: datetime) -> Migration:
    """Return the migration after a person confirmed that the portal has switched. Now its customers are notified.

    Raises:
        ActionRefused: nothing waits for the switch, it is confirmed already, or its time has not come.
    """
    if profile.plan.switch != "at-once":
        raise ActionRefused('Nobody waits for the portal to switch: the profile says switch = "by-wave".')
    if migration.switched_at is not None:
        raise ActionRefused("It is confirmed already. Nothing is left to do.")
    if migration.phase is not Phase.RUNNING or not migration.may_move(profile):
        raise ActionRefused(
            f"Nobody of this migration was moved: it is {migration.phase}. Confirm the migration that runs."
        )
    switch_at = profile.plan.switch_at
    if switch_at is not None and now < convert_from_london(switch_at):
        raise ActionRefused(
            f"The portal switches on {_format_time(convert_from_london(switch_at))}. Confirm it once it has."
        )
    # What was counted before does not know yet that somebody is to be told.
    return replace(migration, switched_at=now, switched_by=by, moved_at=now)


def _find_wave(migration: Migration, number: int) -> Wave:
    waves = migration.plan.waves if migration.plan else ()
    found = next((wave for wave in waves if wave.number == number), None)
    if found is None:
        known = ", ".join(str(wave.number) for wave in waves) or "none"
        raise ActionRefused(f"The plan has no wave {number}. It has: {known}.")
    return found


def check_typed_text(text: str, what: str) -> str:
    """Return the typed text, if it may be stored where nothing is personal.

    Raises:
        ActionRefused: the text is empty, too long, or holds an e-mail address.
    """
    text = text.strip()
    if not text:
        raise ActionRefused(f"Nobody said {what}. Type it: it is kept with your name.")
    if len(text) > MAX_REASON_LETTERS:
        raise ActionRefused(f"That is too long for {what}: at most {MAX_REASON_LETTERS} letters.")
    if "@" in text:
        raise ActionRefused(f"No e-mail address may stand in {what}: a team, an object id or plain words.")
    return text
