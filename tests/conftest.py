"""What tests of any kind may ask for: an emulated storage account, one per test process."""

from collections.abc import Iterator

import pytest
from azure.data.tables import TableServiceClient
from azure.storage.blob import BlobServiceClient
from azure.storage.queue import QueueServiceClient
from hypothesis import settings

from local.azurite import Azurite, run_azurite
from tests.support.rotation import EIGHTHS, choose_eighth

# Here, before any test imports them: what is shared by tests explains its failures as tests do.
for module in ("stories", "telemetry", "losses", "canaries"):
    pytest.register_assert_rewrite(f"tests.support.{module}")

# No test measures time, and these machines are noisy: a slow example is no failure.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--deep`: run what only the deep lane runs."""
    parser.addoption("--deep", action="store_true", help="run the tests marked `deep`, too")


def pytest_configure(config: pytest.Config) -> None:
    """Choose the part of the simulation before any worker starts."""
    choose_eighth(deep=config.getoption("--deep"))


def pytest_report_header(config: pytest.Config) -> str:
    """Which lane this is."""
    if config.getoption("--deep"):
        return "lane: deep, every test and every crash point"
    eighth = int(choose_eighth(deep=False)) + 1
    return f"lane: push, without the tests marked `deep`; of the crash points and seeds, eighth {eighth} of {EIGHTHS}"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the deep tests out of the push lane, unless somebody asks for them by their mark."""
    if config.getoption("--deep") or "deep" in config.getoption("markexpr"):
        return
    deep = [item for item in items if item.get_closest_marker("deep")]
    if deep:
        config.hook.pytest_deselected(items=deep)
        items[:] = [item for item in items if not item.get_closest_marker("deep")]


@pytest.fixture(scope="session")
def azurite() -> Iterator[Azurite]:
    """An Azurite of this test process alone, on free ports, in memory. What other tests left is in it."""
    with run_azurite() as emulator:
        yield emulator


@pytest.fixture
def clean_azurite(azurite: Azurite) -> Azurite:
    """The same Azurite, with no container, queue or table in it."""
    with BlobServiceClient.from_connection_string(azurite.connection_string) as blobs:
        for container in blobs.list_containers():
            blobs.delete_container(container.name)
    with QueueServiceClient.from_connection_string(azurite.connection_string) as queues:
        for queue in queues.list_queues():
            queues.delete_queue(queue.name)
    with TableServiceClient.from_connection_string(azurite.connection_string) as tables:
        for table in tables.list_tables():
            tables.delete_table(table.name)
    return azurite
