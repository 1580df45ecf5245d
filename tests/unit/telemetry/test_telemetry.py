"""What the app tells of itself: one trace for each account, metrics as their table says, and nothing personal."""

import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace import StatusCode

from shared import names
from shared.adapters.memory import MemoryOutbox, Queued
from shared.errors import AnswerLost, Hold, Stop, Throttled
from shared.integrity.backup_tables import backup_tables
from shared.model.account import Account
from shared.model.lifecycle import RowState, State
from shared.model.messages import AccountMessage, StageRows, decode_message
from shared.operations.control import resume_by_person
from shared.operations.poison import Choice, replay_stuck
from shared.ports import Ports
from shared.reconciliation.reconcile import reconcile_authorities
from shared.runtime.worker import run_timer
from shared.telemetry import metrics, spans
from tests.support import timeless
from tests.support.losses import lose, make_again
from tests.support.stories import LONG_AGO, ROWS, populate, settle
from tests.support.telemetry import Collected, collecting, id_of, trace_of
from tests.support.watched import watched
from tests.support.world import SOUTH_NORFOLK, World, export, line

WHOLE = ["receive-export", "stage-rows", "classify-account", "provision-account", "notify-customer"]
CANARIES = ("canaryname", "canarysurname", "canarymail", "canaryplace", "canaryref")


@pytest.fixture
def collected() -> Iterator[Collected]:
    with collecting() as found:
        yield found


def migrated(world: World, *rows: str) -> list[Account]:
    """The accounts of an export, when nothing moves any more."""

    async def story() -> list[Account]:
        await world.upload(export(*rows))
        await settle(world)
        return await world.accounts()

    return timeless.run(story())


def names_of(found: list[ReadableSpan]) -> list[str]:
    return [span.name for span in found]


def nanoseconds(at: datetime) -> int:
    return round(at.timestamp()) * 1_000_000_000


# --- the trace of an account ---


@pytest.mark.parametrize(("rows", "outcome"), [((line("C1"),), "create"), ((ROWS[2],), "link")])
def test_one_account_has_one_trace_from_upload_to_message(
    collected: Collected, rows: tuple[str, ...], outcome: str
) -> None:
    world = World()
    populate(world)
    uploaded = world.clock.now()
    [account] = migrated(world, *rows)
    found = collected.spans_of(account.id)
    assert names_of(found) == WHOLE
    assert len({trace_of(span) for span in found}) == 1
    assert account.trace is not None
    assert trace_of(found[0]) in account.trace
    assert [(span.attributes or {}).get("state") for span in found[1:]] == [
        "staged",
        "classified",
        "provisioned",
        "told",
    ]
    assert (found[-1].attributes or {}).get("outcome") == outcome
    assert found[0].start_time == nanoseconds(uploaded)


def test_every_span_of_an_account_hangs_at_its_upload(collected: Collected) -> None:
    [account] = migrated(World(), line("C1"))
    upload, *steps = collected.spans_of(account.id)
    assert upload.parent is None
    assert {step.parent.span_id for step in steps if step.parent} == {id_of(upload)}


def test_two_accounts_have_two_traces_and_both_are_linked_to_the_one_of_the_file(collected: Collected) -> None:
    accounts = migrated(World(), line("C1"), line("C2"))
    stories = {account.id: collected.spans_of(account.id) for account in accounts}
    assert len({trace_of(story[0]) for story in stories.values()}) == 2
    run = next(s for s in collected.spans if s.name == "stage-rows" and "account" not in (s.attributes or {}))
    for story in stories.values():
        assert [[link.context.span_id for link in span.links] for span in story[:2]] == [[id_of(run)]] * 2
    receiving = next(s for s in collected.spans if s.name == "receive-export" and "account" not in (s.attributes or {}))
    assert trace_of(receiving) == trace_of(run)


