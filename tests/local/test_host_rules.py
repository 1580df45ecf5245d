"""The rules of the local host that need no process and no storage."""

import base64
import json
import logging
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.host import bindings, host_json, message_text, ncrontab, settings
from local.host.backoff import Backoff
from local.host.bindings import HttpTrigger, QueueOutput, QueueTrigger, TimerTrigger
from local.host.errors import CannotStartError
from local.host.logs import Formatter
from local.host.poison import poison_name
from local.host.routes import compile_route
from local.host.storage import Connection
from local.host.timers import Due, Status, find_first_due, is_monitored

# --- back-off ---


def test_waits_grow_from_100_ms_to_the_longest_and_start_again_after_a_success() -> None:
    backoff = Backoff(timedelta(seconds=2), spread=lambda: 1.0)
    waits = [backoff.next().total_seconds() for _ in range(7)]
    assert waits == pytest.approx([0.1, 0.2, 0.3, 0.5, 0.9, 1.7, 2.0])
    backoff.reset()
    assert backoff.next() == timedelta(milliseconds=100)


@given(st.integers(1, 200), st.floats(0.1, 60))
def test_waits_stay_within_the_longest_and_the_spread(times: int, longest: float) -> None:
    backoff = Backoff(timedelta(seconds=longest))
    for turn in range(times):
        wait = backoff.next().total_seconds()
        ideal = 0.1 + (0.1 * 2.0 ** (turn - 1) if turn else 0)
        assert wait <= longest + 1e-6
        assert wait >= min(0.8 * ideal, longest) - 1e-6
        assert wait <= 1.2 * ideal + 1e-6


# --- messages ---


@given(st.text())
def test_what_is_encoded_is_decoded(body: str) -> None:
    for as_base64 in (True, False):
        encoded = message_text.encode_text(body.encode(), as_base64=as_base64)
        assert message_text.decode_text(encoded, as_base64=as_base64) == body


@pytest.mark.parametrize("content", ["plain words", "YQ", "YQ==x", base64.b64encode(b"\xff").decode(), "Yß=="])
def test_what_is_not_base64_of_text_is_undecodable(content: str) -> None:
    with pytest.raises(message_text.UndecodableError):
        message_text.decode_text(content, as_base64=True)


def test_line_breaks_in_base64_are_no_harm() -> None:
    assert message_text.decode_text("aGVs\r\nbG8=\n", as_base64=True) == "hello"


@pytest.mark.parametrize(
    ("queue", "poison"),
    [
        ("stage-rows", "stage-rows-poison"),
        ("stage-rows-poison", None),
        ("q" * 56, "q" * 56 + "-poison"),
        ("q" * 57, None),
    ],
)
def test_the_name_of_a_poison_queue(queue: str, poison: str | None) -> None:
    assert poison_name(queue) == poison


# --- routes ---


@pytest.mark.parametrize(
    ("template", "path", "expected"),
    [
        ("api/status", "/api/status", {}),
        ("api/status", "/API/Status/", {}),
        ("api/status", "/api/status/1", None),
        ("api/status/{id}", "/api/status/a%2Fb", {"id": "a/b"}),
        ("api/status/{id}", "/api/status", None),
        ("api/status/{id:int}", "/api/status/-42", {"id": "-42"}),
        ("api/status/{id:int}", "/api/status/4x", None),
        (
            "api/status/{id:guid}",
            "/api/status/00000000-0000-0000-0000-00000000000A",
            {"id": "00000000-0000-0000-0000-00000000000A"},
        ),
        ("api/{word:alpha:length(3)}", "/api/abc", {"word": "abc"}),
        ("api/{word:alpha:length(3)}", "/api/abcd", None),
        ("api/{id?}", "/api", {}),
        ("api/{id:int?}", "/api/7", {"id": "7"}),
        ("api/{id=5}", "/api", {"id": "5"}),
        ("api/{id=5}/x", "/api/6/x", {"id": "6"}),
        ("api/{*rest}", "/api/a/b/c", {"rest": "a/b/c"}),
        ("api/{**rest}", "/api", {}),
        ("api/{name}.{kind}", "/api/result.csv", {"name": "result", "kind": "csv"}),
        ("api/a.b", "/api/aXb", None),
    ],
)
def test_which_paths_a_route_fits(template: str, path: str, expected: dict[str, str] | None) -> None:
    assert compile_route(template).match(path) == expected


