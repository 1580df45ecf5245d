"""Find migrations whose accounts have all finished since the sweep last counted them.

A sweep reads a whole shard, so it may take only a tenth of the time. This module asks one short question per shard:
does any account still have something to do? So the end of a migration is noticed within seconds.
"""

from collections.abc import Mapping
from typing import Final

from shared.model.counts.summary import ShardSummary
from shared.model.lifecycle import State
from shared.model.migration import Migration, Phase
from shared.ports import Ports

UNFINISHED_STATES: Final = {
    Phase.CLASSIFYING: (State.STAGED,),
    Phase.RUNNING: (State.STAGED, State.CLASSIFIED, State.RELEASED, State.PROVISIONED),
}
"""For each phase of a migration, the states of accounts that keep it in this phase."""


async def is_anything_finished(ports: Ports) -> bool:
    """Return True if a migration has finished its phase and the summaries do not say so yet."""
    for profile in ports.profiles.values():
        async for migration in ports.ledger.migrations.list_all(profile.authority):
            if migration.phase in UNFINISHED_STATES and not migration.paused:
                summaries = await ports.ledger.summaries.list_all(migration.authority, migration.id)
                if await list_finished_shards(ports, migration, {each.shard: each for each in summaries}):
                    return True
    return False


async def list_finished_shards(
    ports: Ports, migration: Migration, summaries: Mapping[str, ShardSummary]
) -> frozenset[str]:
    """Return the shards to count now, because no account of the migration has anything left to do. Usually none.

    These are the shards in which the last sweep still found work. The busiest shard is asked first, so that usually one
    query is enough.
    """
    if migration.phase not in UNFINISHED_STATES or migration.paused or not summaries:
        return frozenset()
    busy = {shard: summary.due for shard, summary in summaries.items() if summary.due}
    for shard in sorted(summaries, key=lambda shard: -busy.get(shard, 0)) if busy else ():
        states = UNFINISHED_STATES[migration.phase]
        if await ports.ledger.accounts.is_any_in_state(migration.partition, shard, migration.id, states):
            return frozenset()
    return frozenset(busy)
