"""Another PSEUDONYM_KEY, whole and wrong: nothing is done with it, and with the right one everything goes on."""

from dataclasses import replace
from datetime import timedelta

import pytest

from shared import names
from shared.adapters.storage.table_ledger import open_ledger
from shared.errors import ActionRefused
from shared.integrity.backup_tables import backup_tables, find_newest_backup
from shared.integrity.pseudonym_key import KEY_CHANGED
from shared.model.lifecycle import State
from shared.model.migration import Phase
from shared.model.pseudonyms import Pseudonyms
from shared.model.reasons import REASONS
from shared.operations import control
from shared.readiness import run_canary
from tests.support.losses import lose, make_again
from tests.support.stories import check_effects, check_end, populate, settle, small_export
from tests.support.world import GREAT_YARMOUTH, SOUTH_NORFOLK, World, export, line

RIGHT = b"k" * 32
"""The world's own."""
WRONG = b"w" * 32
FINGERPRINT = Pseudonyms(RIGHT).fingerprint()


def restart(world: World, key: bytes) -> None:
    """A new process with this key: it remembers nothing."""
    world.ledger = open_ledger(world.tables, world.clock)
    world.wrap = lambda ports: replace(ports, pseudonyms=Pseudonyms(key))


async def rounds(world: World, count: int) -> None:
    for number in range(count):
        await world.timers(number)
        await world.deliver()
        world.clock.tick(timedelta(seconds=10))


async def noted(world: World) -> str | None:
    return await open_ledger(world.tables, world.clock).pseudonym_keys.get_fingerprint()


async def resume_all(world: World) -> None:
    for migration in await world.migrations():
        await control.resume_by_person(world.ports, "", migration.id, "somebody")


def effects(world: World) -> tuple[int, int, int]:
    rows = sum(
        table == names.ROWS and not partition.endswith("anchor") for table, partition, *_ in world.tables.everything()
    )
    return world.directory.writes, len(world.told), rows


async def test_the_first_staging_notes_the_key_and_a_refused_file_does_not(world: World) -> None:
    await world.upload(b"")
    await rounds(world, 3)
    assert await noted(world) is None
    await world.upload(export(line("C1")))
    await rounds(world, 3)
    assert await noted(world) == FINGERPRINT


async def test_an_upload_waits_for_the_right_key_and_is_then_read(world: World) -> None:
    await world.upload(export(line("C1")))
    await settle(world)
    restart(world, WRONG)
    before = effects(world)
    await world.upload(export(line("C1"), line("C2")), "south-norfolk/next.csv")
    await rounds(world, 20)
    waits = await world.migration()
    assert (waits.phase, waits.pause_reason) == (Phase.STAGING, KEY_CHANGED)
    assert effects(world) == before
    assert [account.state for account in await world.accounts()] == [State.TOLD]
    restart(world, RIGHT)
    await resume_all(world)
    await settle(world)
    assert (await world.migration()).phase is Phase.DONE
    assert sorted(world.told) == ["c1@example.org", "c2@example.org"]


async def test_the_first_upload_of_another_council_waits_too(world: World) -> None:
    await world.upload(export(line("C1")))
    await settle(world)
    restart(world, WRONG)
    header = ";".join(world.profiles[GREAT_YARMOUTH].export.columns.named().values())
    await world.upload(f"{header}\n{';'.join('x' for _ in header.split(';'))}\n".encode(), "great-yarmouth/a.csv")
    await rounds(world, 5)
    [waits] = [m for m in await world.migrations() if m.authority == GREAT_YARMOUTH]
    assert waits.pause_reason == KEY_CHANGED


@pytest.mark.parametrize("after", range(1, 7))
async def test_whatever_was_under_way_stands_still_and_comes_to_the_same_end(world: World, after: int) -> None:
    before = populate(world)
    await world.upload(small_export())
    await rounds(world, after)
    restart(world, WRONG)
    done = effects(world)
    await rounds(world, 20)
    migration = await world.migration()
    assert migration.phase is Phase.DONE or migration.pause_reason == KEY_CHANGED
    assert effects(world) == done
    assert all(account.stops == 0 for account in await world.accounts()), "nobody is to fail for it in the end"
    restart(world, RIGHT)
    await resume_all(world)
    await settle(world)
    await check_end(world, before)


@pytest.mark.parametrize("queue", [names.CLASSIFY_ACCOUNT, names.PROVISION_ACCOUNT, names.NOTIFY_CUSTOMER])
async def test_a_message_that_is_in_its_queue_already_has_no_effect(world: World, queue: str) -> None:
    before = populate(world)
    await world.upload(small_export())
    for number in range(30):
        await world.timers(number)
        await world.deliver_but(queue)
        if world.outbox.queues[queue]:
            break
        world.clock.tick(timedelta(seconds=10))
    restart(world, WRONG)
    done = effects(world)
    world.clock.tick(timedelta(minutes=1))
    await world.deliver()
    assert (await world.migration()).pause_reason == KEY_CHANGED
    assert effects(world) == done
    restart(world, RIGHT)
    await resume_all(world)
    await settle(world)
    await check_end(world, before)


def test_the_sentence_says_that_nothing_was_done_and_where_the_right_key_is() -> None:
    reason = REASONS[KEY_CHANGED]
    assert "Nothing was done" in reason.sentence
    assert "escrow" in reason.remedy


async def test_neither_a_canary_nor_a_rebuild_is_begun_where_no_mark_and_no_copy_tells(world: World) -> None:
    await world.upload(export(line("C1")))
    await rounds(world, 2)
    assert world.directory.writes == 0
    lose(world, names.ACCOUNTS)
    restart(world, WRONG)
    asked = run_canary.Asked("canary@example.org")
    with pytest.raises(ActionRefused, match="escrow"):
        await run_canary.run_canary_step(world.ports, world.profiles[SOUTH_NORFOLK], asked, "somebody")
    with pytest.raises(ActionRefused, match="escrow"):
        await make_again(world)
    assert world.directory.writes == 0


async def test_a_rebuild_notes_the_key_again(world: World) -> None:
    before = populate(world)
    await world.upload(small_export())
    await settle(world)
    lose(world)
    assert await noted(world) is None
    await make_again(world)
    assert await noted(world) == FINGERPRINT
    await settle(world)
    check_effects(world, before)


async def test_after_a_loss_the_key_of_the_copy_is_the_one(world: World) -> None:
    await world.upload(export(line("C1")))
    await settle(world)
    await backup_tables(world.ports)
    lose(world)
    restart(world, WRONG)
    profile = world.profiles[SOUTH_NORFOLK]
    world.profiles = {GREAT_YARMOUTH: profile.model_copy(update={"authority": GREAT_YARMOUTH})}
    await world.upload(export(line("Y1")), "great-yarmouth/a.csv")
    await rounds(world, 5)
    assert await noted(world) == FINGERPRINT
    assert (await world.migration()).pause_reason == KEY_CHANGED


async def test_a_copy_of_tables_without_accounts_binds_nobody_to_its_key(world: World) -> None:
    await backup_tables(world.ports)
    restart(world, WRONG)
    await world.upload(export(line("C1")))
    await settle(world)
    assert world.told == ["c1@example.org"]
    assert await noted(world) == Pseudonyms(WRONG).fingerprint()


async def test_a_copy_that_is_made_under_another_key_says_with_which_the_accounts_were(world: World) -> None:
    await world.upload(export(line("C1")))
    await settle(world)
    restart(world, WRONG)
    await backup_tables(world.ports)
    copy = await find_newest_backup(world.ports)
    assert copy is not None
    assert copy.key == FINGERPRINT
