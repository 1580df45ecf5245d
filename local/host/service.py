"""The host: it starts the listeners, runs them, and stops them in order."""

import asyncio
import logging
import os
import re
import signal
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final

from aiohttp import web
from azure.core.exceptions import AzureError, ResourceNotFoundError
from azure.storage.queue.aio import QueueClient
from azure_functions_runtime.bindings.datumdef import Datum

from local.host import http_server, ncrontab, page
from local.host.bindings import DEFAULT_CONNECTION, QueueTrigger, TimerTrigger
from local.host.errors import CannotStartError
from local.host.event_grid import EventGrid
from local.host.host_json import HostJson
from local.host.leadership import CONTAINER, Leadership
from local.host.outputs import RETURNED, QueueOutputs
from local.host.poison import poison_of
from local.host.queue_listener import QueueListener
from local.host.runtime import Function, Outcome, invoke_function
from local.host.stopping import Stopping
from local.host.storage import Accounts, Storage
from local.host.timers import Due, TimerListener

log: Final = logging.getLogger("host")

LOOPBACK: Final = "127.0.0.1"
DATA_CONNECTION: Final = "MigrationStorage"
HOST_ID_SETTING: Final = "AzureFunctionsWebHost__hostid"
_LONGEST_HOST_ID: Final = 32

type Loop = Callable[[Stopping], Coroutine[Any, Any, None]]
"""A task that runs until the host stops."""


@dataclass(frozen=True)
class Options:
    """The options of the command line."""

    app: Path
    port: int
    lease: timedelta
    drain: timedelta
    event_grid: bool