@pytest.mark.parametrize("template", ["api/{id:nothing}", "api/{", "api/{id}}", "api/{a}/{a}"])
def test_malformed_routes_are_refused(template: str) -> None:
    with pytest.raises(CannotStartError, match="route"):
        compile_route(template)


def test_the_more_special_route_answers() -> None:
    templates = ["a/{*rest}", "a/{id}", "a/{id:int}", "a/{id}.csv", "a/b"]
    ranked = sorted((compile_route(template) for template in templates), key=lambda route: route.rank)
    assert [route.template for route in ranked] == ["a/b", "a/{id}.csv", "a/{id:int}", "a/{id}", "a/{*rest}"]


# --- settings, connections, bindings, host.json ---


def test_settings_in_percent_signs_are_put_in() -> None:
    assert settings.resolve_settings("%A%-%B%-c", {"A": "1", "B": "2"}) == "1-2-c"
    with pytest.raises(CannotStartError, match="app setting C is not set"):
        settings.resolve_settings("%C%", {})


@pytest.mark.parametrize(
    ("name", "value", "disabled"),
    [
        ("AzureWebJobs.work.Disabled", "true", True),
        ("AzureWebJobs__work__Disabled", "True", True),
        ("AzureWebJobs.work.Disabled", "1", True),
        ("AzureWebJobs.work.Disabled", "false", False),
        ("AzureWebJobs.other.Disabled", "true", False),
    ],
)
def test_a_setting_takes_a_function_out_of_service(name: str, value: str, *, disabled: bool) -> None:
    assert settings.is_disabled("work", {name: value}) is disabled


@pytest.mark.parametrize(
    ("found", "local"),
    [
        ({"S": "UseDevelopmentStorage=true"}, True),
        (
            {"S": "AccountName=a;AccountKey=b;BlobEndpoint=http://127.0.0.1:1/a;QueueEndpoint=http://localhost:2/a"},
            True,
        ),
        ({"S": "AccountName=a;AccountKey=b;BlobEndpoint=http://127.0.0.1:1/a;QueueEndpoint=https://a.example"}, False),
        ({"S": "DefaultEndpointsProtocol=https;AccountName=a;AccountKey=b;EndpointSuffix=core.windows.net"}, False),
        ({"S__queueServiceUri": "https://a.queue.core.windows.net"}, False),
        ({"AzureWebJobsS": "UseDevelopmentStorage=true"}, True),
    ],
)
def test_things_are_created_only_on_this_machine(found: dict[str, str], *, local: bool) -> None:
    assert Connection.named("S", found).is_local is local


def test_a_connection_by_identity() -> None:
    found = {
        "S__blobServiceUri": "b",
        "S__queueServiceUri": "q",
        "S__clientId": "me",
        "S__credential": "managedidentity",
    }
    assert Connection.named("S", found) == Connection("S", None, {"blob": "b", "queue": "q"}, "me")


def raw(**binding: object) -> str:
    return json.dumps({"name": "it", "direction": "IN", **binding})


def test_bindings_are_read_with_the_defaults_of_the_platform() -> None:
    out = raw(type="queue", direction="OUT", name="more", queueName="%Q%-made")
    queue = bindings.parse_bindings(
        "f", [raw(type="queueTrigger", queueName="%Q%", connection="S"), out], {"Q": "work"}
    )
    assert queue.trigger == QueueTrigger("it", "work", "S", binary=False)
    assert queue.queue_outputs == (QueueOutput("more", "work-made", "AzureWebJobsStorage"),)
    timer = bindings.parse_bindings("f", [raw(type="timerTrigger", schedule="* * * * *", runOnStartup=False)], {})
    assert timer.trigger == TimerTrigger("it", "* * * * *", use_monitor=True, run_on_startup=False)
    http = bindings.parse_bindings(
        "f", [raw(type="httpTrigger", methods=["get"]), raw(type="http", name="$return")], {}
    )
    assert http.trigger == HttpTrigger("it", "f", frozenset({"GET"}))
    assert http.http_output == "$return"


