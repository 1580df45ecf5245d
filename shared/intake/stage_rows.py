"""stage-rows: put one piece of an export into Rows and Accounts. A piece may be staged any number of times.

An account remembers which row staged it, so a repeat finds its own work. The checkpoint (piece, offset, row) is part of
the migration's record and is saved last.
"""

import asyncio
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from shared.errors import StaleWrite, Superseded
from shared.intake.apply_suppressions import hold_account
from shared.intake.existing_accounts import Council, read_existing_accounts
from shared.intake.pieces import admit_piece, is_current, leave_overwritten, send_next_piece
from shared.intake.rules.cohort import choose_cohort
from shared.intake.rules.csv_reader import RecordReader
from shared.intake.rules.resubmission import (
    DISCARDED,
    Verdict,
    go_on_with_message,
    judge_resubmission,
    was_told_after_all,
)
from shared.intake.rules.row_checks import judge_record
from shared.intake.supersede import supersede_older
from shared.integrity.table_loss import must_wait_for_older
from shared.model.account import Account, AccountId, Change, Cohort, MigrationId, apply_event
from shared.model.email_address import email_key
from shared.model.lifecycle import Event, Outcome, State
from shared.model.messages import StageRows
from shared.model.migration import PIECE_ROWS, Kind, Layout, Migration, Phase, is_newer
from shared.model.profile import Profile
from shared.model.row import Person, Rejected, Row
from shared.model.safeguards.rebuild import choose_first_release
from shared.ports import Ports, Stored
from shared.telemetry import spans

PARALLEL_READS: Final = 16
MAX_CREATE_LAG: Final = timedelta(minutes=2)
"""How long a create for the older export may take to show in the directory after it was started."""


@dataclass(frozen=True, slots=True)
class Piece:
    """The verdicts on the records of one piece, and where the next piece starts."""

    verdicts: list[Person | Rejected]
    end: int
    last: bool


async def stage_rows(ports: Ports, message: StageRows) -> None:
    """Stage one piece and send the message of the next."""
    migration = await admit_piece(ports, message)
    if migration is None:
        return
    if is_current(message, migration):
        staged = await _stage_piece(ports, ports.profiles[message.authority], migration)
        if staged is None:
            return
        migration = staged
    await send_next_piece(ports, migration, message)


async def _stage_piece(ports: Ports, profile: Profile, migration: Migration) -> Migration | None:
    """Return the migration after its piece. None if the piece is not staged now."""
    if migration.piece == 0:
        if await must_wait_for_older(ports, migration):
            return None  # the sweep sends it again
        if migration.kind is Kind.MIGRATE and not migration.apart:
            await supersede_older(ports, migration)
    layout = migration.layout
    if layout is None:
        return None
    try:
        piece = await read_piece(ports, profile, migration, layout)
    except Superseded:
        await leave_overwritten(ports, migration)
        return None
    try:
        await _stage_records(ports, profile, migration, piece)
    except Superseded:
        return None  # a newer export is at work, or this piece was staged by another delivery
    return await _check_point(ports, migration, piece)


async def read_piece(ports: Ports, profile: Profile, migration: Migration, layout: Layout) -> Piece:
    """Judge one record after the other. Only the verdicts are kept, so that a long row never fills the memory."""
    reader = RecordReader(layout.separator, layout.encoding, migration.offset)
    verdicts: list[Person | Rejected] = []
    async for chunk in ports.exports.read(migration.blob, migration.blob_etag, migration.offset):
        for record in reader.feed(chunk):
            verdicts.append(judge_record(record, layout, profile))
            if len(verdicts) == PIECE_ROWS:
                return Piece(verdicts, record.end, last=migration.row + len(verdicts) == layout.rows)
    verdicts += [judge_record(record, layout, profile) for record in reader.close()]
    return Piece(verdicts, migration.blob_size, last=True)


async def _check_point(ports: Ports, migration: Migration, piece: Piece) -> Migration:
    staged = migration.piece

    def move_on(current: Migration) -> Migration:
        if current.piece != staged or current.phase is not Phase.STAGING:
            return current
        return replace(
            current,
            piece=staged + 1,
            offset=piece.end,
            row=migration.row + len(piece.verdicts),
            moved_at=ports.clock.now(),
            stalled=0,
            phase=Phase.CLASSIFYING if piece.last else Phase.STAGING,
        )

    return await ports.ledger.migrations.change(migration.authority, migration.id, move_on)


