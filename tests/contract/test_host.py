"""What the code, the host's settings, the local host and the bindings must say alike."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from azure.functions import FunctionApp

from local.azurite import Azurite
from local.host import storage as host_storage
from shared import names
from shared.runtime import wiring
from tests.contract.conftest import connected

ROOT = Path(__file__).parents[2]
SETTINGS = {
    names.STORAGE_CONNECTION: "UseDevelopmentStorage=true",
    "DIRECTORY_KIND": "b2c",
    "DIRECTORY_TENANT": "norfolkidentity.onmicrosoft.com",
    "DIRECTORY_GRAPH_URL": "http://127.0.0.1:1/v1.0",
    "DIRECTORY_EXTENSIONS_APP_ID": "0123456789abcdef0123456789abcdef",
    "NOTIFY_PROVIDER": "none",
    "PSEUDONYM_KEY": "0" * 64,
}


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch) -> Iterator[FunctionApp]:
    """The whole app, as the host indexes it."""
    for name, value in SETTINGS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delitem(sys.modules, "function_app", raising=False)
    wiring.get_settings.cache_clear()
    wiring.get_profiles.cache_clear()
    import function_app  # noqa: PLC0415 - it reads the settings

    yield function_app.app
    wiring.get_settings.cache_clear()
    wiring.get_profiles.cache_clear()
    sys.modules.pop("function_app")


def triggers(app: FunctionApp) -> list[dict[str, Any]]:
    """Each function's trigger, in the order of the table of contents."""
    found = [function.get_trigger() for function in app.get_functions()]
    return [trigger.get_dict_repr() for trigger in found if trigger]


def test_each_queue_has_its_function_in_the_order_of_the_flow(app: FunctionApp) -> None:
    queues = [trigger for trigger in triggers(app) if trigger["type"] == "queueTrigger"]
    assert tuple(trigger["queueName"] for trigger in queues) == names.QUEUES
    assert {trigger["connection"] for trigger in queues} == {names.STORAGE_CONNECTION}


def test_functions_are_called_as_their_queues(app: FunctionApp) -> None:
    found = {
        trigger.get_dict_repr()["queueName"]: function.get_function_name()
        for function in app.get_functions()
        if (trigger := function.get_trigger()) and "queueName" in trigger.get_dict_repr()
    }
    assert found == {queue: queue.replace("-", "_") for queue in names.QUEUES}


def test_the_host_delivers_as_the_code_expects() -> None:
    queues = json.loads((ROOT / "host.json").read_text())["extensions"]["queues"]
    assert queues == {
        "batchSize": 16,
        "newBatchThreshold": 8,
        "maxDequeueCount": names.MAX_DEQUEUE_COUNT,
        "visibilityTimeout": "00:00:30",
        "maxPollingInterval": "00:00:02",
        "messageEncoding": "base64",
    }


@pytest.mark.azurite
async def test_the_local_host_creates_what_the_app_needs(clean_azurite: Azurite) -> None:
    settings = {names.STORAGE_CONNECTION: clean_azurite.connection_string}
    storage = host_storage.Storage(host_storage.Connection.named(names.STORAGE_CONNECTION, settings))
    try:
        for _ in range(2):
            await storage.create_missing()
    finally:
        await storage.close()
    async with connected(clean_azurite) as found:
        assert sorted([table.name async for table in found.tables.list_tables()]) == sorted(names.TABLES)
        assert sorted([blob.name async for blob in found.blobs.list_containers()]) == sorted(names.CONTAINERS)
        assert sorted([queue.name async for queue in found.queues.list_queues()]) == sorted(names.EVERY_QUEUE)