def test_a_message_that_was_lost_is_made_up_for_in_the_same_trace(collected: Collected) -> None:
    async def story() -> Account:
        world = World()
        await world.upload(export(line("C1")))
        for number in range(200):
            await world.timers(number)
            if number == 3:
                world.outbox.queues[names.CLASSIFY_ACCOUNT].clear()
            await world.deliver()
            world.clock.tick(timedelta(seconds=30))
        [account] = await world.accounts()
        return account

    account = timeless.run(story())
    found = collected.spans_of(account.id)
    assert account.state is State.TOLD
    assert sorted(set(names_of(found)), key=WHOLE.index) == WHOLE
    assert len({trace_of(span) for span in found}) == 1


def test_each_attempt_is_a_span_and_says_by_code_why_it_failed(collected: Collected) -> None:
    world = World()
    world.directory.fail = [AnswerLost("503"), Throttled("directory_throttled", timedelta(seconds=5))]
    [account] = migrated(world, line("C1"))
    tries = [span for span in collected.spans_of(account.id) if span.name == "provision-account"]
    told = [(span.status.status_code, span.status.description, (span.attributes or {})["release"]) for span in tries]
    assert [code for code, _, _ in told] == [StatusCode.ERROR, StatusCode.ERROR, StatusCode.UNSET]
    assert [why for _, why, _ in told] == ["directory_unreachable", "directory_throttled", None]
    assert len({release for _, _, release in told}) == 3
    assert len({trace_of(span) for span in collected.spans_of(account.id)}) == 1


def test_a_replay_goes_on_in_the_same_trace(collected: Collected) -> None:
    world = World()

    async def story() -> Account:
        world.directory.fail_reads = [ValueError("a bug")] * names.MAX_DEQUEUE_COUNT
        await world.upload(export(line("C1")))
        await settle(world)
        await replay_stuck(world.ports, Choice(everything=True), "somebody")
        await settle(world)
        [account] = await world.accounts()
        return account

    account = timeless.run(story())
    found = collected.spans_of(account.id)
    assert account.state is State.TOLD
    assert [(s.attributes or {}).get("attempt") for s in found if s.status.description == "unexpected_error"] == [
        *range(1, names.MAX_DEQUEUE_COUNT + 1)
    ]
    assert found[-1].name == "notify-customer"
    assert len({trace_of(span) for span in found}) == 1


def test_an_account_that_a_newer_export_brings_begins_a_new_trace(collected: Collected) -> None:
    world = World()

    async def story() -> tuple[Account, Account]:
        world.directory.local_user("c1@example.org", "Somebody", "Else", LONG_AGO)
        await world.upload(export(line("C1")))
        await settle(world)
        [first] = await world.accounts()
        await world.upload(export(line("C1", "other@example.org")), "south-norfolk/newer.csv")
        await settle(world)
        [second] = await world.accounts()
        return first, second

    first, second = timeless.run(story())
    assert (first.state, second.state) == (State.REVIEW, State.TOLD)
    assert first.trace != second.trace
    own = [s for s in collected.spans_of(second.id) if second.trace and trace_of(s) in second.trace]
    assert names_of(own) == WHOLE


def test_a_piece_that_is_staged_twice_tells_of_each_account_once(collected: Collected) -> None:
    world = World()

    async def story() -> list[Account]:
        await world.upload(export(line("C1"), line("C2")))
        await world.deliver_but(names.STAGE_ROWS)
        [piece] = world.outbox.queues[names.STAGE_ROWS]
        world.outbox.queues[names.STAGE_ROWS].append(replace(piece, id="again"))
        await world.deliver()
        await settle(world)
        return await world.accounts()

    for account in timeless.run(story()):
        assert names_of(collected.spans_of(account.id)) == WHOLE


def test_a_sampled_share_keeps_whole_traces_and_counts_everybody() -> None:
    with collecting(ParentBased(TraceIdRatioBased(0.5))) as collected:
        accounts = migrated(World(), *(line(f"C{number}") for number in range(40)))
        kept = [collected.spans_of(account.id) for account in accounts]
        assert {tuple(names_of(found)) for found in kept} == {(), tuple(WHOLE)}
        told = [point.value for point in collected.points() if point.name == metrics.TOLD.name]
        assert told == [40]


