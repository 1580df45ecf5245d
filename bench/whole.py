"""The mission's own size: 12,000 mixed rows with three hosts, from the upload to the last message.

Azurite and both stand-ins run on the same machine as the hosts. For each part of the run this prints how long it took
and how much CPU the hosts used for each account. Beside it stands what the same calls cost when a process makes them
with the client libraries and does nothing else. Exit status 1: a row is wrong, or the directory refused a request as
too many.
"""

import argparse
import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from azure.core import MatchConditions
from azure.data.tables import UpdateMode
from azure.data.tables.aio import TableServiceClient
from azure.storage.queue.aio import QueueServiceClient

from bench import kit, mixed
from bench.baseline import graph_client
from local.stack import TENANT, Stack

CALLS: Final = 200
"""How many times each bare call is made."""
COLUMNS: Final = 30
"""Columns of an entity of the bare calls, about as many as an account has."""
CLASSIFYING: Final = {"find": 2, "point get": 2, "merge": 2, "queue put": 1, "queue delete": 1}
"""The calls that classify one account: two look-ups, reads of account and row, and saves of release and result."""
REFUSED: Final = 429
WAIT_SECONDS: Final = 1.0


@dataclass(frozen=True)
class Mark:
    """The end of a part of the run."""

    part: str
    seconds: float
    cpu_seconds: float
    """CPU of all hosts since they started."""


def measure_run(stack: Stack, sample: mixed.Sample) -> tuple[list[Mark], int, int]:
    """Run the migration. Returns the ends of its parts, the wrong rows and the refused requests."""
    began = time.monotonic()

    def make_mark(part: str) -> Mark:
        return Mark(part, time.monotonic() - began, sum(read_cpu_seconds(_get_pid(host)) for host in stack.hosts))

    marks = [make_mark("start")]
    mixed.upload_sample(stack, sample)
    for part, phases in (
        ("staging", {"classifying", "running", "done"}),
        ("classifying", {"running", "done"}),
        ("creating, linking and notifying", {"done"}),
    ):
        found = kit.wait_until(stack, lambda found, phases=phases: found["phase"] in phases, mixed.FILE)  # type: ignore[misc]  # bound here
        marks.append(make_mark(part))
        print(f"  {part}: done after {marks[-1].seconds:.0f} s", flush=True)
    refused = sum(entry["status"] == REFUSED for entry in kit.read_journal(stack))
    return marks, mixed.count_wrong(stack, found, sample, set()), refused


def _get_pid(host: Any) -> int:  # noqa: ANN401 - a process of the stack
    return int(host.child.pid)


