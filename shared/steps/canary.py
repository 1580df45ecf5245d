"""canary: one marked test customer goes the whole way through the real directory, step by step.

Each request goes on as far as it can: guard, act, save. The record says what comes next, so it may be called twice,
after a crash, and by two people at once; the directory's own uniqueness and the record's ETag are the only locks. The
address comes with each request and is kept nowhere.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from shared.domain.account import AccountId, Authority, DirectoryId
from shared.domain.canary import (
    BLOCKED_AFTER,
    CANARY_REF,
    FOR_ANOTHER_CHOICE,
    FORCE_CHANGE_REFUSED,
    GIVEN_NAME,
    GRACE,
    LINKED_REF,
    ORDER,
    PATIENCE,
    RETIRED,
    SURNAME,
    UNDOING,
    Canary,
    Step,
    born,
    cancelled,
    failed_step,
    go_to,
    gone,
    passed_step,
    seen,
    started,
    told,
    told_of_sign_in,
    yes,
    young,
)
from shared.domain.matching import DirectoryUser
from shared.domain.migration import Migration, Phase
from shared.domain.profile import Profile
from shared.errors import AnswerLost, Cannot, DirectoryRefused, StaleWrite, Stop, TryLater
from shared.ports import NewUser, Ports, Stored
from shared.steps.key import key_changed

CANARY_DAYS: Final = 14
"""So old a canary may be before a wave."""
AT_ONCE: Final = 2 * len(ORDER)
"""Steps of one request; more than there are."""


_OTHER_KEY: Final = (
    "PSEUDONYM_KEY is not the key with which the accounts were made, so a canary would prove nothing and find none of "
    "its own users. Put the right key back (it is in escrow), restart the app, and ask again."
)


class NotNow(Exception):
    """The canary cannot be asked this; the sentence says why and what to do."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a person asks of the canary."""

    address: str = ""
    """The normalised address of the test customer's mailbox."""
    signed_in: bool | None = None
    """Whether the sign-in with the new password worked."""
    undo: DirectoryId | None = None
    """End here, and take this user back."""
    run: int = 0
    """The run that is meant, where one is: when it is over, no other is started."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far it is, and why it could not go on just now."""

    canary: Canary
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class _Run:
    """One request's view of the world."""

    ports: Ports
    profile: Profile
    address: str

    @property
    def authority(self) -> Authority:
        return self.profile.authority

    @property
    def mark(self) -> AccountId:
        return self.ports.pseudonyms.canary(self.authority)

    @property
    def new_user(self) -> NewUser:
        return NewUser(self.address, GIVEN_NAME, SURNAME, self.mark, CANARY_REF)

    def now(self) -> datetime:
        return self.ports.clock.now()

    def ours(self, user: DirectoryUser | None) -> bool:
        return user is not None and user.marks.get(self.authority) == self.mark


async def go_on(ports: Ports, profile: Profile, asked: Asked, by: str) -> Progress:
    """Start a canary, or go on with the one that is under way, until something has to be waited for.

    Raises:
        NotNow: it cannot be asked this now.
    """
    if await key_changed(ports):
        raise NotNow(_OTHER_KEY)
    run = _Run(ports, profile, asked.address)
    trouble = ""
    try:
        stored = await _begun(run, asked, by)
        for _ in range(AT_ONCE):
            before = stored.record
            after, trouble = (before, "") if before.finished_at else await _moved(run, before)
            if after != before:
                stored = await ports.ledger.save_canary(stored, after)
            if after.step is before.step:
                break
    except StaleWrite:
        # Somebody else goes on with the same canary: what that one saved is true.
        found = await ports.ledger.canary(run.authority)
        if found is None:
            raise
        stored = found
    return Progress(stored.record, trouble)


async def _begun(run: _Run, asked: Asked, by: str) -> Stored[Canary]:
    """The canary that this request is about, with what the person says; saved when that is new."""
    stored = await run.ports.ledger.canary(run.authority)
    canary = stored.record if stored else None
    if asked.undo is not None:
        after = await _ended(run, canary, asked.undo, by)
    elif asked.signed_in is not None:
        after = _heard(run, canary, worked=asked.signed_in)
    elif canary is None or (canary.finished_at and canary.run != asked.run):
        after = _fresh(run, canary, by)
    else:
        after = _same_address(run, canary) if canary.made else _restarted(run, canary, by)
    return stored if stored and after == canary else await run.ports.ledger.save_canary(stored, after)


