"""classify-account: look a person up in the directory and decide create, link or review. Changes nothing there."""

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from shared.errors import SetAside, TryLater
from shared.integrity.table_loss import is_being_rebuilt
from shared.matching.identity_claims import TWO_ACCOUNTS, claim_identity, is_still_only_claim
from shared.matching.recover_account import recover_account
from shared.matching.rules.match import Decision, Rules, SourcePerson, choose_announcement_time, decide_match
from shared.model.account import Account, Authority, apply_event
from shared.model.directory_user import DirectoryUser
from shared.model.email_address import email_key
from shared.model.lifecycle import Event, Outcome, State
from shared.model.messages import AccountMessage
from shared.model.migration import Migration
from shared.model.profile import Profile
from shared.model.row import Person
from shared.model.step import Step
from shared.ports import Ports, Stored
from shared.scheduling.due_account import Admitted, admit_account, read_person
from shared.scheduling.rules.gate import respect_told_day
from shared.telemetry.progress import record_step

CLAIMED_AFTER: Final = timedelta(minutes=1)
"""A password that changed this long after we created the user was set by its owner."""


async def classify_account(ports: Ports, message: AccountMessage) -> None:
    """Compare one staged account with the directory."""
    admitted = await admit_account(ports, message, Step.CLASSIFY)
    if admitted is None:
        return
    account = admitted.account
    if await recover_account(ports, admitted):
        return
    _, person = await read_person(ports, account)
    decision = await judge_account(ports, admitted, person)
    if account.tables_lost_at is not None and decision.reason == "already_marked":
        raise TryLater("not_visible_yet")  # found by its address, and not by its mark yet
    if admitted.migration.approved_at is not None:
        _as_signed(account, decision)
    user = decision.user if decision.outcome is Outcome.LINK else None
    if user is not None and not await claim_identity(ports, account, user.id):
        decision = replace(decision, outcome=Outcome.REVIEW, reason=TWO_ACCOUNTS)
    event = Event.SET_ASIDE if decision.outcome is Outcome.REVIEW else Event.CLASSIFY
    classified, change = apply_event(account, event, ports.clock.now(), decision.reason)
    stored = await ports.ledger.accounts.save(
        admitted.stored, _record_decision(classified, decision, ports, admitted.profile), change
    )
    record_step(stored.record, change)


def _as_signed(account: Account, decision: Decision) -> None:
    """Check that an account that was replayed gets what the signed plan says.

    Raises:
        SetAside: the plan has nothing about the account, or something else.
    """
    if account.outcome not in {Outcome.CREATE, Outcome.LINK}:
        raise SetAside("not_in_plan")
    same_user = account.outcome is Outcome.CREATE or (decision.user and decision.user.id == account.directory_id)
    if decision.outcome is not account.outcome or not same_user:
        raise SetAside("changed_since_assessment")


async def judge_account(ports: Ports, admitted: Admitted, person: Person) -> Decision:
    """Return the decision about an account, from the directory as it is now.

    It takes 2 requests, or 3 after an earlier decision.
    """
    account, profile = admitted.account, admitted.profile
    address = email_key(person.email)
    if not address:
        return Decision(Outcome.REVIEW, "email_look_alike")
    if await _is_address_shared(ports, admitted.migration, account):
        return Decision(Outcome.REVIEW, "shared_address")
    found = await ports.directory.with_address(address)
    ours = next((user for user in found if user.owner_markers.get(account.authority) == account.id), None)
    if ours is not None:
        return _made_before(await _own_record(ports, account), ours)
    if account.begun_before or (account.state is State.STAGED and account.classified_at is not None):
        # Brought again: what an earlier attempt made and could not record may have the address that was mended since.
        marked = await ports.directory.with_owner_marker(account.authority, account.id)
        if marked:
            return Decision(Outcome.REVIEW, "changed_since_migrated", marked[0], {"found": "one with our mark"})
    source = SourcePerson(account.id, account.authority, address, person.given_name, person.surname, person.verified)
    owner_markers = await _read_owner_markers(ports, account.authority, found)
    return decide_match(
        source, found, owner_markers.unclaimed, await _make_rules(ports, profile), vouched=bool(owner_markers.claimed)
    )


async def _is_address_shared(ports: Ports, migration: Migration, account: Account) -> bool:
    """Return True if another account has this address: one that was moved, or one of the same export."""
    if not await ports.ledger.addresses.may_be_shared(migration, account.address_key):
        return False
    for other in await ports.ledger.addresses.list_accounts(account.partition, account.address_key):
        stored = await ports.ledger.accounts.get(account.partition, other) if other != account.id else None
        rival = stored.record if stored else None
        if rival and (rival.done or rival.migration == account.migration or rival.reason == "discarded"):
            return True
    return False


