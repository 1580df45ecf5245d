"""The metrics of the sweep: length and age of the queues, accounts by state, and paused migrations.

The platform counts messages once an hour and for the whole storage account, which nobody can watch. If metrics are not
collected, nothing is measured.
"""

from collections import Counter
from datetime import datetime, timedelta
from typing import Final

from shared import names
from shared.integrity.backup_tables import find_newest_backup
from shared.integrity.table_loss import find_table_loss
from shared.model.account import Authority
from shared.model.counts.summary import add_up_shards
from shared.model.lifecycle import RowState, State
from shared.model.migration import Phase
from shared.ports import Ports
from shared.telemetry import metrics

COUNTED: Final = frozenset({Phase.CLASSIFYING, Phase.RUNNING, Phase.DONE, Phase.CANCELLED})
EVERY_STATE: Final = (*State, *RowState)
DAY: Final = timedelta(days=1)


async def record_metrics(ports: Ports) -> None:
    """Report the metrics as they are now. Values that cannot be read are left out."""
    if not metrics.is_listening():
        return
    seen = metrics.Snapshot()
    try:
        await _collect_metrics(ports, seen)
    finally:
        metrics.show_snapshot(seen)


async def _collect_metrics(ports: Ports, seen: metrics.Snapshot) -> None:
    if ports.certificate_ends is not None:
        left = ports.certificate_ends - ports.clock.now()
        seen.note(metrics.CERTIFICATE_DAYS, round(left / DAY, 1))
    for queue in names.EVERY_QUEUE:
        depth = await ports.outbox.depth(queue)
        oldest = await ports.outbox.oldest(queue) if depth else None
        seen.note(metrics.QUEUE_DEPTH, depth, queue=queue)
        seen.note(metrics.QUEUE_AGE, _seconds_since(ports, oldest), queue=queue)
    received = [at for authority in ports.profiles if (at := await _collect_council_metrics(ports, authority, seen))]
    copy = await find_newest_backup(ports)
    copied = copy.finished_at if copy else min(received, default=None)
    if copied is not None:
        seen.note(metrics.COPY_AGE, _seconds_since(ports, copied))
    for authority in ports.profiles:
        lost = await find_table_loss(ports, authority)
        # A rebuild may have every anchor and not have come to its end.
        seen.note(metrics.TABLES_LOST, max(len(lost.tables), 1) if lost else 0, authority=authority)


async def _collect_council_metrics(ports: Ports, authority: Authority, seen: metrics.Snapshot) -> datetime | None:
    """Collect the metrics of a council. Returns when the first upload was accepted."""
    received: list[datetime] = []
    states: Counter[str] = Counter()
    due, oldest = 0, None
    stops: Counter[str] = Counter()
    async for migration in ports.ledger.migrations.list_all(authority):
        received.append(migration.received_at)
        if migration.paused:
            stops[migration.pause_reason] += 1
        if migration.phase not in COUNTED:
            continue
        totals = add_up_shards(await ports.ledger.summaries.list_all(authority, migration.id))
        states.update(totals.states())
        due += totals.due
        oldest = min((at for at in (oldest, totals.oldest) if at is not None), default=None)
    for state in EVERY_STATE:
        seen.note(metrics.ACCOUNTS, states[state], authority=authority, state=state)
    for reason, number in stops.items():
        seen.note(metrics.PAUSED, number, authority=authority, reason=reason)
    seen.note(metrics.ACCOUNTS_DUE, due, authority=authority)
    seen.note(metrics.ACCOUNTS_WAIT, _seconds_since(ports, oldest), authority=authority)
    return min(received, default=None)


def _seconds_since(ports: Ports, at: datetime | None) -> float:
    return max((ports.clock.now() - at).total_seconds(), 0) if at is not None else 0
