"""The feeder, the walk, poison and status: what is lost comes back, what is stuck is shown and can be replayed."""

import json
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest

from shared import names
from shared.adapters.memory import MemoryTables, Queued
from shared.adapters.storage.store import Entity, Verb, Write
from shared.adapters.storage.table_ledger import open_ledger
from shared.errors import ActionRefused, Unexpected
from shared.model.account import SHARDS
from shared.model.lifecycle import State
from shared.model.messages import AccountMessage, ReceiveExport, StageRows
from shared.model.migration import Migration, Phase
from shared.model.pacing.rate_limit import Quota, Quotas
from shared.model.plan import Part
from shared.operations import poison
from shared.operations.control import cancel_by_person
from shared.operations.status import read_status
from shared.planning.approve_plan import add_approval
from shared.ports import Ports
from shared.runtime.worker import run_timer
from shared.scheduling.rate_limiter import HORIZON
from shared.scheduling.release_accounts import MAX_QUEUED_MESSAGES, release_accounts
from tests.support.signatures import signed, signing, wants_signatures
from tests.support.stories import EXPECTED, LONG_AGO, check_end, outcome_by_row, populate, settle, small_export
from tests.support.world import GREAT_YARMOUTH, SOUTH_NORFOLK, World, export, line

YARMOUTH = "AccountNo;E-mail;Forename;Surname;Verified;State;Opened;LastSeen;Postcode"


async def _stuck(world: World, *refs: str) -> None:
    """Let these customers fail five times over."""
    await world.upload(export(*(line(ref) for ref in refs)))
    while not world.outbox.queues[names.PROVISION_ACCOUNT]:
        await world.timers()
        await world.deliver_but(names.PROVISION_ACCOUNT)
        world.clock.tick(timedelta(seconds=10))
    world.directory.fail = [ValueError("a bug")] * 1000
    await settle(world)
    world.directory.fail.clear()


@pytest.mark.parametrize("when", range(8))
async def test_queues_may_be_cleared_at_any_moment(world: World, when: int) -> None:
    before = populate(world)
    await world.upload(small_export())
    for number in range(when):
        await world.timers(number)
        await world.deliver()
        if number == when // 2:
            _clear(world)
        world.clock.tick(timedelta(seconds=5))
    _clear(world)
    world.clock.tick(timedelta(seconds=31))
    await settle(world)
    await check_end(world, before)


def _clear(world: World) -> None:
    for queue in world.outbox.queues.values():
        queue.clear()


async def test_queues_stay_shallow_and_every_council_gets_its_share(world: World) -> None:
    rows = MAX_QUEUED_MESSAGES + 200
    await world.upload(export(*(line(f"C{n}") for n in range(rows))))
    yarmouth = "\r\n".join([YARMOUTH, *(f"Y{n};y{n}@example.org;Ada;Example;Yes;Open;;;" for n in range(rows))])
    await world.upload(yarmouth.encode(), "great-yarmouth/a.csv")
    await world.deliver()
    while {m.phase for m in await world.migrations()} != {Phase.CLASSIFYING}:
        await world.deliver()
    await release_accounts(world.ports)
    queued = [json.loads(item.body)["authority"] for item in world.outbox.queues[names.CLASSIFY_ACCOUNT]]
    assert MAX_QUEUED_MESSAGES // 2 <= len(queued) <= MAX_QUEUED_MESSAGES
    assert abs(queued.count(SOUTH_NORFOLK) - queued.count(GREAT_YARMOUTH)) <= len(SHARDS)
    assert await release_accounts(world.ports) <= MAX_QUEUED_MESSAGES - len(queued)
    assert len(world.outbox.queues[names.CLASSIFY_ACCOUNT]) <= MAX_QUEUED_MESSAGES


async def test_provisioning_keeps_to_the_slots_of_the_quota() -> None:
    world = World(quotas=Quotas(write=Quota(limit=10, window=timedelta(seconds=10), share=1.0)))
    await world.upload(export(*(line(f"C{n}") for n in range(60))))
    await world.deliver()
    while (await world.migration()).phase is not Phase.RUNNING:
        await world.timers()
        await world.deliver_but(names.PROVISION_ACCOUNT)
        world.clock.tick(timedelta(seconds=1))
    moments = sorted(item.visible_at for item in world.outbox.queues[names.PROVISION_ACCOUNT])
    if not moments:
        await release_accounts(world.ports)
        moments = sorted(item.visible_at for item in world.outbox.queues[names.PROVISION_ACCOUNT])
    assert moments[-1] <= world.clock.now() + HORIZON
    assert 10 <= len(moments) < 60
    assert all(later - earlier >= timedelta(seconds=0.99) for earlier, later in pairwise(moments[10:]))


