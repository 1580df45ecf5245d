"""What all commands share: options, requests to the app, and the output."""

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, Final

import typer
from pydantic import BaseModel
from rich.console import Console
from rich.text import Text

from ops.client import Answer, App, NoAnswerError, NotReachableError

ERROR: Final = 1
FINDINGS: Final = 2
PIPED_WIDTH: Final = 120
HERE: Final = "http://127.0.0.1:7071"
MAX_FAILED_ANSWERS: Final = 12
"""How many times in a row a watched app may fail to answer, because it may be restarting."""

commands = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="""    Watch migrations, sign plans, stop what runs, bring back what is stuck, and
    see what is missing.

    It asks the app at --url (or OPS_URL, or http://127.0.0.1:7071) and holds no
    key. Where the app wants a sign-in, put your own access token into the
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
    missing or too much (`doctor`), or failed (`canary`).
    """,
)
Url = Annotated[str, typer.Option("--url", envvar="OPS_URL", help="Address of the app.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the app's answer as JSON, for programs.")]
Wanted = Annotated[str, typer.Argument(metavar="MIGRATION", help="The migration, as `ops status` shows it.")]
By = Annotated[str, typer.Option(metavar="NAME", help="Your name; only where nobody signs in (on a laptop).")]
Authority = Annotated[str, typer.Option(help="Only this council, as its folder in exports is named.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask, do it.")]
NoInput = Annotated[bool, typer.Option("--no-input", help="Never ask; what needs an answer then needs --yes.")]


@contextmanager
def app_at(url: str) -> Iterator[App]:
    """Open the app for one command. A failure is printed, and the command ends."""
    try:
        with App(url, os.environ.get("OPS_TOKEN", "")) as app:
            yield app
    except NoAnswerError as error:
        print_error(str(error))
        raise typer.Exit(ERROR) from None


def show_waiting[T: BaseModel](what: str, ask: Callable[[], Answer[T]]) -> Answer[T]:
    """Ask, and show in the meantime that something is going on (on a terminal only)."""
    with Console(stderr=True).status(f"{what} ..."):
        return ask()


def ask_patiently[T: BaseModel](ask: Callable[[], Answer[T]], every: float) -> Answer[T]:
    """Ask again if the app does not answer, because it may be restarting."""
    for _ in range(MAX_FAILED_ANSWERS - 1):
        try:
            return ask()
        except NotReachableError:
            time.sleep(every)
    return ask()


def print_answer[T: BaseModel](answer: Answer[T], as_json: bool, page: object) -> None:
    """Print an answer: for programs as the app said it, or for people as a page."""
    if as_json:
        print(json.dumps(answer.said, indent=2))
    else:
        get_console().print(page)


def get_console() -> Console:
    """Return the standard output, wide if it is not a terminal."""
    console = Console(highlight=False)
    return console if console.is_terminal or "COLUMNS" in os.environ else Console(highlight=False, width=PIPED_WIDTH)


def print_error(sentence: str) -> None:
    """Say on standard error what went wrong."""
    Console(stderr=True, highlight=False).print(Text(sentence, style="red"), soft_wrap=True)