# --- nothing where nobody listens, nothing personal anywhere ---


def test_with_nobody_listening_messages_and_records_carry_nothing() -> None:
    async def story() -> World:
        world = World()
        await world.upload(export(line("C1")))
        for number in range(4):
            await world.timers(number)
            await world.deliver()
        return world

    world = timeless.run(story())
    assert not [values for _, _, _, values in world.tables.everything() if "trace" in values]
    waiting = [item.body for queue in world.outbox.queues.values() for item in queue]
    assert not [body for body in waiting if b"traceparent" in body]


def test_with_nobody_listening_no_queue_is_asked_for_its_age() -> None:
    class Counting(MemoryOutbox):
        asked = 0

        async def oldest(self, queue: str) -> datetime | None:
            Counting.asked += 1
            return await super().oldest(queue)

    async def story() -> None:
        world = World()
        world.outbox = Counting(world.clock)
        await world.upload(export(line("C1")))
        await settle(world)

    timeless.run(story())
    assert Counting.asked == 0
    with collecting():
        timeless.run(story())
    assert Counting.asked > 0


class Talkative:
    """Libraries whose errors tell everything."""

    def __init__(self, call: str) -> None:
        self._call = call
        self._left = 4

    async def before(self, call: str) -> None:
        if call.startswith(self._call) and self._left:
            self._left -= 1
            raise ValueError("canarymail1@example.org Canaryname Canarysurname")

    async def after(self, call: str) -> None:
        """All is well."""


@pytest.mark.parametrize("call", ["nothing", "directory", "notifier", "exports", "tables.write Accounts"])
def test_no_span_and_no_metric_is_about_a_person(collected: Collected, call: str) -> None:
    world = World()
    script = Talkative(call)

    def wrap(ports: Ports) -> Ports:
        return watched(ports, world.tables, script)

    world.wrap = wrap
    rows = [
        line(f"CANARYREF{n}", f"canarymail{n}@example.org", "Canaryname", "Canarysurname").replace(
            "NR15 1AA", "Canaryplace"
        )
        for n in range(4)
    ]
    migrated(world, *rows, line("CANARYREF9", "canarymail", "Canaryname", "Canarysurname"))
    told = [*(span.to_json() for span in collected.spans), *(repr(point) for point in collected.points())]
    assert told
    for text in told:
        assert not [canary for canary in CANARIES if canary in text.lower()], text


def test_spans_and_attributes_are_those_of_the_table(collected: Collected) -> None:
    world = World()
    populate(world)
    world.directory.fail = [AnswerLost("503")]
    migrated(world, *ROWS)
    # This migration has no suppression list and no plan that is approved.
    assert {span.name for span in collected.spans} == set(spans.SPANS) - {"stage-suppressions", "adopt-plan"}
    assert {name for span in collected.spans for name in span.attributes or {}} == set(spans.ATTRIBUTES)
    assert {event.name for span in collected.spans for event in span.events} == set()


# --- messages ---


def test_a_message_of_before_the_traces_is_still_one() -> None:
    old = b'{"v":1,"kind":"classify-account","authority":"south-norfolk","account":"a%s","release":1}' % (b"0" * 40)
    message = decode_message(old)
    assert isinstance(message, AccountMessage)
    assert message.traceparent == ""
    assert "traceparent" not in json.loads(message.model_dump_json())


def test_the_context_is_carried_as_it_is() -> None:
    context = f"00-{'a' * 32}-{'b' * 16}-01"
    message = StageRows(authority=SOUTH_NORFOLK, migration="m", piece=0, traceparent=context)  # type: ignore[arg-type]
    assert decode_message(message.model_dump_json().encode()) == message


# --- metrics ---