async def _stage_records(ports: Ports, profile: Profile, migration: Migration, piece: Piece) -> None:
    rows: list[Row] = []
    first: dict[AccountId, Row] = {}
    for number, judged in enumerate(piece.verdicts, migration.row + 1):
        row = _make_row(ports, migration, number, judged)
        if row.account is not None:
            first.setdefault(row.account, row)
        rows.append(row)
    rows = await _drop_suppressed(ports, migration, rows, first)
    stories = spans.Stories(migration, ports.clock.now)
    council = await read_existing_accounts(ports, migration, list(first))
    accounts = [
        stories.begin(_make_account(ports, profile, migration, row, council))
        for row in first.values()
        if row.account and row.person
    ]
    pairs = [(a.address_key, a.id) for a in accounts if a.address_key and not a.settled]
    await ports.ledger.addresses.put(migration.partition, pairs)
    known = await _stage_accounts(ports, accounts, first, stories)
    if migration.apart:
        known = {**{a.id: _make_settled_row(first[a.id], a) for a in accounts if a.settled}, **known}
    await ports.ledger.rows.put([_settle_row(row, first, known) for row in rows])
    await _hold_suppressed(ports, migration, first)


async def _hold_suppressed(ports: Ports, migration: Migration, staged: Mapping[AccountId, Row]) -> None:
    """Hold accounts whose customers came on the suppression list while the piece was staged.

    Customers who come on the list after this check are held by the step that reads the list. A draft checks when it is
    taken over.
    """
    if not migration.apart:
        for account, reason in (await _find_suppressed(ports, migration, staged)).items():
            await hold_account(ports, migration.authority, account, reason)


async def _find_suppressed(ports: Ports, migration: Migration, rows: Mapping[AccountId, Row]) -> dict[AccountId, str]:
    """Return the accounts among these that the council has excluded, each with the reason."""
    found: dict[AccountId, str] = {}
    for shard in sorted({row.shard for row in rows.values()}):
        found |= await ports.ledger.suppressions.list_shard(migration.authority, shard)
    return {account: reason for account, reason in found.items() if account in rows}


async def _drop_suppressed(
    ports: Ports, migration: Migration, rows: list[Row], first: dict[AccountId, Row]
) -> list[Row]:
    """Return the rows. Rows of excluded customers are rejected, and are removed from `first` as well."""
    excluded: dict[AccountId, str] = {}
    for account, reason in (await _find_suppressed(ports, migration, first)).items():
        stored = await ports.ledger.accounts.get(migration.partition, account)
        if stored is None or stored.record.migration != migration.id:
            excluded[account] = reason
            del first[account]
        # Else this export has staged it before it came on the list: then not the row ends, but the account.
    return [
        replace(row, account=None, outcome=Outcome.REJECT, reason=excluded[row.account], person=None)
        if row.account in excluded
        else row
        for row in rows
    ]


def _settle_row(row: Row, first: Mapping[AccountId, Row], known: Mapping[AccountId, Row]) -> Row:
    """Return the row, compared with the first row of its account in this piece and with the account that exists."""
    if row.account is None:
        return row
    earlier = known.get(row.account, first[row.account])
    if earlier.number == row.number:
        return earlier
    return _mark_duplicate(row, earlier.duplicate_of or earlier.number)


def _make_row(ports: Ports, migration: Migration, number: int, verdict: Person | Rejected) -> Row:
    row = Row(migration.authority, migration.id, number, verdict.source_id)
    if isinstance(verdict, Rejected):
        return replace(row, outcome=Outcome.REJECT, reason=verdict.reason)
    return replace(row, account=ports.pseudonyms.account(row.authority, verdict.source_id), person=verdict)


def _mark_duplicate(row: Row, of: int) -> Row:
    return replace(row, outcome=Outcome.DUPLICATE, reason="", duplicate_of=of, person=None)


def _make_account(ports: Ports, profile: Profile, migration: Migration, row: Row, council: Council) -> Account:
    person = row.person or Person(row.source_id, "")
    now = ports.clock.now()
    key = email_key(person.email)
    account = row.account or ports.pseudonyms.account(row.authority, person.source_id)
    known = council.accounts.get(account)
    # Who joined late stays so in every plan until they are moved: their wave is not over when another plan is signed.
    late = council.had_a_plan and (known is None or known.cohort is Cohort.LATE)
    digest = ports.pseudonyms.facts(key or person.email, person.given_name, person.surname)
    settled = judge_resubmission(known, digest) if migration.apart and known else None
    return Account(
        id=account,
        authority=row.authority,
        migration=row.migration,
        row=row.number,
        state=State.HELD if settled else State.STAGED,
        staged_at=now,
        not_before=now,
        digest=digest,
        address_key=ports.pseudonyms.address(row.authority, key),
        release=choose_first_release(migration.rebuilt_at) if migration.rebuilt_at else 0,
        tables_lost_at=migration.tables_lost_at,
        drafted=migration.apart,
        outcome=settled.outcome if settled else None,
        reason=settled.reason if settled else "",
        settled=settled is not None,
        cohort=choose_cohort(person, profile.plan, migration.uploaded_at, late=late),
        first=(known.first or known.migration) if known else migration.id,
    )


