"""Councils whose plans are signed by people, and what such people do."""

from datetime import timedelta
from typing import Any

from shared.model.account import Authority
from shared.model.migration import Migration, Phase
from shared.model.profile import PlanSettings
from shared.planning.approve_plan import Signing, add_approval
from tests.support.world import SOUTH_NORFOLK, World

ROUND = timedelta(seconds=10)
ROUNDS = 60


def signed(world: World, authority: Authority = SOUTH_NORFOLK, **plan: Any) -> None:  # noqa: ANN401 - any key of a plan
    """Let the council ask for signatures; `plan` are further keys of its profile."""
    profile = world.profiles[authority]
    wanted = PlanSettings.model_validate({"approval": "required", **plan})
    world.profiles[authority] = profile.model_copy(update={"plan": wanted})


def with_templates(world: World, *names: str, authority: Authority = SOUTH_NORFOLK) -> None:
    """Let the council send further messages."""
    profile = world.profiles[authority]
    templates: dict[str, str] = {**profile.messages.templates} | {name: f"template of {name}" for name in names}
    messages = profile.messages.model_copy(update={"templates": templates})
    world.profiles[authority] = profile.model_copy(update={"messages": messages})


async def assessed(world: World) -> Migration:
    """Let the newest upload be read and compared; returns it."""
    for number in range(ROUNDS):
        await world.timers(number)
        await world.deliver()
        world.clock.tick(ROUND)
        found = (await world.migrations())[-1:]
        if found and found[0].phase in {Phase.ASSESSED, Phase.RUNNING, Phase.DONE, Phase.REFUSED}:
            return found[0]
    return await world.migration()


async def sign_all(world: World, migration: Migration) -> None:
    """Everybody whose signature is wanted signs, each a different person."""
    plan = migration.plan
    assert plan is not None
    for part in plan.wanted(world.profiles[migration.authority].plan.signatures):
        mine = Signing(part, f"the {part}", plan.hash, plan.rows, accepts_warnings=True)
        await add_approval(world.ports, migration.authority, migration.id, mine)
