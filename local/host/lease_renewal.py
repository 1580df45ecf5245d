"""Keeps a message invisible to others while a function works on it."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from azure.core.exceptions import AzureError
from azure.storage.queue import QueueMessage
from azure.storage.queue.aio import QueueClient

from local.host.stopping import Stopping

log: Final = logging.getLogger("host.queue")


@dataclass
class Receipt:
    """The proof that a message is ours. Every renewal replaces it."""

    value: str


@asynccontextmanager
async def renew_lease(queue: QueueClient, message: QueueMessage, lease: timedelta) -> AsyncIterator[Receipt]:
    """Renew the lease at its half, again and again. After the block the receipt is the latest."""
    receipt = Receipt(message.pop_receipt or "")
    done = Stopping()
    renewal = asyncio.create_task(_renew_until_done(queue, message.id, receipt, lease, done))
    try:
        yield receipt
    finally:
        # Not cancelled: a renewal that was sent but not read would leave us with a stale receipt.
        done.ask()
        await renewal


async def _renew_until_done(
    queue: QueueClient, message_id: str, receipt: Receipt, lease: timedelta, done: Stopping
) -> None:
    seconds = lease.total_seconds()
    while True:
        await done.pause(seconds / 2)
        if done.asked:
            return
        try:
            updated = await queue.update_message(message_id, receipt.value, visibility_timeout=round(seconds))
            receipt.value = updated.pop_receipt or receipt.value
        except AzureError as error:
            log.warning("message lease not renewed", extra={"id": message_id, "error": type(error).__name__})
