"""Which accounts the feeder asks for: a work query for each step that something may be due for. Pure.

A work query says where to look. The gate says if an account that it finds may continue.
"""

from dataclasses import replace
from datetime import datetime

from shared.model.account import Cohort
from shared.model.lifecycle import State
from shared.model.migration import Migration, Phase
from shared.model.pacing.work_query import WorkQuery
from shared.model.profile import Profile
from shared.model.step import ANNOUNCEMENTS, Step
from shared.model.wave import Wave
from shared.scheduling.rules.gate import get_announcement_start


def list_work_queries(
    migration: Migration, profile: Profile, before: datetime, *, messages_on: bool
) -> list[tuple[Step, WorkQuery]]:
    """Return the work queries of a migration for which something may be due by `before`.

    Accounts near their end come first.
    """
    staged = [(Step.CLASSIFY, WorkQuery(migration.id, State.STAGED))]
    made_again = staged if migration.rebuilt_at is not None else []
    if migration.phase is Phase.CLASSIFYING:
        return made_again if migration.superseded_by else staged
    if migration.phase is not Phase.RUNNING:
        # A person may replay what got stuck in a plan that waits for its signatures.
        return staged if migration.phase is Phase.ASSESSED else []
    told = messages_on and (profile.plan.switch == "by-wave" or migration.switched_at is not None)
    provisioned = [(Step.NOTIFY, WorkQuery(migration.id, State.PROVISIONED))] if told else []
    if migration.superseded_by:
        return provisioned + made_again
    return [*provisioned, *_list_moving_queries(migration, profile, before, messages_on=messages_on), *staged]


def _list_moving_queries(
    migration: Migration, profile: Profile, before: datetime, *, messages_on: bool
) -> list[tuple[Step, WorkQuery]]:
    """Return queries for accounts that wait to be created or linked, or for their announcement."""
    if not migration.may_move(profile):
        return []
    if migration.plan is None:
        return [] if migration.waits_for_canary else [(Step.PROVISION, WorkQuery(migration.id, State.CLASSIFIED))]
    waves = migration.plan.waves
    # Whom no announcement is for would stand in front of those who wait for theirs.
    to_announce = tuple(to for to, name in ANNOUNCEMENTS.items() if name in profile.messages.templates)
    found: list[tuple[Step, WorkQuery]] = []
    for wave in waves:
        since = get_announcement_start(wave, profile)
        if messages_on and to_announce and since is not None and since <= before:
            untold = replace(_make_wave_query(migration, wave, waves, announced=False), outcomes=to_announce)
            found.append((Step.NOTIFY, untold))
        if migration.gate(wave.number).opened_at is not None and not migration.waits_for_canary:
            found.append((Step.PROVISION, _make_wave_query(migration, wave, waves, announced=None)))
    return found


def _make_wave_query(migration: Migration, wave: Wave, waves: tuple[Wave, ...], *, announced: bool | None) -> WorkQuery:
    own = {other.cohort for other in waves if other.cohort is not Cohort.NONE}
    cohorts = (
        (wave.cohort,) if wave.cohort is not Cohort.NONE else tuple(cohort for cohort in Cohort if cohort not in own)
    )
    return WorkQuery(
        migration.id, State.CLASSIFIED, wave.keys, () if len(cohorts) == len(Cohort) else cohorts, announced
    )
