"""The steps of a canary, in order. Each looks, does one thing in the directory, and reports its progress."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from shared.errors import AnswerLost, Cannot, DirectoryRefused, TryLater
from shared.model.account import AccountId, Authority, DirectoryId
from shared.model.directory_user import DirectoryUser
from shared.model.profile import Profile
from shared.model.safeguards.canary import (
    BLOCKED_AFTER,
    CANARY_REF,
    FORCE_CHANGE_REFUSED,
    GIVEN_NAME,
    LINKED_REF,
    MAX_READ_LAG,
    RESET_SIGNS_TIME,
    RETIRED,
    SURNAME,
    Canary,
    CanaryStep,
    fail_step,
    format_answer,
    go_to_step,
    pass_step,
    record_answers,
    record_created,
    record_deleted,
    record_seen,
)
from shared.ports import NewUser, Ports


@dataclass(frozen=True, slots=True)
class Run:
    """One request's view of the world."""

    ports: Ports
    profile: Profile
    address: str

    @property
    def authority(self) -> Authority:
        """The authority of the canary."""
        return self.profile.authority

    @property
    def owner_marker(self) -> AccountId:
        """The owner marker by which its users are known as ours."""
        return self.ports.pseudonyms.canary(self.authority)

    @property
    def new_user(self) -> NewUser:
        """The test customer."""
        return NewUser(self.address, GIVEN_NAME, SURNAME, self.owner_marker, CANARY_REF)

    def now(self) -> datetime:
        """The time."""
        return self.ports.clock.now()

    def ours(self, user: DirectoryUser | None) -> bool:
        """Return True if the canary made this user."""
        return user is not None and user.owner_markers.get(self.authority) == self.owner_marker


def explain_refusal(canary: Canary, refused: DirectoryRefused) -> str:
    """Return the meaning of a refusal. Its wording only chooses the sentence for people."""
    if refused.attribute:
        return "attribute_unknown"
    if not refused.setting:
        return "directory_refused"
    about_password = refused.target.lower().startswith(("password", "forcechange"))
    return FORCE_CHANGE_REFUSED if about_password and not canary.by_flag else "setting_refused"


def _not_yet(run: Run, canary: Canary) -> Canary:
    """Wait for reads that lag behind writes, up to a limit."""
    late = run.now() > canary.since + MAX_READ_LAG
    return fail_step(canary, "not_visible", run.now()) if late else canary


async def _check_free(run: Run, canary: Canary) -> Canary:
    at_address = await run.ports.directory.with_address(run.address)
    left_over = [*at_address, *await run.ports.directory.with_owner_marker(run.authority, run.owner_marker)]
    for user in left_over:
        canary = record_created(canary, user.id) if run.ours(user) else canary
    if canary.living:
        return fail_step(canary, "left_over", run.now())
    return fail_step(canary, "address_taken", run.now()) if at_address else pass_step(canary, run.now())


async def _create_canary(run: Run, canary: Canary) -> Canary:
    try:
        user = await run.ports.directory.create(run.profile, run.new_user)
    except AnswerLost:
        found = await _find_ours(run, canary)
        if found is None:
            raise
        user = found
    except DirectoryRefused as refused:
        found = await _find_ours(run, canary)
        if found is None:
            return await _not_created(run, canary, refused)
        user = found
    now = run.now()
    made = replace(record_created(canary, user), user=user, created_at=now)
    return pass_step(made if canary.by_flag else record_answers(made, now, force_change_accepted="yes"), now)


async def _find_ours(run: Run, canary: Canary) -> DirectoryId | None:
    """Return the user that a create in doubt left. It has our owner marker and is not one of the known users."""
    found = await run.ports.directory.with_owner_marker(run.authority, run.owner_marker)
    found = found or await run.ports.directory.with_address(run.address)
    return next((user.id for user in found if run.ours(user) and user.id not in canary.made), None)


