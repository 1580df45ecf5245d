"""`ops status`: where everything stands."""

import time
from collections.abc import Callable
from typing import Annotated

import typer
from rich.live import Live

from ops import show
from ops.answers import Migration, Status
from ops.client import Answer
from ops.findings import is_moving, list_findings
from ops.shell import (
    FINDINGS,
    HERE,
    AsJson,
    Authority,
    Url,
    app_at,
    ask_patiently,
    commands,
    get_console,
    print_answer,
    show_waiting,
)


@commands.command()
def status(
    authority: Authority = "",
    as_json: AsJson = False,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Stay until nothing moves; Ctrl+C ends it.")] = False,
    every: Annotated[float, typer.Option(min=0.1, metavar="SECONDS", help="With --watch: how often to look.")] = 5,
    url: Url = HERE,
) -> None:
    """Show the state of everything, what stops it, and what to do next.

    The newest upload of each council, and everything that needs a look, are
    shown in full. The others have one line. A refused upload counts as a
    finding until a newer file of its council is accepted. In a folder without a
    council it counts for a week.

    Exit status: 0 all is well, 1 the app could not be asked, 2 something is
    stuck, paused or refused, or waits for a person.

    Examples:
      ops status
      ops status --authority south-norfolk --watch
      ops status --json | jq '.migrations[0].outcomes'
    """
    if watch and as_json:
        raise typer.BadParameter("is for people, --json for programs: leave one of them out.", param_hint="--watch")
    with app_at(url) as app:
        params = {"authority": authority} if authority else None

        def ask() -> Answer[Status]:
            return app.get(Status, "status", params)

        answer = _watch_status(ask, every) if watch else show_waiting("Asking the app", ask)
    print_answer(answer, as_json, show.make_overview(answer.read))
    if list_findings(answer.read):
        raise typer.Exit(FINDINGS)


def _watch_status(ask: Callable[[], Answer[Status]], every: float) -> Answer[Status]:
    """Show the progress until nothing moves. Returns the last answer."""
    answer = ask()
    if not get_console().is_terminal:
        return _follow_status(ask, answer, every)
    with Live(show.make_progress_table(answer.read), console=get_console(), auto_refresh=False, transient=True) as live:
        while is_moving(answer.read):
            time.sleep(every)
            answer = ask_patiently(ask, every)
            live.update(show.make_progress_table(answer.read), refresh=True)
    return answer


def _follow_status(ask: Callable[[], Answer[Status]], answer: Answer[Status], every: float) -> Answer[Status]:
    """Write the same into a pipe or a log: one line for each change."""
    said: dict[str, str] = {}
    while True:
        for migration in show.list_watched(answer.read):
            line = _make_line(migration)
            if said.get(migration.migration) != line:
                print(line, flush=True)
                said[migration.migration] = line
        if not is_moving(answer.read):
            return answer
        time.sleep(every)
        answer = ask_patiently(ask, every)


def _make_line(migration: Migration) -> str:
    return " · ".join(filter(None, show.progress_cells(migration)))
