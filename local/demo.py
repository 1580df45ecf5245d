"""The demo: a council's accounts move, on this machine, in a few minutes.

The demo starts Azurite, the stand-in directory and Notify, and the host. It uploads an invented export and shows the
progress. Then it prints the three scenarios, and where to see reports, messages and users. Nothing leaves this machine,
and no message is sent to a real person.
"""

import argparse
import csv
import json
import shutil
import signal
import sys
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from azure.storage.blob import BlobServiceClient
from rich.console import Console
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from local import azurite
from local.samples.generate import Order, generate_samples
from local.stack import ROOT, Stack, StackError, find_unused_port, get_json, run_stack

FOLDER: Final = ROOT / ".local" / "demo"
MAX_DEMO_SECONDS: Final = 15 * 60
STAND_IN_PORTS: Final = (7081, 7082)
HOST_PORT: Final = 7071
EXPORT: Final = "south-norfolk/portal-export.csv"
WORDS: Final = {
    "link": ("1", "on both sides", "joined to the identity that exists; no reset; told"),
    "create": ("2", "on the portal only", "created; must set a password; guided"),
    "directory_only": ("3", "in the directory, not ours yet", "counted; who is not joined above is left alone"),
    "review": ("", "identity in doubt", "a person decides; nothing done, nothing told"),
    "reject": ("", "cannot be moved as it stands", "reported with the reason"),
    "duplicate": ("", "the same customer again", "reported; the first row counts"),
    "unchanged": ("", "moved by an earlier export", "nothing to do"),
}


@dataclass(frozen=True)
class Places:
    """The places of the demo's files."""

    folder: Path

    @property
    def samples(self) -> Path:
        """The invented export, and the truth about it."""
        return self.folder / "samples"

    @property
    def reports(self) -> Path:
        """Copies of the reports."""
        return self.folder / "reports"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demo. Return 0 if every account ended as the truth of the sample says."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that what was started is stopped
    options = _make_parser().parse_args(arguments)
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 110)
    places = Places(FOLDER)
    shutil.rmtree(places.folder, ignore_errors=True)
    console.print("[bold]1[/] An invented council export and directory")
    generate_samples(Order({"south-norfolk": options.rows}, options.seed), places.samples)
    try:
        return _run_demo(console, places, options)
    except (StackError, azurite.AzuriteError) as error:
        console.print(f"[red]{error}[/]")
        return 1
    except KeyboardInterrupt:
        console.print("Stopped.")
        return 130


def _run_demo(console: Console, places: Places, options: argparse.Namespace) -> int:
    console.print("[bold]2[/] Azurite, the stand-in directory and Notify, the functions host")
    # What stays is best found at the ports of local.settings.sample.json; what ends by itself disturbs nobody there.
    keep = options.keep
    ports = [find_unused_port(port) for port in STAND_IN_PORTS] if keep else [0, 0]
    storage = azurite.DEFAULT_PORTS if keep and all(map(_is_free, azurite.DEFAULT_PORTS)) else None
    seed = places.samples / "directory.json"
    with run_stack(places.folder / "run", seed=seed, ports=ports, storage_ports=storage) as running:
        host = running.add_host(port=find_unused_port(HOST_PORT) if keep else 0)
        _show_addresses(console, running)
        console.print(f"[bold]3[/] Upload to exports/{EXPORT}: from here on, what happens is what Azure would do")
        began = time.monotonic()
        _upload_export(running, places.samples / "south-norfolk.csv")
        migration = _watch_migration(console, f"{host.url}/api/status")
        if migration is None:
            console.print(
                f"[red]It did not end within {MAX_DEMO_SECONDS // 60} minutes. The host's log is {host.log}.[/]"
            )
            return 1
        _copy_reports(running, places, migration)
        _copy_pages(running, places)
        console.print(f"[bold]4[/] Done in {time.monotonic() - began:.0f} seconds")
        right = _print_result(console, running, places, migration)
        if options.keep:
            _keep_running(console, running)
    return 0 if right else 1


def _make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="dev.py demo", description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--keep", action="store_true", help="leave everything running afterwards, until Ctrl-C")
    parser.add_argument("--rows", type=int, default=1200, metavar="N", help="rows of the export (default: 1200)")
    parser.add_argument("--seed", type=int, default=2019, metavar="N", help="another number, other people")
    return parser


def _is_free(port: int) -> bool:
    return find_unused_port(port) == port


def _show_addresses(console: Console, running: Stack) -> None:
    console.print(f"  directory  {running.directory.url}/   (its users)")
    console.print(f"  Notify     {running.notify.url}/   (the messages, as customers would read them)")
    console.print(f"  host       {running.hosts[0].url}/   (functions and queues), {running.hosts[0].url}/api/status")


def _upload_export(running: Stack, file: Path) -> None:
    with BlobServiceClient.from_connection_string(running.storage.connection_string) as service:
        service.get_blob_client("exports", EXPORT).upload_blob(file.read_bytes())


