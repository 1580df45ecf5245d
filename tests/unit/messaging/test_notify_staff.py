"""Staff are told once, whatever happens to the message or to the host."""

from collections import Counter
from datetime import timedelta

import pytest

from shared.errors import AnswerLost, Hold, Stop, Throttled, TryLater
from shared.messaging.notify_staff import notify_staff
from shared.model.profile import STAFF_NOTICE
from tests.support.stories import settle
from tests.support.watched import is_effect, watched
from tests.support.world import SOUTH_NORFOLK, HostDiedError, World, export, line

CONTACTS = ("ann@example.org", "bob@example.org")
REFUSED = b"not a list"


def _with_contacts(world: World, contacts: tuple[str, ...] = CONTACTS) -> None:
    profile = world.profiles[SOUTH_NORFOLK]
    messages = profile.messages.model_copy(update={"templates": {**profile.messages.templates, STAFF_NOTICE: "t"}})
    world.profiles[SOUTH_NORFOLK] = profile.model_copy(update={"staff_contacts": contacts, "messages": messages})


async def _round(world: World) -> None:
    await notify_staff(world.ports, world.profiles[SOUTH_NORFOLK])
    world.clock.tick(timedelta(minutes=2))


async def _refused(world: World) -> None:
    _with_contacts(world)
    await world.upload(REFUSED)
    await world.deliver()


def _told(world: World) -> Counter[tuple[str, str]]:
    return Counter((notice.address, notice.subject.split(": ")[1]) for notice in world.notifier.notices)


async def test_each_contact_hears_once_of_each_thing(world: World) -> None:
    _with_contacts(world)
    await world.upload(export(line("C1")))
    await settle(world)
    wanted = {(contact, what) for contact in CONTACTS for what in ("the assessment is ready", "the migration is done")}
    assert _told(world) == Counter(dict.fromkeys(wanted, 1))
    assert len({notice.reference for notice in world.notifier.notices}) == 4
    assert world.errors == []


async def test_who_joins_the_contacts_later_hears_nothing_old(world: World) -> None:
    await world.upload(export(line("C1")))
    await settle(world)
    world.clock.tick(timedelta(days=1))
    _with_contacts(world)
    await _round(world)
    assert world.notifier.notices == []


async def test_without_contacts_nobody_is_told(world: World) -> None:
    await _refused(world)
    _with_contacts(world, ())
    await _round(world)
    assert world.notifier.notices == []


@pytest.mark.parametrize("trouble", [Throttled("x"), TryLater("x"), AnswerLost(), Stop("message_service_refused")])
async def test_a_service_in_trouble_is_asked_again_and_nothing_is_paused(world: World, trouble: Exception) -> None:
    await _refused(world)
    world.notifier.fail = [trouble]
    await _round(world)
    assert [notice.address for notice in world.notifier.notices] == [CONTACTS[1]]
    for _ in range(3):
        await _round(world)
    assert [notice.address for notice in world.notifier.notices] == [CONTACTS[1], CONTACTS[0]]
    assert not (await world.migration()).paused


async def test_a_lost_answer_is_looked_up(world: World) -> None:
    await _refused(world)
    world.notifier.fail_after = [AnswerLost()]
    for _ in range(3):
        await _round(world)
    assert [notice.address for notice in world.notifier.notices] == list(CONTACTS)


async def test_an_address_that_is_refused_is_not_tried_again(world: World) -> None:
    await _refused(world)
    world.notifier.fail = [Hold("address_refused")]
    for _ in range(3):
        await _round(world)
    assert [notice.address for notice in world.notifier.notices] == [CONTACTS[1]]


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("at", [1, 2, 3, 4])
async def test_the_host_dies_at_any_effect(at: int, after: bool) -> None:  # noqa: FBT001 - before or after
    world = World()
    await _refused(world)
    effects = 0

    class Life:
        async def before(self, call: str) -> None:
            nonlocal effects
            effects += is_effect(call)
            if is_effect(call) and effects == at and not after:
                raise HostDiedError

        async def after(self, call: str) -> None:
            if is_effect(call) and effects == at and after:
                raise HostDiedError

    with pytest.raises(HostDiedError):
        await notify_staff(watched(world.ports, world.tables, Life()), world.profiles[SOUTH_NORFOLK])
    for _ in range(3):
        world.clock.tick(timedelta(minutes=2))
        await _round(world)
    assert sorted(notice.address for notice in world.notifier.notices) == list(CONTACTS)