async def _stage_accounts(
    ports: Ports, accounts: list[Account], first: dict[AccountId, Row], stories: spans.Stories
) -> dict[AccountId, Row]:
    """Insert new accounts.

    Returns the rows whose accounts existed before, because these accounts decide about the rows.
    """
    by_shard: dict[str, list[tuple[Account, Change]]] = defaultdict(list)
    for account in accounts:
        change = Change(account.staged_at, Event.STAGE, account.state, migration=account.migration)
        by_shard[account.shard].append((account, change))
    new = {account.id: account for account in accounts}
    existing = [found for batch in by_shard.values() for found in await ports.ledger.accounts.insert(batch)]
    for inserted in new.keys() - set(existing):
        stories.kept(new[inserted])
    gate = asyncio.Semaphore(PARALLEL_READS)

    async def meet_row(account: AccountId) -> tuple[AccountId, Row]:
        async with gate:
            return account, await _meet_account(ports, new[account], first[account], stories)

    return dict(await asyncio.gather(*(meet_row(account) for account in existing)))


async def _meet_account(ports: Ports, new: Account, row: Row, stories: spans.Stories) -> Row:
    """Settle a row whose account was staged by an earlier row."""
    while True:
        stored = await ports.ledger.accounts.get(new.partition, new.id)
        if stored is None:
            raise StaleWrite
        own = await ports.ledger.migrations.get(new.authority, new.migration)
        if own is None or own.phase is not Phase.STAGING:
            # A newer export was taken meanwhile; what it has inserted is not to be taken back.
            raise Superseded
        known = stored.record
        if known.migration == new.migration:
            return _repeat_row(known, row)
        if own.rebuilt_at is not None and await _is_left_to_newer(ports, own, known, new):
            return row
        settled = judge_resubmission(known, new.digest)
        try:
            if settled is not None:
                return await _note_resubmission(ports, stored, row, settled)
            if was_told_after_all(known):
                await ports.ledger.accounts.save(stored, *go_on_with_message(known, new, ports.clock.now()))
                return row
            await _take_over(ports, stored, new)
        except StaleWrite:
            continue
        stories.kept(new)
        return row


def _repeat_row(known: Account, row: Row) -> Row:
    """Settle a row of the same export: one that was staged before, or the same customer again.

    In a draft the first verdict counts. What was moved in between is found when the plan is approved.
    """
    if known.row != row.number:
        return _mark_duplicate(row, known.row)
    return _make_settled_row(row, known) if known.settled else row


def _make_settled_row(row: Row, account: Account) -> Row:
    return replace(row, outcome=account.outcome, reason=account.reason)


async def _is_left_to_newer(ports: Ports, own: Migration, known: Account, new: Account) -> bool:
    """Return True if a newer export took the account over before the tables were lost. Then this row is finished."""
    theirs = await ports.ledger.migrations.get(known.authority, known.migration)
    if theirs is None or not is_newer(theirs, own):
        return False
    if known.address_key != new.address_key and new.address_key:
        await ports.ledger.addresses.drop(new.authority, new.address_key, new.id)
    return True


async def _note_resubmission(ports: Ports, stored: Stored[Account], row: Row, settled: Verdict) -> Row:
    """Record on a moved account which row brought it again. A second row of the same export is then a duplicate."""
    export, _, number = stored.record.resubmission.rpartition("|")
    if stored.record.reason != DISCARDED:
        if export == row.migration and number != str(row.number):
            return _mark_duplicate(row, int(number))
        if export != row.migration:
            resubmitted = replace(stored.record, resubmission=f"{row.migration}|{row.number}")
            await ports.ledger.accounts.save(stored, resubmitted, None)
    return replace(row, outcome=settled.outcome, reason=settled.reason)


async def _take_over(ports: Ports, stored: Stored[Account], new: Account) -> None:
    """Give the account to the row of the newer export.

    What may already have been done stays on record until it is checked.
    """
    known = stored.record
    # Whatever its state: it may have been postponed, or set aside, or held, after a create that does not show yet.
    begun = known.classified_at is not None or known.begun_before
    staged, change = apply_event(known, Event.STAGE, ports.clock.now())
    taken = replace(
        staged,
        migration=MigrationId(new.migration),
        row=new.row,
        staged_at=new.staged_at,
        not_before=new.not_before + (MAX_CREATE_LAG if begun else timedelta(0)),
        digest=new.digest,
        address_key=new.address_key,
        release=max(known.release + 1, new.release),
        tables_lost_at=new.tables_lost_at or known.tables_lost_at,
        cohort=new.cohort if new.cohort is not Cohort.LATE else known.cohort,
        first=known.first or known.migration,
        trace=new.trace,
    )
    # First the address: a crash in between is made up when this piece is staged again.
    if known.address_key and known.address_key != new.address_key:
        await ports.ledger.addresses.drop(known.authority, known.address_key, known.id)
    await ports.ledger.accounts.save(stored, taken, replace(change, migration=new.migration))