async def _not_created(run: Run, canary: Canary, refused: DirectoryRefused) -> Canary:
    now = run.now()
    if await run.ports.directory.with_address(run.address):
        return fail_step(canary, "address_taken", now)
    if not refused.conflict:
        code = explain_refusal(canary, refused)
        answered = record_answers(canary, now, force_change_accepted="no") if code == FORCE_CHANGE_REFUSED else canary
        return fail_step(answered, code, now, refused.code)
    if now <= canary.since + MAX_READ_LAG:
        raise TryLater("address_held")
    return fail_step(canary, "address_held", now)


async def _read_back(run: Run, canary: Canary) -> Canary:
    user = await run.ports.directory.get(_require_user(canary))
    if user is None or not run.ours(user) or (canary.by_flag and user.must_reset is not True):
        return _not_yet(run, canary)
    now = run.now()
    learned = record_answers(
        record_seen(canary, user.id), now, readable_after_seconds=_format_seconds(canary.created_at, now)
    )
    return pass_step(replace(learned, password_at=user.password_changed), now)


async def _look_up(run: Run, canary: Canary) -> Canary:
    by_mark = await run.ports.directory.with_owner_marker(run.authority, run.owner_marker)
    by_address = await run.ports.directory.with_address(run.address)
    if not _is_among(canary.user, by_mark) or not _is_among(canary.user, by_address):
        return _not_yet(run, canary)
    now = run.now()
    in_capitals = await run.ports.directory.with_address(run.address.upper())
    found_out = record_answers(
        canary, now, look_up_ignores_case=format_answer(said=_is_among(canary.user, in_capitals))
    )
    return pass_step(record_answers(found_out, now, visible_after_seconds=_format_seconds(canary.created_at, now)), now)


async def _create_conflict(run: Run, canary: Canary) -> Canary:
    """Create again at the same address: only a no is right."""
    second = await _find_ours(run, canary)
    try:
        second = second or await run.ports.directory.create(run.profile, run.new_user)
    except DirectoryRefused as refused:
        if not refused.conflict:
            raise
        now = run.now()
        return pass_step(record_answers(canary, now, conflict_property=refused.target or "not named"), now)
    return fail_step(record_created(canary, second), "address_not_unique", run.now())


async def _link_canary(run: Run, canary: Canary) -> Canary:
    """Another customer reference than at the create, so that the read-back shows this write."""
    user = _require_user(canary)
    if not await _is_linked(run, user):
        await run.ports.directory.link(run.profile, user, run.owner_marker, LINKED_REF)
        if not await _is_linked(run, user):
            return _not_yet(run, canary)
    now = run.now()
    return pass_step(record_answers(canary, now, change_visible_after_seconds=_format_seconds(canary.since, now)), now)


async def _is_linked(run: Run, user: DirectoryId) -> bool:
    found = await run.ports.directory.get(user)
    return found is not None and found.customer_refs.get(run.authority) == LINKED_REF


async def _await_reset(run: Run, canary: Canary) -> Canary:
    """Wait for a person. The directory shows the result, or the person reports it."""
    now = run.now()
    if canary.signed_in is False:
        return go_to_step(canary, CanaryStep.UNDO, now, "sign_in_failed")
    user = await run.ports.directory.get(_require_user(canary))
    if user is None:
        raise TryLater("user_not_shown")
    moved, cleared = _has_moved_since(canary, user), canary.by_flag and user.must_reset is not True
    if not (moved or cleared or canary.signed_in):
        return canary
    found_out = canary if canary.reset_seen_at else replace(canary, reset_seen_at=now)
    complete = moved and (cleared or not canary.by_flag)
    if not complete and now < (found_out.reset_seen_at or now) + RESET_SIGNS_TIME:
        return found_out
    found_out = record_answers(found_out, now, password_changed_moves_on_reset=format_answer(said=moved))
    if not canary.by_flag:
        return pass_step(found_out, now)
    found_out = record_answers(found_out, now, flag_cleared_by_reset=format_answer(said=cleared))
    return go_to_step(found_out, CanaryStep.UNDO, now, "" if cleared else "flag_survives_reset")


def _has_moved_since(canary: Canary, user: DirectoryUser) -> bool:
    if user.password_changed is None:
        return False
    return canary.password_at is None or user.password_changed > canary.password_at


