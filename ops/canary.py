"""`ops canary`.

A test customer passes through all steps in the real directory, and the command shows what was found.
"""

import re
import time
from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Final, Literal

import typer
from pydantic import BaseModel
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from ops.client import Answer, App, Json
from ops.shell import (
    FINDINGS,
    HERE,
    AsJson,
    Url,
    app_at,
    ask_patiently,
    commands,
    get_console,
    print_answer,
    print_error,
    show_waiting,
)
from ops.words import format_time

AGAIN: Final = 5.0
"""Seconds between two attempts to reach an app that is starting again."""
USER_ID: Final = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
STYLES: Final = {"ok": "green", "failed": "bold red", "waits": "yellow"}
VERDICTS: Final = {
    "passed": "PASSED: the directory does what a wave needs of it.",
    "failed": "FAILED: see what to change below, then run it again.",
    "cancelled": "Ended before it was through. What it made is taken back.",
    "running": "Under way. The same command goes on with it.",
}


class Step(BaseModel):
    """One step and its result."""

    step: str
    result: str
    sentence: str
    at: datetime


class Failure(BaseModel):
    """What failed, and what to change."""

    code: str
    sentence: str
    remedy: str


class Learned(BaseModel):
    """What the directory answered to one question."""

    name: str
    question: str
    value: str
    at: datetime


class Canary(BaseModel):
    """One council's newest canary."""

    authority: str
    council: str
    run: int
    verdict: str
    started_at: datetime
    finished_at: datetime | None
    passed_at: datetime | None
    asked_within_days: int
    steps: list[Step]
    next: list[str]
    failures: list[Failure]
    notes: list[str]
    answers: list[Learned]
    ask_again_seconds: float


class Canaries(BaseModel):
    """The newest canary of each council."""

    canaries: list[Canary]


@commands.command()
def canary(
    authority: Annotated[str, typer.Option(help="The council, as its folder in exports is named.")] = "",
    address: Annotated[str, typer.Option(help="A mailbox that you can read and no customer uses.")] = "",
    signed_in: Annotated[
        Literal["yes", "no"] | None, typer.Option(help="Say whether the sign-in with the new password worked.")
    ] = None,
    undo: Annotated[
        str, typer.Option(metavar="ID", help="End here, and take the test customer with this id back.")
    ] = "",
    show: Annotated[bool, typer.Option("--show", help="Only show what canaries have found out, and when.")] = False,
    once: Annotated[bool, typer.Option("--once", help="Do not wait: go on as far as it can, and end.")] = False,
    as_json: AsJson = False,
    url: Url = HERE,
) -> None:
    """Send one test customer through the real directory before any other.

    The test customer is created, looked up and linked like a real one. You set
    its password in the way that customers do, and sign in. The app then removes
    its owner marker, and an administrator of the directory deletes the user.
    Each step says what to do. You can stop at any time: the same command
    continues where it stopped. What it found out about the directory is stored
    with the date.

    Exit status: 0 it passed, 1 it did not work, 2 it failed: what to change is
    said.

    Examples:
      ops canary --authority south-norfolk --address canary@example.org
      ops canary --authority south-norfolk --address canary@example.org --signed-in yes
      ops canary --authority south-norfolk --undo 7c5c0d3e-0000-4000-8000-000000000000
      ops canary --show
    """
    if show:
        _show_canaries(url, authority, as_json)
        return
    if not authority or not (address or undo):
        raise typer.BadParameter(
            "name the council and a mailbox, or see `ops canary --show`.", param_hint="--authority, --address"
        )
    if undo and not USER_ID.fullmatch(undo):
        raise typer.BadParameter(
            "a test customer's id is like 7c5c0d3e-0000-4000-8000-000000000000; `ops canary --show` has it.",
            param_hint="--undo",
        )
    body: Json = {"authority": authority, "address": address, "undo": undo}
    first = body if signed_in is None else {**body, "signed_in": signed_in == "yes"}
    with app_at(url) as app:
        answer = _follow_canary(
            app, first, body, Telling(Console(stderr=True, highlight=False) if as_json else get_console()), once
        )
    print_answer(answer, as_json, make_ending(answer.read))
    if answer.read.failures or (answer.read.verdict == "cancelled" and not undo):
        raise typer.Exit(FINDINGS)


