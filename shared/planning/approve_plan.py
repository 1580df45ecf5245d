"""sign: people say yes or no to a frozen plan, or leave it to a newer one.

The last signature that was wanted starts the adoption. Saying again what one has said changes nothing and does no harm.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from shared.errors import ActionRefused
from shared.model.messages import make_piece_message
from shared.model.migration import (
    Kind,
    Migration,
    Phase,
    cancel_migration,
    get_upload_order,
    is_newer,
    is_taken,
    without_pause,
)
from shared.model.plan import Part, Plan, Signature, add_signature, is_same_person, reject_plan
from shared.model.profile import Profile
from shared.model.reasons import explain_reason
from shared.planning.freeze_plan import compute_fingerprint
from shared.planning.plan_report import publish_plan
from shared.ports import Ports
from shared.scheduling.find_migration import find_migration

REJECTED: Final = "plan_rejected"
BEFORE: Final = frozenset({Phase.STAGING, Phase.CLASSIFYING, Phase.FAILED})
MOVES: Final = frozenset({Phase.ADOPTING, Phase.RUNNING, Phase.DONE})


@dataclass(frozen=True, slots=True)
class Signing:
    """What a signer states."""

    part: Part
    by: str
    """Object id of the person. On a laptop it is a name."""
    hash: str
    """At least the first letters of the plan's hash, as it was read."""
    rows: int
    """The control total: how many rows the portal says it exported."""
    accepts_warnings: bool = False


async def add_approval(ports: Ports, authority: str, migration_id: str, signing: Signing) -> Migration | None:
    """Sign for one part. Return None if there is no such migration.

    Raises:
        ActionRefused: the sentence says why, and what to do.
    """
    found = await find_migration(ports, authority, migration_id)
    if found is None:
        return None
    profile = ports.profiles[found.authority]

    def sign_migration(current: Migration) -> Migration:
        return _sign_migration(current, profile, signing, ports.clock.now())

    migration = await ports.ledger.migrations.change(found.authority, found.id, sign_migration)
    await publish_plan(ports, migration)
    if migration.phase is Phase.ADOPTING:
        await ports.outbox.send(make_piece_message(migration))
    return migration


def _sign_migration(current: Migration, profile: Profile, signing: Signing, now: datetime) -> Migration:
    plan = _require_open_plan(current, profile)
    allowed = profile.plan.signers.get(signing.part)
    if allowed is not None and not any(is_same_person(signing.by, each) for each in allowed):
        raise ActionRefused(
            f"The profile of {profile.authority} names who may sign as {signing.part} (plan.signers), and you are not "
            "among them. Ask one of them, or have the profile changed and the export uploaded again."
        )
    signature = Signature(signing.part, signing.by, now, signing.hash, signing.accepts_warnings)
    plan = add_signature(plan, signature, profile.plan.signatures, signing.rows)
    current = replace(current, plan=plan)
    if current.phase is Phase.ASSESSED and plan.approved(profile.plan.signatures):
        return replace(current, approved_at=now, phase=Phase.ADOPTING, piece=0, moved_at=now)
    return current


def _require_open_plan(migration: Migration, profile: Profile) -> Plan:
    """The plan that may be signed now.

    Raises:
        ActionRefused: there is none, it is too late, or the profile is another one by now.
    """
    if migration.kind is not Kind.MIGRATE:
        raise ActionRefused(
            f"{migration.id} is only assessed, so there is nothing to sign. Upload the export to "
            f"exports/{migration.authority}/ itself to have it moved."
        )
    if migration.phase in BEFORE:
        raise ActionRefused(
            f"{migration.id} has no plan yet: it is {migration.phase}. Wait until `ops plan show` has one."
        )
    if migration.phase not in {Phase.ASSESSED, Phase.ADOPTING} or migration.plan is None:
        raise ActionRefused(_explain_too_late(migration))
    if migration.plan.profile and migration.plan.profile != compute_fingerprint(profile):
        raise ActionRefused(
            "The council's profile has changed since the plan was made, so it is not this plan that would be carried "
            "out. Upload the export again, and sign the new plan."
        )
    if profile.plan.lacks_uploader(migration.plan.uploaded_by):
        why = explain_reason("uploader_missing")
        raise ActionRefused(f"{why.sentence} {why.remedy}")
    return migration.plan


