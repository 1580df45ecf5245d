"""A plan that waits for its signatures, and people who sign it."""

from datetime import timedelta

from shared.model.migration import Migration, Phase
from shared.model.plan import Part
from shared.planning.approve_plan import Signing, add_approval
from tests.support.world import SOUTH_NORFOLK, World

BOTH = (Part.DATA_OWNER, Part.OPERATIONS)


def wants_signatures(world: World, *parts: Part, **plan: object) -> None:
    """The council's plans are signed for these parts."""
    profile = world.profiles[SOUTH_NORFOLK]
    wanted = {"approval": "required", "signatures": parts or BOTH, **plan}
    world.profiles[SOUTH_NORFOLK] = profile.model_copy(update={"plan": profile.plan.model_copy(update=wanted)})


async def assessed(world: World, body: bytes, name: str = "south-norfolk/portal.csv") -> Migration:
    """Uploaded, and its plan waits."""
    await world.upload(body, name)
    for number in range(60):
        await world.timers(number)
        await world.deliver()
        migration = await world.migration()
        if migration.blob == name and migration.phase is Phase.ASSESSED:
            return migration
        world.clock.tick(timedelta(seconds=10))
    raise AssertionError(migration.phase)


def signing(migration: Migration, part: Part = Part.DATA_OWNER, by: str = "ann", **says: object) -> Signing:
    """What somebody says who read the plan and knows how many rows the portal exported."""
    hash_ = migration.plan.hash if migration.plan else ""
    known: dict[str, object] = {"hash": hash_[:12], "rows": migration.rows, **says}
    return Signing(part, by, **known)  # type: ignore[arg-type]  # as each test says it


async def signed(world: World, migration: Migration) -> Migration:
    """Signed by everybody who is wanted."""
    for part, by in zip(BOTH, ("ann", "bob"), strict=True):
        after = await add_approval(world.ports, "", migration.id, signing(migration, part, by))
        assert after is not None
        migration = after
    return migration
