"""provision-account: create or link one released account in the directory, at most once.

The create carries its own proof: the owner marker holds our account id. Unless the answer is a clear yes, the directory
is asked which user exists. The status or the wording of an error never decides.
"""

import asyncio
from dataclasses import replace

from tenacity import AsyncRetrying, retry_if_result, stop_after_attempt, wait_exponential

from shared.errors import AnswerLost, Cannot, DirectoryRefused, SetAside, Stop, TryLater, Unclear
from shared.matching.classify_account import confirm_decision
from shared.model.account import Account, DirectoryId, apply_event, release_account
from shared.model.directory_user import DirectoryUser
from shared.model.email_address import email_key
from shared.model.lifecycle import Event, Outcome
from shared.model.messages import AccountMessage, make_account_message
from shared.model.pacing.rate_limit import REASSESS_AFTER
from shared.model.profile import Profile
from shared.model.row import Person, Row
from shared.model.step import Step
from shared.ports import NewUser, Ports
from shared.scheduling.due_account import Admitted, admit_account, read_person
from shared.scheduling.rules.gate import find_due_step
from shared.telemetry.progress import record_step


async def provision_account(ports: Ports, message: AccountMessage) -> None:
    """Create or link one account, read it back, and only then let the customer be notified."""
    admitted = await admit_account(ports, message, Step.PROVISION)
    if admitted is None:
        return
    account, profile = admitted.account, admitted.profile
    await _wait_for_due_at(ports, account)
    row, person = await read_person(ports, account)
    old = account.classified_at is None or account.classified_at + REASSESS_AFTER < ports.clock.now()
    # It was compared with the others of its draft; another plan may have joined somebody since, without a record.
    may_be_joined = account.outcome is Outcome.LINK and admitted.migration.adopted_at is not None
    if old or account.begun_before or may_be_joined:
        await confirm_decision(ports, admitted, person)
    if account.outcome is Outcome.LINK:
        user = await _link_user(ports, profile, account, row)
    else:
        user = await _create_user(ports, profile, account, person)
    await _save_provisioned(ports, admitted, user)


async def _wait_for_due_at(ports: Ports, account: Account) -> None:
    """Wait for the slot: its message comes up to a second before, as a queue counts in whole seconds."""
    if account.due_at is not None:
        early = account.due_at - ports.clock.now()
        await asyncio.sleep(min(max(early.total_seconds(), 0), 1))


async def _save_provisioned(ports: Ports, admitted: Admitted, user: DirectoryUser) -> None:
    now = ports.clock.now()
    provisioned, change = apply_event(admitted.account, Event.PROVISION, now)
    provisioned = replace(provisioned, directory_id=user.id, provisioned_at=now, not_before=now)
    answer = find_due_step(provisioned, admitted.migration, admitted.profile, messages_on=ports.notifier is not None)
    # A release even where nothing is to be sent now: the message of the old one is void, and nobody waits for a slot.
    provisioned = release_account(provisioned, now, admitted.migration.epoch)
    if answer.waits_for:
        # The feeder releases the account when nothing stops the message. So the account is not taken for lost.
        provisioned = replace(provisioned, due_at=None)
    await ports.ledger.accounts.save(admitted.stored, provisioned, change)
    record_step(provisioned, change)
    if answer.step is Step.NOTIFY:
        await ports.outbox.send(make_account_message(Step.NOTIFY, provisioned))


async def _create_user(ports: Ports, profile: Profile, account: Account, person: Person) -> DirectoryUser:
    new = NewUser(email_key(person.email), person.given_name, person.surname, account.id, person.source_id)
    try:
        user = await ports.directory.create(profile, new)
    except AnswerLost:
        user = (await _find_owner(ports, account, new, TryLater("directory_unreachable"))).id
    except DirectoryRefused as refused:
        user = (await _find_owner(ports, account, new, _explain_refusal(refused))).id
    return await _read_back(ports, account, user)


async def _find_owner(ports: Ports, account: Account, new: NewUser, nobody: Exception) -> DirectoryUser:
    """Return the user that a create in doubt left or found.

    Raises:
        SetAside: the user belongs to somebody else, who signed up meanwhile.
        Exception: `nobody`, if no user is found.
    """
    ours = await ports.directory.with_owner_marker(account.authority, account.id)
    if ours:
        return ours[0]
    theirs = await ports.directory.with_address(new.address)
    ours = tuple(user for user in theirs if user.owner_markers.get(account.authority) == account.id)
    if ours:
        return ours[0]
    if theirs:
        raise SetAside("appeared_since_assessment")
    raise nobody


def _explain_refusal(refused: DirectoryRefused) -> Exception:
    """Return what a refused write means if no user exists."""
    if refused.conflict:
        # Whatever property it names: somebody holds the same value, and does not show (yet).
        return Unclear("directory_unclear")
    if refused.attribute:
        return Stop("attribute_unknown", refused.code)
    if refused.setting:
        return Stop("setting_refused", refused.code)
    return Cannot("directory_refused", refused.code)


async def _link_user(ports: Ports, profile: Profile, account: Account, row: Row) -> DirectoryUser:
    user = account.directory_id
    if user is None:
        raise SetAside("changed_since_assessment")
    try:
        if not await ports.directory.link(profile, user, account.id, row.source_id):
            raise Unclear("directory_unclear")
    except AnswerLost:
        pass  # it may have been written: the read-back tells
    except DirectoryRefused as refused:
        there = await ports.directory.get(user)
        if there is None or there.owner_markers.get(account.authority) != account.id:
            raise _explain_refusal(refused) from None
    return await _read_back(ports, account, user)


async def _read_back(ports: Ports, account: Account, user: DirectoryId) -> DirectoryUser:
    """Return the user as the directory shows it, with our owner marker.

    Raises:
        TryLater: reads lag behind the write, or the write was lost.
    """
    short_waits = AsyncRetrying(
        stop=stop_after_attempt(3),
        wait=wait_exponential(multiplier=0.2, max=1),
        retry=retry_if_result(lambda found: not _is_ours(found, account)),
        retry_error_callback=lambda state: state.outcome.result() if state.outcome else None,
    )
    found: DirectoryUser | None = await short_waits(ports.directory.get, user)
    if found is None or not _is_ours(found, account):
        raise TryLater("not_visible_yet")
    return found


def _is_ours(user: DirectoryUser | None, account: Account) -> bool:
    return user is not None and user.owner_markers.get(account.authority) == account.id
