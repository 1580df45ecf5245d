"""Timers of the local host, against Azurite."""

import json
import signal
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import pytest
from azure.storage.blob import BlobServiceClient
from azure_functions_runtime.bindings.datumdef import Datum

from local.azurite import Azurite
from local.host.bindings import TimerTrigger
from local.host.leadership import Leadership
from local.host.ncrontab import parse_schedule
from local.host.storage import Connection, Storage
from local.host.timers import Due, TimerListener
from tests.local.host_kit import App, eventually, host, write_app

pytestmark = pytest.mark.azurite

TICK = """
@app.timer_trigger(arg_name="timer", schedule="%SCHEDULE%")
async def tick(timer: func.TimerRequest) -> None:
    record("tick", past_due=timer.past_due, last=timer.schedule_status["Last"])
    await asyncio.sleep(float(os.environ.get("TICK_SECONDS", "0")))
    record("tock")
    if os.environ.get("TICK_FAILS"):
        raise ValueError("as the test asked")
"""
EVERY_SECOND = {"SCHEDULE": "* * * * * *"}
# Far enough away not to come about during a test.
NEW_YEAR = {"SCHEDULE": "0 0 0 1 1 *"}
STATUS = ("azure-webjobs-hosts", "timers/app/tick/status")


@pytest.fixture
def app(tmp_path: Path) -> App:
    return write_app(tmp_path / "app", TICK)


@pytest.fixture
def blobs(clean_azurite: Azurite) -> Iterator[BlobServiceClient]:
    with BlobServiceClient.from_connection_string(clean_azurite.connection_string) as client:
        yield client


@pytest.fixture
def connection(clean_azurite: Azurite) -> dict[str, str]:
    return {"MigrationStorage": clean_azurite.connection_string}


def test_a_timer_fires_at_its_moments_even_after_a_failure(app: App, connection: dict[str, str]) -> None:
    with host(app, **connection, **EVERY_SECOND, TICK_FAILS="1") as running:
        assert eventually(lambda: len(app.events("tock")) >= 2)
    assert not any(tick["past_due"] for tick in app.events("tick"))
    assert "ValueError: as the test asked" in running.log


def test_a_run_that_takes_longer_than_the_interval_is_not_overlapped(app: App, connection: dict[str, str]) -> None:
    with host(app, **connection, **EVERY_SECOND, TICK_SECONDS="1.3"):
        assert eventually(lambda: len(app.events("tock")) >= 2)
    events = [record["event"] for record in app.records]
    assert events[:4] == ["tick", "tock", "tick", "tock"]


def test_what_was_missed_comes_first_and_says_so(
    app: App, blobs: BlobServiceClient, connection: dict[str, str]
) -> None:
    last = datetime.now(UTC) - timedelta(days=800)
    status = {"Last": last.isoformat(), "Next": last.isoformat(), "LastUpdated": last.isoformat()}
    blobs.create_container(STATUS[0])
    blobs.get_blob_client(*STATUS).upload_blob(json.dumps(status).encode())
    with host(app, **connection, **NEW_YEAR) as first:
        assert eventually(lambda: app.events("tock"))
        first.signal(signal.SIGTERM)
        assert first.wait() == 0
    assert datetime.fromisoformat(_status(blobs)["Next"]) > datetime.now(UTC)
    [tick] = app.events("tick")
    assert tick["past_due"] is True
    assert tick["last"] == status["Last"]
    # The next start has nothing to make up for.
    with host(app, **connection, **NEW_YEAR) as second:
        assert eventually(lambda: "leading" in second.log)
        assert not eventually(lambda: len(app.events("tick")) > 1, seconds=0.5)


def test_the_first_start_ever_owes_nothing(app: App, blobs: BlobServiceClient, connection: dict[str, str]) -> None:
    with host(app, **connection, **NEW_YEAR):
        assert eventually(lambda: blobs.get_blob_client(*STATUS).exists())
    assert app.records == []


async def test_a_timer_can_be_run_now(app: App, connection: dict[str, str]) -> None:
    with host(app, **connection, **NEW_YEAR) as running:
        async with aiohttp.ClientSession(running.url) as client:
            async with client.post("/admin/functions/tick") as response:
                assert response.status == 202
            async with client.post("/admin/functions/nothing") as response:
                assert response.status == 404
    # Another test may have left a schedule that is past due: only what was asked for counts here.
    assert [tick["past_due"] for tick in app.events("tick")].count(False) == 1


async def test_a_timer_can_be_run_before_the_host_has_tried_for_its_lease(
    blobs: BlobServiceClient, connection: dict[str, str]
) -> None:
    storage = Storage(Connection.named("MigrationStorage", connection))
    ran: list[Datum] = []

    async def invoke(payload: Datum) -> None:
        ran.append(payload)

    timer = TimerListener(
        "tick",
        TimerTrigger("timer", NEW_YEAR["SCHEDULE"], use_monitor=True, run_on_startup=False),
        parse_schedule(NEW_YEAR["SCHEDULE"]),
        Leadership(storage, "locks/app/timers"),
        storage.blobs.get_blob_client(*STATUS),
        invoke,
    )
    try:
        await timer.fire(Due(datetime.now(UTC), past_due=False))
    finally:
        await storage.close()
    assert len(ran) == 1
    assert _status(blobs)["Last"] > "2026"


def test_a_host_that_stops_hands_its_timers_over(app: App, connection: dict[str, str]) -> None:
    with host(app, **connection, **EVERY_SECOND) as first:
        assert eventually(lambda: app.events("tock"))
        with host(app, **connection, **EVERY_SECOND) as second:
            assert not eventually(lambda: _ticks_of(app, second.process.pid), seconds=1.5)
            first.signal(signal.SIGTERM)
            assert first.wait() == 0
            assert eventually(lambda: _ticks_of(app, second.process.pid), seconds=6)


def test_a_killed_host_loses_its_timers_when_its_lease_ends(app: App, connection: dict[str, str]) -> None:
    with host(app, **connection, **EVERY_SECOND) as first:
        assert eventually(lambda: app.events("tock"))
        with host(app, **connection, **EVERY_SECOND) as second:
            first.signal(signal.SIGKILL)
            first.wait()
            # 15 s of lease, 2 s between attempts, a second to the next moment.
            assert eventually(lambda: _ticks_of(app, second.process.pid), seconds=20)


def _ticks_of(app: App, pid: int) -> bool:
    return any(tick["pid"] == pid for tick in app.events("tick"))


def _status(blobs: BlobServiceClient) -> dict[str, str]:
    content: dict[str, str] = json.loads(blobs.get_blob_client(*STATUS).download_blob().readall())
    return content
