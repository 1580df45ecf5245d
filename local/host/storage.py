"""Storage accounts: from the name of a connection to clients."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final
from urllib.parse import urlsplit

from azure.core.exceptions import ResourceExistsError
from azure.data.tables.aio import TableServiceClient
from azure.storage.blob.aio import BlobServiceClient
from azure.storage.queue.aio import QueueServiceClient

from local.host.errors import CannotStartError
from shared.names import CONTAINERS, EVERY_QUEUE, TABLES

log: Final = logging.getLogger("host.storage")

DEVELOPMENT: Final = "UseDevelopmentStorage=true"
LOOPBACK: Final = {"127.0.0.1", "localhost", "::1"}

# The SDKs' own retries hide a storage that is away for minutes (three tries, 15 s and more apart).
_RETRIES: Final = {"initial_backoff": 1, "increment_base": 2, "random_jitter_range": 1, "retry_total": 3}
_TABLE_RETRIES: Final = {"retry_total": 3, "retry_backoff_factor": 0.5}


@dataclass(frozen=True)
class Connection:
    """The settings of one connection: a connection string, or addresses and an identity."""

    name: str
    string: str | None
    service_uris: Mapping[str, str]
    client_id: str | None

    @classmethod
    def named(cls, name: str, settings: Mapping[str, str]) -> "Connection":
        """Read `<name>`, or `<name>__queueServiceUri` and so on.

        Raises:
            CannotStartError: neither is set.
        """
        for spelling in (name, f"AzureWebJobs{name}"):  # the real host tries the second as well
            uris = {
                service: uri
                for service in ("blob", "queue", "table")
                if (uri := settings.get(f"{spelling}__{service}ServiceUri"))
            }
            string = settings.get(spelling)
            if string or uris:
                return cls(name, string, uris, settings.get(f"{spelling}__clientId"))
        raise CannotStartError(
            f"app setting {name} is not set: it should be a storage connection string "
            f"({DEVELOPMENT} for Azurite), or {name}__queueServiceUri and the like."
        )

    @property
    def is_local(self) -> bool:
        """True for an emulator on this machine, where missing things may be created."""
        if self.string:
            parts = dict(part.split("=", 1) for part in self.string.split(";") if "=" in part)
            if parts.get("UseDevelopmentStorage", "").lower() == "true":
                return True
            endpoints = [value for key, value in parts.items() if key.endswith("Endpoint")]
        else:
            endpoints = list(self.service_uris.values())
        return bool(endpoints) and all(urlsplit(endpoint).hostname in LOOPBACK for endpoint in endpoints)


class Storage:
    """The clients of one storage account. They live in one event loop and share their connections."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._open: list[Any] = []

    @cached_property
    def queues(self) -> QueueServiceClient:
        """The queue service. Message content is passed through as it is: the listener decodes it."""
        return self._make_client(QueueServiceClient, "queue", _RETRIES)

    @cached_property
    def blobs(self) -> BlobServiceClient:
        """The blob service."""
        return self._make_client(BlobServiceClient, "blob", _RETRIES)

    @cached_property
    def tables(self) -> TableServiceClient:
        """The table service."""
        return self._make_client(TableServiceClient, "table", _TABLE_RETRIES)

    async def create_missing(self) -> None:
        """Create the containers, queues and tables of the app that are not there yet. In Azure the Bicep files do."""
        for container in CONTAINERS:
            # Asked first, so with few retries: an emulator that was forgotten should be said soon.
            await ignore_existing(self.blobs.create_container(container, retry_total=1))
        for queue in EVERY_QUEUE:
            await ignore_existing(self.queues.create_queue(queue))
        for table in TABLES:
            await self.tables.create_table_if_not_exists(table)

    async def close(self) -> None:
        """Close every connection."""
        for client in reversed(self._open):
            await client.close()

    def _make_client[Client: (QueueServiceClient, BlobServiceClient, TableServiceClient)](
        self, kind: type[Client], service: str, options: Mapping[str, Any]
    ) -> Client:
        client = self._connect_services(kind, service, options)
        self._open.append(client)
        return client

    def _connect_services[Client: (QueueServiceClient, BlobServiceClient, TableServiceClient)](
        self, kind: type[Client], service: str, options: Mapping[str, Any]
    ) -> Client:
        if self.connection.string:
            return kind.from_connection_string(self.connection.string, **options)
        uri = self.connection.service_uris.get(service)
        if uri is None:
            name = f"{self.connection.name}__{service}ServiceUri"
            raise CannotStartError(f"app setting {name} is not set: the address of the {service} service.")
        return kind(uri, credential=self._make_credential, **options)

    @cached_property
    def _make_credential(self) -> Any:  # noqa: ANN401 - imported only where it is used
        from azure.identity.aio import DefaultAzureCredential  # noqa: PLC0415 - slow, and not needed for Azurite

        credential = DefaultAzureCredential(managed_identity_client_id=self.connection.client_id)
        self._open.append(credential)
        return credential


class Accounts:
    """The storage accounts of the app, by connection name, opened when first asked for."""

    def __init__(self, settings: Mapping[str, str]) -> None:
        self._settings = settings
        self._open: dict[str, Storage] = {}

    def named(self, name: str) -> Storage:
        """The storage of that connection.

        Raises:
            CannotStartError: its settings are missing.
        """
        if name not in self._open:
            self._open[name] = Storage(Connection.named(name, self._settings))
        return self._open[name]

    async def close(self) -> None:
        """Close all of them."""
        for storage in self._open.values():
            await storage.close()


async def ignore_existing(creation: Any) -> None:  # noqa: ANN401 - any of the SDK's awaitables
    """Await a creation. It is no error if another host was first."""
    try:
        await creation
    except ResourceExistsError:
        log.debug("already there")