@pytest.mark.parametrize("kinds", [["blobTrigger"], [], ["queueTrigger", "queueTrigger"], ["httpTrigger", "table"]])
def test_bindings_that_the_host_does_not_have_are_refused(kinds: list[str]) -> None:
    with pytest.raises(CannotStartError, match="function f"):
        bindings.parse_bindings("f", [raw(type=kind, queueName="q") for kind in kinds], {})


def test_host_json_is_read_and_the_rest_is_the_platforms_default(tmp_path: Path) -> None:
    (tmp_path / "host.json").write_text('{"version": "2.0"}')
    config = host_json.read_host_json(tmp_path, {})
    assert (config.queues.batch_size, config.queues.max_dequeue_count) == (16, 5)
    assert config.queues.visibility_timeout == timedelta(0)
    assert config.route_prefix == "api"
    queues = {"batchSize": 1, "visibilityTimeout": "1.00:00:30", "messageEncoding": "none"}
    content = {"functionTimeout": "-1", "extensions": {"queues": queues, "http": {"routePrefix": ""}}}
    (tmp_path / "host.json").write_text(json.dumps(content))
    config = host_json.read_host_json(tmp_path, {})
    assert config.function_timeout is None
    assert config.queues.new_batch_threshold == 0
    assert config.queues.visibility_timeout == timedelta(days=1, seconds=30)
    assert not config.queues.base64
    assert config.route_prefix == ""


def test_a_setting_goes_before_host_json(tmp_path: Path) -> None:
    content = {"version": "2.0", "extensions": {"queues": {"batchSize": 16, "maxPollingInterval": "00:00:02"}}}
    (tmp_path / "host.json").write_text(json.dumps(content))
    given = {
        "AzureFunctionsJobHost__extensions__queues__maxPollingInterval": "00:00:00.5",
        "AzureFunctionsJobHost__extensions__http__routePrefix": "other",
        "MigrationStorage": "UseDevelopmentStorage=true",
    }
    config = host_json.read_host_json(tmp_path, given)
    assert config.queues.max_polling_interval == timedelta(seconds=0.5)
    assert config.queues.batch_size == 16
    assert config.route_prefix == "other"


# --- timers ---

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
HOURLY = ncrontab.parse_schedule("0 0 * * * *")


def status(last: datetime) -> Status:
    return Status(last, HOURLY.following(last), last)


def test_an_occurrence_that_was_missed_is_due_now() -> None:
    assert find_first_due(status(NOON - timedelta(hours=3)), HOURLY, NOON) == Due(
        NOON - timedelta(hours=2), past_due=True
    )


@pytest.mark.parametrize("known", [None, status(NOON)])
def test_otherwise_the_next_occurrence_is_due(known: Status | None) -> None:
    now = NOON + timedelta(minutes=10)
    assert find_first_due(known, HOURLY, now) == Due(NOON + timedelta(hours=1), past_due=False)


def test_a_status_survives_being_written() -> None:
    assert Status.from_json(json.dumps(status(NOON).as_json()).encode()) == status(NOON)


@pytest.mark.parametrize(
    ("schedule", "use_monitor", "expected"),
    [("0 * * * * *", True, True), ("0 * * * * *", False, False), ("*/30 * * * * *", True, False)],
)
def test_only_schedules_of_a_minute_or_more_are_made_up_for(
    schedule: str, *, use_monitor: bool, expected: bool
) -> None:
    trigger = TimerTrigger("timer", schedule, use_monitor=use_monitor, run_on_startup=False)
    assert is_monitored(trigger, ncrontab.parse_schedule(schedule), NOON) is expected


# --- log ---


def test_a_log_line_ends_with_its_extras_before_any_traceback() -> None:
    record = logging.makeLogRecord({"msg": "failed\nTraceback", "levelname": "ERROR", "name": "host", "id": 7})
    assert Formatter("%(name)s: %(message)s").format(record) == "host: failed id=7\nTraceback"
