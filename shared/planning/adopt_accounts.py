"""adopt-plan: move the accounts of an approved plan from the draft to the council's own, shard by shard.

A piece is a shard, and its end sends the message of the next one. A piece may run any number of times, because an
account remembers whose plan it follows. What an older plan has not started is taken over. What it has done stays done,
and is compared with the approved plan, but never done again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import batched
from typing import Final

from shared.errors import StaleWrite, Superseded
from shared.intake.apply_suppressions import hold_account
from shared.intake.pieces import admit_piece, is_current, send_next_piece
from shared.intake.rules.resubmission import Verdict, go_on_with_message, judge_resubmission, was_told_after_all
from shared.intake.supersede import supersede_older
from shared.model.account import SHARDS, Account, AccountId, Authority, Change, apply_event
from shared.model.lifecycle import Event, Outcome, State
from shared.model.messages import AdoptPlan
from shared.model.migration import Migration, Phase
from shared.model.profile import Profile
from shared.planning.open_waves import open_first
from shared.ports import Ports, Stored
from shared.scheduling.rules.gate import respect_told_day

MAX_CREATE_LAG: Final = timedelta(minutes=2)
"""How long a create for the older plan may take to show in the directory after it was started."""
ACCOUNTS_PER_SAVE: Final = 500
BEGINS: Final = frozenset({State.CLASSIFIED, State.REVIEW, State.FAILED, State.PROVISIONED})
"""The states in which an account may leave its draft. It is provisioned if its owner marker showed, after a loss, that
it was moved.
"""


async def adopt_plan(ports: Ports, message: AdoptPlan) -> None:
    """Adopt one shard and send the message of the next."""
    migration = await admit_piece(ports, message)
    if migration is None:
        return
    if is_current(message, migration):
        adopted = await adopt_shard(ports, ports.profiles[message.authority], migration)
        if adopted is None:
            return
        migration = adopted
    await send_next_piece(ports, migration, message)


async def adopt_shard(ports: Ports, profile: Profile, migration: Migration) -> Migration | None:
    """Take over one shard. Returns the migration afterwards, or None if it does not adopt any more."""
    if migration.piece == 0:
        await supersede_older(ports, migration)
    try:
        if migration.piece < len(SHARDS):
            await _adopt_accounts(ports, profile, migration, SHARDS[migration.piece])
    except Superseded:
        return None
    return await _check_point(ports, profile, migration)


async def _check_point(ports: Ports, profile: Profile, migration: Migration) -> Migration:
    adopted = migration.piece
    last = adopted + 1 >= len(SHARDS)
    gates = await open_first(ports, profile, migration) if last else ()

    def move_on(current: Migration) -> Migration:
        if current.piece != adopted or current.phase is not Phase.ADOPTING:
            return current
        now = ports.clock.now()
        moved = replace(current, piece=adopted + 1, moved_at=now, stalled=0)
        if not last:
            return moved
        return replace(moved, phase=Phase.RUNNING, adopted_at=now, gates=current.gates or gates)

    return await ports.ledger.migrations.change(migration.authority, migration.id, move_on)


async def _adopt_accounts(ports: Ports, profile: Profile, migration: Migration, shard: str) -> None:
    batch: list[Account] = []
    # Somebody may have been put on the list while the plan waited for its signatures.
    excluded = await ports.ledger.suppressions.list_shard(migration.authority, shard)
    async for stored in ports.ledger.accounts.list_shard(migration.partition, shard):
        account = stored.record
        if account.settled or account.state not in BEGINS:
            continue
        if account.id in excluded:
            await _leave_alone(ports, stored, excluded[account.id])
            continue
        batch.append(replace(account, drafted=False, due_at=None))
        if len(batch) == ACCOUNTS_PER_SAVE:
            await _take_accounts(ports, profile, batch)
            batch = []
    await _take_accounts(ports, profile, batch)
    # A customer who came on the list meanwhile may have had no account yet that could be held.
    for id_, reason in (await ports.ledger.suppressions.list_shard(migration.authority, shard)).items():
        if id_ not in excluded:
            await hold_account(ports, migration.authority, id_, reason)


async def _leave_alone(ports: Ports, stored: Stored[Account], reason: str) -> None:
    """Mark the account in the draft as settled by its row.

    It does not count any more, even if the plan is stopped half-way.
    """
    row = await ports.ledger.rows.get(stored.record)
    if row is not None:
        await ports.ledger.rows.put([replace(row, outcome=Outcome.REJECT, reason=reason, person=None)])
        await ports.ledger.accounts.save_all([(stored, replace(stored.record, settled=True), None)])


async def _take_accounts(ports: Ports, profile: Profile, accounts: Sequence[Account]) -> None:
    """First the indexes, then the accounts: a crash in between is made up when the shard is adopted again."""
    if not accounts:
        return
    authority = accounts[0].authority
    await ports.ledger.addresses.put(authority, [(a.address_key, a.id) for a in accounts if a.address_key])
    for account in accounts:
        if account.outcome is Outcome.LINK and account.directory_id is not None:
            await ports.ledger.identity_claims.claim(authority, account.directory_id, account.id)
    by_id: Mapping[AccountId, Account] = {account.id: account for account in accounts}
    for some in batched(accounts, ACCOUNTS_PER_SAVE // 10, strict=False):
        existing = await ports.ledger.accounts.insert([(account, _make_adoption(account)) for account in some])
        for id_ in existing:
            await _meet_existing(ports, profile, by_id[id_])


def _make_adoption(account: Account) -> Change:
    return Change(account.staged_at, Event.ADOPT, account.state, account.reason, migration=account.migration)


async def _meet_existing(ports: Ports, profile: Profile, mine: Account) -> None:
    """Take over an account that the council has already, unless it was moved meanwhile."""
    while True:
        stored = await ports.ledger.accounts.get(mine.authority, mine.id)
        if stored is None:
            raise StaleWrite
        known = stored.record
        if known.migration == mine.migration:
            return
        own = await ports.ledger.migrations.get(mine.authority, mine.migration)
        if own is None or own.phase is not Phase.ADOPTING:
            # A newer plan is carried out, or this one was stopped: what that has taken over is not to be taken back.
            raise Superseded
        settled = judge_resubmission(known, mine.digest)
        try:
            if settled is not None:
                await _settle_row(ports, stored, mine, settled)
            elif mine.state is State.PROVISIONED:
                return  # the council's own record is looked for in the directory by itself
            elif was_told_after_all(known):
                await ports.ledger.accounts.save(stored, *go_on_with_message(known, mine, ports.clock.now()))
            else:
                await _take_over(ports, profile, stored, mine)
        except StaleWrite:
            continue
        return


async def _settle_row(ports: Ports, stored: Stored[Account], mine: Account, settled: Verdict) -> None:
    """Settle an account that was moved while the plan waited for its signatures. The row says what happened."""
    row = await ports.ledger.rows.get(mine)
    if row is not None:
        await ports.ledger.rows.put([replace(row, outcome=settled.outcome, reason=settled.reason)])
    resubmitted = replace(stored.record, resubmission=f"{mine.migration}|{mine.row}")
    await ports.ledger.accounts.save(stored, resubmitted, None)


async def _take_over(ports: Ports, profile: Profile, stored: Stored[Account], mine: Account) -> None:
    known, now = stored.record, ports.clock.now()
    adopted, change = apply_event(known, Event.ADOPT, now)
    if mine.state is State.REVIEW:
        adopted, change = apply_event(adopted, Event.SET_ASIDE, now, mine.reason)
    elif mine.state is State.FAILED:
        adopted, change = apply_event(adopted, Event.FAIL, now, mine.reason)
    taken = replace(
        adopted,
        migration=mine.migration,
        row=mine.row,
        staged_at=mine.staged_at,
        not_before=respect_told_day(known, profile, now + MAX_CREATE_LAG),
        digest=mine.digest,
        address_key=mine.address_key,
        release=max(known.release, mine.release) + 1,
        outcome=mine.outcome,
        evidence=mine.evidence,
        directory_id=mine.directory_id,
        before=mine.before,
        classified_at=mine.classified_at,
        cohort=mine.cohort,
        begun_before=True,
        changes=known.changes + 1,
        owner=mine.owner or known.owner,
        decide_by=mine.decide_by if mine.owner else known.decide_by,
        trace=mine.trace,
    )
    await _drop_old_address(ports, known.authority, known, mine)
    await ports.ledger.accounts.save(stored, taken, replace(change, migration=mine.migration))


async def _drop_old_address(ports: Ports, authority: Authority, known: Account, mine: Account) -> None:
    """First the address: a crash in between is made up when this shard is adopted again."""
    if known.address_key and known.address_key != mine.address_key:
        await ports.ledger.addresses.drop(authority, known.address_key, known.id)
