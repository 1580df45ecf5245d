"""notify-customer: send the message that is due for an account, at most once: claim, send, record.

Before the wave it is the announcement. After the change in the directory it is the message for the scenario.

The message service does not remove duplicates. If a claim has no record of the sending, the message is in doubt. After
a wait, the app asks the service for the reference before it sends again.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from shared.errors import AnswerLost, Hold, Stop, Throttled, TryLater
from shared.model.account import Account, apply_event
from shared.model.calendar import format_day
from shared.model.lifecycle import MOVING, Event
from shared.model.messages import AccountMessage
from shared.model.profile import Profile
from shared.model.step import Step, choose_message
from shared.ports import Ledger, Letter, Notifier, Ports, Stored
from shared.scheduling.due_account import Admitted, admit_account, read_person
from shared.scheduling.rules.gate import find_account_wave, get_change_time, respect_told_day
from shared.telemetry import metrics
from shared.telemetry.progress import record_step

DOUBT_TIME: Final = timedelta(minutes=2)
"""For this long after a claim without a result, the service may still accept the message."""
REMEMBERED: Final = timedelta(days=6)
"""How long the service remembers messages: 7 days by default. After that it cannot say if it accepted one."""


async def notify_customer(ports: Ports, message: AccountMessage) -> None:
    """Tell one customer what will happen, or what has happened, to the account."""
    admitted = await admit_account(ports, message, Step.NOTIFY)
    if admitted is None or ports.notifier is None:
        return
    stored, profile = admitted.stored, admitted.profile
    name = choose_message(stored.record, profile)
    if name is None:
        return
    reference = ports.pseudonyms.reference(stored.record.id, name)
    announcing = stored.record.state in MOVING
    if announcing and admitted.migration.rebuilt_at and stored.record.claimed_at is None:
        # Lost tables may have known that it was announced; the service may know it still.
        sent = await ports.notifier.find(profile, reference)
    else:
        sent = await _sent_before(ports.notifier, profile, stored.record, reference, ports.clock.now())
    if sent is None:
        letter = await _make_letter(ports, admitted, name, reference)
        stored = await _claim_send(ports.ledger, admitted, stored, ports.clock.now())
        sent = await _send_letter(ports, ports.notifier, profile, stored, letter)
    if announcing:
        await _record_announcement(ports, admitted, stored, sent)
    else:
        await _record_message(ports, stored, sent)


async def _make_letter(ports: Ports, admitted: Admitted, name: str, reference: str) -> Letter:
    _, person = await read_person(ports, admitted.account)
    return Letter(
        template=admitted.profile.messages.templates[name],  # type: ignore[index]  # message_for gave a name that is there
        address=person.email,
        given_name=person.given_name,
        surname=person.surname,
        reference=reference,
        change_date=_change_date(admitted, ports.clock.now()),
    )


def _change_date(admitted: Admitted, now: datetime) -> str:
    """Return the day of the change, or today if that day has passed. Only an announcement names it."""
    day = _day_of(admitted, now) if admitted.account.state in MOVING else None
    return format_day(day) if day is not None else ""


def _day_of(admitted: Admitted, now: datetime) -> datetime | None:
    wave = find_account_wave(admitted.account, admitted.migration)
    day = get_change_time(wave, admitted.profile) if wave is not None else None
    return max(day, now) if day is not None else None


async def _sent_before(
    notifier: Notifier, profile: Profile, account: Account, reference: str, now: datetime
) -> str | None:
    """Return the id of a message that an earlier attempt in doubt sent successfully."""
    if account.claimed_at is None:
        return None
    if now < account.claimed_at + DOUBT_TIME:
        raise TryLater("message_in_doubt", account.claimed_at + DOUBT_TIME - now)
    sent = await notifier.find(profile, reference)
    if sent is None and now > account.claimed_at + REMEMBERED:
        raise Hold("message_in_doubt")
    return sent


async def _claim_send(ledger: Ledger, admitted: Admitted, stored: Stored[Account], now: datetime) -> Stored[Account]:
    """Claim the message. A crash after this leaves doubt. The ETag lets only one of two deliveries pass."""
    account = stored.record
    day = _day_of(admitted, now) if account.state in MOVING else account.told_day
    return await ledger.accounts.save(stored, replace(account, claimed_at=now, told_day=day), None)


async def _send_letter(
    ports: Ports, notifier: Notifier, profile: Profile, stored: Stored[Account], letter: Letter
) -> str:
    try:
        sent = await notifier.send(profile, letter)
    except AnswerLost:
        _count_request(profile, metrics.Result.LOST)
        raise TryLater("message_in_doubt", DOUBT_TIME) from None
    except (TryLater, Hold, Stop) as no:
        # A clear no: nothing was sent, so there is nothing to doubt.
        _count_request(profile, metrics.Result.THROTTLED if isinstance(no, Throttled) else metrics.Result.REFUSED)
        await ports.ledger.accounts.save(stored, replace(stored.record, claimed_at=None), None)
        raise
    _count_request(profile, metrics.Result.SENT)
    return sent


def _count_request(profile: Profile, result: metrics.Result) -> None:
    metrics.count_metric(metrics.MESSAGE_REQUESTS, authority=profile.authority, result=result)


async def _record_announcement(ports: Ports, admitted: Admitted, stored: Stored[Account], announce_id: str) -> None:
    """Record the announcement and let the account wait for its wave. The day that the customer was told is kept."""
    now = ports.clock.now()
    # Where an older plan claimed it, the message has that plan's day.
    day = stored.record.told_day if stored.record.claimed_at is not None else None
    announced, change = apply_event(stored.record, Event.ANNOUNCE, now)
    announced = replace(announced, announced_at=now, announce_id=announce_id, claimed_at=None)
    announced = replace(announced, told_day=day or _day_of(admitted, now))
    announced = replace(announced, not_before=respect_told_day(announced, admitted.profile, now))
    await ports.ledger.first_messages.note(announced.authority, now)
    await ports.ledger.accounts.save(stored, announced, change)
    record_step(announced, change)


async def _record_message(ports: Ports, stored: Stored[Account], notify_id: str) -> None:
    now = ports.clock.now()
    told, change = apply_event(stored.record, Event.TELL, now)
    told = replace(told, notified_at=now, notify_id=notify_id, claimed_at=None)
    await ports.ledger.first_messages.note(told.authority, now)
    await ports.ledger.accounts.save(stored, told, change)
    record_step(told, change)
