"""`ops rebuild`: make the app's tables again after they were emptied. Asks the app until nothing is left to do."""

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Final, Literal

import typer
from pydantic import BaseModel
from rich.console import Console, Group, RenderableType
from rich.text import Text

from ops.client import Answer, App, Json
from ops.shell import (
    ERROR,
    FINDINGS,
    HERE,
    AsJson,
    Authority,
    Url,
    Yes,
    app_at,
    ask_patiently,
    commands,
    get_console,
    print_answer,
    print_error,
    show_waiting,
)
from ops.words import format_count, format_time

AGAIN: Final = 5.0
"""Seconds between two attempts to reach an app that is starting again."""
NOTHING_LOST: Final = "No tables are lost: there is nothing to make again."
WHAT_NOW: Final = (
    "The tables are made again. The app reads the exports once more, looks for what was done before, and goes on by "
    "itself: `ops status --watch` shows how. Nothing else is needed."
)


class Council(BaseModel):
    """One council: what was lost, and from what it would be made again."""

    authority: str
    council: str
    lost: list[str]
    under_way_since: datetime | None
    night: str
    copy_records: int
    read_again: list[str]
    gone: list[str]
    unexplained: int | None

    @property
    def to_do(self) -> bool:
        """True if something is lost, or if a rebuild has not finished."""
        return bool(self.lost) or self.under_way_since is not None


class Outlooks(BaseModel):
    """Every council."""

    councils: list[Council]


class Progress(BaseModel):
    """The result of one request."""

    finished: bool
    authority: str
    doing: str
    done: int
    of: int


@commands.command()
def rebuild(
    source: Annotated[
        Literal["copy", "export"] | None,
        typer.Option("--from", help="From the newest nightly copy (the default, if there is one), or exports alone."),
    ] = None,
    without_copy: Annotated[
        bool,
        typer.Option(
            "--without-copy", help="With --from export, although there is a copy: what only it knows is lost."
        ),
    ] = False,
    authority: Authority = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what is lost and what would be done.")] = False,
    marks: Annotated[
        bool, typer.Option("--marks", help="Only compare the directory's marks with the accounts, after a rebuild.")
    ] = False,
    as_json: AsJson = False,
    yes: Yes = False,
    url: Url = HERE,
) -> None:
    """Make the app's tables again after they were emptied.

    Use this command when `ops status` says TABLES LOST. The app has stopped by
    then, so that it creates, links and notifies nobody without its records. The
    rebuild uses the newest nightly copy, and then the exports that are left.
    What was done since the copy is found in the directory by our owner marker,
    and in the message service by our reference. No user is created twice, and
    no customer gets a message twice. If nobody can say whether a message was
    sent, the account is held for a person (message_in_doubt).

    PSEUDONYM_KEY must be the same as before. You can stop the command and run
    it again, and two people may run it at the same time. Nothing else is needed
    afterwards.

    Exit status: 0 done, or nothing is lost; 1 it did not work; of --dry-run and
    --marks also 2: something is lost, or marks are left unexplained.

    Examples:
      ops rebuild --dry-run
      ops rebuild
      ops rebuild --from export --authority south-norfolk --yes
      ops rebuild --marks
    """
    with app_at(url) as app:
        found = _read_outlook(app, authority, marks=marks)
        if dry_run or marks:
            print_answer(found, as_json, _make_outlook(found.read.councils, marks=marks))
            raise typer.Exit(FINDINGS if _has_findings(found.read) else 0)
        if not any(council.to_do for council in found.read.councils):
            print_answer(found, as_json, _describe_nothing(authority))
            return
        if not yes:
            _confirm_rebuild(found.read)
        body: Json = {"authority": authority, "source": source or "", "without_copy": without_copy}
        answer = _make_again(app, {name: value for name, value in body.items() if value})
    print_answer(answer, as_json, Text(WHAT_NOW, style="green"))


def _read_outlook(app: App, authority: str, *, marks: bool) -> Answer[Outlooks]:
    params = {"authority": authority, "marks": "true" if marks else ""}
    given = {name: value for name, value in params.items() if value}
    return show_waiting("Asking the app", lambda: app.get(Outlooks, "rebuild", given))


def _has_findings(found: Outlooks) -> bool:
    return any(council.to_do or council.unexplained for council in found.councils)


def _confirm_rebuild(found: Outlooks) -> None:
    """Show what would be done and ask. Ends here unless the answer is yes."""
    Console(stderr=True, highlight=False).print(_make_outlook(found.councils, marks=False))
    if not typer.confirm("Make the tables again?", err=True):
        print_error("Nothing was done.")
        raise typer.Exit(ERROR)


def _make_again(app: App, body: Json) -> Answer[Progress]:
    """Ask for piece after piece. A line for each on a pipe, one that changes on a terminal."""
    with Console(stderr=True).status("Making the tables again ...") as bar:
        while True:
            answer = ask_patiently(lambda: app.post(Progress, "rebuild", body), AGAIN)
            if answer.read.finished:
                return answer
            line = _make_progress_line(answer.read)
            bar.update(line)
            if not get_console().is_terminal:
                Console(stderr=True, highlight=False).print(line, soft_wrap=True)


def _describe_nothing(authority: str) -> Text:
    of = f"No tables of {authority} are lost: there is nothing to make again." if authority else NOTHING_LOST
    return Text(of, style="green")


def _make_progress_line(progress: Progress) -> Text:
    share = f" ({progress.done:,} of {progress.of:,})" if progress.of else ""
    return Text(f"{progress.authority}: {progress.doing}{share}")


def _make_outlook(councils: Iterable[Council], *, marks: bool) -> RenderableType:
    parts: list[Text] = []
    for council in councils:
        if council.to_do:
            parts += _describe_lost(council)
        elif marks:
            parts.append(_describe_owner_markers(council))
    return Group(*parts) if parts else Text(NOTHING_LOST, style="green")


def _describe_lost(council: Council) -> list[Text]:
    lines = [f"Lost: {', '.join(council.lost)}."] if council.lost else []
    if council.under_way_since is not None:
        lines.append(f"A rebuild was begun {format_time(council.under_way_since)}; it goes on where it was.")
    if council.night:
        lines.append(
            f"The copy of the night of {council.night} holds {format_count(council.copy_records, 'record')} of it."
        )
    else:
        lines.append("There is no copy: it is made from the exports, our marks and the message references alone.")
    if council.read_again:
        lines.append(f"Read once more: {', '.join(council.read_again)}.")
    if council.gone:
        gone = ", ".join(council.gone)
        lines.append(f"The files of these uploads are gone, and only a copy knows whom they brought: {gone}.")
    return [Text(council.council, style="bold"), *(Text(f"  {line}") for line in lines)]


def _describe_owner_markers(council: Council) -> Text:
    if council.unexplained is None:
        return Text(f"{council.council}: exports are being read or compared; ask again when that is over.")
    if not council.unexplained:
        return Text(f"{council.council}: every mark in the directory belongs to an account.", style="green")
    users = format_count(council.unexplained, "user in the directory has", "users in the directory have")
    return Text(
        f"{council.council}: {users} our mark, and no export that is left brought them. They are left alone; "
        "an upload that holds them makes their accounts known again.",
        style="yellow",
    )
