"""What is noticed of a loss, what is left alone until it is made up for, and what a rebuild makes of it."""

import json
import logging
from dataclasses import replace
from datetime import timedelta

import pytest

from shared import names
from shared.errors import ActionRefused, TryLater
from shared.integrity.backup_tables import backup_tables
from shared.integrity.table_loss import TABLES_LOST, find_table_loss
from shared.model.account import SHARDS, Account
from shared.model.lifecycle import Event, Outcome, State
from shared.model.migration import Phase
from shared.model.pseudonyms import Pseudonyms
from shared.model.safeguards.rebuild import Source
from shared.operations.status import read_status
from shared.recovery.rebuild import rebuild_tables
from shared.recovery.rebuild_outlook import preview_rebuild
from tests.support.canaries import Story
from tests.support.losses import ForgetfulNotifier, lose, make_again
from tests.support.stories import (
    EXPECTED,
    LONG_AGO,
    NEWER,
    OLDER,
    check_effects,
    check_end,
    outcome_by_row,
    populate,
    settle,
    small_export,
)
from tests.support.world import GREAT_YARMOUTH, RUNS, SOUTH_NORFOLK, World, export, line


async def _told(world: World, *lines: str) -> Account:
    """An export whose customers are all told; the first account."""
    await world.upload(export(*(lines or (line("C1"),))))
    await settle(world)
    return (await world.accounts())[0]


async def _effects(world: World) -> tuple[int, int, set[str]]:
    return world.directory.writes, len(world.notifier.sent), set(world.reports.files)


# noticed, and left alone


@pytest.mark.parametrize("table", [*names.TABLES, "all"])
async def test_lost_tables_are_noticed_and_nothing_is_done_for_the_council(
    world: World, table: str, caplog: pytest.LogCaptureFixture
) -> None:
    populate(world)
    await world.upload(small_export())
    await world.run(rounds=3)
    files = dict(world.reports.files)
    effects = await _effects(world)
    lose(world, *([] if table == "all" else [table]))
    with caplog.at_level(logging.ERROR):
        await world.run(rounds=20, step=timedelta(minutes=3))
    assert await _effects(world) == effects
    assert world.reports.files == files
    assert {record.getMessage() for record in caplog.records} == {TABLES_LOST}
    [lost] = (await read_status(world.ports)).lost
    assert lost.authority == SOUTH_NORFOLK
    assert lost.tables == (sorted(names.TABLES) if table == "all" else [table])
    assert lost.next == "Run `ops rebuild`."


async def test_an_upload_that_comes_after_the_loss_waits_and_is_taken_afterwards(world: World) -> None:
    await _told(world)
    lose(world)
    world.clock.tick(timedelta(minutes=1))
    await world.upload(export(line("C1"), line("N1")), "south-norfolk/next.csv")
    await world.run(rounds=20)
    assert await world.migrations() == []
    assert not [path for path in world.reports.files if "next" in path]
    await make_again(world)
    await settle(world)
    result = await world.result()
    assert {key: (row["outcome"], row["state"]) for key, row in result.items()} == {
        "C1": ("unchanged", "told"),
        "N1": ("create", "told"),
    }
    assert sorted(world.told) == ["c1@example.org", "n1@example.org"]


async def test_a_council_that_never_uploaded_anything_has_lost_nothing(world: World) -> None:
    await _told(world)
    assert await find_table_loss(world.ports, GREAT_YARMOUTH) is None
    assert await make_again(world) == 1
    assert (await read_status(world.ports)).lost == []


async def test_a_crash_at_the_first_upload_does_not_look_like_a_loss(world: World) -> None:
    # The anchors of two tables are there, the last one and everything after it are not.
    await world.ledger.losses.leave_anchors(SOUTH_NORFOLK)
    world.tables.empty(names.MIGRATIONS)
    assert await find_table_loss(world.ports, SOUTH_NORFOLK) is None
    assert (await _told(world)).state is State.TOLD


async def test_a_loss_makes_no_copy(world: World) -> None:
    await _told(world)
    lose(world, names.ACCOUNTS)
    assert not await backup_tables(world.ports)
    assert world.backups.files == {}


