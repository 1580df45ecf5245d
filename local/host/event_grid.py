"""Stands in for Event Grid: tells the queue `receive-export` about each new or changed blob in `exports`.

It asks for the list of blobs once a second and remembers in memory what it has told. So a host that starts, or
takes over from another one, tells about every blob that is there once more. That is allowed: Event Grid delivers at
least once. Of several hosts on one storage only one does this at a time.
"""

import base64
import json
import logging
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from azure.core.exceptions import AzureError, ResourceNotFoundError
from azure.storage.blob import BlobProperties

from local.host.leadership import Leadership
from local.host.stopping import Stopping
from local.host.storage import Storage

log: Final = logging.getLogger("host.event_grid")

CONTAINER: Final = "exports"
QUEUE: Final = "receive-export"
LEASE: Final = "event-grid"
_POLL_EVERY: Final = 1.0
_NEVER_EXPIRES: Final = -1
_NO_SUBSCRIPTION: Final = "00000000-0000-0000-0000-000000000000"


@dataclass
class EventGrid:
    """The subscription of one queue to one container."""

    storage: Storage
    leadership: Leadership
    _told: dict[str, str] = field(default_factory=dict)

    async def run(self, stopping: Stopping) -> None:
        """Send events about blobs while this host leads, until it stops."""
        while await self.leadership.wait(stopping):
            self._told.clear()
            while self.leadership.held and not stopping.asked:
                await self._look_for_blobs()
                await stopping.pause(_POLL_EVERY)

    async def _look_for_blobs(self) -> None:
        try:
            async for blob in self.storage.blobs.get_container_client(CONTAINER).list_blobs():
                if self._told.get(blob.name) != blob.etag:
                    await self._send_event(blob)
                    self._told[blob.name] = blob.etag
        except ResourceNotFoundError:
            log.debug("container or queue is not there yet")
        except AzureError as error:
            log.warning("storage not reached", extra={"error": type(error).__name__})

    async def _send_event(self, blob: BlobProperties) -> None:
        account = str(self.storage.blobs.account_name)
        url = self.storage.blobs.get_blob_client(CONTAINER, blob.name).url
        body = json.dumps(blob_created(blob, account, url)).encode()
        queue = self.storage.queues.get_queue_client(QUEUE)
        await queue.send_message(base64.b64encode(body).decode(), time_to_live=_NEVER_EXPIRES)
        log.info("told about a blob", extra={"etag": blob.etag})


def blob_created(blob: BlobProperties, account: str, url: str) -> dict[str, object]:
    """One event in the Event Grid schema, as a Storage queue receives it (an object, not a list of one)."""
    return {
        "topic": f"/subscriptions/{_NO_SUBSCRIPTION}/resourceGroups/local"
        f"/providers/Microsoft.Storage/storageAccounts/{account}",
        "subject": f"/blobServices/default/containers/{CONTAINER}/blobs/{blob.name}",
        "eventType": "Microsoft.Storage.BlobCreated",
        "id": str(uuid.uuid4()),
        "data": {
            "api": "PutBlob",
            "clientRequestId": str(uuid.uuid4()),
            "requestId": str(uuid.uuid4()),
            "eTag": blob.etag.strip('"'),
            "contentType": blob.content_settings.content_type,
            "contentLength": blob.size,
            "blobType": "BlockBlob",
            "url": url,
            "sequencer": f"{datetime.now(UTC).timestamp():.6f}".replace(".", "").zfill(48),
            "storageDiagnostics": {"batchId": str(uuid.uuid4())},
        },
        "dataVersion": "",
        "metadataVersion": "1",
        "eventTime": blob.last_modified.astimezone(UTC).isoformat().replace("+00:00", "Z"),
    }
