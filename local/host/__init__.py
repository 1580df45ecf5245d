"""A functions host for a laptop: drives Microsoft's own Python runtime library, without Core Tools.

Indexing, binding and invocation are the code that runs in Azure (`azure_functions_runtime`, pinned in
requirements.txt). What the .NET host does around it is copied here from its source, rule by rule: the queue
listener, poison queues, timers, HTTP routes. A development tool: Azure runs the real host.

What it does: queue, timer and HTTP triggers; `$return` and named HTTP output; queue output; `%SETTING%`,
connections by string or identity, `AzureWebJobs.<function>.Disabled`; settings `AzureFunctionsJobHost__…` that go
before host.json; several hosts on one storage account; a stand-in for Event Grid (`event_grid.py`); `GET /` shows what
runs, `POST /admin/functions/<name>` runs a timer now.

What it does not do:
- no scale controller: one process, started by you, for all functions of the app;
- no worker process behind gRPC: the app runs in this process, so an app that blocks the event loop blocks the host;
- `functionTimeout` cancels an async handler. The real host restarts the worker and all that runs in it. A sync
  handler's thread cannot be stopped;
- no blob, Event Hubs, Durable or other triggers, no other input or output bindings: they are refused at the start;
- no function keys: `authLevel` is not checked;
- no retry policies (`@app.retry`), which exist for timers only: the next occurrence is the next attempt;
- one lease for all timers of the app, where the real host has one for each;
- no TimeSpan schedules, which work on App Service plans only;
- its Event Grid does not retry, does not keep order and knows blobs by polling.
"""