async def test_the_next_piece_is_not_staged_before_everything_is_handed_over(world: World) -> None:
    await world.upload(small_export())
    await world.run(rounds=1)
    lose(world, names.ROWS)
    stored = (await world.migrations())[0]
    again = replace(stored, phase=Phase.STAGING, piece=0, row=0, offset=stored.layout.start if stored.layout else 0)
    await world.ledger.migrations.change(SOUTH_NORFOLK, stored.id, lambda _: again)
    body = json.dumps({"kind": "stage-rows", "authority": SOUTH_NORFOLK, "migration": stored.id, "piece": 0}).encode()
    await RUNS[names.STAGE_ROWS](world.ports, body, 1)
    assert [
        row for shard in SHARDS async for row in world.ledger.rows.list_shard(SOUTH_NORFOLK, shard, stored.id)
    ] == []


async def test_an_account_whose_row_is_lost_waits_and_is_not_stuck(world: World) -> None:
    await world.upload(export(line("C1")))
    while not world.outbox.queues[names.PROVISION_ACCOUNT]:
        await world.timers()
        await world.deliver_but(names.PROVISION_ACCOUNT)
        world.clock.tick(timedelta(seconds=10))
    lose(world, names.ROWS)
    await world.deliver()
    [account] = await world.accounts()
    assert (account.state, account.reason) == (State.CLASSIFIED, "tables_lost")
    await make_again(world)
    await settle(world)
    assert world.told == ["c1@example.org"]


# made again


async def test_what_was_never_lost_is_not_made_again(world: World) -> None:
    account = await _told(world)
    await backup_tables(world.ports)
    before = world.tables.everything()
    assert await make_again(world) == 1
    assert world.tables.everything() == before
    assert (await world.accounts()) == [account]


@pytest.mark.parametrize("source", [Source.COPY, Source.EXPORT])
async def test_everything_comes_back_as_it_was(world: World, source: Source) -> None:
    before = populate(world)
    await world.upload(small_export())
    await settle(world)
    assert await backup_tables(world.ports)
    lose(world)
    await make_again(world, source)
    await settle(world)
    await check_end(world, before)


async def test_history_tells_of_the_rebuild(world: World) -> None:
    await world.upload(export(line("C1"), line("C2")))
    await world.run(rounds=2)
    await backup_tables(world.ports)
    await world.run(rounds=2)
    lose(world)
    await make_again(world)
    await settle(world)
    for account in await world.accounts():
        history = [change.event for change in await world.ledger.accounts.list_history(SOUTH_NORFOLK, account.id)]
        assert history[-3:] == [Event.REBUILD, Event.RECOGNISE, Event.TELL]


async def test_a_release_of_the_lost_tables_can_never_come_again(world: World) -> None:
    await _told(world, line("C1"), line("C2"), line("V1", given="Vera"))
    old = max(account.release for account in await world.accounts())
    await backup_tables(world.ports)
    lose(world)
    await make_again(world)
    assert min(account.release for account in await world.accounts()) > old + 1_000_000
    lose(world)
    await make_again(world, Source.EXPORT)
    await world.run(rounds=2)
    assert min(account.release for account in await world.accounts()) > old + 1_000_000


async def test_what_a_link_found_before_is_not_taken_from_our_own_mark(world: World) -> None:
    world.directory.local_user("l1@example.org", "Ada", "Example", LONG_AGO)
    await _told(world, line("L1"))
    lose(world)
    await make_again(world)
    await settle(world)
    [account] = await world.accounts()
    assert (account.outcome, account.state, account.before) == (Outcome.LINK, State.TOLD, {})
    assert world.told == ["l1@example.org"]


async def test_a_user_who_was_there_before_was_linked_and_one_who_came_since_was_created(world: World) -> None:
    """The message is not told apart by: none is sent."""
    profile = world.profiles[SOUTH_NORFOLK]
    messages = profile.messages.model_copy(update={"templates": {}})
    plan = profile.plan.model_copy(update={"council_tells_customers": True})
    world.profiles[SOUTH_NORFOLK] = profile.model_copy(update={"messages": messages, "plan": plan})
    world.directory.local_user("l1@example.org", "Ada", "Example", LONG_AGO)
    await _told(world, line("L1"), line("C1"))
    lose(world)
    await make_again(world)
    await settle(world)
    assert {key: row["outcome"] for key, row in (await world.result()).items()} == {"L1": "link", "C1": "create"}


