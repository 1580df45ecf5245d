"""Every port in memory, with the limits and refusals of the real ones. For tests, and for reading: each is short."""

from shared.adapters.memory.clock import ManualClock
from shared.adapters.memory.containers import MemoryBackups, MemoryExports, MemoryReports
from shared.adapters.memory.directory import MemoryDirectory
from shared.adapters.memory.notifier import MemoryNotifier
from shared.adapters.memory.outbox import MemoryOutbox, Queued
from shared.adapters.memory.tables import MemoryTables

__all__ = [
    "ManualClock",
    "MemoryBackups",
    "MemoryDirectory",
    "MemoryExports",
    "MemoryNotifier",
    "MemoryOutbox",
    "MemoryReports",
    "MemoryTables",
    "Queued",
]
