"""notify-customer: send the message of an account's scenario, at most once: claim, send, record.

The message service does not deduplicate. A claim that was never recorded is doubt; before anything is sent again the
service is asked, after a wait, whether it knows the reference.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from shared.domain.account import Account, apply
from shared.domain.gate import Step, message_for
from shared.domain.lifecycle import Event
from shared.domain.profile import Profile
from shared.errors import AnswerLost, Hold, Stop, Throttled, TryLater
from shared.messages import AccountMessage
from shared.ports import Ledger, Letter, Notifier, Ports, Stored
from shared.steps.admission import admit, person_of
from shared.telemetry import metrics
from shared.telemetry.progress import reached

DOUBT: Final = timedelta(minutes=2)
"""So long after a claim without a record the service may still be taking the message."""
REMEMBERED: Final = timedelta(days=6)
"""The service forgets messages after 7 days (its default): later it cannot say any more whether it took one."""


async def notify_customer(ports: Ports, message: AccountMessage) -> None:
    """Tell one customer what happened to the account."""
    admitted = await admit(ports, message, Step.NOTIFY)
    if admitted is None or ports.notifier is None:
        return
    stored, profile = admitted.stored, admitted.profile
    name = message_for(stored.record, profile)
    if name is None:
        return
    reference = ports.pseudonyms.reference(stored.record.id, name)
    sent = await _sent_before(ports.notifier, profile, stored.record, reference, ports.clock.now())
    if sent is None:
        letter = await _letter(ports, profile, stored.record, name, reference)
        stored = await _claim(ports.ledger, stored, ports.clock.now())
        sent = await _send(ports, ports.notifier, profile, stored, letter)
    await _record(ports, stored, sent)


async def _letter(ports: Ports, profile: Profile, account: Account, name: str, reference: str) -> Letter:
    _, person = await person_of(ports, account)
    return Letter(
        template=profile.messages.templates[name],  # type: ignore[index]  # message_for gave a name that is there
        address=person.email,
        given_name=person.given_name,
        surname=person.surname,
        reference=reference,
    )


async def _sent_before(
    notifier: Notifier, profile: Profile, account: Account, reference: str, now: datetime
) -> str | None:
    """The id of a message that an earlier attempt got through, where there was one in doubt."""
    if account.claimed_at is None:
        return None
    if now < account.claimed_at + DOUBT:
        raise TryLater("message_in_doubt", account.claimed_at + DOUBT - now)
    sent = await notifier.find(profile, reference)
    if sent is None and now > account.claimed_at + REMEMBERED:
        raise Hold("message_in_doubt")
    return sent


async def _claim(ledger: Ledger, stored: Stored[Account], now: datetime) -> Stored[Account]:
    """From here on a crash leaves doubt. The ETag lets one of two redeliveries through."""
    return await ledger.save(stored, replace(stored.record, claimed_at=now), None)


async def _send(ports: Ports, notifier: Notifier, profile: Profile, stored: Stored[Account], letter: Letter) -> str:
    try:
        sent = await notifier.send(profile, letter)
    except AnswerLost:
        _count(profile, metrics.Result.LOST)
        raise TryLater("message_in_doubt", DOUBT) from None
    except (TryLater, Hold, Stop) as no:
        # A clear no: nothing was sent, so there is nothing to doubt.
        _count(profile, metrics.Result.THROTTLED if isinstance(no, Throttled) else metrics.Result.REFUSED)
        await ports.ledger.save(stored, replace(stored.record, claimed_at=None), None)
        raise
    _count(profile, metrics.Result.SENT)
    return sent


def _count(profile: Profile, result: metrics.Result) -> None:
    metrics.add(metrics.MESSAGE_REQUESTS, authority=profile.authority, result=result)


async def _record(ports: Ports, stored: Stored[Account], notify_id: str) -> None:
    now = ports.clock.now()
    told, change = apply(stored.record, Event.TELL, now)
    told = replace(told, notified_at=now, notify_id=notify_id, claimed_at=None)
    await ports.ledger.note_first_message(told.authority, now)
    await ports.ledger.save(stored, told, change)
    reached(told, change)