def _explain_too_late(migration: Migration) -> str:
    match migration.phase:
        case Phase.RUNNING | Phase.DONE:
            return f"{migration.id} is under way or done already. Nothing is left to sign; `ops cancel` stops it."
        case Phase.SUPERSEDED:
            by = migration.superseded_by or "a newer upload"
            return f"{migration.id} was replaced by {by}. Read and sign the plan of that one (`ops plan show`)."
        case Phase.CANCELLED:
            return f"{migration.id} was cancelled or its plan rejected. Upload the export again, and sign the new plan."
        case _:
            return f"{migration.id} has no plan: it is {migration.phase}. `ops status` says what to do."


async def reject_migration(ports: Ports, authority: str, migration_id: str, by: str) -> Migration | None:
    """Say no: nothing is done, and the migration is over. None if there is no such migration.

    Raises:
        ActionRefused: there is no plan that waits, or it is approved already.
    """

    def refuse_migration(current: Migration) -> Migration:
        if current.plan is None or current.kind is not Kind.MIGRATE or current.phase in BEFORE:
            raise ActionRefused(f"{current.id} has no plan to be rejected. `ops cancel {current.id}` stops an upload.")
        if current.plan.rejected_by:
            return current
        if current.phase is not Phase.ASSESSED:
            raise ActionRefused(
                f"The plan of {current.id} does not wait any more: it is {current.phase}. What is under way is stopped "
                f"by `ops cancel {current.id}`."
            )
        over = cancel_migration(current, REJECTED, by)
        return replace(over, plan=reject_plan(current.plan, by), moved_at=ports.clock.now())

    return await _change_migration(ports, authority, migration_id, refuse_migration)


async def supersede_migration(ports: Ports, authority: str, migration_id: str, by: str = "") -> Migration | None:
    """Let a newer migration supersede this one (`by`, or the newest). Return None if there is no such migration.

    Any newer accepted upload can supersede a plan that is not approved. Only an approved plan can supersede one in
    progress, which keeps what it has started.

    Raises:
        ActionRefused: there is no such newer one, or nothing is left to give way.
    """
    old = await find_migration(ports, authority, migration_id)
    if old is None:
        return None
    candidates = [
        other
        async for other in ports.ledger.migrations.list_all(old.authority)
        if is_newer(other, old) and is_taken(other) and by in {"", other.id}
    ]
    moves = _under_way(old)
    new = max(
        (each for each in candidates if not moves or _check_order(ports, each)), key=get_upload_order, default=None
    )
    if new is None:
        raise ActionRefused(_explain_no_newer(old, by, moves=moves))

    def leave_migration(current: Migration) -> Migration:
        if current.superseded_by == new.id:
            return current
        if not current.open:
            raise ActionRefused(f"{current.id} is {current.phase} already: nothing is left to give way.")
        if _under_way(current) != moves:
            raise ActionRefused(f"{current.id} has gone on meanwhile. Look at it again (`ops plan show`).")
        current = replace(current, superseded_by=new.id, moved_at=ports.clock.now())
        return current if moves else replace(without_pause(current), phase=Phase.SUPERSEDED, reason="newer_upload")

    return await ports.ledger.migrations.change(old.authority, old.id, leave_migration)


def _under_way(migration: Migration) -> bool:
    return migration.approved_at is not None or migration.phase in MOVES


def _check_order(ports: Ports, migration: Migration) -> bool:
    profile = ports.profiles[migration.authority]
    return migration.phase in MOVES and migration.may_move(profile)


def _explain_no_newer(old: Migration, by: str, *, moves: bool) -> str:
    which = f"{by} is no" if by else "There is no"
    if moves:
        return (
            f"{which} newer migration of {old.authority} that is approved, and {old.id} is under way. Have the newer "
            "plan signed first (`ops plan show`), then nothing more is needed; or `ops cancel` the old one."
        )
    return f"{which} newer upload of {old.authority} that was taken. Upload one, or `ops plan reject {old.id}`."


async def _change_migration(
    ports: Ports, authority: str, migration_id: str, change: Callable[[Migration], Migration]
) -> Migration | None:
    found = await find_migration(ports, authority, migration_id)
    if found is None:
        return None
    migration = await ports.ledger.migrations.change(found.authority, found.id, change)
    await publish_plan(ports, migration)
    return migration
