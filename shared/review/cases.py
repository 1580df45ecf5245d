"""review: who decides the cases that wait for a person, and until when."""

from collections import Counter
from dataclasses import dataclass, replace
from datetime import date, datetime

from shared.errors import ActionRefused
from shared.model.account import SHARDS, Account, Authority, Change, MigrationId, apply_event
from shared.model.calendar import LONDON
from shared.model.counts.summary import add_up_shards
from shared.model.lifecycle import Event, State
from shared.model.migration import Migration
from shared.planning.rules.wave_gate import check_typed_text
from shared.ports import Ports, Stored


@dataclass(frozen=True, slots=True)
class Case:
    """One case that waits for a person, and who that is."""

    account: str
    row: int
    reason: str
    owner: str
    """Empty if nobody owns the case."""
    decide_by: str

    @property
    def unowned(self) -> bool:
        """True if the case has no owner, or no date."""
        return not (self.owner and self.decide_by)

    @property
    def turn(self) -> tuple[bool, str, str, int]:
        """The sort key: cases without an owner first, then the next date."""
        return not self.unowned, self.decide_by, self.reason, self.row


@dataclass(frozen=True, slots=True)
class Group:
    """The number of cases with the same reason, owner and date."""

    cases: int
    reason: str
    owner: str
    decide_by: str


@dataclass(frozen=True, slots=True)
class Cases:
    """The review cases of a migration."""

    cases: int
    unowned: int
    groups: list[Group]
    """All groups. Groups without an owner come first."""
    first: list[Case]
    """At most as many as were asked for, in the same order."""
    without_account: int
    """Rows that need a person but have no account, so that they cannot have an owner."""


async def review_cases(ports: Ports, migration: Migration, limit: int) -> Cases:
    """Return who decides which cases, and until when."""
    found: list[Case] = []
    for shard in SHARDS:
        async for stored in ports.ledger.accounts.list_shard(migration.partition, shard):
            account = stored.record
            if account.migration == migration.id and account.state is State.REVIEW:
                found.append(Case(account.id, account.row, account.reason, account.owner, account.decide_by))
    found.sort(key=lambda case: case.turn)
    counts = Counter((case.reason, case.owner, case.decide_by) for case in found)
    settled = add_up_shards(await ports.ledger.summaries.list_all(migration.authority, migration.id)).settled
    return Cases(
        cases=len(found),
        unowned=sum(case.unowned for case in found),
        groups=[Group(number, *of) for of, number in counts.items()],
        first=found[:limit],
        without_account=sum(number for (_, state, _), number in settled.items() if state == State.REVIEW),
    )


async def assign_review(
    ports: Ports, authority: Authority, migration_id: MigrationId, which: str, owner: str, decide_by: str, by: str
) -> int:
    """Give review cases an owner and a date. Returns how many.

    `which` is a reason code or an account's id, `owner` a team or a person's object id, `decide_by` a date.

    Raises:
        ActionRefused: the sentence says why not.
    """
    migration = await ports.ledger.migrations.get(authority, migration_id)
    if migration is None:
        raise ActionRefused("This council has no such migration. `ops status` lists them.")
    owner, day, now = check_typed_text(owner, "the owner"), _read_day(decide_by, ports.clock.now()), ports.clock.now()
    found = there = 0
    for shard in SHARDS:
        cases = [
            stored
            async for stored in ports.ledger.accounts.list_shard(migration.partition, shard)
            if _is_chosen(stored.record, migration, which)
        ]
        there += len(cases)
        found += len(
            await ports.ledger.accounts.save_all([_assign_case(stored, owner, day, by, now) for stored in cases])
        )
    if not there:
        raise ActionRefused("No case in review has this reason or this account id. `ops status` lists the reasons.")

    def counted_anew(current: Migration) -> Migration:
        return replace(current, moved_at=now)

    if migration.open and found:
        await ports.ledger.migrations.change(authority, migration_id, counted_anew)
    return found


def _is_chosen(account: Account, migration: Migration, which: str) -> bool:
    mine = account.migration == migration.id and account.state is State.REVIEW
    return mine and which in {account.id, account.reason}


def _assign_case(
    stored: Stored[Account], owner: str, day: str, by: str, now: datetime
) -> tuple[Stored[Account], Account, Change]:
    assigned, change = apply_event(stored.record, Event.ASSIGN, now, stored.record.reason, by)
    return stored, replace(assigned, owner=owner, decide_by=day), change


def _read_day(text: str, now: datetime) -> str:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise ActionRefused("The day should be written like 2026-12-01.") from None
    if day < now.astimezone(LONDON).date():
        raise ActionRefused("That day is over. Choose one that is to come.")
    return day.isoformat()
