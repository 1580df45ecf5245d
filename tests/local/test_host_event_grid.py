"""The stand-in for Event Grid, against Azurite."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from azure.storage.blob import BlobServiceClient

from local.azurite import Azurite
from tests.local.host_kit import App, eventually, host, write_app

pytestmark = pytest.mark.azurite

RECEIVE = """
@app.queue_trigger(arg_name="message", queue_name="receive-export", connection="MigrationStorage")
async def receive(message: func.QueueMessage) -> None:
    record("event", **message.get_json())
"""


@pytest.fixture
def app(tmp_path: Path) -> App:
    return write_app(tmp_path / "app", RECEIVE.replace('record("event", **', 'record("told", content='))


@pytest.fixture
def blobs(clean_azurite: Azurite) -> Iterator[BlobServiceClient]:
    with BlobServiceClient.from_connection_string(clean_azurite.connection_string) as client:
        yield client


def told(app: App) -> list[str]:
    return [record["content"]["subject"].rsplit("/blobs/")[1] for record in app.events("told")]


def test_each_version_of_a_blob_is_told_once_in_the_event_grid_schema(
    app: App, azurite: Azurite, blobs: BlobServiceClient
) -> None:
    with host(app, MigrationStorage=azurite.connection_string):
        # The host has created the container, as it does on an emulator.
        blob = blobs.get_blob_client("exports", "south-norfolk/a file.csv")
        first = blob.upload_blob(b"one")["etag"]
        assert eventually(lambda: len(told(app)) == 1)
        second = blob.upload_blob(b"two and more", overwrite=True)["etag"]
        assert eventually(lambda: len(told(app)) == 2)
        assert not eventually(lambda: len(told(app)) > 2, seconds=1.5)
    events = [record["content"] for record in app.events("told")]
    assert [event["data"]["eTag"] for event in events] == [first.strip('"'), second.strip('"')]
    assert [event["data"]["contentLength"] for event in events] == [3, 12]
    assert {event["eventType"] for event in events} == {"Microsoft.Storage.BlobCreated"}
    assert {event["subject"] for event in events} == {
        "/blobServices/default/containers/exports/blobs/south-norfolk/a file.csv"
    }
    assert {event["data"]["url"] for event in events} == {blob.url}


def test_what_is_there_at_the_start_is_told_again_by_one_host_of_several(
    app: App, azurite: Azurite, blobs: BlobServiceClient
) -> None:
    blobs.create_container("exports")
    blobs.get_blob_client("exports", "a.csv").upload_blob(b"one")
    connection = azurite.connection_string
    with host(app, MigrationStorage=connection), host(app, MigrationStorage=connection):
        assert eventually(lambda: told(app))
        assert not eventually(lambda: len(told(app)) > 1, seconds=2.5)


def test_it_can_be_switched_off(app: App, azurite: Azurite, blobs: BlobServiceClient) -> None:
    with host(app, "--no-event-grid", MigrationStorage=azurite.connection_string):
        blobs.get_blob_client("exports", "a.csv").upload_blob(b"one")
        assert not eventually(lambda: told(app), seconds=2)
