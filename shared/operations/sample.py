"""sample: record the progress of a migration, so that `ops status` can show its speed and when it will end."""

from typing import Final

from shared.model.counts.progress import Sample, add_sample
from shared.model.counts.summary import Totals
from shared.model.lifecycle import MOVING, State
from shared.model.migration import Migration, Phase
from shared.ports import Ports

SAMPLED: Final = frozenset({Phase.CLASSIFYING, Phase.RUNNING})


async def record_sample(ports: Ports, migration: Migration, totals: Totals) -> None:
    """Keep one more sample, if one is due. One small entity, however many accounts."""
    if not totals.complete or migration.phase not in SAMPLED or migration.paused:
        return
    before = await ports.ledger.progress.get(migration.authority, migration.id)
    after = add_sample(before, migration.phase, Sample(ports.clock.now(), count_done(migration, totals)))
    if after != before:
        await ports.ledger.progress.put(migration.authority, migration.id, after)


def count_done(migration: Migration, totals: Totals) -> int:
    """Rows behind which lies what the phase is about."""
    return migration.row if migration.phase is Phase.STAGING else totals.rows - count_left(migration, totals)


def count_left(migration: Migration, totals: Totals) -> int:
    """Accounts for which it is still to come, those of later waves too."""
    return totals.in_state(*({State.STAGED} if migration.phase is Phase.CLASSIFYING else MOVING))
