"""notify-staff: send a plain message to a council's contacts, once for each notice and contact: claim, send, record.

The claim is saved in the migration's record. Staff may get a message late but never twice, and the migration never
waits for it.
"""

import logging
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime
from typing import Final

from shared.errors import AnswerLost, Hold, Stop, TryLater
from shared.integrity.table_loss import is_table_lost
from shared.messaging.notify_customer import DOUBT_TIME
from shared.messaging.rules.staff_notices import StaffNotice, list_notices
from shared.model.migration import Migration
from shared.model.profile import STAFF_NOTICE, Profile
from shared.ports import Notice, Notifier, Ports

log: Final = logging.getLogger(__name__)

SENT: Final = "sent"


async def notify_staff(ports: Ports, profile: Profile) -> None:
    """Send the council's staff what is new about its migrations.

    Does nothing without contacts or without a template.
    """
    template = profile.messages.templates.get(STAFF_NOTICE)
    if ports.notifier is None or template is None or not profile.staff_contacts:
        return
    wanted = [item async for item in _list_due_notices(ports, profile)]
    if not wanted or await is_table_lost(ports, profile.authority):
        return
    for migration, notice in wanted:
        before = migration.notices.get(notice.key, "")
        if not await _claim_notice(ports, migration, notice.key, before):
            continue
        doubt = bool(before) or migration.rebuilt_at is not None
        letters = _make_notices(ports, profile, template, migration, notice)
        told = [await _send_notice(ports.notifier, profile, letter, doubt=doubt) for letter in letters]
        if all(told):
            await _record_notice(ports, migration, notice.key, SENT)


async def _list_due_notices(ports: Ports, profile: Profile) -> AsyncIterator[tuple[Migration, StaffNotice]]:
    """Return the notices that are to be sent and are not in doubt any more."""
    now = ports.clock.now()
    async for migration in ports.ledger.migrations.list_all(profile.authority):
        for notice in list_notices(migration, profile, now):
            claim = migration.notices.get(notice.key, "")
            if claim != SENT and (not claim or datetime.fromisoformat(claim) + DOUBT_TIME <= now):
                yield migration, notice


async def _claim_notice(ports: Ports, migration: Migration, key: str, before: str) -> bool:
    """From here on a crash leaves doubt. Of two sweeps that find the same notice, one saves the claim."""
    mine = False

    def claim(current: Migration) -> Migration:
        nonlocal mine
        mine = current.notices.get(key, "") == before
        return _with_notice(current, key, ports.clock.now().isoformat()) if mine else current

    await ports.ledger.migrations.change(migration.authority, migration.id, claim)
    return mine


async def _record_notice(ports: Ports, migration: Migration, key: str, says: str) -> None:
    await ports.ledger.migrations.change(migration.authority, migration.id, lambda m: _with_notice(m, key, says))


def _with_notice(migration: Migration, key: str, says: str) -> Migration:
    return replace(migration, notices={**migration.notices, key: says})


def _make_notices(
    ports: Ports, profile: Profile, template: str, migration: Migration, notice: StaffNotice
) -> list[Notice]:
    return [
        Notice(
            template, address, notice.subject, notice.text, ports.pseudonyms.notice(migration.id, notice.key, number)
        )
        for number, address in enumerate(profile.staff_contacts)
    ]


async def _send_notice(notifier: Notifier, profile: Profile, letter: Notice, *, doubt: bool) -> bool:
    """Send a notice to one contact. Return True if it needs no further attempt.

    A failure does not affect other contacts.
    """
    try:
        if not doubt or await notifier.find(profile, letter.reference) is None:
            await notifier.send_notice(profile, letter)
    except Hold as hold:
        # An address that the service does not take is not tried again.
        log.warning("staff notice not taken", extra={"authority": profile.authority, "reason": hold.reason})
    except (TryLater, AnswerLost, Stop) as trouble:
        # Staff's own messages never pause what customers wait for: tried again at a later round.
        log.warning("staff notice postponed", extra={"authority": profile.authority, "cause": type(trouble).__name__})
        return False
    return True
