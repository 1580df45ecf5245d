"""classify-account: look a person up in the directory and decide create, link or review. Changes nothing there."""

from dataclasses import replace
from datetime import timedelta
from typing import Final

from shared.domain.account import Account, Authority, apply
from shared.domain.addresses import email_key
from shared.domain.gate import Step
from shared.domain.lifecycle import Event, Outcome, State
from shared.domain.matching import Decision, DirectoryUser, Rules, Source, announcement, decide
from shared.domain.profile import Profile
from shared.domain.rows import Person
from shared.errors import SetAside
from shared.messages import AccountMessage
from shared.ports import Ports
from shared.steps.admission import admit, person_of

CLAIMED_AFTER: Final = timedelta(minutes=1)
"""A password changed so long after we created the user was set by its owner."""


async def classify_account(ports: Ports, message: AccountMessage) -> None:
    """Compare one staged account with the directory."""
    admitted = await admit(ports, message, Step.CLASSIFY)
    if admitted is None:
        return
    account = admitted.account
    _, person = await person_of(ports, account)
    decision = await judge(ports, admitted.profile, account, person)
    if decision.outcome is Outcome.LINK and decision.user is not None:
        decision = await _one_to_one(ports, account, decision, decision.user)
    event = Event.SET_ASIDE if decision.outcome is Outcome.REVIEW else Event.CLASSIFY
    classified, change = apply(account, event, ports.clock.now(), decision.reason)
    await ports.ledger.save(admitted.stored, _with(classified, decision, ports), change)


async def judge(ports: Ports, profile: Profile, account: Account, person: Person) -> Decision:
    """The decision on an account as the directory stands now (2 requests; 3 for one that was judged before)."""
    address = email_key(person.email)
    if not address:
        return Decision(Outcome.REVIEW, "email_look_alike")
    if await ports.ledger.accounts_at(account.authority, account.address_key) != [account.id]:
        return Decision(Outcome.REVIEW, "shared_address")
    found = await ports.directory.with_address(address)
    ours = next((user for user in found if user.marks.get(account.authority) == account.id), None)
    if ours is not None:
        return _made_before(account, ours)
    if account.state is State.STAGED and account.classified_at is not None:
        # Brought again: what an earlier attempt made and could not record may have the address that was mended since.
        marked = await ports.directory.with_mark(account.authority, account.id)
        if marked:
            return Decision(Outcome.REVIEW, "changed_since_migrated", marked[0], {"found": "one with our mark"})
    source = Source(account.id, account.authority, address, person.given_name, person.surname, person.verified)
    unclaimed = frozenset([other for user in found for other in await _unclaimed(ports, account.authority, user)])
    return decide(source, found, unclaimed, await _rules(ports, profile))


def _made_before(account: Account, user: DirectoryUser) -> Decision:
    """The directory already holds our mark: only what our own record began may go on."""
    evidence = {"found": "one with our mark"}
    if account.outcome in {Outcome.CREATE, Outcome.LINK}:
        return Decision(account.outcome, "", user, evidence)
    return Decision(Outcome.REVIEW, "already_marked", user, evidence)


async def _rules(ports: Ports, profile: Profile) -> Rules:
    first_message = await ports.ledger.first_message_at(profile.authority)
    return Rules(
        tenant=ports.tenant,
        verifying_issuers=frozenset(issuer.lower() for issuer in profile.matching.verifying_issuers),
        announced_at=announcement(profile.matching.announced_on, first_message),
        sign_up_verifies_mailbox=profile.matching.sign_up_verifies_mailbox,
    )


async def _unclaimed(ports: Ports, authority: Authority, user: DirectoryUser) -> list[Authority]:
    """The other authorities that made this user for a customer who has not set a password."""
    return [
        other
        for other, mark in user.marks.items()
        if other != authority and not _claimed(user, await ports.ledger.account(other, mark))
    ]


def _claimed(user: DirectoryUser, stored: object) -> bool:
    record = getattr(stored, "record", None)
    if not isinstance(record, Account):
        return False
    if record.outcome is Outcome.LINK:
        return True
    if user.must_reset is not None:
        return not user.must_reset
    made = record.provisioned_at or user.created
    return made is not None and user.password_changed is not None and user.password_changed > made + CLAIMED_AFTER


async def _one_to_one(ports: Ports, account: Account, decision: Decision, user: DirectoryUser) -> Decision:
    """One identity, one account: where two match, both go to a person."""
    matched = await ports.ledger.claim_identity(account.authority, user.id, account.id)
    others = [other for other in matched if other != account.id]
    competing = [other for other in others if await _competes(ports, account, other, user)]
    if not competing:
        return decision
    return replace(decision, outcome=Outcome.REVIEW, reason="one_identity_two_accounts")


async def _competes(ports: Ports, account: Account, other: str, user: DirectoryUser) -> bool:
    """Whether the other account (still) matches this user; if nothing was done for it yet, it is set aside too."""
    stored = await ports.ledger.account(account.authority, type(account.id)(other))
    if stored is None or stored.record.directory_id not in {None, user.id}:
        return False
    rival = stored.record
    if rival.state is State.CLASSIFIED and rival.outcome is Outcome.LINK:
        aside, change = apply(rival, Event.SET_ASIDE, ports.clock.now(), "one_identity_two_accounts")
        await ports.ledger.save(stored, replace(aside, outcome=Outcome.REVIEW), change)
    return True


def _with(account: Account, decision: Decision, ports: Ports) -> Account:
    user = decision.user
    linked = user is not None and decision.outcome is Outcome.LINK
    same = user is not None and account.directory_id == user.id
    return replace(
        account,
        outcome=decision.outcome,
        evidence=decision.evidence,
        directory_id=user.id if user is not None and decision.outcome is not Outcome.CREATE else None,
        before=account.before if same else (_before(account, user) if linked and user else {}),
        classified_at=ports.clock.now(),
        not_before=ports.clock.now(),
    )


def _before(account: Account, user: DirectoryUser) -> dict[str, str]:
    """What our attributes of this user hold before we write them: what an undo will put back."""
    return {
        "customer_ref": user.customer_refs.get(account.authority, ""),
        "account": user.marks.get(account.authority, ""),
    }


async def unchanged_since(ports: Ports, profile: Profile, account: Account, person: Person) -> None:
    """Look again, because the classification is old.

    Raises:
        SetAside: the directory would be judged differently now.
    """
    decision = await judge(ports, profile, account, person)
    same_user = account.outcome is Outcome.CREATE or (
        decision.user is not None and decision.user.id == account.directory_id
    )
    if decision.outcome is not account.outcome or not same_user:
        raise SetAside("changed_since_assessment")
