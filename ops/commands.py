"""The commands. Each asks the app one thing, shows the answer, and says by its exit status how it went."""

import json
import os
import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, Final

import typer
from pydantic import BaseModel
from rich.console import Console
from rich.live import Live
from rich.text import Text

from ops import show
from ops.answers import Migration, Poison, Settled, Status
from ops.client import Answer, App, Json, NoAnswerError, NotReachableError
from ops.findings import findings, moves

ERROR: Final = 1
FINDINGS: Final = 2
ACCOUNT_ID: Final = re.compile(r"a[0-9a-f]{40}")
PIPED_WIDTH: Final = 120
PATIENCE: Final = 12
"""So many times in a row a watched app may not answer: it may be starting again."""

commands = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="""Watch migrations, sign plans, stop what runs, bring back what is
stuck, and see what is missing.

It asks the app at --url (or OPS_URL, or http://127.0.0.1:7071) and holds
no key. Where the app wants a sign-in, put your own access token into the
environment variable OPS_TOKEN.

Examples:
  ops doctor --for assess
  ops status --watch
  ops poison list
  ops poison replay --cause directory_unreachable
  ops plan show 2026-03-02-portal-d7e3
  ops pause 2026-03-02-portal-d7e3
  ops resume 2026-03-02-portal-d7e3
  ops canary --authority south-norfolk --address canary@example.org
  ops rebuild --dry-run

Exit status: 0 done, 1 it did not work, 2 there are findings: something is
stuck, paused or refused, or waits for a person (`status`, `plan show`),
missing or too much (`doctor`), or failed (`canary`).""",
)
poison_commands = typer.Typer(no_args_is_help=True, help="What is stuck: list it, replay it, or leave it.")
commands.add_typer(poison_commands, name="poison")

Url = Annotated[str, typer.Option("--url", envvar="OPS_URL", help="Address of the app.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the app's answer as JSON, for programs.")]
Wanted = Annotated[str, typer.Argument(metavar="MIGRATION", help="The migration, as `ops status` shows it.")]
By = Annotated[str, typer.Option(metavar="NAME", help="Your name; only where nobody signs in (on a laptop).")]
Authority = Annotated[str, typer.Option(help="Only this council, as its folder in exports is named.")]
Account = Annotated[str, typer.Option(metavar="ID", help="This account: `a` and 40 digits, as `list` shows.")]
CauseCode = Annotated[str, typer.Option("--cause", metavar="CODE", help="All that are stuck for this reason.")]
All = Annotated[bool, typer.Option("--all", help="Everything that is stuck, foreign poison messages too.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask, do it.")]
NoInput = Annotated[bool, typer.Option("--no-input", help="Never ask; what needs an answer then needs --yes.")]

HERE: Final = "http://127.0.0.1:7071"


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
    with _app(url) as app:
        params = {"authority": authority} if authority else None

        def ask() -> Answer[Status]:
            return app.get(Status, "status", params)

        answer = _watch(ask, every) if watch else _waiting("Asking the app", ask)
    _print(answer, as_json, show.overview(answer.read))
    if findings(answer.read):
        raise typer.Exit(FINDINGS)


def _watch(ask: Callable[[], Answer[Status]], every: float) -> Answer[Status]:
    """Show how far things are until nothing moves; returns the last answer."""
    answer = ask()
    if not _out().is_terminal:
        return _follow(ask, answer, every)
    with Live(show.progress(answer.read), console=_out(), auto_refresh=False, transient=True) as live:
        while moves(answer.read):
            time.sleep(every)
            answer = _patiently(ask, every)
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
        answer = _patiently(ask, every)


def _line(migration: Migration) -> str:
    return " · ".join(filter(None, show.progress_cells(migration)))


def _patiently[T: BaseModel](ask: Callable[[], Answer[T]], every: float) -> Answer[T]:
    """An app that does not answer for a moment is starting again."""
    for _ in range(PATIENCE - 1):
        try:
            return ask()
        except NotReachableError:
            time.sleep(every)
    return ask()


@poison_commands.command("list")
def list_poison(
    as_json: AsJson = False,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most so many accounts.")] = 100,
    url: Url = HERE,
) -> None:
    """What is stuck, by cause, with what to do.

    Changes nothing: neither an account nor a message.

    Examples:
      ops poison list
      ops poison list --limit 1000 --json | jq -r '.stuck[].account'
    """
    with _app(url) as app:
        answer = _waiting("Looking for what is stuck", lambda: app.get(Poison, "poison", {"limit": limit}))
    _print(answer, as_json, show.poison(answer.read, limit))


