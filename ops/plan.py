"""`ops plan`: read a plan before anything is changed, and say yes or no to it."""

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from typing import Annotated

import typer
from pydantic import BaseModel
from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from ops.client import Json, make_name_body, of_council, path_of
from ops.shell import (
    ERROR,
    FINDINGS,
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
from ops.words import OUTCOMES, PHASES, format_count, format_time, in_london

plan_commands = typer.Typer(no_args_is_help=True, help="What will be done to whom, when; and who has signed it.")
commands.add_typer(plan_commands, name="plan")


class Part(StrEnum):
    """The area for which a person signs."""

    DATA_OWNER = "data-owner"
    OPERATIONS = "operations"
    DIRECTORY_OWNER = "directory-owner"


class Wave(BaseModel):
    """One wave as it is planned."""

    number: int
    name: str
    takes: str
    starts_at: datetime | None
    accounts: int
    opened_at: datetime | None
    stopped: list[str] = []
    held_back: str = ""


class Template(BaseModel):
    """The text of one message."""

    message: str
    id: str
    version: int


class Signature(BaseModel):
    """One person's yes."""

    part: str
    by: str
    at: datetime


class Plan(BaseModel):
    """A frozen plan, as far as this command line reads it."""

    migration: str
    authority: str
    council: str
    file: str
    kind: str = "migrate"
    phase: str
    uploaded_at: datetime
    uploaded_by: str
    approval: str
    hash: str
    made_at: datetime
    rows: int
    outcomes: dict[str, int]
    waves: list[Wave]
    templates: list[Template]
    warnings: list[str]
    signatures: list[Signature]
    wanted: list[str]
    approved_at: datetime | None
    rejected_by: str
    superseded_by: str
    commands: list[str]


class Left(BaseModel):
    """A migration after `supersede`."""

    migration: str
    phase: str
    superseded_by: str


@plan_commands.command("show")
def show_plan(migration: Wanted, authority: Authority = "", as_json: AsJson = False, url: Url = HERE) -> None:
    """Show a plan, who has signed it, and the commands for the missing signatures.

    Exit status: 0 nothing is wanted, 1 it could not be shown, 2 a signature is
    wanted.

    Examples:
      ops plan show 2026-03-02-portal-d7e3
      ops plan show 2026-03-02-portal-d7e3 --json | jq -r .hash
    """
    with app_at(url) as app:
        answer = show_waiting(
            "Asking the app", lambda: app.get(Plan, path_of(migration, "plan"), of_council(authority))
        )
    print_answer(answer, as_json, make_plan_page(answer.read))
    if answer.read.wanted:
        raise typer.Exit(FINDINGS)


@plan_commands.command()
def approve(
    migration: Wanted,
    part: Annotated[Part, typer.Option("--as", help="For what you sign, as the council's profile asks for it.")],
    plan_hash: Annotated[str, typer.Option("--hash", help="The hash of the plan that you read.")],
    rows: Annotated[int, typer.Option(min=0, help="How many rows the portal says it exported: the control total.")],
    accept_warnings: Annotated[
        bool, typer.Option("--accept-warnings", help="The extract exceeds the profile's limits, and is right.")
    ] = False,
    by: By = "",
    as_json: AsJson = False,
    url: Url = HERE,
) -> None:
    """Sign a plan. It begins with the last missing signature.

    Each part is signed by another person, and never by the person who uploaded
    the export. Take --rows from the portal, not from the plan: this is how a
    wrong or cut file is found.

    Examples:
      ops plan approve 2026-03-02-portal-d7e3 --as operations --hash 3f2a91c07b55 --rows 1200
      ops plan approve 2026-03-02-portal-d7e3 --as data-owner --hash 3f2a91c07b55 --rows 1200 --accept-warnings
    """
    body: Json = {"as": part.value, "hash": plan_hash.lower(), "rows": rows, "accept_warnings": accept_warnings}
    with app_at(url) as app:
        answer = show_waiting(
            "Asking the app",
            lambda: app.post(Plan, path_of(migration, "plan/approve"), {**body, **make_name_body(by)}),
        )
    print_answer(answer, as_json, Group(Text(f"Signed as {part}.", style="green"), _describe_signatures(answer.read)))


@plan_commands.command()
def reject(
    migration: Wanted,
    by: By = "",
    authority: Authority = "",
    as_json: AsJson = False,
    yes: Yes = False,
    no_input: NoInput = False,
    url: Url = HERE,
) -> None:
    """Say no to a plan: nothing is done, and the migration is over.

    The file may be uploaded again when what was wrong is mended.

    Examples:
      ops plan reject 2026-03-02-portal-d7e3
      ops plan reject 2026-03-02-portal-d7e3 --yes --json
    """
    if not yes and (no_input or not typer.confirm(f"Reject the plan of {migration}?", err=True)):
        print_error("Nothing was done." + (" With --no-input, rejecting needs --yes." if no_input else ""))
        raise typer.Exit(ERROR)
    with app_at(url) as app:
        answer = show_waiting(
            "Asking the app",
            lambda: app.post(Plan, path_of(migration, "plan/reject"), make_name_body(by), of_council(authority)),
        )
    print_answer(answer, as_json, Text(f"The plan of {answer.read.migration} is rejected. Nothing was done."))


@plan_commands.command()
def supersede(
    migration: Wanted,
    newer: Annotated[str, typer.Option("--by-migration", metavar="NEWER", help="Default: the newest there is.")] = "",
    authority: Authority = "",
    as_json: AsJson = False,
    url: Url = HERE,
) -> None:
    """Leave what this migration has not started to a newer one.

    Any newer upload can replace a plan that waits for signatures. Only an
    approved plan can replace one in progress, and it does so without this
    command.

    Examples:
      ops plan supersede 2026-03-02-portal-d7e3
      ops plan supersede 2026-03-02-portal-d7e3 --by-migration 2026-03-09-portal-k2mp
    """
    body: Json = {"newer": newer} if newer else {}
    with app_at(url) as app:
        answer = show_waiting(
            "Asking the app", lambda: app.post(Left, path_of(migration, "plan/supersede"), body, of_council(authority))
        )
    left = answer.read
    print_answer(answer, as_json, Text(f"{left.migration} gives way to {left.superseded_by}."))


def make_plan_page(plan: Plan) -> RenderableType:
    """A plan as a person reads it."""
    parts: list[RenderableType] = [
        _make_title(plan),
        _make_outcome_table(plan.outcomes),
        _make_wave_table(plan.waves),
        _make_template_table(plan.templates),
    ]
    parts += [Text(f"Warning: {warning}", style="bold yellow") for warning in plan.warnings]
    return Group(*parts, _describe_signatures(plan))


def _make_title(plan: Plan) -> Text:
    title = Text(plan.council, style="bold").append(f" · {plan.migration}", style="not bold cyan")
    uploaded = f"uploaded {format_time(plan.uploaded_at)} by {plan.uploaded_by or 'somebody (it is not known who)'}"
    title.append(f"\n{plan.file} · {uploaded} · {PHASES.get(plan.phase, plan.phase)}", style="not bold default")
    title.append(f"\nPlan {plan.hash}", style="bold")
    return title.append(
        f"\nmade {format_time(plan.made_at)} of {format_count(plan.rows, 'row')}", style="not bold default"
    )


def _make_grid(*columns: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(column, justify="right" if column in {"rows", "accounts"} else "left")
    return table


def _make_outcome_table(outcomes: dict[str, int]) -> Table:
    table = _make_grid("rows", "outcome", "which is")
    for name, count in outcomes.items():
        if count:
            table.add_row(f"{count:,}", Text(name), Text(OUTCOMES.get(name, "")))
    return table


def _make_wave_table(waves: Iterable[Wave]) -> Table:
    table = _make_grid("accounts", "wave", "takes", "begins", "open since")
    for wave in waves:
        begins = in_london(wave.starts_at) if wave.starts_at else "when nothing is in its way"
        opened = format_time(wave.opened_at) if wave.opened_at else "not yet"
        cells = (f"{wave.number} {wave.name}", wave.takes, begins, opened)
        table.add_row(f"{wave.accounts:,}", *map(Text, cells))
    return table


def _make_template_table(templates: Iterable[Template]) -> Table:
    table = _make_grid("message", "template", "version")
    for each in templates:
        table.add_row(Text(each.message), Text(each.id), str(each.version))
    return table


def _describe_signatures(plan: Plan) -> Text:
    """Return who has signed, which signatures are missing, and the commands for them."""
    text = Text()
    for each in plan.signatures:
        text.append(f"Signed as {each.part} by {each.by}, {format_time(each.at)}.\n")
    for part, command in zip(plan.wanted, plan.commands, strict=False):
        text.append(f"Wanted: the signature of {part}. That person types:\n", style="bold yellow")
        text.append(f"  {command}\n", style="not bold cyan")
    if plan.wanted:
        return text.append("ROWS is how many rows the portal says it exported: take it from there, not from here.")
    return text.append(_describe_verdict(plan))


def _describe_verdict(plan: Plan) -> str:
    if plan.rejected_by:
        return f"Rejected by {plan.rejected_by}. Mend what was wrong, and upload the export again."
    if plan.kind == "assess":
        return "This upload only assesses: nothing is signed, and nothing is changed for it."
    if plan.phase == "cancelled":
        return "Cancelled: nobody signs it any more. To have it moved after all, upload the export again."
    if plan.superseded_by and plan.phase != "done":
        return f"Gives way to {plan.superseded_by}."
    if plan.approved_at:
        return f"Approved {format_time(plan.approved_at)}. `ops status --watch` shows how it goes."
    if plan.approval == "automatic":
        return "No signature is wanted: the council's profile says that plans are approved automatically."
    return f"No signature is wanted now: {PHASES.get(plan.phase, plan.phase)}. `ops status` says what to do."
