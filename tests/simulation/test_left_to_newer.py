"""What a newer plan leaves of an older one: whoever was moved is told, whoever was not begun is not begun any more."""

from datetime import timedelta

from shared.domain.lifecycle import State
from shared.domain.migration import Migration, Phase
from shared.domain.profile import Profile
from shared.errors import DirectoryRefused
from shared.ports import NewUser
from shared.steps import poison
from shared.steps.status import status
from tests.support.plans import assessed, sign_all, signed
from tests.support.world import SOUTH_NORFOLK, World, export, line

ROUND = timedelta(seconds=10)


async def _planned(world: World, name: str, *lines: str) -> Migration:
    await world.upload(export(*lines), f"south-norfolk/{name}.csv")
    migration = await assessed(world)
    world.clock.tick(ROUND)
    return migration


async def _work(world: World, rounds: int = 30) -> None:
    for number in range(rounds):
        await world.timers(number)
        await world.deliver()
        world.clock.tick(ROUND)


async def _older(world: World) -> Migration:
    """The first migration as it is now."""
    return (await world.migrations())[0]


def _refuses(world: World, customer: str) -> None:
    """Let the directory refuse to create one customer, until `create` is deleted from it again."""
    account = world.ports.pseudonyms.account(SOUTH_NORFOLK, customer)
    create = world.directory.create

    async def refusing(profile: Profile, user: NewUser) -> object:
        if user.account == account:
            raise DirectoryRefused("Request_BadRequest", conflict=False, attribute=False, setting=False, target="")
        return await create(profile, user)

    world.directory.create = refusing  # type: ignore[assignment,method-assign]


async def _with_somebody_stuck(world: World) -> Migration:
    """A plan that is done, but for somebody whom the directory refused."""
    _refuses(world, "GONE")
    await sign_all(world, await _planned(world, "older", line("C1"), line("GONE")))
    await _work(world)
    del world.directory.create
    assert (await _older(world)).phase is Phase.DONE
    return await _older(world)


async def test_who_is_stuck_in_a_plan_that_is_done_and_left_the_newer_one_is_not_begun_by_a_replay() -> None:
    world = World()
    signed(world)
    older = await _with_somebody_stuck(world)
    newer = await _planned(world, "newer", line("C1"), line("C2"))
    assert await _older(world) == older  # nobody has signed the newer one
    await sign_all(world, newer)
    await _work(world)
    assert (await _older(world)).phase is Phase.DONE
    assert [each.next for each in (await status(world.ports)).migrations][-1].startswith("1 stuck")
    assert (await poison.replay(world.ports, poison.Choice(everything=True), "op")).accounts == 1
    await _work(world)
    gone = await world.ledger.account(SOUTH_NORFOLK, world.ports.pseudonyms.account(SOUTH_NORFOLK, "GONE"))
    assert gone is not None
    assert (gone.record.state, gone.record.reason) == (State.HELD, "superseded")
    assert (world.told, len(world.directory.users)) == (["c1@example.org", "c2@example.org"], 2)
    assert [migration.phase for migration in await world.migrations()] == [Phase.DONE, Phase.DONE]
    assert [each.next for each in (await status(world.ports)).migrations] == ["Done. Nothing to do."] * 2
    assert (await world.result(older))["GONE"]["reason"] == "superseded"


async def test_who_is_stuck_in_a_plan_that_is_done_goes_on_while_no_newer_one_is_signed() -> None:
    world = World()
    signed(world)
    await _with_somebody_stuck(world)
    await _planned(world, "newer", line("C1"), line("C2"))
    await poison.replay(world.ports, poison.Choice(everything=True), "op")
    await _work(world)
    assert world.told == ["c1@example.org", "gone@example.org"]