async def _undo_canary(run: Run, canary: Canary) -> Canary:
    """Remove our owner markers and rename the user. Delete it, if the app has a right that it should not have.

    Reads lag behind writes, so a user that was made just now and is not shown yet counts as existing.
    """
    unseen = False
    for user in canary.living:
        there = await run.ports.directory.get(user)
        if there is None:
            unseen = unseen or user not in canary.seen
            continue
        canary = record_seen(canary, user)
        if run.ours(there) or there.display_name != RETIRED:
            await run.ports.directory.retire(run.profile, user, RETIRED)
        may = await run.ports.directory.delete(user)
        canary = record_answers(canary, run.now(), app_may_delete_users=format_answer(said=may))
    return canary if unseen and run.now() <= canary.since + MAX_READ_LAG else pass_step(canary, run.now())


async def _await_deletion(run: Run, canary: Canary) -> Canary:
    """Wait until no user is shown any more, by id, owner marker or address."""
    marked = await run.ports.directory.with_owner_marker(run.authority, run.owner_marker)
    shown = [*marked, *(await run.ports.directory.with_address(run.address) if run.address else ())]
    left = [user for user in canary.living if _is_among(user, shown) or await run.ports.directory.get(user)]
    canary = replace(canary, living=tuple(left))
    strays = [user.id for user in marked if user.id not in canary.living]
    if strays:
        # A create of somebody else's request that came late.
        for user in strays:
            canary = record_created(canary, user)
        return replace(
            canary,
            step=CanaryStep.UNDO_AGAIN if canary.step is CanaryStep.GONE_AGAIN else CanaryStep.UNDO,
            since=run.now(),
        )
    return canary if canary.living else record_deleted(canary, run.now())


async def _create_again(run: Run, canary: Canary) -> Canary:
    """Does a deleted user block its address?"""
    second = await _find_ours(run, canary)
    if second is None:
        try:
            second = await run.ports.directory.create(run.profile, run.new_user)
        except DirectoryRefused as refused:
            second = await _find_ours(run, canary)
            if second is None:
                return await _record_blocked(run, canary, refused)
    now = run.now()
    return pass_step(record_answers(record_created(canary, second), now, deleted_user_blocks_address="no"), now)


async def _record_blocked(run: Run, canary: Canary, refused: DirectoryRefused) -> Canary:
    now = run.now()
    if not refused.conflict:
        raise refused
    if any(user.id not in canary.made for user in await run.ports.directory.with_address(run.address)):
        return fail_step(canary, "address_taken", now)
    if now < canary.since + BLOCKED_AFTER:
        raise TryLater("")
    answered = record_answers(canary, now, deleted_user_blocks_address="yes")
    return fail_step(answered, "deleted_user_blocks_address", now)


MOVES: Final[Mapping[CanaryStep, Callable[[Run, Canary], Awaitable[Canary]]]] = {
    CanaryStep.FREE: _check_free,
    CanaryStep.CREATE: _create_canary,
    CanaryStep.READ_BACK: _read_back,
    CanaryStep.LOOK_UP: _look_up,
    CanaryStep.CONFLICT: _create_conflict,
    CanaryStep.LINK: _link_canary,
    CanaryStep.RESET: _await_reset,
    CanaryStep.UNDO: _undo_canary,
    CanaryStep.GONE: _await_deletion,
    CanaryStep.AGAIN: _create_again,
    CanaryStep.UNDO_AGAIN: _undo_canary,
    CanaryStep.GONE_AGAIN: _await_deletion,
}


def _require_user(canary: Canary) -> DirectoryId:
    if canary.user is None:
        raise Cannot("directory_refused", "no test customer")
    return canary.user


def _is_among(user: DirectoryId | None, found: "tuple[DirectoryUser, ...] | list[DirectoryUser]") -> bool:
    return any(each.id == user for each in found)


def _format_seconds(since: datetime | None, now: datetime) -> str:
    return f"{(now - since).total_seconds():.1f}" if since else "not measured"
