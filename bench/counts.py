"""What one account costs: requests to the directory and storage transactions, from the upload to the message.

Creates and links are counted in separate runs. Storage requests are counted in the access log of Azurite. Requests of
the host and of timers that do not depend on the number of accounts (receives, empty polls, leases, summaries, reports)
are shown separately. So are the host's deletes of finished messages, one for each message.
"""

import argparse
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Final
from urllib.parse import unquote

from bench import kit

WORK: Final = ("stage-rows", "classify-account", "provision-account", "notify-customer")


def kind_of(method: str, target: str) -> tuple[str, bool]:
    """Return the kind of a storage request, and if it belongs to accounts or to host and timers."""
    path = unquote(target).partition("?")[0]
    parts = path.strip("/").split("/")[1:]
    name = parts[0] if parts else ""
    if name == "$batch":
        return "table transaction", True
    if name.startswith(("Accounts", "Rows")):
        return _classify_request(method, name, unquote(target).partition("?")[2])
    if name.startswith("Migrations"):
        one = "(PartitionKey" in name and ("|m'" in name or "|first'" in name)
        return (f"Migrations {'get' if method == 'GET' else 'write'}", one and method == "GET")
    if name in WORK and parts[1:2] == ["messages"]:
        if method == "POST":
            return "queue put", True
        if method == "DELETE":
            return "queue delete (host)", False
        return "queue receive (host)", False
    return f"other ({parts[0] if parts else method})", False


def _classify_request(method: str, name: str, asks: str) -> tuple[str, bool]:
    """A request to Accounts or Rows. Timers look for anchors, and go through accounts and rows shard by shard."""
    table = name.partition("(")[0]
    if method != "GET":
        return f"{table} write", True
    if "(PartitionKey" in name:
        return (f"{table} get (anchor)", False) if "|anchor'" in name else (f"{table} get", True)
    of_address = "|a|" in asks
    return (f"{table} query", True) if of_address else (f"{table} query (timers)", False)


def count_requests(folder: Path, accounts: int, *, linked: bool) -> tuple[Counter[str], Counter[str], Counter[str]]:
    """Return the directory requests by kind, the storage transactions of accounts, and those of host and timers."""
    log = folder / "azurite.log"
    users = kit.write_seed(folder, range(accounts)) if linked else None
    with kit.run_bench_stack(folder / "run", hosts=1, users=users, storage_log=log) as stack:
        kit.upload_export(stack, kit.make_export(range(accounts)))
        found = kit.wait_until_done(stack)
        if found["states"] != {"told": accounts}:
            raise kit.BenchError(f"not everybody was told: {found['states']}")
        directory = kit.read_counters(stack)
        # The assessment reads the whole directory once, however many accounts there are.
        directory["reads"] -= 1 + accounts * linked // 999
    accounts_share: Counter[str] = Counter()
    beside: Counter[str] = Counter()
    for method, target, _ in kit.read_requests(log):
        kind, of_account = kind_of(method, target)
        (accounts_share if of_account else beside)[kind] += 1
    return directory, accounts_share, beside


def main(arguments: Sequence[str]) -> int:
    """Count and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.counts", description=__doc__)
    parser.add_argument("--accounts", type=int, default=400, help="how many accounts in each run (400)")
    options = parser.parse_args(arguments)
    for name, linked in (("create", False), ("link", True)):
        with tempfile.TemporaryDirectory() as folder:
            directory, storage, beside = count_requests(Path(folder), options.accounts, linked=linked)
        _print_counts(name, options.accounts, directory, storage, beside)
    return 0


def _print_counts(
    name: str, accounts: int, directory: Counter[str], storage: Counter[str], beside: Counter[str]
) -> None:
    print(f"\n## {name}: {accounts} accounts\n")
    print(f"directory: {directory['writes'] / accounts:.2f} writes and {directory['reads'] / accounts:.2f} reads each")
    print(f"storage: {storage.total() / accounts:.2f} transactions each\n")
    rows = [(kind, number, f"{number / accounts:.2f}") for kind, number in storage.most_common()]
    print(kit.format_table(("storage, of accounts", "requests", "each"), rows))
    print()
    rows = [(kind, number, f"{number / accounts:.2f}") for kind, number in beside.most_common()]
    print(kit.format_table(("storage, of host and timers", "requests", "each"), rows))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
