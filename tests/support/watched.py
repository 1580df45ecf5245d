"""Every port behind a watcher: a script is asked before and after each call, and may wait, refuse or kill the host."""

import inspect
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any, Protocol, cast

from shared.adapters.storage.store import Store
from shared.adapters.storage.table_ledger import open_ledger
from shared.ports import Backups, Directory, Exports, Notifier, Outbox, Ports, Reports

WRITE = "tables.write"
EFFECTS = frozenset(
    {
        "backups.add",
        "outbox.send",
        "outbox.take_poison",
        "directory.create",
        "directory.link",
        "directory.retire",
        "directory.delete",
        "notifier.send",
        "notifier.send_notice",
        "reports.put",
        "reports.put_blocks",
        "reports.stage",
        "reports.publish",
    }
)
"""The calls that change something outside the process, beside `WRITE`."""
SUMMARY = "tables.write Migrations s"


def is_effect(call: str) -> bool:
    """Whether a call changes something outside the process; summaries count again what they counted before."""
    return call in EFFECTS or (call.startswith(WRITE) and call != SUMMARY)


class Script(Protocol):
    """What one life of a host process goes through."""

    async def before(self, call: str) -> None: ...

    async def after(self, call: str) -> None: ...


class _Watched:
    def __init__(self, name: str, port: object, script: Script) -> None:
        self._name = name
        self._port = port
        self._script = script

    def __getattr__(self, method: str) -> Any:  # noqa: ANN401 - it stands for any method of any port
        real = getattr(self._port, method)
        call = f"{self._name}.{method}"
        script = self._script

        async def items(*args: object, **kwargs: object) -> AsyncIterator[Any]:
            await script.before(call)
            async for item in real(*args, **kwargs):
                yield item
            await script.after(call)

        async def answer(*args: object, **kwargs: object) -> object:
            # A write to the tables is told with its table and kind of partition: `tables.write Migrations s`.
            this = f"{call} {args[0]} {str(args[1]).split('|')[1]}" if call == WRITE else call
            await script.before(this)
            found = await real(*args, **kwargs)
            await script.after(this)
            return found

        asks_somebody = items if inspect.isasyncgenfunction(real) else answer
        chosen = asks_somebody if inspect.isasyncgenfunction(real) or inspect.iscoroutinefunction(real) else real
        setattr(self, method, chosen)
        return chosen


def watched(ports: Ports, tables: Store, script: Script) -> Ports:
    """The same ports, each call of them watched; the ledger at its tables, where its effects are."""
    return replace(
        ports,
        exports=cast("Exports", _Watched("exports", ports.exports, script)),
        reports=cast("Reports", _Watched("reports", ports.reports, script)),
        backups=cast("Backups", _Watched("backups", ports.backups, script)),
        ledger=open_ledger(cast("Store", _Watched("tables", tables, script)), ports.clock),
        outbox=cast("Outbox", _Watched("outbox", ports.outbox, script)),
        directory=cast("Directory", _Watched("directory", ports.directory, script)),
        notifier=cast("Notifier", _Watched("notifier", ports.notifier, script)) if ports.notifier else None,
    )