async def _everything_that_can_happen(world: World) -> None:
    """One of each: moved, told, put off, refused, stuck, stopped, in poison."""
    populate(world)
    world.directory.fail = [AnswerLost("503")]
    world.notifier.fail = [Throttled("message_service_throttled", timedelta(seconds=9)), Hold("address_refused")]
    world.notifier.fail_after = [AnswerLost("500")]
    await world.upload(b"nothing", "south-norfolk/nothing.csv")
    await world.upload(export(*ROWS))
    await settle(world)
    world.directory.fail = [Stop("permission_missing")]
    await world.upload(export(line("N1")), "south-norfolk/newer.csv")
    await settle(world, rounds=20)
    world.outbox.poison[names.NOTIFY_CUSTOMER].append(Queued("p1", b"not ours", world.clock.now()))
    world.clock.tick(timedelta(minutes=3))


def test_every_metric_is_told_with_the_attributes_of_the_table(collected: Collected) -> None:
    world = World()
    ends = world.clock.now() + timedelta(days=20)

    async def story() -> None:
        world.wrap = lambda ports: replace(ports, certificate_ends=ends)
        await _everything_that_can_happen(world)
        await world.timers()

    timeless.run(story())
    seen: dict[str, set[tuple[str, ...]]] = defaultdict(set)
    for point in collected.points():
        seen[point.name].add(tuple(sorted(point.attributes)))
    # The directory in memory makes no requests; tests/contract/test_telemetry.py counts those of the real client.
    expected = {m.name: {tuple(sorted(m.attributes))} for m in metrics.METRICS if m is not metrics.DIRECTORY_REQUESTS}
    assert dict(seen) == expected


def test_metrics_say_what_is_so(collected: Collected) -> None:
    world = World()

    async def story() -> None:
        await _everything_that_can_happen(world)
        await world.timers()

    timeless.run(story())
    found = {(p.name, *sorted(p.attributes.values())): p.value for p in collected.points()}
    assert found[metrics.QUEUE_DEPTH.name, "notify-customer-poison"] == 1
    assert found[metrics.QUEUE_AGE.name, "notify-customer-poison"] == 180
    assert found[metrics.PAUSED.name, "permission_missing", "south-norfolk"] == 1
    assert found[metrics.PROVISIONED.name, "create", "south-norfolk"] == 2
    assert found[metrics.PROVISIONED.name, "link", "south-norfolk"] == 2
    assert found[metrics.FAILURES.name, "address_refused", "held", "south-norfolk"] == 1
    assert found[metrics.FAILURES.name, "names_differ", "review", "south-norfolk"] == 1
    assert found[metrics.ACCOUNTS.name, "review", "south-norfolk"] == 1
    assert found[metrics.ACCOUNTS.name, "south-norfolk", "told"] == 3
    assert found[metrics.ACCOUNTS.name, "great-yarmouth", "told"] == 0
    assert found[metrics.MESSAGE_REQUESTS.name, "lost", "south-norfolk"] == 1
    assert found[metrics.MESSAGE_REQUESTS.name, "refused", "south-norfolk"] == 1
    assert found[metrics.MESSAGE_REQUESTS.name, "south-norfolk", "throttled"] == 1
    assert found[metrics.UPLOADS_REFUSED.name, "not_csv", "south-norfolk"] == 1
    assert found[metrics.TIMER_RUNS.name, "done", "reconcile"] >= 1


def test_a_pause_that_is_over_is_not_told_any_more(collected: Collected) -> None:
    world = World()

    async def story() -> None:
        await _everything_that_can_happen(world)
        paused = await world.migration()
        await resume_by_person(world.ports, paused.authority, paused.id, "somebody")
        collected.points()
        await world.timers()

    timeless.run(story())
    assert not [point for point in collected.points() if point.name == metrics.PAUSED.name]


def test_how_things_stood_is_told_for_as_long_as_it_is_fresh() -> None:
    seconds = [0.0]
    board = metrics.Board(lambda: seconds[0])
    snapshot = metrics.Snapshot()
    snapshot.note(metrics.QUEUE_DEPTH, 3, queue=names.STAGE_ROWS)
    board.put_up(snapshot)
    seconds[0] = metrics.SNAPSHOT_LIFETIME.total_seconds()
    assert [value.value for value in board.read(metrics.QUEUE_DEPTH)] == [3]
    assert board.read(metrics.QUEUE_AGE) == []
    seconds[0] += 1
    assert board.read(metrics.QUEUE_DEPTH) == []


