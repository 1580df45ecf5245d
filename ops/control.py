"""`ops pause`, `ops resume`, `ops cancel`: stop a migration for now, continue it, or stop it for good."""

from collections.abc import Callable

import typer
from rich.text import Text

from ops import show
from ops.answers import Resumed
from ops.client import make_name_body, of_council, path_of
from ops.shell import (
    ERROR,
    HERE,
    AsJson,
    Authority,
    By,
    NoInput,
    Url,
    Wanted,
    Yes,
    app_at,
    commands,
    print_answer,
    print_error,
    show_waiting,
)


@commands.command()
def pause(migration: Wanted, authority: Authority = "", by: By = "", as_json: AsJson = False, url: Url = HERE) -> None:
    """Stop a migration for now: within seconds nothing new is begun.

    Nothing is lost: every account waits where it is. What was handed out before
    is void, also after `ops resume`.

    Examples:
      ops pause 2026-03-02-portal-d7e3
      ops pause 2026-03-02-portal-d7e3 --json | jq .phase
    """
    _control_migration(url, migration, "pause", authority, by, as_json, show.describe_paused)


@commands.command()
def resume(migration: Wanted, authority: Authority = "", by: By = "", as_json: AsJson = False, url: Url = HERE) -> None:
    """Resume a paused migration after its cause is repaired.

    A pause loses nothing: every account waits where it was. If the cause still
    exists, the migration pauses again with the same reason.

    Examples:
      ops resume 2026-03-02-portal-d7e3
    """
    _control_migration(url, migration, "resume", authority, by, as_json, show.describe_resumed)


@commands.command()
def cancel(
    migration: Wanted,
    authority: Authority = "",
    by: By = "",
    as_json: AsJson = False,
    yes: Yes = False,
    no_input: NoInput = False,
    url: Url = HERE,
) -> None:
    """Stop a migration for good. Within seconds nothing new is started.

    Finished accounts stay as they are. The others are held with the reason
    `cancelled`, as result.csv then shows. A later export starts with them
    again. You cannot undo this, so the command asks you to type the migration's
    name. To stop for a while only, use `ops pause`.

    Examples:
      ops cancel 2026-03-02-portal-d7e3
      ops cancel 2026-03-02-portal-d7e3 --yes
    """
    if not yes:
        _confirm_cancel(migration, no_input=no_input)
    _control_migration(url, migration, "cancel", authority, by, as_json, show.describe_cancelled)


def _confirm_cancel(migration: str, *, no_input: bool) -> None:
    """Have the migration's name typed, and end here unless it is."""
    if no_input:
        print_error("Nothing was done: with --no-input, cancelling needs --yes.")
        raise typer.Exit(ERROR)
    typed = typer.prompt(f"This stops {migration} for good. Type its name to do it", err=True).strip()
    if typed != migration:
        print_error("That is another name. Nothing was done.")
        raise typer.Exit(ERROR)


def _control_migration(
    url: str, migration: str, verb: str, authority: str, by: str, as_json: bool, says: Callable[[Resumed], str]
) -> None:
    with app_at(url) as app:
        path, params = path_of(migration, verb), of_council(authority)
        answer = show_waiting("Asking the app", lambda: app.post(Resumed, path, make_name_body(by), params))
    print_answer(answer, as_json, Text(says(answer.read)))