def _fresh(run: _Run, before: Canary | None, by: str) -> Canary:
    address = run.ports.pseudonyms.address(run.authority, run.address)
    return started(before, run.authority, address, by, run.now(), by_flag=run.profile.directory.by_flag)


def _same_address(run: _Run, canary: Canary) -> Canary:
    if canary.address_key and canary.address_key != run.ports.pseudonyms.address(run.authority, run.address):
        raise NotNow(
            f"The canary of {run.authority} has another address. Go on with that one, or end it first: "
            f"`ops canary --authority {run.authority} --undo {canary.user or 'ID'}`."
        )
    return canary


def _restarted(run: _Run, canary: Canary, by: str) -> Canary:
    """Nothing was made yet, so another address may still be taken."""
    address = run.ports.pseudonyms.address(run.authority, run.address)
    return canary if canary.address_key == address else _fresh(run, canary, by)


def _heard(run: _Run, canary: Canary | None, *, worked: bool) -> Canary:
    if canary is None or ORDER.index(canary.step) < ORDER.index(Step.RESET):
        raise NotNow("Nobody can have signed in yet. Run the canary without --signed-in; it says when to sign in.")
    return told_of_sign_in(_same_address(run, canary), run.now(), worked=worked)


async def _ended(run: _Run, canary: Canary | None, user: DirectoryId, by: str) -> Canary:
    """The canary whose user is to be taken back; one that nobody remembers is known by its mark."""
    if canary is not None and user in canary.made and (canary.finished_at or canary.cancelled):
        return canary
    known = canary is not None and user in canary.made
    if not known and not run.ours(await _read(run, user)):
        raise NotNow(
            "No test customer of this council has this id, so nothing was changed. `ops canary --show` has it."
        )
    if canary is None or canary.finished_at is not None:
        canary = _fresh(run, canary, by)
    return cancelled(canary, user, run.now())


async def _read(run: _Run, user: DirectoryId) -> DirectoryUser | None:
    try:
        return await run.ports.directory.get(user)
    except (TryLater, Stop, Cannot):
        raise NotNow("The directory does not tell whose user this is. Nothing was changed; try again.") from None


async def _moved(run: _Run, canary: Canary) -> tuple[Canary, str]:
    """The canary after its current step, and what was in the way."""
    other_choice = canary.by_flag is not run.profile.directory.by_flag
    if other_choice and not canary.ending and ORDER.index(canary.step) <= ORDER.index(Step.RESET):
        return failed_step(canary, FOR_ANOTHER_CHOICE, run.now()), ""
    try:
        return await MOVES[canary.step](run, canary), ""
    except TryLater as later:
        return canary, later.cause
    except AnswerLost:
        return canary, "directory_unreachable"
    except (Stop, Cannot) as refused:
        code, detail = refused.reason, refused.detail
    except DirectoryRefused as refused:
        code, detail = _meaning(canary, refused), refused.code
    # An undo is never given up: it is tried again, and a person can delete the user meanwhile.
    return (canary, code) if canary.step in UNDOING else (failed_step(canary, code, run.now(), detail), "")


def _meaning(canary: Canary, refused: DirectoryRefused) -> str:
    """What a refusal comes to. Its wording chooses the sentence for people and nothing else."""
    if refused.attribute:
        return "attribute_unknown"
    if not refused.setting:
        return "directory_refused"
    about_password = refused.target.lower().startswith(("password", "forcechange"))
    return FORCE_CHANGE_REFUSED if about_password and not canary.by_flag else "setting_refused"


def _not_yet(run: _Run, canary: Canary) -> Canary:
    """Reads lag behind writes; for so long, and no longer."""
    late = run.now() > canary.since + PATIENCE
    return failed_step(canary, "not_visible", run.now()) if late else canary


# The steps, in their order


async def _free(run: _Run, canary: Canary) -> Canary:
    at_address = await run.ports.directory.with_address(run.address)
    left_over = [*at_address, *await run.ports.directory.with_mark(run.authority, run.mark)]
    for user in left_over:
        canary = born(canary, user.id) if run.ours(user) else canary
    if canary.living:
        return failed_step(canary, "left_over", run.now())
    return failed_step(canary, "address_taken", run.now()) if at_address else passed_step(canary, run.now())


async def _create(run: _Run, canary: Canary) -> Canary:
    try:
        user = await run.ports.directory.create(run.profile, run.new_user)
    except AnswerLost:
        found = await _ours(run, canary)
        if found is None:
            raise
        user = found
    except DirectoryRefused as refused:
        found = await _ours(run, canary)
        if found is None:
            return await _not_created(run, canary, refused)
        user = found
    now = run.now()
    made = replace(born(canary, user), user=user, created_at=now)
    return passed_step(made if canary.by_flag else told(made, now, force_change_accepted="yes"), now)


