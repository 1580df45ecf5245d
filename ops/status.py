"""`ops status`: where everything stands."""

import time
from collections.abc import Callable
from typing import Annotated

import typer
from rich.live import Live

from ops import show
from ops.answers import Migration, Status
from ops.client import Answer
from ops.findings import findings, moves
from ops.shell import FINDINGS, HERE, AsJson, Authority, Url, app_at, commands, out, patiently, print_answer, waiting


@commands.command()
def status(
    authority: Authority = "",
    as_json: AsJson = False,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Stay until nothing moves; Ctrl+C ends it.")] = False,
    every: Annotated[float, typer.Option(min=0.1, metavar="SECONDS", help="With --watch: how often to look.")] = 5,
    url: Url = HERE,
) -> None:
    """Where everything stands, what is in the way, and what to do next.

    Shows the newest upload of each council and whatever needs a look in
    full, the others in a line. A refused upload counts as a finding until a
    newer file of its council is taken (in a folder of no council: for a week).

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

        answer = _watch(ask, every) if watch else waiting("Asking the app", ask)
    print_answer(answer, as_json, show.overview(answer.read))
    if findings(answer.read):
        raise typer.Exit(FINDINGS)


def _watch(ask: Callable[[], Answer[Status]], every: float) -> Answer[Status]:
    """Show how far things are until nothing moves; returns the last answer."""
    answer = ask()
    if not out().is_terminal:
        return _follow(ask, answer, every)
    with Live(show.progress(answer.read), console=out(), auto_refresh=False, transient=True) as live:
        while moves(answer.read):
            time.sleep(every)
            answer = patiently(ask, every)
            live.update(show.progress(answer.read), refresh=True)
    return answer


def _follow(ask: Callable[[], Answer[Status]], answer: Answer[Status], every: float) -> Answer[Status]:
    """The same into a pipe or a log: a line whenever it says something new."""
    said: dict[str, str] = {}
    while True:
        for migration in show.watched(answer.read):
            line = _line(migration)
            if said.get(migration.migration) != line:
                print(line, flush=True)
                said[migration.migration] = line
        if not moves(answer.read):
            return answer
        time.sleep(every)
        answer = patiently(ask, every)


def _line(migration: Migration) -> str:
    return " · ".join(filter(None, show.progress_cells(migration)))