@pytest.mark.parametrize(("source", "state"), [(Source.COPY, "told"), (Source.EXPORT, "held")])
async def test_where_the_service_has_forgotten_a_person_is_asked_and_nobody_is_told_again(
    world: World, source: Source, state: str
) -> None:
    world.notifier = ForgetfulNotifier(clock=world.clock)
    before = populate(world)
    await world.upload(small_export())
    await settle(world)
    told = len(world.told)
    world.clock.tick(timedelta(days=8))
    await backup_tables(world.ports)
    lose(world)
    await make_again(world, source)
    await settle(world)
    assert len(world.told) == told
    check_effects(world, before)
    found = await outcome_by_row(world)
    reason = "" if state == "told" else "message_in_doubt"
    assert found == {
        row: (ref, outcome, state if was == "told" else was, reason if was == "told" else why)
        for row, (ref, outcome, was, why) in EXPECTED.items()
    }


async def test_who_was_not_told_before_the_loss_is_told_after_it_even_late(world: World) -> None:
    world.notifier = ForgetfulNotifier(clock=world.clock)
    await world.upload(export(line("C1"), line("C2")))
    await world.run(rounds=1)
    lose(world)
    world.clock.tick(timedelta(days=30))
    await make_again(world)
    await settle(world)
    assert sorted(world.told) == ["c1@example.org", "c2@example.org"]


async def test_a_customer_whose_address_in_the_directory_changed_is_for_a_person(world: World) -> None:
    await _told(world)
    [user] = world.directory.users.values()
    moved = replace(user, identities=tuple(replace(i, assigned_id="new@example.org") for i in user.identities))
    world.directory.users[user.id] = moved
    lose(world)
    await make_again(world)
    await settle(world)
    [row] = (await world.result()).values()
    assert (row["state"], row["reason"]) == ("review", "changed_since_migrated")
    assert len(world.directory.users) == 1


async def test_accounts_stuck_in_the_copy_stay_stuck_until_a_person_replays_them(world: World) -> None:
    await world.upload(export(line("C1")))
    await world.run(rounds=2)
    [stored] = [s for shard in SHARDS async for s in world.ledger.accounts.list_shard(SOUTH_NORFOLK, shard)]
    stuck = replace(stored.record, state=State.FAILED, reason="directory_refused", due_at=None)
    await world.ledger.accounts.save(stored, stuck, None)
    await backup_tables(world.ports)
    lose(world)
    await make_again(world)
    await settle(world)
    [account] = await world.accounts()
    assert (account.state, account.reason, world.told) == (State.FAILED, "directory_refused", [])


async def test_a_refused_upload_stays_refused_whatever_its_profile_says_now(world: World) -> None:
    await world.upload(export(line("C1")).replace(b"customer_ref", b"reference"), "south-norfolk/old.csv")
    await world.run(rounds=2)
    world.clock.tick(timedelta(hours=1))
    await _told(world)
    lose(world)
    profile = world.profiles[SOUTH_NORFOLK]
    columns = profile.export.columns.model_copy(update={"source_id": "reference"})
    world.profiles[SOUTH_NORFOLK] = profile.model_copy(
        update={"export": profile.export.model_copy(update={"columns": columns})}
    )
    await make_again(world)
    old = (await world.migrations())[0]
    assert (old.phase, old.reason) == (Phase.REFUSED, "missing_column")


async def test_an_export_whose_file_is_gone_keeps_its_result_and_its_accounts(world: World) -> None:
    populate(world)
    await world.upload(small_export())
    await settle(world)
    result = await outcome_by_row(world)
    await backup_tables(world.ports)
    del world.exports.blobs["south-norfolk/portal.csv"]
    lose(world)
    found = await preview_rebuild(world.ports, world.profiles[SOUTH_NORFOLK], marks=False)
    assert (found.lost, found.read_again) == (tuple(sorted(names.TABLES)), ())
    assert found.gone == ((await _only_report(world)),)
    await make_again(world)
    await settle(world)
    migration = await world.migration()
    assert (migration.phase, migration.rows_lost, migration.blob) == (Phase.DONE, True, "south-norfolk/portal.csv")
    assert await outcome_by_row(world) == result
    assert len(await world.accounts()) == 5