def test_accounts_are_told_in_every_state_also_where_there_are_none(collected: Collected) -> None:
    world = World()

    async def story() -> None:
        await world.timers()

    timeless.run(story())
    states = {p.attributes["state"] for p in collected.points() if p.name == metrics.ACCOUNTS.name}
    assert states == {*State, *RowState}


def test_how_long_the_oldest_has_waited_is_told_and_a_moment_to_come_is_no_wait(collected: Collected) -> None:
    world = World()

    async def story() -> None:
        world.directory.fail_reads = [Throttled("directory_throttled", timedelta(hours=1))]
        await world.upload(export(line("C1")))
        for number in range(4):
            await world.timers(number)
            await world.deliver()
            world.clock.tick(timedelta(seconds=10))

    timeless.run(story())
    [wait] = [
        p.value
        for p in collected.points()
        if p.name == metrics.ACCOUNTS_WAIT.name and p.attributes["authority"] == SOUTH_NORFOLK
    ]
    assert wait == 0


def test_a_timer_that_fails_is_no_heartbeat(collected: Collected) -> None:
    async def broken(ports: Ports) -> None:  # noqa: ARG001 - as every timer
        raise ValueError("whatever")

    async def story() -> None:
        world = World()
        await run_timer(world.ports, "reconcile", reconcile_authorities)
        await world._guarded(run_timer(world.ports, "broken", broken))  # noqa: SLF001 - as the world runs its own

    timeless.run(story())
    heard = [p.attributes for p in collected.points() if p.name == metrics.TIMER_RUNS.name]
    runs = {(attributes["timer"], attributes["result"]) for attributes in heard}
    assert runs == {("reconcile", "done"), ("broken", "failed")}


def test_each_metric_has_one_name_and_says_what_it_means() -> None:
    listed = [metric.name for metric in metrics.METRICS]
    assert len(set(listed)) == len(listed)
    for metric in metrics.METRICS:
        assert metric.name.startswith(f"{metrics.SCOPE}.")
        assert metric.means
        assert metric.source
        assert not {"account", "migration", "release"} & set(metric.attributes), "one value for each account"


def _value(collected: Collected, metric: metrics.Metric, authority: str = "") -> list[float]:
    found = [point for point in collected.points() if point.name == metric.name]
    return [point.value for point in found if point.attributes.get("authority", "") == authority]


def test_lost_tables_are_told_until_they_are_made_again(collected: Collected) -> None:
    world = World()
    told: list[list[float]] = []

    async def story() -> None:
        await world.upload(export(line("C1")))
        await settle(world)
        told.append(_value(collected, metrics.TABLES_LOST, SOUTH_NORFOLK))
        lose(world)
        await world.timers()
        told.append(_value(collected, metrics.TABLES_LOST, SOUTH_NORFOLK))
        await make_again(world)
        await world.timers()
        told.append(_value(collected, metrics.TABLES_LOST, SOUTH_NORFOLK))

    timeless.run(story())
    assert told == [[0], [3], [0]]
    assert _value(collected, metrics.TABLES_LOST, "great-yarmouth") == [0]


def test_how_old_the_newest_whole_copy_is_and_without_one_the_first_upload(collected: Collected) -> None:
    world = World()
    told: list[list[float]] = []

    async def after(hours: int) -> None:
        world.clock.tick(timedelta(hours=hours))
        await world.timers()
        told.append(_value(collected, metrics.COPY_AGE))

    async def story() -> None:
        await after(1)
        await world.upload(export(line("C1")))
        await world.timers()
        await world.deliver()
        await after(2)
        await backup_tables(world.ports)
        world.backups.files["manifests/2026-12-31.json"] = b"no manifest"
        await after(53)

    timeless.run(story())
    assert told == [[], [2 * 3600], [53 * 3600]]