async def test_a_host_that_dies_three_times_over_an_account_leaves_it_to_a_person(world: World) -> None:
    await world.upload(export(line("C1"), line("C2")))
    victim = ""
    for _ in range(400):
        await world.timers()
        for item in list(world.outbox.queues[names.PROVISION_ACCOUNT]):
            account = json.loads(item.body)["account"]
            victim = victim or account
            if account == victim:
                world.outbox.queues[names.PROVISION_ACCOUNT].remove(item)
                world.outbox.poison[names.PROVISION_ACCOUNT].append(Queued(item.id, item.body, world.clock.now()))
        await world.deliver()
        world.clock.tick(timedelta(seconds=10))
        if (await world.migration()).phase is Phase.DONE:
            break
    assert sorted((a.state, a.reason) for a in await world.accounts()) == [
        (State.FAILED, "host_lost"),
        (State.TOLD, ""),
    ]
    assert len(world.outbox.poison[names.PROVISION_ACCOUNT]) == 3
    assert (await poison.replay_stuck(world.ports, poison.Choice(cause="host_lost"), "me")).messages == 3
    await settle(world)
    assert {a.state for a in await world.accounts()} == {State.TOLD}


async def test_a_message_that_nobody_wrote_is_left_in_poison(world: World) -> None:
    for queue in names.QUEUES:
        world.outbox.queues[queue].append(Queued("x", b"junk", world.clock.now()))
    await world.upload(export(line("C1")))
    await settle(world)
    assert (await world.accounts())[0].state is State.TOLD
    assert all(len(world.outbox.poison[queue]) == 1 for queue in names.QUEUES)
    assert (await poison.replay_stuck(world.ports, poison.Choice(account="a" + "0" * 40), "me")).messages == 0
    assert (await poison.discard_stuck(world.ports, poison.Choice(everything=True), "me")).messages == len(names.QUEUES)


async def test_what_is_stuck_is_listed_with_its_cause(world: World) -> None:
    await _stuck(world, "C1", "C2", "C3")
    found = await poison.list_stuck(world.ports, 2)
    assert len(found) == 2
    assert {item.reason for item in found} == {"unexpected_error"}
    assert all(item.sentence and item.remedy for item in found)
    [shown] = (await read_status(world.ports)).migrations
    assert [(cause.reason, cause.count) for cause in shown.failures] == [("unexpected_error", 3)]
    assert "ops poison" in shown.next


@pytest.mark.parametrize("choice", ["account", "cause", "everything"])
async def test_replaying_brings_back_what_is_meant(world: World, choice: str) -> None:
    await _stuck(world, "C1", "C2")
    account = (await world.accounts())[0]
    meant = {
        "account": poison.Choice(account=account.id),
        "cause": poison.Choice(cause="unexpected_error"),
        "everything": poison.Choice(everything=True),
    }[choice]
    assert meant.valid
    settled = await poison.replay_stuck(world.ports, meant, "me")
    assert settled.accounts == settled.messages == (1 if choice == "account" else 2)
    await settle(world)
    states = {a.id: a.state for a in await world.accounts()}
    assert states.pop(account.id) is State.TOLD
    assert set(states.values()) == {State.FAILED if choice == "account" else State.TOLD}
    history = await world.ledger.accounts.list_history(SOUTH_NORFOLK, account.id)
    assert ("replay", "me") in [(change.event, change.by) for change in history]


async def test_discarding_leaves_them_as_they_are(world: World) -> None:
    await _stuck(world, "C1", "C2")
    settled = await poison.discard_stuck(world.ports, poison.Choice(cause="unexpected_error"), "me")
    assert (settled.accounts, settled.messages) == (2, 2)
    await settle(world)
    assert {(r["state"], r["reason"]) for r in (await world.result()).values()} == {("held", "discarded")}
    assert world.directory.writes == 0


