"""freeze-plan: what happens to whom, in which wave and when, as it is signed.

One pass over the accounts counts who is in which wave. The accounts of the extract before it are read beside them, so
that a wrong or cut file is noticed before anybody signs.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from shared.intake.rules.resubmission import is_in_export
from shared.model.account import SHARDS, AccountId, Cohort, make_draft_partition
from shared.model.counts.extract_comparison import Compared
from shared.model.counts.summary import Totals
from shared.model.lifecycle import Outcome, State
from shared.model.migration import Kind, Migration, Phase, get_upload_order, is_newer
from shared.model.plan import Plan, SignedTemplate, compute_plan_hash
from shared.model.profile import Profile
from shared.model.wave import Census
from shared.planning.rules.extract_check import check_review_limit, find_differences
from shared.planning.rules.schedule import list_own_cohorts, schedule_waves
from shared.ports import Ports
from shared.scheduling.rules.gate import is_customer_told

MOVES: Final = frozenset({Outcome.CREATE, Outcome.LINK})


@dataclass(frozen=True, slots=True)
class Frozen:
    """The plan, and how its extract compares with the one before."""

    plan: Plan
    compared: Compared


def compute_fingerprint(profile: Profile) -> str:
    """Return a fingerprint of a profile. It shows if a plan was made with this profile."""
    return hashlib.sha256(profile.model_dump_json().encode()).hexdigest()


async def freeze_plan(
    ports: Ports, profile: Profile, migration: Migration, totals: Totals, templates: Iterable[SignedTemplate]
) -> Frozen:
    """Make the plan of a migration of which every account is classified."""
    census, cohorts = Census(), list_own_cohorts(profile.plan)
    before, like = await _find_earlier_extracts(ports, migration)
    seen, against = _Seen(), _Seen()
    for shard in SHARDS:
        mine = await _count_shard(ports, migration, shard, census, cohorts, seen)
        seen.customers += len(mine)
        if before is not None:
            await _compare_shard(ports, before, migration, shard, mine, seen)
        if like is not None and like != before:
            await _compare_shard(ports, like, migration, shard, mine, against)
    outcomes, known = totals.outcomes(), tuple(templates)
    compared = seen.compared() if before is not None else Compared()
    expected = compared if like == before else against.compared() if like is not None else Compared()
    differs = find_differences(profile.plan.limits, expected, seen.customers)
    waves = schedule_waves(profile.plan, census)
    settled = f"{migration.file_hash} {sorted(totals.settled.items())}"
    return Frozen(
        Plan(
            hash=compute_plan_hash(totals.plan, settled, profile.model_dump_json(), waves, known),
            made_at=ports.clock.now(),
            rows=migration.rows,
            creates=outcomes[Outcome.CREATE],
            links=outcomes[Outcome.LINK],
            waves=waves,
            templates=known,
            uploaded_by=migration.uploaded_by,
            profile=compute_fingerprint(profile),
            unlike=bool(differs),
            silent=bool(outcomes[Outcome.CREATE])
            and not is_customer_told(profile, messages_on=ports.notifier is not None),
            warnings=(
                *check_review_limit(profile.plan.limits, migration.rows, outcomes[Outcome.REVIEW]),
                *differs,
                *_unknown_pilots(profile, seen.pilots),
            ),
        ),
        compared,
    )


def _unknown_pilots(profile: Profile, known: int) -> tuple[str, ...]:
    """Return pilot references that no account has. Such a reference may be misspelt, or its row may be rejected."""
    named = len(set(profile.plan.pilot))
    if known >= named:
        return ()
    return (
        f"plan.pilot names {named} customers, and {named - known} of them are not in this extract or are rejected.",
    )


@dataclass
class _Seen:
    """Customers of both extracts, counted shard by shard."""

    customers: int = 0
    pilots: int = 0
    before: int = 0
    new: int = 0
    missing: int = 0
    changed: int = 0

    def compared(self) -> Compared:
        return Compared(self.before, self.new, self.missing, self.changed)


async def _count_shard(
    ports: Ports, migration: Migration, shard: str, census: Census, cohorts: frozenset[Cohort], seen: "_Seen"
) -> dict[AccountId, str]:
    """Count who moves in which wave. Returns the customers of this extract in the shard, each with a digest."""
    mine: dict[AccountId, str] = {}
    async for account in ports.ledger.accounts.list_projections(migration.partition, shard):
        if is_in_export(account, migration.id):
            mine[account.id] = account.digest
            seen.pilots += account.cohort is Cohort.PILOT
        moves = account.state is State.CLASSIFIED and account.outcome in MOVES
        if account.migration == migration.id and moves:
            census.add(account.id, account.cohort if account.cohort in cohorts else Cohort.NONE)
    return mine


async def _find_earlier_extracts(ports: Ports, migration: Migration) -> tuple[Migration | None, Migration | None]:
    """Return the newest assessed extract before this one, and the newest one that this one should resemble."""
    older = [
        other
        async for other in ports.ledger.migrations.list_all(migration.authority)
        if other.kind is not Kind.EXCLUDE and is_newer(migration, other) and other.assessed_at is not None
    ]
    return max(older, key=get_upload_order, default=None), max(
        filter(_is_believed, older), key=get_upload_order, default=None
    )


def _is_believed(extract: Migration) -> bool:
    """Return True if nobody rejected the extract, and it did not differ too much or somebody accepted that.

    Otherwise the same cut file would pass the second time, and the right file would look wrong.
    """
    if extract.phase is Phase.CANCELLED and extract.drafted and extract.approved_at is None:
        return False
    if extract.plan is None or not extract.plan.unlike:
        return True
    accepted = not extract.drafted and extract.resumed_at is not None
    return accepted or any(signature.accepts_warnings for signature in extract.plan.signatures)


async def _compare_shard(
    ports: Ports, last: Migration, migration: Migration, shard: str, mine: Mapping[AccountId, str], seen: _Seen
) -> None:
    """Count who is new, missing or changed in one shard."""
    partition = make_draft_partition(last.authority, last.id) if last.drafted else last.authority
    theirs: dict[AccountId, str] = {}
    async for account in ports.ledger.accounts.list_projections(partition, shard):
        # Among the council's own accounts the newer extract has taken over what both have: what it found there.
        taken_over = partition == migration.partition and account.id in mine and account.first != migration.id
        if taken_over or is_in_export(account, last.id):
            theirs[account.id] = account.digest
    seen.before += len(theirs)
    seen.new += sum(id_ not in theirs for id_ in mine)
    seen.missing += sum(id_ not in mine for id_ in theirs)
    seen.changed += sum(theirs.get(id_, digest) != digest for id_, digest in mine.items())
