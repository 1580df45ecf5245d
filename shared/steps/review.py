"""review: who decides the cases that wait for a person, and until when."""

from dataclasses import replace
from datetime import date, datetime

from shared.domain.account import SHARDS, Account, Authority, Change, MigrationId, apply
from shared.domain.calendar import LONDON
from shared.domain.lifecycle import Event, State
from shared.domain.migration import Migration
from shared.domain.wave_gate import NotDone, typed
from shared.ports import Ports, Stored


async def assign_review(
    ports: Ports, authority: Authority, migration_id: MigrationId, which: str, owner: str, decide_by: str, by: str
) -> int:
    """Give review cases an owner and a day; returns how many.

    `which` is a reason code or an account's id, `owner` a team or a person's object id, `decide_by` a date.

    Raises:
        NotDone: why not, in a sentence.
    """
    migration = await ports.ledger.migration(authority, migration_id)
    if migration is None:
        raise NotDone("This council has no such migration. `ops status` lists them.")
    owner, day, now = typed(owner, "the owner"), _day(decide_by, ports.clock.now()), ports.clock.now()
    found = there = 0
    for shard in SHARDS:
        cases = [
            stored
            async for stored in ports.ledger.accounts(migration.place, shard)
            if _takes(stored.record, migration, which)
        ]
        there += len(cases)
        found += len(await ports.ledger.save_all([_assigned(stored, owner, day, by, now) for stored in cases]))
    if not there:
        raise NotDone("No case in review has this reason or this account id. `ops status` lists the reasons.")

    def counted_anew(current: Migration) -> Migration:
        return replace(current, moved_at=now)

    if migration.open and found:
        await ports.ledger.change_migration(authority, migration_id, counted_anew)
    return found


def _takes(account: Account, migration: Migration, which: str) -> bool:
    mine = account.migration == migration.id and account.state is State.REVIEW
    return mine and which in {account.id, account.reason}


def _assigned(
    stored: Stored[Account], owner: str, day: str, by: str, now: datetime
) -> tuple[Stored[Account], Account, Change]:
    assigned, change = apply(stored.record, Event.ASSIGN, now, stored.record.reason, by)
    return stored, replace(assigned, owner=owner, decide_by=day), change


def _day(text: str, now: datetime) -> str:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise NotDone("The day should be written like 2026-12-01.") from None
    if day < now.astimezone(LONDON).date():
        raise NotDone("That day is over. Choose one that is to come.")
    return day.isoformat()