def _show_canaries(url: str, authority: str, as_json: bool) -> None:
    params = {"authority": authority} if authority else None
    with app_at(url) as app:
        answer = show_waiting("Asking the app", lambda: app.get(Canaries, "canary", params))
    print_answer(answer, as_json, make_overview(answer.read))
    if any(each.failures for each in answer.read.canaries):
        raise typer.Exit(FINDINGS)


def _follow_canary(app: App, first: Json, body: Json, telling: "Telling", once: bool) -> Answer[Canary]:
    """Ask again until it is over, and print what is new."""
    answer = show_waiting("The canary is at it", lambda: app.post(Canary, "canary", first))
    # With its number, so that a run that ended while its answer was lost is told, and none is begun anew.
    this = {**body, "run": answer.read.run}
    try:
        while True:
            telling.tell(answer.read)
            if once or answer.read.finished_at:
                return answer
            time.sleep(answer.read.ask_again_seconds)
            answer = ask_patiently(lambda: app.post(Canary, "canary", this), AGAIN)
    except KeyboardInterrupt:
        print_error("The canary waits where it is. The same command goes on with it.")
        raise


class Telling:
    """Prints each thing once."""

    def __init__(self, out: Console) -> None:
        self._out = out
        self._said: set[str] = set()

    def tell(self, canary: Canary) -> None:
        """The steps since the last time, and what is to be done now."""
        for step in canary.steps:
            if self._is_news(f"{step.step} {step.result} {step.sentence}"):
                self._out.print(make_step_line(step))
        if canary.next and self._is_news("\n".join(canary.next)):
            self._out.print(to_do(canary.next))

    def _is_news(self, said: str) -> bool:
        fresh = said not in self._said
        self._said.add(said)
        return fresh


def make_step_line(step: Step) -> Text:
    """One step in a line."""
    text = Text(f"{step.result:<7}", style=STYLES.get(step.result, ""))
    return text.append(f"{step.step:<22}", style="not bold cyan").append(step.sentence, style="not bold default")


def to_do(sentences: Iterable[str]) -> RenderableType:
    """True if a person has to do something now."""
    numbered = "\n".join(f"{number}. {sentence}" for number, sentence in enumerate(sentences, 1))
    return Panel(Text(numbered), title="Your turn", title_align="left", border_style="yellow")


def make_ending(canary: Canary) -> RenderableType:
    """The verdict, what to change, and what was found out."""
    style = {"passed": "bold green", "failed": "bold red"}.get(canary.verdict, "bold yellow")
    parts: list[RenderableType] = [Text(VERDICTS.get(canary.verdict, canary.verdict), style=style)]
    for failure in canary.failures:
        parts.append(Text(f"{failure.code}: {failure.sentence}", style="bold"))
        parts.append(Text(f"What to change: {failure.remedy}"))
    parts += [Text(f"Note: {note}", style="yellow") for note in canary.notes]
    return Group(*parts, make_answer_table(canary.answers))


def make_answer_table(answers: Iterable[Learned]) -> Table:
    """Return what the directory answered, and when."""
    table = Table(box=None, pad_edge=False)
    for column in ("question", "answer", "found out"):
        table.add_column(column)
    for each in answers:
        table.add_row(Text(each.question), Text(each.value, style="bold"), format_time(each.at))
    return table


def make_overview(found: Canaries) -> RenderableType:
    """Every council's newest canary."""
    if not found.canaries:
        return Text("No canary has run yet: ops canary --authority <council> --address <a mailbox that you can read>.")
    return Group(*(Padding(_of_council(each), (0, 0, 1, 0)) for each in found.canaries))


def _of_council(canary: Canary) -> RenderableType:
    title = Text(f"{canary.council} ({canary.authority})", style="bold")
    when = f"started {format_time(canary.started_at)}"
    when += f", passed last {format_time(canary.passed_at)}" if canary.passed_at else ", none has passed yet"
    if canary.asked_within_days:
        when += f"; asked for within {canary.asked_within_days} days of a wave"
    return Group(title, Text(when), *(make_step_line(step) for step in canary.steps), make_ending(canary))