def _watch_migration(console: Console, url: str) -> dict[str, Any] | None:
    """Show the progress until the migration has ended."""
    columns = [TextColumn("  {task.description:<34}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()]
    progress = Progress(*columns, console=console)
    tasks = {
        name: progress.add_task(words, total=None)
        for name, words in (
            ("staged", "rows read"),
            ("classified", "compared with the directory"),
            ("provisioned", "created or joined, and read back"),
            ("told", "told"),
        )
    }
    deadline = time.monotonic() + MAX_DEMO_SECONDS
    plain = not console.is_terminal
    with Live(progress, console=console, refresh_per_second=4) if not plain else progress:
        said = ""
        while time.monotonic() < deadline:
            found = _read_newest(url)
            if found:
                for name, done, of in _list_progress(found):
                    progress.update(tasks[name], completed=done, total=of)
                if plain and (text := _make_line(found)) != said:
                    said = text
                    console.print(f"  {said}", soft_wrap=True)
                if found["phase"] in {"done", "refused", "failed"} or found["paused"]:
                    return found
            time.sleep(1)
    return None


def _read_newest(url: str) -> dict[str, Any] | None:
    try:
        migrations = get_json(url)["migrations"]
    except (OSError, urllib.error.URLError):
        return None
    newest: dict[str, Any] | None = migrations[0] if migrations else None
    return newest


def _list_progress(found: dict[str, Any]) -> list[tuple[str, int, int | None]]:
    states, outcomes = Counter(found["states"]), Counter(found["outcomes"])
    accounts = sum(states.values()) - states["rejected"] - states["duplicate"]
    told = states["told"] + states["completed"]
    provisioned = told + states["provisioned"]
    to_do = outcomes["create"] + outcomes["link"]
    return [
        ("staged", found["staged"], found["rows"] or None),
        ("classified", accounts - states["staged"], accounts or None),
        ("provisioned", provisioned, to_do or None),
        ("told", told, to_do or None),
    ]


def _make_line(found: dict[str, Any]) -> str:
    parts = [f"{name} {done:,}" + (f" of {of:,}" if of else "") for name, done, of in _list_progress(found)]
    return f"{found['phase']:<12} {', '.join(parts)}"


def _copy_reports(running: Stack, places: Places, migration: dict[str, Any]) -> None:
    places.reports.mkdir(parents=True, exist_ok=True)
    prefix = migration["reports"].removeprefix("reports/")
    with BlobServiceClient.from_connection_string(running.storage.connection_string) as service:
        container = service.get_container_client("reports")
        for blob in container.list_blobs(name_starts_with=prefix):
            target = places.reports / blob.name.removeprefix(prefix)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(container.download_blob(blob.name).readall())


def _copy_pages(running: Stack, places: Places) -> None:
    """Copy what the stand-ins show, because they end with the demo."""
    pages = {"messages": f"{running.notify.url}/", "users": f"{running.directory.url}/"}
    for message in _read_messages(running):
        pages.setdefault(f"message-{message['template']}", f"{running.notify.url}/messages/{message['id']}")
    for name, url in pages.items():
        with urllib.request.urlopen(url, timeout=30) as page:  # noqa: S310 - a loopback address of ours
            (places.reports / f"{name}.html").write_bytes(page.read())


def _print_result(console: Console, running: Stack, places: Places, migration: dict[str, Any]) -> bool:
    """Print the scenarios and where to look. Return True if the result equals the truth of the sample."""
    if migration["phase"] != "done":
        trouble = migration["paused"] or migration["refused"] or {}
        console.print(f"[red]It stopped: {trouble.get('sentence')} {trouble.get('remedy')}[/]")
        return False
    assessed = _read_json(places.reports / "assessment.json")
    table = Table(title="What became of whom", title_justify="left")
    table.add_column("scenario", justify="center")
    table.add_column("outcome", no_wrap=True)
    table.add_column("how many", justify="right", no_wrap=True)
    table.add_column("who, and what happened")
    for outcome, (scenario, who, what) in WORDS.items():
        table.add_row(scenario, outcome, f"{assessed[outcome]:,}", f"{who}: {what}")
    console.print(table)
    console.print(f"{assessed['rows']:,} rows; {len(_read_messages(running)):,} messages, none to anybody else")
    wrong = _list_differences(places)
    if wrong:
        console.print(f"[red]{len(wrong)} rows did not end as the sample's truth says, the first: {wrong[0]}[/]")
    console.print("[bold]Look at[/]")
    for what, place in (
        ("the picture of it", places.reports / "assessment.html"),
        ("every row", places.reports / "result.csv"),
        ("the messages", places.reports / "messages.html"),
        ("as customers read", places.reports / "message-*.html"),
        ("the users", places.reports / "users.html"),
        ("the host's log", running.hosts[0].log),
    ):
        console.print(f"  {what:<18} {place}", soft_wrap=True)
    return not wrong


def _read_messages(running: Stack) -> list[Any]:
    found = get_json(f"{running.notify.url}/_standin/notifications")
    return list(found["notifications"] if isinstance(found, dict) else found)


def _list_differences(places: Places) -> list[str]:
    """Rows whose outcome or reason is not the true one."""
    with (places.samples / "south-norfolk.truth.csv").open(newline="", encoding="utf-8") as file:
        truth = {row["row"]: (row["outcome"], row["reason"]) for row in csv.DictReader(file)}
    with (places.reports / "result.csv").open(newline="", encoding="utf-8") as file:
        result = {row["row"]: (row["outcome"], row["reason"]) for row in csv.DictReader(file)}
    return [
        f"row {row}: {result.get(row)} instead of {expected}"
        for row, expected in truth.items()
        if row not in result
        or result[row][0] != expected[0]
        or (expected[0] in {"review", "reject"} and result[row][1] != expected[1])
    ]


def _read_json(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def _keep_running(console: Console, running: Stack) -> None:
    console.print("[bold]Everything is left running[/] (Ctrl-C ends it)")
    _show_addresses(console, running)
    console.print(f"  storage    {running.storage.connection_string}", soft_wrap=True)
    console.print(f"  and in another terminal: python3 dev.py ops status --url {running.hosts[0].url}")
    try:
        while all(process.running for process in (running.directory, running.notify, *running.hosts)):
            time.sleep(1)
    except KeyboardInterrupt:
        console.print("Stopping.")


if __name__ == "__main__":
    sys.exit(main())
