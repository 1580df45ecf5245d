"""The queue trigger of the local host, against Azurite."""

import base64
import signal
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from azure.storage.queue import QueueClient, QueueServiceClient

from local.azurite import Azurite
from tests.local.host_kit import (
    HOST_JSON,
    WORK,
    App,
    drained,
    eventually,
    host,
    peek,
    queue_exists,
    send,
    write_app,
)

pytestmark = pytest.mark.azurite

# Two seconds of lease instead of ten minutes, so that renewals and losses can be watched.
SHORT_LEASE = ("--lease", "2", "--no-event-grid")


@pytest.fixture
def queues(clean_azurite: Azurite) -> Iterator[QueueServiceClient]:
    with QueueServiceClient.from_connection_string(clean_azurite.connection_string) as client:
        yield client


@pytest.fixture
def work(queues: QueueServiceClient) -> QueueClient:
    return queues.create_queue("work")


@pytest.fixture
def poison(queues: QueueServiceClient) -> QueueClient:
    return queues.get_queue_client("work-poison")


@pytest.fixture
def app(tmp_path: Path) -> App:
    return write_app(tmp_path / "app", WORK)


def test_a_message_is_handed_over_with_its_metadata_and_deleted(
    app: App, azurite: Azurite, work: QueueClient, poison: QueueClient
) -> None:
    send(work, "ok")
    with host(app, MigrationStorage=azurite.connection_string):
        assert eventually(lambda: drained(work))
    [begin] = app.events("begin")
    assert begin["body"] == "ok"
    assert begin["attempt"] == 1
    assert begin["inserted"].endswith("+00:00")
    assert begin["expires"].startswith("9999-12-31")
    assert not queue_exists(poison)


def test_what_fails_is_tried_until_the_limit_and_then_copied_to_poison(
    app: App, azurite: Azurite, work: QueueClient, poison: QueueClient
) -> None:
    send(work, "fail")
    with host(app, MigrationStorage=azurite.connection_string) as running:
        assert eventually(lambda: peek(poison))
        assert eventually(lambda: drained(work))
    begins = app.events("begin")
    assert [begin["attempt"] for begin in begins] == [1, 2, 3]
    [copy] = peek(poison)
    assert base64.b64decode(copy.content) == b"fail"
    assert copy.id not in {begin["id"] for begin in begins}
    assert copy.expires_on is not None
    assert copy.inserted_on is not None
    assert copy.expires_on - copy.inserted_on == timedelta(days=7)
    assert "ValueError: as the message asked" in running.log


def test_a_message_that_used_up_its_attempts_elsewhere_is_not_handed_over(
    app: App, azurite: Azurite, work: QueueClient, poison: QueueClient
) -> None:
    send(work, "ok")
    for _ in range(3):
        received = work.receive_message()
        assert received is not None
        work.update_message(received, visibility_timeout=0)
    with host(app, MigrationStorage=azurite.connection_string):
        assert eventually(lambda: peek(poison))
        assert eventually(lambda: drained(work))
    assert app.records == []


@pytest.mark.parametrize("content", ["not base64!", base64.b64encode(b"\xff\xfe").decode()])
def test_what_cannot_be_decoded_goes_to_poison_at_once_as_it_is(
    app: App, azurite: Azurite, work: QueueClient, poison: QueueClient, content: str
) -> None:
    work.send_message(content)
    with host(app, MigrationStorage=azurite.connection_string) as running:
        assert eventually(lambda: peek(poison))
        assert eventually(lambda: drained(work))
    assert [message.content for message in peek(poison)] == [content]
    assert app.records == []
    assert "Message decoding has failed! Check MessageEncoding settings." in running.log
    assert content not in running.log


def test_a_long_run_keeps_its_message_by_renewing_the_lease(app: App, azurite: Azurite, work: QueueClient) -> None:
    send(work, "ok 4.5")
    with host(app, *SHORT_LEASE, MigrationStorage=azurite.connection_string):
        assert eventually(lambda: app.events("end"))
        assert eventually(lambda: drained(work))
    assert [begin["attempt"] for begin in app.events("begin")] == [1]


def test_no_more_than_a_batch_and_the_threshold_run_at_once(app: App, azurite: Azurite, work: QueueClient) -> None:
    send(work, *["ok 0.2", "ok 0.8"] * 7)
    with host(app, MigrationStorage=azurite.connection_string):
        assert eventually(lambda: drained(work))
    at_once = most = 0
    for record in app.records:
        at_once += 1 if record["event"] == "begin" else -1
        most = max(most, at_once)
    limits = HOST_JSON["extensions"]["queues"]
    assert limits["batchSize"] < most <= limits["batchSize"] + limits["newBatchThreshold"]


def test_the_function_timeout_cancels_and_counts_as_a_failure(
    tmp_path: Path, azurite: Azurite, work: QueueClient
) -> None:
    app = write_app(tmp_path / "app", WORK, {**HOST_JSON, "functionTimeout": "00:00:00.5"})
    send(work, "ok 30")
    with host(app, MigrationStorage=azurite.connection_string) as running:
        assert eventually(lambda: drained(work))
    assert len(app.events("cancelled")) == 3
    assert "FunctionTimeoutException" in running.log