async def test_who_was_provisioned_and_could_not_be_told_is_replayed_to_the_message_alone(world: World) -> None:
    await world.upload(export(line("C1")))
    await world.deliver()
    while not world.outbox.queues[names.NOTIFY_CUSTOMER]:
        await world.timers()
        await world.deliver_but(names.NOTIFY_CUSTOMER)
        world.clock.tick(timedelta(seconds=10))
    row = await world.ledger.rows.get((await world.accounts())[0])
    assert row is not None
    await world.ledger.rows.put([replace(row, person=None)])
    await settle(world)
    assert (await world.accounts())[0].state is State.FAILED
    await world.ledger.rows.put([row])
    await poison.replay_stuck(world.ports, poison.Choice(everything=True), "me")
    await settle(world)
    assert (world.directory.writes, world.told) == (1, ["c1@example.org"])


async def test_stuck_staging_is_replayed(world: World) -> None:
    await world.upload(export(line("C1")))
    await world.deliver_but(names.STAGE_ROWS)
    migration = await world.migration()
    await world.ledger.migrations.change(
        SOUTH_NORFOLK,
        migration.id,
        lambda m: replace(m, phase=Phase.FAILED, reason="staging_failed"),
    )
    settled = await poison.replay_stuck(world.ports, poison.Choice(everything=True), "me")
    assert settled.migrations == 1
    await settle(world)
    assert (await world.migration()).phase is Phase.DONE


@pytest.mark.parametrize(
    ("choice", "valid"),
    [
        (poison.Choice(), False),
        (poison.Choice(account="a"), True),
        (poison.Choice(account="a", cause="b"), False),
        (poison.Choice(cause="b", everything=True), False),
    ],
)
def test_exactly_one_thing_is_chosen(choice: poison.Choice, valid: bool) -> None:  # noqa: FBT001
    assert choice.valid is valid


async def test_the_assessment_counts_every_row_before_anything_is_written(world: World) -> None:
    populate(world)
    await world.upload(small_export())
    await world.deliver()
    while (await world.migration()).phase is not Phase.RUNNING:
        await world.timers()
        await world.deliver_but(names.PROVISION_ACCOUNT)
        world.clock.tick(timedelta(seconds=10))
    assert world.directory.writes == 0
    picture = await world.report("assessment.json")
    assert {k: picture[k] for k in ("rows", "create", "link", "review", "reject", "duplicate", "unchanged")} == {
        "rows": 7,
        "create": 2,
        "link": 2,
        "review": 1,
        "reject": 1,
        "duplicate": 1,
        "unchanged": 0,
    }
    assert picture["directory_only"] == 4
    page = world.reports.files[f"{(await world.migration()).folder}/assessment.html"].decode()
    assert "@example.org" not in page


async def test_status_says_what_happens_and_what_to_do(world: World) -> None:
    populate(world)
    await world.upload(small_export())
    seen: list[list[Phase]] = []
    for number in range(12):
        seen.append([shown.phase for shown in (await read_status(world.ports)).migrations])
        await world.timers(number)
        await world.deliver()
        world.clock.tick(timedelta(seconds=10))
    assert seen[0] == []
    assert seen[-1] == [Phase.DONE]
    now = await read_status(world.ports)
    [shown] = now.migrations
    assert shown.next == "Done. 1 need a person: see result.csv."
    assert (shown.rows, shown.staged, shown.states) == (
        7,
        7,
        {"told": 4, "review": 1, "rejected": 1, "duplicate": 1},
    )
    assert [queue.messages for queue in now.queues] == [0] * len(names.QUEUES)
    assert await outcome_by_row(world) == EXPECTED


async def test_status_shows_refusals_of_councils_nobody_knows(world: World) -> None:
    await world.upload(export(line("C1")), "norwich/a.csv")
    await world.deliver()
    [shown] = (await read_status(world.ports)).migrations
    assert shown.refused is not None
    assert (shown.phase, shown.refused.reason) == (Phase.REFUSED, "unknown_authority")