async def _own_record(ports: Ports, account: Account) -> Account:
    """The council's own record of an account: a draft knows nothing of what an older plan does meanwhile."""
    stored = await ports.ledger.accounts.get(account.authority, account.id) if account.drafted else None
    return stored.record if stored is not None else account


def _made_before(account: Account, user: DirectoryUser) -> Decision:
    """Judge a user that already has our owner marker. It counts only if our own record started it."""
    evidence = {"found": "one with our mark"}
    if account.outcome in {Outcome.CREATE, Outcome.LINK}:
        return Decision(account.outcome, "", user, evidence)
    return Decision(Outcome.REVIEW, "already_marked", user, evidence)


async def _make_rules(ports: Ports, profile: Profile) -> Rules:
    first_message = await ports.ledger.first_messages.get(profile.authority)
    return Rules(
        tenant=ports.tenant,
        verifying_issuers=frozenset(issuer.lower() for issuer in profile.matching.verifying_issuers),
        announced_at=choose_announcement_time(profile.matching.announced_on, first_message),
        sign_up_verifies_mailbox=profile.matching.sign_up_verifies_mailbox,
    )


@dataclass(frozen=True, slots=True)
class Marks:
    """What the owner markers of other authorities show about the users that were found."""

    unclaimed: frozenset[Authority]
    """These authorities made the user for a customer who has not set a password, or their record is gone. It proves
    nothing.
    """
    claimed: frozenset[Authority]
    """They made the user, and its owner has proved the mailbox by setting a password."""


async def _read_owner_markers(ports: Ports, authority: Authority, found: tuple[DirectoryUser, ...]) -> Marks:
    unclaimed: set[Authority] = set()
    claimed: set[Authority] = set()
    for user in found:
        for other, owner_marker in user.owner_markers.items():
            stored = await ports.ledger.accounts.get(other, owner_marker) if other != authority else None
            if other == authority or (stored is not None and stored.record.outcome is Outcome.LINK):
                continue
            if await _not_known_again(ports, other, stored):
                raise TryLater("tables_lost")
            (claimed if stored is not None and _is_claimed(user, stored.record) else unclaimed).add(other)
    return Marks(frozenset(unclaimed), frozenset(claimed))


async def _not_known_again(ports: Ports, other: Authority, stored: Stored[Account] | None) -> bool:
    """Return True if tables were lost, and the other council's record of this user may still be restored."""
    if stored is None:
        return await is_being_rebuilt(ports, other)
    return stored.record.state is State.STAGED and stored.record.tables_lost_at is not None


def _is_claimed(user: DirectoryUser, record: Account) -> bool:
    if user.must_reset is not None:
        return not user.must_reset
    made = record.provisioned_at or user.created
    return made is not None and user.password_changed is not None and user.password_changed > made + CLAIMED_AFTER


def _record_decision(account: Account, decision: Decision, ports: Ports, profile: Profile) -> Account:
    user = decision.user
    linked = user is not None and decision.outcome is Outcome.LINK
    same = user is not None and account.directory_id == user.id
    return replace(
        account,
        outcome=decision.outcome,
        evidence=decision.evidence,
        directory_id=user.id if user is not None and decision.outcome is not Outcome.CREATE else None,
        before=account.before if same else (_read_previous_values(account, user) if linked and user else {}),
        classified_at=ports.clock.now(),
        not_before=respect_told_day(account, profile, ports.clock.now()),
        tables_lost_at=None,
    )


def _read_previous_values(account: Account, user: DirectoryUser) -> dict[str, str]:
    """Return the values of our attributes of this user before we write them. An undo puts them back."""
    return {
        "customer_ref": user.customer_refs.get(account.authority, ""),
        "account": user.owner_markers.get(account.authority, ""),
    }


async def confirm_decision(ports: Ports, admitted: Admitted, person: Person) -> None:
    """Look again, because the classification is old.

    Raises:
        SetAside: the directory would be judged differently now.
    """
    account = admitted.account
    decision = await judge_account(ports, admitted, person)
    same_user = account.outcome is Outcome.CREATE or (
        decision.user is not None and decision.user.id == account.directory_id
    )
    if decision.outcome is not account.outcome or not same_user:
        raise SetAside("changed_since_assessment")
    await is_still_only_match(ports, account)


async def is_still_only_match(ports: Ports, account: Account) -> None:
    """Check that no other account matches the user to which this account is to be linked.

    Raises:
        SetAside: another account does.
    """
    user = account.directory_id if account.outcome is Outcome.LINK else None
    if user is not None and not await is_still_only_claim(ports, account, user):
        raise SetAside(TWO_ACCOUNTS)
