"""Which of several hosts on one storage account does what must be done once: the host that holds a short blob lease."""

import asyncio
import logging
import time
from typing import Final

from azure.core.exceptions import AzureError, HttpResponseError, ResourceNotFoundError
from azure.storage.blob.aio import BlobClient, BlobLeaseClient

from local.host.stopping import Stopping
from local.host.storage import Storage, ignore_existing

log: Final = logging.getLogger("host.leadership")

CONTAINER: Final = "azure-webjobs-hosts"

# The shortest lease that the service gives: a killed host is replaced after this and one more attempt.
LEASE_SECONDS: Final = 15
_RENEW_EVERY: Final = 5.0
_TRY_EVERY: Final = 2.0


class Leadership:
    """A lease on one blob, which the host keeps while it runs and releases when it stops.

    `held` becomes False if the lease could not be renewed in time, for any reason.
    """

    def __init__(self, storage: Storage, blob: str) -> None:
        self._storage = storage
        self._name = blob
        self._blob: BlobClient = storage.blobs.get_blob_client(CONTAINER, blob)
        self._lease: BlobLeaseClient | None = None
        self._until = 0.0
        self._gained = asyncio.Event()

    @property
    def held(self) -> bool:
        """True if this host leads now."""
        return self._lease is not None and time.monotonic() < self._until

    async def wait(self, stopping: Stopping) -> bool:
        """Wait until this host leads (true) or stops (false)."""
        while not self.held and not stopping.asked:
            self._gained.clear()
            await stopping.first(self._gained.wait())
        return self.held and not stopping.asked

    async def run(self, stopping: Stopping) -> None:
        """Try for the lease and renew it until the host stops. Release it with `release` after that."""
        while not stopping.asked:
            try:
                await (self._renew_lease() if self._lease else self._acquire_lease())
            except AzureError as error:
                log.warning("lease not reached", extra={"lease": self._name, "error": type(error).__name__})
            await stopping.pause(_RENEW_EVERY if self.held else _TRY_EVERY)

    async def release(self) -> None:
        """Give the lease up, so that another host need not wait for its end."""
        lease, self._lease = self._lease, None
        if lease is not None:
            try:
                await lease.release()
            except AzureError:
                log.debug("lease already gone", extra={"lease": self._name})

    async def prepare(self) -> None:
        """Create the hosts' own container, unless it exists."""
        await ignore_existing(self._storage.blobs.create_container(CONTAINER))

    async def _acquire_lease(self) -> None:
        lease = BlobLeaseClient(self._blob)
        asked_at = time.monotonic()
        try:
            await lease.acquire(LEASE_SECONDS)
        except ResourceNotFoundError:
            await self.prepare()
            await ignore_existing(self._blob.upload_blob(b""))
            await lease.acquire(LEASE_SECONDS)
        except HttpResponseError as error:
            if error.status_code == 409:  # noqa: PLR2004 - Conflict: another host has it
                return
            raise
        self._lease, self._until = lease, asked_at + LEASE_SECONDS
        self._gained.set()
        log.info("leading", extra={"lease": self._name})

    async def _renew_lease(self) -> None:
        if self._lease is None:
            return
        asked_at = time.monotonic()
        try:
            await self._lease.renew()
            self._until = asked_at + LEASE_SECONDS
            self._gained.set()
        except HttpResponseError as error:
            log.warning("lease lost", extra={"lease": self._name, "status": error.status_code})
            self._lease = None