async def _only_report(world: World) -> str:
    [path] = [path for path in world.reports.files if path.endswith("/received.json")]
    return path.split("/")[1]


async def test_marks_that_no_export_explains_are_counted_and_left_alone(world: World) -> None:
    await _told(world, line("C1"), line("C2"))
    lose(world)
    world.exports.blobs.clear()
    world.clock.tick(timedelta(days=1))
    await world.upload(export(line("C1")), "south-norfolk/next.csv")
    users = dict(world.directory.users)
    await make_again(world)
    await settle(world)
    assert world.directory.users == users
    found = await preview_rebuild(world.ports, world.profiles[SOUTH_NORFOLK], marks=True)
    # The new upload was never known to the lost tables: whose the mark is on C1's user, a person decides.
    [row] = (await world.result()).values()
    assert (row["reason"], found.unexplained) == ("already_marked", 2)


async def test_a_canary_under_way_is_no_mark_that_nobody_explains(world: World) -> None:
    await _told(world, line("C1"))
    story = Story(world)
    story.people.resets = False
    await story.ask()
    assert len(world.directory.users) == 2
    found = await preview_rebuild(world.ports, world.profiles[SOUTH_NORFOLK], marks=True)
    assert found.unexplained == 0


async def test_a_file_among_the_manifests_that_is_none_stops_no_rebuild(world: World) -> None:
    await _told(world, line("C1"), line("C2"))
    await backup_tables(world.ports)
    world.backups.files["manifests/zzz.json"] = b"torn"
    lose(world)
    assert [lost.authority for lost in (await read_status(world.ports)).lost] == [SOUTH_NORFOLK]
    await make_again(world)
    await settle(world)
    assert [account.state for account in await world.accounts()] == [State.TOLD] * 2
    assert len(world.notifier.sent) == 2


async def test_an_export_waits_for_the_older_one_to_find_out_what_was_done(world: World) -> None:
    populate(world)
    await world.upload(export(*OLDER), "south-norfolk/monday.csv")
    await settle(world)
    world.clock.tick(timedelta(hours=1))
    await world.upload(export(*NEWER), "south-norfolk/tuesday.csv")
    await settle(world)
    lose(world)
    await make_again(world)
    older, newer = await world.migrations()
    body = json.dumps({"kind": "stage-rows", "authority": SOUTH_NORFOLK, "migration": newer.id, "piece": 0}).encode()
    await RUNS[names.STAGE_ROWS](world.ports, body, 1)
    assert (await world.migrations())[1].row == 0
    assert older.superseded_by == newer.id
    await settle(world)
    assert [m.phase for m in await world.migrations()] == [Phase.DONE, Phase.DONE]
    assert len(world.told) == len(set(world.told))


async def test_another_council_that_has_not_come_back_yet_proves_nothing(world: World) -> None:
    """Its customer set a password, which proves the mailbox; until its record is back, nobody decides."""
    row = b"ref-1,l1@example.org,Ada,Example"
    header = world.profiles[GREAT_YARMOUTH].export.columns.named()
    wanted = ("source_id", "email", "given_name", "surname")
    body = ",".join(header[name] for name in wanted).encode() + b"\n" + row + b"\n"
    await world.upload(_with_all_columns(world, body), "great-yarmouth/theirs.csv")
    await settle(world)
    [user] = world.directory.users.values()
    world.clock.tick(timedelta(hours=1))
    world.directory.users[user.id] = replace(user, password_changed=world.clock.now(), must_reset=False)
    await world.upload(export(line("L1")))
    await world.run(rounds=1)
    lose(world)
    progress = await rebuild_tables(world.ports, SOUTH_NORFOLK, None, "somebody")
    while not progress.finished:
        progress = await rebuild_tables(world.ports, SOUTH_NORFOLK, None, "somebody")
    await world.run(rounds=10)
    [account] = await world.accounts()
    assert (account.state, account.reason) == (State.STAGED, "tables_lost")
    await make_again(world)
    await settle(world)
    [account] = await world.accounts()
    assert (account.outcome, account.state) == (Outcome.LINK, State.TOLD)


