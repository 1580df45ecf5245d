"""When what moves now will be ready: told of what is under way, and of nothing that lies weeks ahead."""

from datetime import timedelta

from shared.model.pacing.rate_limit import Quota, Quotas
from shared.operations.status import read_status
from tests.simulation.test_waves import MINUTE, day, planned, until, wave
from tests.support.world import SOUTH_NORFOLK, World, export, line

S10 = timedelta(seconds=10)
OPENS = day(2, 10)
FIRST = 20
SLOW = Quotas(write=Quota(limit=1, window=timedelta(seconds=30), share=1.0))
"""Two writes a minute."""


async def test_the_forecast_covers_what_moves_now_and_no_announcement_of_weeks_ahead() -> None:
    world = World(quotas=SLOW)
    planned(world, wave("first", FIRST, OPENS), wave("rest", "rest", day(23)), announce_days=7)
    await world.upload(export(*(line(f"C{number}") for number in range(FIRST + 60))))
    await until(world, OPENS, 2 * MINUTE)
    await until(world, OPENS + 4 * MINUTE, S10)
    found = (await read_status(world.ports)).migrations[0]
    assert found.speed
    assert found.speed.ready_from
    left = FIRST - found.done
    assert 0 < left < FIRST
    assert found.speed.ready_from - world.clock.now() == left * SLOW.write.interval
    assert any("Wave 2" in wait.sentence for wait in found.waits)
    counts = await world.ledger.summaries.list_all(SOUTH_NORFOLK, (await world.migration()).id)
    # What is to come is due all the same: the migration is not at rest before it.
    assert sum(count.due for count in counts) - sum(count.soon for count in counts) == 60
