"""Each port twice: in memory, and as it really is, on an emulated storage account or a stand-in."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from local.azurite import Azurite
from shared import names
from shared.adapters.memory import ManualClock, MemoryTables
from shared.adapters.storage.azure_tables import AzureTables
from shared.adapters.storage.clients import Storage, connect_storage
from shared.adapters.storage.store import Store
from shared.adapters.storage.table_ledger import open_ledger
from shared.ports import Ledger

ON_BOTH = ("memory", pytest.param("azurite", marks=pytest.mark.azurite))


@asynccontextmanager
async def connected(azurite: Azurite) -> AsyncIterator[Storage]:
    """The app's own clients of this storage account, closed in the end."""
    storage = connect_storage({names.STORAGE_CONNECTION: azurite.connection_string})
    async with storage.blobs, storage.queues, storage.tables:
        yield storage


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def storage(clean_azurite: Azurite) -> AsyncIterator[Storage]:
    """An empty storage account with the app's tables, containers and queues in it."""
    async with connected(clean_azurite) as found:
        for table in names.TABLES:
            await found.tables.create_table(table)
        for container in names.CONTAINERS:
            await found.blobs.create_container(container)
        for queue in names.QUEUES:
            await found.queues.create_queue(queue)
        yield found


@pytest.fixture(params=ON_BOTH)
async def store(request: pytest.FixtureRequest) -> AsyncIterator[Store]:
    """Tables with nothing in them."""
    if request.param == "memory":
        yield MemoryTables()
        return
    async with connected(request.getfixturevalue("clean_azurite")) as found:
        for table in names.TABLES:
            await found.tables.create_table(table)
        yield AzureTables(found.tables)


@pytest.fixture
def ledger(store: Store) -> Ledger:
    return open_ledger(store, ManualClock())
