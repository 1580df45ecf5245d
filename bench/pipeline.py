"""How fast the app is compared with a bare replay of its calls: one host, without a quota.

Both run one after the other against the same Azurite, directory and Notify. First the app runs with one host process.
Then one process makes the same requests without any decision between them (`bench/replay.py`). Two parts are compared:
from the first account compared with the directory to the last, and from the first release to the last notified
customer. The time between them (timers that wait for their next occurrence, the assessment) and staging are not
included on either side. The requests of both are counted at Azurite and shown side by side.
"""

import argparse
import asyncio
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from azure.data.tables import TableServiceClient

from bench import kit
from bench.replay import Replay, Sizes
from local.stack import Stack
from shared.model.account import Authority
from shared.model.profile import SET_YOUR_PASSWORD, read_profiles

AUTHORITIES: Final = Path(__file__).resolve().parent.parent / "authorities"
BAR: Final = 0.6


def measure_app(stack: Stack, accounts: int) -> tuple[float, float]:
    """Seconds of comparing, and of creating and telling."""
    kit.upload_export(stack, kit.make_export(range(accounts)))
    found = kit.wait_until_done(stack)
    if found["states"] != {"told": accounts}:
        raise kit.BenchError(f"not everybody was told: {found['states']}")
    entities = _list_entities(stack, "Accounts")
    classified = _list_times(entities, "classify")
    return (
        (max(classified) - min(classified)).total_seconds(),
        (max(_list_times(entities, "tell")) - min(_list_times(entities, "release"))).total_seconds(),
    )


def _list_times(entities: Iterable[dict[str, Any]], event: str) -> list[datetime]:
    histories = (json.loads(each["history"]) for each in entities if each["RowKey"].startswith("account|"))
    return [datetime.fromisoformat(entry["at"]) for found in histories for entry in found if entry["event"] == event]


def _list_entities(stack: Stack, table: str) -> list[dict[str, Any]]:
    with TableServiceClient.from_connection_string(stack.storage.connection_string) as service:
        return [dict(entity) for entity in service.get_table_client(table).list_entities()]


def measure_sizes(stack: Stack) -> Sizes:
    """An account with its history, and its row, for every account."""
    entities = _list_entities(stack, "Accounts")
    accounts = {e["RowKey"].split("|")[1]: e for e in entities if e["RowKey"].startswith("account|")}
    rows = {e["account"]: e for e in _list_entities(stack, "Rows") if "account" in e}
    ids = sorted(accounts)
    return Sizes([accounts[i] for i in ids], [rows[i] for i in ids])


def count_kinds(requests: Iterable[tuple[str, str, int]]) -> Counter[str]:
    """Count the storage requests for accounts by kind."""
    counted: Counter[str] = Counter()
    for method, target, _ in requests:
        if "$batch" in target:
            counted["transaction"] += 1
        elif "Accounts" in target or "Rows" in target:
            one = "(PartitionKey" in target.replace("%28", "(")
            counted["get" if method == "GET" and one else "query" if method == "GET" else "write"] += 1
        elif "/messages" in target and "peekonly" not in target and "receive-export" not in target:
            counted[{"POST": "queue put", "DELETE": "queue delete"}.get(method, "queue receive")] += 1
    return counted


def main(arguments: Sequence[str]) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.pipeline", description=__doc__)
    parser.add_argument("--accounts", type=int, default=600, help="how many accounts (600)")
    options = parser.parse_args(arguments)
    profile = read_profiles(AUTHORITIES)[Authority("south-norfolk")]
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder, "azurite.log")
        with kit.run_bench_stack(Path(folder, "run"), hosts=1, storage_log=log) as stack:
            ours = measure_app(stack, options.accounts)
            stack.hosts[0].stop()
            asked = list(kit.read_requests(log))
            replay = Replay(stack, profile.messages.templates[SET_YOUR_PASSWORD], measure_sizes(stack))
            bare = asyncio.run(_run_replay(replay))
            replayed = list(kit.read_requests(log))[len(asked) :]
    _print_result(options.accounts, ours, bare, count_kinds(asked), count_kinds(replayed))
    return 0


async def _run_replay(replay: Replay) -> tuple[float, float]:
    return await replay.run()


def _print_result(
    accounts: int, ours: Sequence[float], bare: Sequence[float], asked: Counter[str], replayed: Counter[str]
) -> None:
    rows = [
        (name, f"{app_took:.1f} s", f"{bare_took:.1f} s", f"{bare_took / app_took:.2f}")
        for name, app_took, bare_took in zip(
            ("compared", "created and told", "both"), (*ours, sum(ours)), (*bare, sum(bare)), strict=True
        )
    ]
    print(f"{accounts} accounts, one host, no quota; bar: {BAR} of the speed of the bare replay\n")
    print(kit.format_table(("part", "app", "bare replay", "speed of the app / of the replay"), rows))
    print(f"\napp: {accounts / sum(ours):.1f} accounts a second; requests for each account, as counted at Azurite:\n")
    lines = [(kind, f"{asked[kind] / accounts:.2f}", f"{replayed[kind] / accounts:.2f}") for kind in sorted(asked)]
    print(kit.format_table(("request", "app, timers included", "bare replay"), lines))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