def read_cpu_seconds(pid: int) -> float:
    """CPU seconds that a process has used, from Linux's /proc."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def measure_bare_calls(stack: Stack) -> dict[str, float]:
    """CPU milliseconds of this process for each call, with nothing around it."""
    connection = stack.storage.connection_string
    entity: dict[str, Any] = {f"column{number}": f"value {number}" for number in range(COLUMNS)}
    graph = graph_client(f"{stack.directory.url}/v1.0")
    async with (
        TableServiceClient.from_connection_string(connection) as tables,
        QueueServiceClient.from_connection_string(connection) as queues,
    ):
        table, queue = await tables.create_table("BareCalls"), await queues.create_queue("bare-calls")
        key = {"PartitionKey": "south-norfolk|a", "RowKey": "account|a"}
        etags = [(await table.create_entity({**key, **entity}))["etag"]]
        condition: dict[str, Any] = {"mode": UpdateMode.MERGE, "match_condition": MatchConditions.IfNotModified}
        messages: list[Any] = []

        async def merge_entity() -> None:
            answer = await table.update_entity({**key, "column1": "new", "column2": "new"}, etag=etags[0], **condition)
            etags[0] = answer["etag"]

        async def put_message() -> None:
            messages.append(await queue.send_message("x" * 200))

        async def delete_message() -> None:
            sent = messages.pop()
            await queue.delete_message(sent.id, sent.pop_receipt)

        return {
            "find": await _time_calls(lambda: _find_nobody(graph)),
            "point get": await _time_calls(lambda: table.get_entity(key["PartitionKey"], key["RowKey"])),
            "merge": await _time_calls(merge_entity),
            "queue put": await _time_calls(put_message),
            "queue delete": await _time_calls(delete_message),
        }


async def _find_nobody(graph: Any) -> None:  # noqa: ANN401 - the SDK's client
    from kiota_abstractions.base_request_configuration import RequestConfiguration  # noqa: PLC0415
    from msgraph.generated.users.users_request_builder import UsersRequestBuilder  # noqa: PLC0415

    sign_in = f"identities/any(c:c/issuerAssignedId eq 'nobody@example.org' and c/issuer eq '{TENANT}')"
    query = UsersRequestBuilder.UsersRequestBuilderGetQueryParameters(filter=sign_in, select=["id", "identities"])
    await graph.users.get(RequestConfiguration(query_parameters=query))


async def _time_calls(call: Callable[[], Awaitable[Any]]) -> float:
    await call()
    began = time.process_time()
    for _ in range(CALLS - 1):
        await call()
    return (time.process_time() - began) * 1000 / (CALLS - 1)


def main(arguments: Sequence[str]) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.whole", description=__doc__)
    parser.add_argument("--rows", type=int, default=12_000, help="rows of the export (12,000)")
    parser.add_argument("--hosts", type=int, default=3, help="host processes (3)")
    parser.add_argument("--limit", type=int, default=3000, help="writes that the directory allows in a window (3,000)")
    parser.add_argument("--window", type=float, default=150, help="the window in seconds (150)")
    parser.add_argument("--latency", type=int, default=40, help="milliseconds that each answer takes (40)")
    options = parser.parse_args(arguments)
    limits = kit.Limits(options.limit, options.window, options.latency)
    print(f"{options.rows:,} mixed rows, {options.hosts} hosts; this takes some minutes", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        sample = mixed.make_sample(Path(folder, "sample"), options.rows)
        with kit.run_bench_stack(Path(folder, "run"), hosts=options.hosts, limits=limits, users=sample.users) as stack:
            marks, wrong, refused = measure_run(stack, sample)
            bare = asyncio.run(measure_bare_calls(stack))
    _print_result(options.rows, marks, bare)
    print(f"\nwrong rows: {wrong}; requests refused as too many: {refused}")
    return int(bool(wrong or refused))


def _print_result(rows: int, marks: Sequence[Mark], bare: dict[str, float]) -> None:
    table = []
    for before, after in pairwise(marks):
        cpu = after.cpu_seconds - before.cpu_seconds
        seconds = after.seconds - before.seconds
        table.append([after.part, f"{seconds:.0f} s", f"{cpu:.0f} s", f"{cpu * 1000 / rows:.1f} ms"])
    compared = (marks[2].cpu_seconds - marks[0].cpu_seconds) * 1000 / rows
    whole = marks[-1].cpu_seconds - marks[0].cpu_seconds
    table.append(["staging and classifying", f"{marks[2].seconds:.0f} s", "", f"{compared:.1f} ms"])
    table.append(["the whole run", f"{marks[-1].seconds:.0f} s", f"{whole:.0f} s", f"{whole * 1000 / rows:.1f} ms"])
    print("\n" + kit.format_table(("part", "time", "CPU of the hosts", "CPU per row"), table))
    calls = [[name, f"{cost:.1f} ms", str(CLASSIFYING[name])] for name, cost in bare.items()]
    alone = sum(bare[name] * times for name, times in CLASSIFYING.items())
    calls.append(["all of them", f"{alone:.1f} ms", ""])
    print("\n" + kit.format_table(("bare call", "CPU", "times in classifying an account"), calls))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