@poison_commands.command()
def replay(
    account: Account = "",
    cause: CauseCode = "",
    everything: All = False,
    as_json: AsJson = False,
    yes: Yes = False,
    no_input: NoInput = False,
    url: Url = HERE,
) -> None:
    """Bring stuck accounts and stuck uploads back, once their cause is mended.

    Each goes on from what is recorded as done: nobody is created twice, and
    nobody is told twice. Where a plan waits for signatures, its stuck
    accounts are compared again, the plan is made anew, and whoever signed it
    signs the new one. Choose exactly one of --account, --cause and --all.

    Examples:
      ops poison replay --cause unexpected_error
      ops poison replay --account a0123456789abcdef0123456789abcdef01234567
      ops poison replay --all --yes
    """
    choice = _choice(account, cause, everything)
    at_keyboard = sys.stdin.isatty() and not as_json
    if everything and at_keyboard and not (yes or no_input) and not typer.confirm("Replay everything that is stuck?"):
        complain("Nothing was done.")
        raise typer.Exit(ERROR)
    _settle(url, "replay", choice, as_json, "replayed")


@poison_commands.command()
def discard(
    account: Account = "",
    cause: CauseCode = "",
    everything: All = False,
    as_json: AsJson = False,
    yes: Yes = False,
    no_input: NoInput = False,
    url: Url = HERE,
) -> None:
    """Leave stuck accounts as they are: held, and nobody tries them again.

    A later export that brings such an account starts it afresh, unless it was
    created or joined already. Choose exactly one of --account, --cause and
    --all; --all wants the word `discard` typed.

    Examples:
      ops poison discard --account a0123456789abcdef0123456789abcdef01234567
      ops poison discard --cause directory_refused --yes
    """
    choice = _choice(account, cause, everything)
    if not yes:
        _agree_to_discard(everything=everything, no_input=no_input)
    _settle(url, "discard", choice, as_json, "discarded")


def _choice(account: str, cause: str, everything: bool) -> Json:
    chosen: Json = {"account": account, "cause": cause, "all": everything}
    named = {name: value for name, value in chosen.items() if value}
    if len(named) != 1:
        raise typer.BadParameter("choose exactly one of them.", param_hint="--account, --cause, --all")
    if account and not ACCOUNT_ID.fullmatch(account):
        raise typer.BadParameter(
            "an account is `a` and 40 hex digits, as `ops poison list` shows.", param_hint="--account"
        )
    return named


def _agree_to_discard(*, everything: bool, no_input: bool) -> None:
    """Ask, and end here unless the answer is yes."""
    if no_input:
        complain("Nothing was done: with --no-input, discarding needs --yes.")
        raise typer.Exit(ERROR)
    if everything:
        agreed = typer.prompt("This discards everything that is stuck. Type discard to do it").strip() == "discard"
    else:
        agreed = typer.confirm("Discard them?")
    if not agreed:
        complain("Nothing was done.")
        raise typer.Exit(ERROR)


def _settle(url: str, verb: str, choice: Json, as_json: bool, done: str) -> None:
    with _app(url) as app:
        answer = _waiting("The app is at it", lambda: app.post(Settled, f"poison/{verb}", choice))
    _print(answer, as_json, Text(show.settled(answer.read, done)))


@contextmanager
def _app(url: str) -> Iterator[App]:
    """The app, for one command; what goes wrong is told, and the command ends."""
    try:
        with App(url, os.environ.get("OPS_TOKEN", "")) as app:
            yield app
    except NoAnswerError as error:
        complain(str(error))
        raise typer.Exit(ERROR) from None


def _waiting[T: BaseModel](what: str, ask: Callable[[], Answer[T]]) -> Answer[T]:
    """Ask, and show in the meantime that something is going on (on a terminal only)."""
    with Console(stderr=True).status(f"{what} ..."):
        return ask()


def _print[T: BaseModel](answer: Answer[T], as_json: bool, page: object) -> None:
    if as_json:
        print(json.dumps(answer.said, indent=2))
    else:
        _out().print(page)


def _out() -> Console:
    """Standard output; wide where nobody's window is the limit."""
    out = Console(highlight=False)
    return out if out.is_terminal or "COLUMNS" in os.environ else Console(highlight=False, width=PIPED_WIDTH)


def complain(sentence: str) -> None:
    """Say on standard error what went wrong."""
    Console(stderr=True, highlight=False).print(Text(sentence, style="red"), soft_wrap=True)


import ops.canary  # noqa: E402 - it registers its command, and needs what stands above
import ops.control  # noqa: E402 - the same
import ops.doctor  # noqa: E402 - the same
import ops.plan  # noqa: E402 - the same
import ops.rebuild  # noqa: E402 - the same
import ops.waves  # noqa: E402, F401 - the same