async def _ours(run: _Run, canary: Canary) -> DirectoryId | None:
    """The user that a create in doubt left: it bears our mark and is none of those that we know."""
    found = await run.ports.directory.with_mark(run.authority, run.mark)
    found = found or await run.ports.directory.with_address(run.address)
    return next((user.id for user in found if run.ours(user) and user.id not in canary.made), None)


async def _not_created(run: _Run, canary: Canary, refused: DirectoryRefused) -> Canary:
    now = run.now()
    if await run.ports.directory.with_address(run.address):
        return failed_step(canary, "address_taken", now)
    if not refused.conflict:
        code = _meaning(canary, refused)
        answered = told(canary, now, force_change_accepted="no") if code == FORCE_CHANGE_REFUSED else canary
        return failed_step(answered, code, now, refused.code)
    if now <= canary.since + PATIENCE:
        raise TryLater("address_held")
    return failed_step(canary, "address_held", now)


async def _read_back(run: _Run, canary: Canary) -> Canary:
    user = await run.ports.directory.get(_user(canary))
    if user is None or not run.ours(user) or (canary.by_flag and user.must_reset is not True):
        return _not_yet(run, canary)
    now = run.now()
    learned = told(seen(canary, user.id), now, readable_after_seconds=_seconds(canary.created_at, now))
    return passed_step(replace(learned, password_at=user.password_changed), now)


async def _look_up(run: _Run, canary: Canary) -> Canary:
    by_mark = await run.ports.directory.with_mark(run.authority, run.mark)
    by_address = await run.ports.directory.with_address(run.address)
    if not _among(canary.user, by_mark) or not _among(canary.user, by_address):
        return _not_yet(run, canary)
    now = run.now()
    in_capitals = await run.ports.directory.with_address(run.address.upper())
    found_out = told(canary, now, look_up_ignores_case=yes(said=_among(canary.user, in_capitals)))
    return passed_step(told(found_out, now, visible_after_seconds=_seconds(canary.created_at, now)), now)


async def _conflict(run: _Run, canary: Canary) -> Canary:
    """Create again at the same address: only a no is right."""
    second = await _ours(run, canary)
    try:
        second = second or await run.ports.directory.create(run.profile, run.new_user)
    except DirectoryRefused as refused:
        if not refused.conflict:
            raise
        now = run.now()
        return passed_step(told(canary, now, conflict_property=refused.target or "not named"), now)
    return failed_step(born(canary, second), "address_not_unique", run.now())


async def _link(run: _Run, canary: Canary) -> Canary:
    """Another customer reference than at the create, so that the read-back shows this write."""
    user = _user(canary)
    if not await _linked(run, user):
        await run.ports.directory.link(run.profile, user, run.mark, LINKED_REF)
        if not await _linked(run, user):
            return _not_yet(run, canary)
    now = run.now()
    return passed_step(told(canary, now, change_visible_after_seconds=_seconds(canary.since, now)), now)


async def _linked(run: _Run, user: DirectoryId) -> bool:
    found = await run.ports.directory.get(user)
    return found is not None and found.customer_refs.get(run.authority) == LINKED_REF


async def _reset(run: _Run, canary: Canary) -> Canary:
    """A person's turn. The directory shows it, or the person says it."""
    now = run.now()
    if canary.signed_in is False:
        return go_to(canary, Step.UNDO, now, "sign_in_failed")
    user = await run.ports.directory.get(_user(canary))
    if user is None:
        raise TryLater("user_not_shown")
    moved, cleared = _moved_since(canary, user), canary.by_flag and user.must_reset is not True
    if not (moved or cleared or canary.signed_in):
        return canary
    found_out = canary if canary.reset_seen_at else replace(canary, reset_seen_at=now)
    complete = moved and (cleared or not canary.by_flag)
    if not complete and now < (found_out.reset_seen_at or now) + GRACE:
        return found_out
    found_out = told(found_out, now, password_changed_moves_on_reset=yes(said=moved))
    if not canary.by_flag:
        return passed_step(found_out, now)
    found_out = told(found_out, now, flag_cleared_by_reset=yes(said=cleared))
    return go_to(found_out, Step.UNDO, now, "" if cleared else "flag_survives_reset")


def _moved_since(canary: Canary, user: DirectoryUser) -> bool:
    if user.password_changed is None:
        return False
    return canary.password_at is None or user.password_changed > canary.password_at