class Host:
    """One host process for one app. `run` may be called once."""

    def __init__(
        self, options: Options, functions: Sequence[Function], config: HostJson, settings: Mapping[str, str]
    ) -> None:
        self._options = options
        self._functions = functions
        self._config = config
        self._settings = settings
        self._accounts = Accounts(settings)
        self._outputs = QueueOutputs(self._accounts, base64=config.queues.base64)
        self._wakes: dict[str, asyncio.Event] = {}
        self._leaderships: list[Leadership] = []
        self._timers: dict[str, TimerListener] = {}
        self._stopping = Stopping()
        # Leases are kept until the last run is over, so that no other host begins the same timer meanwhile.
        self._drained = Stopping()

    async def run(self) -> int:
        """Serve until a signal arrives and the running functions have ended. Returns the exit status.

        Raises:
            CannotStartError: a setting is missing, the storage does not answer, or the port is in use.
        """
        self._listen_to_signals()
        try:
            await self._create_missing()
            # All of them are made before any starts: a wrong setting must stop the start, not half of the app.
            loops = [*self._queue_listeners(), *self._timer_listeners(), *self._event_grid()]
            runner = await self._serve_http()
            return await self._until_stopped([asyncio.create_task(loop(self._stopping)) for loop in loops], runner)
        finally:
            await self._accounts.close()
            # The app's own clients end with the process, as in Azure; asyncio would complain of each.
            logging.getLogger("asyncio").setLevel(logging.CRITICAL)

    # --- what runs ---

    async def _create_missing(self) -> None:
        storage = self._data_storage()
        if storage is None or not storage.connection.is_local:
            return
        try:
            await storage.create_missing()
        except AzureError as error:
            raise CannotStartError(
                f"the storage of {DATA_CONNECTION} does not answer ({type(error).__name__}). "
                "Is Azurite running? python3 dev.py azurite starts it."
            ) from None

    def _queue_listeners(self) -> list[Loop]:
        listeners: list[Loop] = []
        for function, trigger in self._list_enabled(QueueTrigger):
            queues = self._accounts.named(trigger.connection).queues
            listener = QueueListener(
                function=function.name,
                trigger=trigger,
                queue=queues.get_queue_client(trigger.queue),
                poison=poison_of(trigger.queue, queues),
                options=self._config.queues,
                lease=self._options.lease,
                invoke=partial(self._run_for_queue, function),
                wake=self._wakes.setdefault(trigger.queue, asyncio.Event()),
            )
            listeners.append(listener.run)
        return listeners

    def _timer_listeners(self) -> list[Loop]:
        enabled = self._list_enabled(TimerTrigger)
        if not enabled:
            return []
        storage = self._accounts.named(self._lease_connection())
        leadership = self._lead_hosts(storage, f"locks/{self._host_id}/timers")
        for function, trigger in enabled:
            self._timers[function.name] = TimerListener(
                function.name,
                trigger,
                _read_schedule(function.name, trigger),
                leadership,
                storage.blobs.get_blob_client(CONTAINER, f"timers/{self._host_id}/{function.name}/status"),
                partial(self._run_function, function, metadata={}),
            )
        return [timer.run for timer in self._timers.values()]

    def _event_grid(self) -> list[Loop]:
        storage = self._data_storage()
        if storage is None or not storage.connection.is_local or not self._options.event_grid:
            return []
        return [EventGrid(storage, self._lead_hosts(storage, "locks/event-grid")).run]

    def _lead_hosts(self, storage: Storage, blob: str) -> Leadership:
        leadership = Leadership(storage, blob)
        self._leaderships.append(leadership)
        return leadership

    async def _serve_http(self) -> web.AppRunner:
        found = http_server.list_endpoints(self._functions, self._config.route_prefix)
        app = http_server.make_application(found, self._answer_request, self._show_page, self._run_now)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=self._options.drain.total_seconds())
        await runner.setup()
        try:
            await web.TCPSite(runner, LOOPBACK, self._options.port).start()
        except OSError as error:
            raise CannotStartError(
                f"port {self._options.port} cannot be used ({error.strerror}). Choose another with --port."
            ) from None
        return runner

    # --- its life ---

    async def _until_stopped(self, tasks: list[asyncio.Task[None]], runner: web.AppRunner) -> int:
        leases = [asyncio.create_task(leadership.run(self._drained)) for leadership in self._leaderships]
        asked = asyncio.create_task(self._stopping.wait())
        self._say_ready(runner.addresses[0][1])
        await asyncio.wait([asked, *tasks, *leases], return_when=asyncio.FIRST_COMPLETED)
        failed = not self._stopping.asked
        self._stopping.ask()
        await asyncio.gather(runner.cleanup(), self._drain_invocations(tasks))
        self._drained.ask()
        results = await asyncio.gather(*tasks, *leases, return_exceptions=True)
        for leadership in self._leaderships:
            await leadership.release()
        for result in results:
            if isinstance(result, Exception):
                log.error("a listener broke down", exc_info=result)
        return 1 if failed else 0

    async def _drain_invocations(self, tasks: list[asyncio.Task[None]]) -> None:
        if not tasks:
            return
        _, late = await asyncio.wait(tasks, timeout=self._options.drain.total_seconds())
        for task in late:
            log.warning("not done in time, given up: its messages come back when their leases end")
            task.cancel()

    def _say_ready(self, port: int) -> None:
        width = max(len(function.name) for function in self._functions)
        for function in self._functions:
            off = "  (disabled)" if function.disabled else ""
            print(f"  {function.name:<{width}}  {page.describe_trigger(function)}{off}")
        # Last, so that whoever waits for this line has read the rest.
        print(f"host listening on http://{LOOPBACK}:{port}", flush=True)

    def _listen_to_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            try:
                loop.add_signal_handler(number, self._on_signal, number)
            except NotImplementedError:  # Windows
                signal.signal(number, lambda got, _: loop.call_soon_threadsafe(self._on_signal, got))

    def _on_signal(self, number: int) -> None:
        if self._stopping.asked:
            os._exit(128 + number)
        log.info("stopping: what runs is finished first; a second signal ends it at once")
        self._stopping.ask()

    # --- invocations ---

    async def _run_function(self, function: Function, trigger: Datum, metadata: Mapping[str, Datum]) -> Outcome:
        outcome = await invoke_function(function, trigger, metadata, self._config.function_timeout)
        if not outcome.ok:
            return outcome
        try:
            reached = await self._outputs.send(function, outcome)
        except AzureError as error:
            log.error("output failed", extra={"function": function.name, "error": type(error).__name__})  # noqa: TRY400 - its text may hold URLs
            return replace(outcome, ok=False)
        for queue in reached:
            if queue in self._wakes:
                self._wakes[queue].set()
        return outcome

    async def _run_for_queue(self, function: Function, trigger: Datum, metadata: Mapping[str, Datum]) -> bool:
        return (await self._run_function(function, trigger, metadata)).ok

    async def _answer_request(self, function: Function, request: Datum) -> web.Response:
        outcome = await self._run_function(function, request, {})
        if not outcome.ok:
            return web.Response(status=500)
        values = {RETURNED: outcome.returned, **dict(outcome.outputs)}
        return http_server.make_response(values.get(function.bindings.http_output or RETURNED))

    async def _run_now(self, name: str) -> web.Response:
        if name not in self._timers:
            return web.Response(status=404, text=f"{name} is not a timer function that runs here\n")
        await self._timers[name].fire(Due(datetime.now(UTC), past_due=False))
        return web.Response(status=202)

    async def _show_page(self) -> web.Response:
        depths: dict[str, int | None] = {}
        for _, trigger in self._list_enabled(QueueTrigger):
            queues = self._accounts.named(trigger.connection).queues
            depths[trigger.queue] = await _read_depth(queues.get_queue_client(trigger.queue))
            if poison := poison_of(trigger.queue, queues):
                depths[poison.name] = await _read_depth(poison.queue)
        return web.Response(text=page.render_page(self._functions, depths), content_type="text/html")

    # --- settings ---

    def _list_enabled[Kind: (QueueTrigger, TimerTrigger)](self, kind: type[Kind]) -> list[tuple[Function, Kind]]:
        return [
            (function, trigger)
            for function in self._functions
            if not function.disabled and isinstance(trigger := function.bindings.trigger, kind)
        ]

    def _data_storage(self) -> Storage | None:
        try:
            return self._accounts.named(DATA_CONNECTION)
        except CannotStartError:
            return None  # an app that does not need it need not set it

    def _lease_connection(self) -> str:
        has_own = any(name.split("__")[0] == DEFAULT_CONNECTION for name in self._settings)
        return DEFAULT_CONNECTION if has_own else DATA_CONNECTION

    @property
    def _host_id(self) -> str:
        """Hosts of one app share it, and with it leases and timer status."""
        slug = re.sub(r"[^a-z0-9]+", "-", self._options.app.name.lower()).strip("-")
        return self._settings.get(HOST_ID_SETTING) or slug[:_LONGEST_HOST_ID] or "app"


def _read_schedule(function: str, trigger: TimerTrigger) -> ncrontab.Schedule:
    try:
        return ncrontab.parse_schedule(trigger.schedule)
    except ValueError as error:
        raise CannotStartError(f"function {function}: {error}.") from None


async def _read_depth(queue: QueueClient) -> int | None:
    try:
        return (await queue.get_queue_properties()).approximate_message_count
    except ResourceNotFoundError:
        return None