async def test_a_stage_message_of_another_piece_or_export_does_nothing_wrong(world: World) -> None:
    await world.upload(export(line("C1")))
    await world.deliver_but(names.STAGE_ROWS)
    migration = await world.migration()
    for piece in (1, 7):
        await world.outbox.send(StageRows(authority=SOUTH_NORFOLK, migration=migration.id, piece=piece))
    await world.outbox.send(StageRows(authority=GREAT_YARMOUTH, migration=migration.id, piece=0))
    await world.outbox.send(ReceiveExport(blob="south-norfolk/portal.csv"))
    await settle(world)
    assert len(await world.accounts()) == 1
    assert world.errors == []


async def test_a_message_for_an_account_that_nobody_knows_does_nothing(world: World) -> None:
    world.directory.local_user("x@example.org", "A", "B", LONG_AGO)
    for kind in (names.CLASSIFY_ACCOUNT, names.PROVISION_ACCOUNT, names.NOTIFY_CUSTOMER):
        body = {"kind": kind, "authority": SOUTH_NORFOLK, "account": "a" + "0" * 40, "release": 1}
        await world.outbox.send(AccountMessage.model_validate(body))
    await world.deliver()
    assert (world.errors, world.directory.writes) == ([], 0)


async def _delete_rows(world: World, kept: int) -> None:
    """Delete rows until so many are left, as somebody may by hand."""
    places = [(partition, key) for table, partition, key, _ in world.tables.everything() if table == names.ROWS]
    rows = [partition for partition in places if not partition[0].endswith("|anchor")]
    assert len(rows) > kept
    for partition, key in rows[kept:]:
        await world.tables.write(names.ROWS, partition, [Write(Verb.DELETE, key)])


@pytest.mark.parametrize("kept", [0, 1])
async def test_a_result_loses_no_line_when_rows_are_deleted_afterwards(world: World, kept: int) -> None:
    await _stuck(world, "C1", "C2")
    before = await world.result_lines()
    assert [row["state"] for row in before] == ["failed", "failed"]
    await _delete_rows(world, kept)
    await poison.replay_stuck(world.ports, poison.Choice(everything=True), "somebody")
    await settle(world)
    migration = await world.migration()
    # Without its row nobody knows whom to create: how the account ended has changed, and would be published.
    assert {account.reason for account in await world.accounts()} >= {"row_missing"}
    assert migration.phase is Phase.DONE
    assert await world.result_lines() == before
    await poison.discard_stuck(world.ports, poison.Choice(everything=True), "somebody")
    await settle(world)
    assert await world.result_lines() == before


async def test_a_result_tells_again_when_all_rows_are_there(world: World) -> None:
    await _stuck(world, "C1", "C2")
    await poison.replay_stuck(world.ports, poison.Choice(everything=True), "somebody")
    await settle(world)
    assert [row["state"] for row in await world.result_lines()] == ["told", "told"]


async def test_accounts_that_somebody_deleted_while_they_were_compared_are_told(world: World) -> None:
    await world.upload(export(line("C1"), line("C2"), line("C3")))
    while not await world.accounts():
        await world.timers()
        await world.deliver_but(names.CLASSIFY_ACCOUNT)
    [first, *_] = await world.accounts()
    for table, partition, key, _ in list(world.tables.everything()):
        if table == names.ACCOUNTS and first.id in key:
            await world.tables.write(table, partition, [Write(Verb.DELETE, key)])
    await world.run(rounds=20)
    migration = await world.migration()
    [told] = (await read_status(world.ports)).migrations
    assert migration.phase is Phase.CLASSIFYING
    assert told.next.startswith("1 rows have no account any more: somebody deleted records from the tables")


async def test_a_timer_that_keeps_failing_is_told_without_its_message_until_it_runs_well(world: World) -> None:
    broken = True

    async def some_timer(ports: Ports) -> None:  # noqa: ARG001 - as every timer
        if broken:
            raise ValueError("ada@example.org")

    for failures in range(1, 4):
        with pytest.raises(Unexpected):
            await run_timer(world.ports, "some_timer", some_timer)
        assert len((await read_status(world.ports)).timers) == (failures == 3)
    (timer,) = (await read_status(world.ports)).timers
    assert timer.sentence.startswith("The timer some_timer has failed 3 times in a row: ValueError at test_timers.py:")
    assert "example.org" not in timer.model_dump_json()
    broken = False
    await run_timer(world.ports, "some_timer", some_timer)
    assert (await read_status(world.ports)).timers == []