async def _undo(run: _Run, canary: Canary) -> Canary:
    """Take our marks off and rename; delete, should the app have a right that it was not to have.

    Reads lag behind writes: who was made just now and is not shown yet is there.
    """
    unseen = False
    for user in canary.living:
        there = await run.ports.directory.get(user)
        if there is None:
            unseen = unseen or user not in canary.seen
            continue
        canary = seen(canary, user)
        if run.ours(there) or there.display_name != RETIRED:
            await run.ports.directory.retire(run.profile, user, RETIRED)
        may = await run.ports.directory.delete(user)
        canary = told(canary, run.now(), app_may_delete_users=yes(said=may))
    return canary if unseen and run.now() <= canary.since + PATIENCE else passed_step(canary, run.now())


async def _gone(run: _Run, canary: Canary) -> Canary:
    """Wait until nobody is shown any more, by id, by mark or by address."""
    marked = await run.ports.directory.with_mark(run.authority, run.mark)
    shown = [*marked, *(await run.ports.directory.with_address(run.address) if run.address else ())]
    left = [user for user in canary.living if _among(user, shown) or await run.ports.directory.get(user)]
    canary = replace(canary, living=tuple(left))
    strays = [user.id for user in marked if user.id not in canary.living]
    if strays:
        # A create of somebody else's request that came late.
        for user in strays:
            canary = born(canary, user)
        return replace(canary, step=Step.UNDO_AGAIN if canary.step is Step.GONE_AGAIN else Step.UNDO, since=run.now())
    return canary if canary.living else gone(canary, run.now())


async def _again(run: _Run, canary: Canary) -> Canary:
    """Does a deleted user block its address?"""
    second = await _ours(run, canary)
    if second is None:
        try:
            second = await run.ports.directory.create(run.profile, run.new_user)
        except DirectoryRefused as refused:
            second = await _ours(run, canary)
            if second is None:
                return await _blocked(run, canary, refused)
    now = run.now()
    return passed_step(told(born(canary, second), now, deleted_user_blocks_address="no"), now)


async def _blocked(run: _Run, canary: Canary, refused: DirectoryRefused) -> Canary:
    now = run.now()
    if not refused.conflict:
        raise refused
    if any(user.id not in canary.made for user in await run.ports.directory.with_address(run.address)):
        return failed_step(canary, "address_taken", now)
    if now < canary.since + BLOCKED_AFTER:
        raise TryLater("")
    answered = told(canary, now, deleted_user_blocks_address="yes")
    return failed_step(answered, "deleted_user_blocks_address", now)


MOVES: Final[Mapping[Step, Callable[[_Run, Canary], Awaitable[Canary]]]] = {
    Step.FREE: _free,
    Step.CREATE: _create,
    Step.READ_BACK: _read_back,
    Step.LOOK_UP: _look_up,
    Step.CONFLICT: _conflict,
    Step.LINK: _link,
    Step.RESET: _reset,
    Step.UNDO: _undo,
    Step.GONE: _gone,
    Step.AGAIN: _again,
    Step.UNDO_AGAIN: _undo,
    Step.GONE_AGAIN: _gone,
}


def _user(canary: Canary) -> DirectoryId:
    if canary.user is None:
        raise Cannot("directory_refused", "no test customer")
    return canary.user


def _among(user: DirectoryId | None, found: "tuple[DirectoryUser, ...] | list[DirectoryUser]") -> bool:
    return any(each.id == user for each in found)


def _seconds(since: datetime | None, now: datetime) -> str:
    return f"{(now - since).total_seconds():.1f}" if since else "not measured"


# Before a wave


async def ask_for_canary(
    ports: Ports, profile: Profile, migrations: Mapping[str, Migration]
) -> Mapping[str, Migration]:
    """The migrations of one authority, each told whether it waits for a canary. One read, where the profile asks."""
    days = profile.directory.canary_within_days
    concerned = [m for m in migrations.values() if m.phase not in {Phase.REFUSED, Phase.SUPERSEDED}]
    stored = await ports.ledger.canary(profile.authority) if days and concerned else None
    by_flag = profile.directory.by_flag
    waits = days > 0 and not young(stored.record if stored else None, days, ports.clock.now(), by_flag=by_flag)
    changed = [m for m in concerned if m.waits_for_canary is not waits]
    told_so = [
        await ports.ledger.change_migration(m.authority, m.id, lambda found: replace(found, waits_for_canary=waits))
        for m in changed
    ]
    return {**migrations, **{m.id: m for m in told_so}}
