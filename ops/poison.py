"""`ops poison`: what is stuck."""

import re
import sys
from typing import Annotated, Final

import typer
from rich.text import Text

from ops import show
from ops.answers import Poison, Settled
from ops.client import Json
from ops.shell import ERROR, HERE, AsJson, NoInput, Url, Yes, app_at, commands, print_answer, print_error, show_waiting

ACCOUNT_ID: Final = re.compile(r"a[0-9a-f]{40}")

poison_commands = typer.Typer(no_args_is_help=True, help="What is stuck: list it, replay it, or leave it.")
commands.add_typer(poison_commands, name="poison")

Account = Annotated[str, typer.Option(metavar="ID", help="This account: `a` and 40 digits, as `list` shows.")]
CauseCode = Annotated[str, typer.Option("--cause", metavar="CODE", help="All that are stuck for this reason.")]
All = Annotated[bool, typer.Option("--all", help="Everything that is stuck, foreign poison messages too.")]


@poison_commands.command("list")
def list_poison(
    as_json: AsJson = False,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most so many accounts.")] = 100,
    url: Url = HERE,
) -> None:
    """List what failed, by cause, with what to do.

    This changes neither an account nor a message.

    Examples:
      ops poison list
      ops poison list --limit 1000 --json | jq -r '.stuck[].account'
    """
    with app_at(url) as app:
        answer = show_waiting("Looking for what is stuck", lambda: app.get(Poison, "poison", {"limit": limit}))
    print_answer(answer, as_json, show.make_poison_page(answer.read, limit))


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
    """Bring failed accounts and failed uploads back, after their cause is repaired.

    Each continues after what is recorded as done: no user is created twice, and
    no customer gets a message twice. If a plan waits for signatures, its failed
    accounts are compared again, the plan is made again, and everybody signs the
    new one. Choose exactly one of --account, --cause and --all.

    Examples:
      ops poison replay --cause unexpected_error
      ops poison replay --account a0123456789abcdef0123456789abcdef01234567
      ops poison replay --all --yes
    """
    choice = _read_choice(account, cause, everything)
    at_keyboard = sys.stdin.isatty() and not as_json
    if everything and at_keyboard and not (yes or no_input) and not typer.confirm("Replay everything that is stuck?"):
        print_error("Nothing was done.")
        raise typer.Exit(ERROR)
    _settle_stuck(url, "replay", choice, as_json, "replayed")


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
    """Leave failed accounts as they are. They are held, and the app does not try them again.

    A later export that brings such an account starts it again, unless it was
    created or linked already. Choose exactly one of --account, --cause and
    --all. With --all you have to type the word `discard`.

    Examples:
      ops poison discard --account a0123456789abcdef0123456789abcdef01234567
      ops poison discard --cause directory_refused --yes
    """
    choice = _read_choice(account, cause, everything)
    if not yes:
        _agree_to_discard(everything=everything, no_input=no_input)
    _settle_stuck(url, "discard", choice, as_json, "discarded")


def _read_choice(account: str, cause: str, everything: bool) -> Json:
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
        print_error("Nothing was done: with --no-input, discarding needs --yes.")
        raise typer.Exit(ERROR)
    if everything:
        agreed = typer.prompt("This discards everything that is stuck. Type discard to do it").strip() == "discard"
    else:
        agreed = typer.confirm("Discard them?")
    if not agreed:
        print_error("Nothing was done.")
        raise typer.Exit(ERROR)


def _settle_stuck(url: str, verb: str, choice: Json, as_json: bool, done: str) -> None:
    with app_at(url) as app:
        answer = show_waiting("The app is at it", lambda: app.post(Settled, f"poison/{verb}", choice))
    print_answer(answer, as_json, Text(show.describe_settled(answer.read, done)))