async def test_a_timer_that_runs_well_asks_the_tables_once_in_five_minutes(world: World) -> None:
    async def some_timer(ports: Ports) -> None: ...

    asked: list[str] = []

    class Counted(MemoryTables):
        async def get(self, table: str, partition: str, row_key: str) -> Entity | None:
            asked.append(partition)
            return await super().get(table, partition, row_key)

    ports = replace(world.ports, ledger=open_ledger(Counted(), world.clock))
    for _ in range(10):
        await run_timer(ports, "some_timer", some_timer)
    assert asked == ["app|timers"]


async def test_where_a_failure_cannot_be_noted_it_is_still_the_failure(world: World) -> None:
    async def some_timer(ports: Ports) -> None:  # noqa: ARG001 - as every timer
        raise ValueError

    class Unreachable(MemoryTables):
        async def get(self, table: str, partition: str, row_key: str) -> Entity | None:  # noqa: ARG002 - as the port's
            raise OSError

    ports = replace(world.ports, ledger=open_ledger(Unreachable(), world.clock))
    with pytest.raises(Unexpected, match=r"^ValueError"):
        await run_timer(ports, "some_timer", some_timer)


async def _stuck_in_a_draft(world: World) -> Migration:
    """A plan waits for signatures, and none of its accounts could be compared."""
    wants_signatures(world)
    world.directory.fail_reads = [ValueError("a bug")] * 1000
    await world.upload(export(line("C1"), line("C2")))
    for number in range(60):
        await world.timers(number)
        await world.deliver()
        world.clock.tick(timedelta(seconds=10))
        if len(world.outbox.poison[names.CLASSIFY_ACCOUNT]) == 2:
            break
    world.directory.fail_reads.clear()
    for number in range(60):
        await world.timers(number)
        world.clock.tick(timedelta(seconds=10))
    migration = await world.migration()
    assert (migration.phase, migration.apart) == (Phase.ASSESSED, True)
    return migration


async def test_what_is_stuck_in_a_draft_is_listed_and_a_replay_makes_its_plan_anew(world: World) -> None:
    before = await _stuck_in_a_draft(world)
    assert [(each.migration, each.reason) for each in await poison.list_stuck(world.ports, 10)] == [
        (before.id, "unexpected_error")
    ] * 2
    await add_approval(world.ports, "", before.id, signing(before))
    done = await poison.replay_stuck(world.ports, poison.Choice(everything=True), "me")
    assert (done.accounts, done.messages) == (2, 2)
    waiting = await world.migration()
    assert (waiting.phase, waiting.plan, waiting.assessed_at) == (Phase.CLASSIFYING, None, None)
    with pytest.raises(ActionRefused):
        await add_approval(world.ports, "", before.id, signing(before, Part.OPERATIONS, "bob"))
    for number in range(20):
        await world.timers(number)
        await world.deliver()
        world.clock.tick(timedelta(seconds=10))
    plan = (await world.migration()).plan
    assert before.plan
    assert plan
    assert (before.plan.creates, plan.creates, plan.signatures) == (0, 2, ())
    assert plan.hash != before.plan.hash
    await signed(world, await world.migration())
    await settle(world)
    assert {account.state for account in await world.accounts()} == {State.TOLD}
    assert await poison.list_stuck(world.ports, 10) == []


async def test_messages_of_a_draft_stay_in_poison_while_their_accounts_are_stuck(world: World) -> None:
    await _stuck_in_a_draft(world)
    done = await poison.replay_stuck(world.ports, poison.Choice(cause="another_one"), "me")
    assert (done.accounts, done.messages) == (0, 0)
    assert (await poison.discard_stuck(world.ports, poison.Choice(everything=True), "me")).accounts == 0
    assert len(await poison.list_stuck(world.ports, 10)) == 2


async def test_a_draft_that_is_over_has_nothing_to_bring_back(world: World) -> None:
    migration = await _stuck_in_a_draft(world)
    await cancel_by_person(world.ports, "", migration.id, "me")
    assert await poison.list_stuck(world.ports, 10) == []
    assert (await poison.replay_stuck(world.ports, poison.Choice(everything=True), "me")).accounts == 0
    assert (await world.migration()).phase is Phase.CANCELLED