def test_a_poison_queue_has_no_poison_and_a_failure_in_it_is_not_released(
    app: App, azurite: Azurite, queues: QueueServiceClient
) -> None:
    stuck = queues.create_queue("work-poison")
    send(stuck, "fail")
    with host(app, *SHORT_LEASE, MigrationStorage=azurite.connection_string, WORK_QUEUE="work-poison"):
        # More attempts than maxDequeueCount, and one lease apart each.
        assert eventually(lambda: len(app.events("begin")) > 1)
        assert peek(stuck) == []
    assert [queue.name for queue in queues.list_queues() if queue.name.startswith("work")] == ["work-poison"]


def test_a_queue_that_appears_later_is_found(app: App, azurite: Azurite, queues: QueueServiceClient) -> None:
    with host(app, MigrationStorage=azurite.connection_string):
        send(queues.create_queue("work"), "ok")
        assert eventually(lambda: app.events("end"))


def test_two_hosts_share_a_queue_and_do_everything_once(app: App, azurite: Azurite, work: QueueClient) -> None:
    connection = azurite.connection_string
    with host(app, MigrationStorage=connection), host(app, MigrationStorage=connection):
        send(work, *[f"ok 0.1{number:02}" for number in range(30)])
        assert eventually(lambda: drained(work))
    ends = app.events("end")
    assert len({end["body"] for end in ends}) == len(ends) == 30
    assert len({end["pid"] for end in ends}) == 2


def test_sigterm_finishes_what_runs_and_takes_nothing_new(app: App, azurite: Azurite, work: QueueClient) -> None:
    with host(app, MigrationStorage=azurite.connection_string) as running:
        send(work, "ok 1.5")
        assert eventually(lambda: app.events("begin"))
        running.signal(signal.SIGTERM)
        # An answer that was under way may still bring one message; after that the listener is deaf.
        assert eventually(lambda: "stopping" in running.log)
        assert running.wait() == 0
        send(work, "ok")
    assert [end["body"] for end in app.events("end")] == ["ok 1.5"]
    assert [base64.b64decode(message.content) for message in peek(work)] == [b"ok"]
    assert not drained(work)


def test_what_does_not_finish_in_time_is_given_up_and_stays_in_the_queue(
    app: App, azurite: Azurite, work: QueueClient
) -> None:
    with host(app, "--drain", "0.3", MigrationStorage=azurite.connection_string) as running:
        send(work, "ok 60")
        assert eventually(lambda: app.events("begin"))
        running.signal(signal.SIGTERM)
        assert running.wait() == 0
    assert len(app.events("cancelled")) == 1
    assert not drained(work)


def test_a_second_signal_ends_it_at_once(app: App, azurite: Azurite, work: QueueClient) -> None:
    with host(app, MigrationStorage=azurite.connection_string) as running:
        send(work, "ok 60")
        assert eventually(lambda: app.events("begin"))
        running.signal(signal.SIGTERM)
        assert eventually(lambda: "stopping" in running.log)
        running.signal(signal.SIGTERM)
        assert running.wait(5) == 128 + signal.SIGTERM


def test_a_killed_host_loses_its_message_to_another_when_the_lease_ends(
    app: App, azurite: Azurite, work: QueueClient
) -> None:
    settings = {"MigrationStorage": azurite.connection_string}
    with host(app, *SHORT_LEASE, **settings) as killed:
        send(work, "ok 1")
        assert eventually(lambda: app.events("begin"))
        killed.signal(signal.SIGKILL)
        killed.wait()
    with host(app, *SHORT_LEASE, **settings):
        assert eventually(lambda: app.events("end"))
        assert eventually(lambda: drained(work))
    assert [begin["attempt"] for begin in app.events("begin")] == [1, 2]


FANOUT = """
import typing

@app.queue_trigger(arg_name="message", queue_name="work", connection="MigrationStorage")
@app.queue_output(arg_name="more", queue_name="made", connection="MigrationStorage")
@app.queue_output(arg_name="$return", queue_name="returned", connection="MigrationStorage")
def fan_out(message: str, more: func.Out[typing.List[str]]) -> str:
    more.set([message + "1", message + "2"])
    return message + "3"
"""


def test_queue_outputs_are_sent_as_base64_to_queues_made_on_demand(
    tmp_path: Path, azurite: Azurite, queues: QueueServiceClient, work: QueueClient
) -> None:
    app = write_app(tmp_path / "app", FANOUT)
    send(work, "a")
    with host(app, MigrationStorage=azurite.connection_string):
        assert eventually(lambda: drained(work))

    def bodies(queue: str) -> list[Any]:
        return sorted(base64.b64decode(each.content) for each in peek(queues.get_queue_client(queue)))

    assert bodies("made") == [b"a1", b"a2"]
    assert bodies("returned") == [b"a3"]


def test_a_disabled_function_does_not_run(app: App, azurite: Azurite, work: QueueClient) -> None:
    settings = {"MigrationStorage": azurite.connection_string, "AzureWebJobs.work.Disabled": "true"}
    send(work, "ok")
    with host(app, **settings) as running:
        assert running.functions == {"work": "queue work  (disabled)"}
        assert not eventually(lambda: app.events("begin"), seconds=1)