def _with_all_columns(world: World, body: bytes) -> bytes:
    columns = world.profiles[GREAT_YARMOUTH].export.columns.named()
    given = dict(zip(*(line.split(",") for line in body.decode().splitlines()), strict=True))
    verified = world.profiles[GREAT_YARMOUTH].export.verified_values[0]
    status_word = world.profiles[GREAT_YARMOUTH].export.migrate_status[0]
    extra = {"email_verified": verified, "status": status_word}
    cells = {theirs: given.get(theirs, extra.get(ours, "")) for ours, theirs in columns.items()}
    return (";".join(cells) + "\n" + ";".join(cells.values()) + "\n").encode()


# refused


async def test_another_key_is_refused_with_a_copy_and_without(world: World) -> None:
    await _told(world)
    await backup_tables(world.ports)
    lose(world)
    world.wrap = lambda ports: replace(ports, pseudonyms=Pseudonyms(b"other" * 8))
    for source in (Source.COPY, Source.EXPORT):
        with pytest.raises(ActionRefused, match="PSEUDONYM_KEY is not the key"):
            await make_again(world, source)
    assert [lost.authority for lost in (await read_status(world.ports)).lost] == [SOUTH_NORFOLK]
    assert world.told == ["c1@example.org"]
    world.wrap = lambda ports: ports
    await make_again(world)
    await settle(world)
    assert world.told == ["c1@example.org"]


async def test_no_copy_is_said_where_one_is_wanted(world: World) -> None:
    await _told(world)
    lose(world)
    with pytest.raises(ActionRefused, match="There is no whole copy"):
        await make_again(world, Source.COPY)


async def test_a_damaged_copy_is_named_and_the_exports_do_instead(world: World) -> None:
    await _told(world)
    await backup_tables(world.ports)
    damaged = next(path for path in world.backups.files if path.endswith(".gz") and "Accounts" in path)
    world.backups.files[damaged] += b"x"
    lose(world)
    with pytest.raises(ActionRefused, match="is damaged"):
        await make_again(world)
    await make_again(world, Source.EXPORT)
    await settle(world)
    assert [account.state for account in await world.accounts()] == [State.TOLD]
    assert world.told == ["c1@example.org"]


@pytest.mark.parametrize("source", [Source.COPY, Source.EXPORT])
async def test_a_directory_that_does_not_answer_is_said_and_asked_again(world: World, source: Source) -> None:
    await _told(world)
    await backup_tables(world.ports)
    lose(world)
    world.directory.fail_reads.append(TryLater("directory_unreachable"))
    with pytest.raises(ActionRefused, match="run `ops rebuild` again"):
        await make_again(world, source)
    await make_again(world)
    await settle(world)
    assert [account.state for account in await world.accounts()] == [State.TOLD]


async def test_nobody_forgets_a_whole_copy_by_one_word(world: World) -> None:
    account = await _told(world, line("C1"))
    await backup_tables(world.ports)
    world.exports.blobs.clear()
    lose(world)
    with pytest.raises(ActionRefused, match="`ops rebuild --from export --without-copy`") as refused:
        await rebuild_tables(world.ports, "", Source.EXPORT, "somebody")
    assert "The copy of 2026-03-02 holds" in str(refused.value)
    await rebuild_tables(world.ports, "", None, "somebody else")
    with pytest.raises(ActionRefused, match="cannot be later"):
        await rebuild_tables(world.ports, "", Source.EXPORT, "somebody")
    await make_again(world)
    assert [found.id for found in await world.accounts()] == [account.id]


async def test_without_a_copy_exports_alone_are_not_asked_for_twice(world: World) -> None:
    await _told(world, line("C1"))
    lose(world)
    assert not (await rebuild_tables(world.ports, "", Source.EXPORT, "somebody")).finished


async def test_after_a_rebuild_nothing_is_called_done_before_it_is_counted(world: World) -> None:
    await _told(world, line("C1"))
    await backup_tables(world.ports)
    world.exports.blobs.clear()
    lose(world, names.ACCOUNTS)
    await make_again(world)
    [told] = (await read_status(world.ports)).migrations
    assert told.next.startswith("Is being counted again")
    await world.timers()
    [told] = (await read_status(world.ports)).migrations
    assert (told.states, told.next) == ({"told": 1}, "Done. Nothing to do.")
