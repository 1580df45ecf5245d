"""`ops wave`, `ops switch`, `ops review`: what people confirm, open and assign while waves run."""

from typing import Annotated

import typer
from pydantic import BaseModel
from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from ops.client import Json, make_name_body, path_of
from ops.plan import Plan, Wave
from ops.shell import FINDINGS, HERE, AsJson, By, Url, Wanted, app_at, commands, print_answer, show_waiting
from ops.words import format_count, format_time, in_london

wave_commands = typer.Typer(no_args_is_help=True, help="The waves of a plan: list, confirm, open.")
switch_commands = typer.Typer(no_args_is_help=True, help="The portal has switched: confirm it.")
review_commands = typer.Typer(no_args_is_help=True, help="Review cases: who decides them, and until when.")
commands.add_typer(wave_commands, name="wave")
commands.add_typer(switch_commands, name="switch")
commands.add_typer(review_commands, name="review")

Number = Annotated[int, typer.Argument(metavar="WAVE", min=1, max=999, help="Its number, as `ops wave list` shows it.")]


class Gate(BaseModel):
    """One wave after somebody acted on it."""

    migration: str
    wave: int
    opened: bool
    checked: dict[str, str]
    stopped: list[str]
    unconfirmed: list[str] = []


class Switched(BaseModel):
    """A migration after `ops switch confirm`."""

    migration: str
    switched: bool


class Case(BaseModel):
    """One review case."""

    account: str
    row: int
    reason: str
    owner: str
    decide_by: str


class Cases(BaseModel):
    """The review cases of a migration."""

    class Group(BaseModel):
        """The number of cases with the same reason, owner and date."""

        cases: int
        reason: str
        owner: str
        decide_by: str

    migration: str
    cases: int
    unowned: int
    groups: list[Group]
    first: list[Case]
    without_account: int


class Assigned(BaseModel):
    """The result of `ops review assign`."""

    migration: str
    cases: int


@wave_commands.command("list")
def list_waves(migration: Wanted, as_json: AsJson = False, url: Url = HERE) -> None:
    """The waves of a plan, when each begins, and what stops one.

    Exit status: 0 nothing is stopped, 1 it could not be shown, 2 a wave waits
    for a person.

    Examples:
      ops wave list 2026-03-02-portal-d7e3
      ops wave list 2026-03-02-portal-d7e3 --json | jq '.waves[].stopped'
    """
    with app_at(url) as app:
        answer = show_waiting("Asking the app", lambda: app.get(Plan, path_of(migration, "plan")))
    print_answer(answer, as_json, make_wave_page(answer.read.waves))
    if any(wave.stopped and not wave.opened_at for wave in answer.read.waves):
        raise typer.Exit(FINDINGS)


@wave_commands.command("open")
def open_wave(
    migration: Wanted,
    wave: Number,
    why: Annotated[str, typer.Option("--why", help="Why it may begin all the same; kept on the record.")],
    by: By = "",
    as_json: AsJson = False,
    url: Url = HERE,
) -> None:
    """Open a wave although something stops it.

    The app records who did it, and why. If you can, repair the cause first: a
    wave that nothing stops opens without this command.

    Examples:
      ops wave open 2026-03-02-portal-d7e3 2 --why "the 12 failures are one closed domain"
    """
    body: Json = {"why": why, **make_name_body(by)}
    with app_at(url) as app:
        path = path_of(migration, f"waves/{wave}/open")
        answer = show_waiting("Asking the app", lambda: app.post(Gate, path, body))
    print_answer(answer, as_json, make_gate_page(answer.read))


@wave_commands.command("check")
def check(
    migration: Wanted,
    wave: Number,
    point: Annotated[str, typer.Argument(help="The point of the checklist, as the council's profile spells it.")],
    by: By = "",
    as_json: AsJson = False,
    url: Url = HERE,
) -> None:
    """Confirm one point of a wave's checklist.

    Examples:
      ops wave check 2026-03-02-portal-d7e3 2 "help desks briefed"
    """
    body: Json = {"point": point, **make_name_body(by)}
    with app_at(url) as app:
        path = path_of(migration, f"waves/{wave}/check")
        answer = show_waiting("Asking the app", lambda: app.post(Gate, path, body))
    print_answer(answer, as_json, make_gate_page(answer.read))


@switch_commands.command()
def confirm(migration: Wanted, by: By = "", as_json: AsJson = False, url: Url = HERE) -> None:
    """Confirm that the portal has switched. Only after that are customers notified.

    Examples:
      ops switch confirm 2026-03-02-portal-d7e3
    """
    with app_at(url) as app:
        answer = show_waiting(
            "Asking the app", lambda: app.post(Switched, path_of(migration, "switch"), make_name_body(by))
        )
    print_answer(answer, as_json, Text(f"The portal has switched: customers of {answer.read.migration} are told now."))


@review_commands.command("list")
def list_review(
    migration: Wanted,
    as_json: AsJson = False,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most so many cases one by one.")] = 100,
    url: Url = HERE,
) -> None:
    """The review cases of a migration: who decides them, and until when.

    Those without an owner or a day come first. Who the customers are stands
    under `personal/` of its reports, never here.

    Exit status: 0 every case has an owner and a day, 1 it could not be shown, 2
    a case has none.

    Examples:
      ops review list 2026-03-02-portal-d7e3
      ops review list 2026-03-02-portal-d7e3 --json | jq -r '.first[].account'
    """
    with app_at(url) as app:
        path = path_of(migration, "review")
        answer = show_waiting("Asking the app", lambda: app.get(Cases, path, {"limit": limit}))
    print_answer(answer, as_json, make_case_page(answer.read))
    if answer.read.unowned:
        raise typer.Exit(FINDINGS)


@review_commands.command()
def assign(
    migration: Wanted,
    which: Annotated[str, typer.Argument(help="A reason code as `ops review list` shows it, or an account id.")],
    owner: Annotated[str, typer.Option("--owner", help="Who decides: a team, or a person's object id.")],
    by_day: Annotated[str, typer.Option("--by-day", metavar="DATE", help="Until when, like 2026-03-31.")],
    by: By = "",
    as_json: AsJson = False,
    url: Url = HERE,
) -> None:
    """Give review cases an owner and a day, all of one reason or one account.

    Examples:
      ops review assign 2026-03-02-portal-d7e3 names_differ --owner customer-services --by-day 2026-03-31
    """
    body: Json = {"which": which, "owner": owner, "decide_by": by_day, **make_name_body(by)}
    with app_at(url) as app:
        answer = show_waiting("Asking the app", lambda: app.post(Assigned, path_of(migration, "review"), body))
    told = format_count(answer.read.cases, "case is", "cases are")
    print_answer(answer, as_json, Text(f"{told} for {owner} to decide until {by_day}."))


def make_wave_page(found: list[Wave]) -> RenderableType:
    """The waves as a person reads them."""
    table = _make_grid("wave", "accounts", "begins", "stands")
    for wave in found:
        begins = in_london(wave.starts_at) if wave.starts_at else "when nothing is in its way"
        table.add_row(
            Text(f"{wave.number} {wave.name}"), f"{wave.accounts:,}", Text(begins), Text(_describe_wave(wave))
        )
    return table


def _describe_wave(wave: Wave) -> str:
    if wave.opened_at:
        return f"open since {format_time(wave.opened_at)}"
    if wave.stopped:
        return f"stopped: {' '.join(wave.stopped)}"
    return f"opens {wave.held_back}" if wave.held_back else "not open yet"


def make_gate_page(found: Gate) -> RenderableType:
    """Return one wave after somebody acted on it."""
    stands = "is open" if found.opened else "is not open yet"
    lines = [Text(f"Wave {found.wave} of {found.migration} {stands}.")]
    lines += [Text(f"Confirmed: {point}, by {who}.") for point, who in found.checked.items()]
    if found.opened:
        return Group(*lines)
    lines += [Text(f"In its way: {sentence}", style="yellow") for sentence in found.stopped]
    told = " ".join(found.stopped)
    lines += [
        Text(f"Still to confirm: {point}.", style="yellow") for point in found.unconfirmed if f'"{point}"' not in told
    ]
    if not found.stopped and not found.unconfirmed:
        lines.append(
            Text("Everything is confirmed. It opens by itself when its day has come and nothing else stops it.")
        )
    return Group(*lines)


def make_case_page(found: Cases) -> RenderableType:
    """Return review cases: the number of each kind, then each case. Cases without an owner come first."""
    parts: list[RenderableType] = [Text("No case is in review.", style="green")]
    if found.cases:
        parts = [Text(f"{format_count(found.cases, 'case')} in review, {found.unowned:,} without an owner or a day.")]
        groups = _make_grid("cases", "reason", "owner", "decide by")
        for each in found.groups:
            groups.add_row(f"{each.cases:,}", *_make_owner_cells(each))
        single = _make_grid("account", "row", "reason", "owner", "decide by")
        for case in found.first:
            single.add_row(case.account, f"{case.row:,}", *_make_owner_cells(case))
        parts += [groups, single]
    if len(found.first) < found.cases:
        parts.append(Text(f"These are the first {len(found.first):,} (--limit, at most 1000)."))
    if found.unowned:
        parts.append(Text(f"ops review assign {found.migration} REASON --owner TEAM --by-day DATE", style="cyan"))
    if found.without_account:
        rows = format_count(found.without_account, "row without an account needs", "rows without an account need")
        parts.append(Text(f"{rows} a person too: result.csv tells which."))
    return Group(*parts)


def _make_owner_cells(case: Case | Cases.Group) -> tuple[Text, Text, Text]:
    nobody = Text("nobody", style="yellow")
    return Text(case.reason), Text(case.owner) if case.owner else nobody, Text(case.decide_by or "no day")


def _make_grid(*columns: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(column, justify="right" if column in {"cases", "accounts", "row"} else "left")
        table.columns[-1].no_wrap = column == "account"
    return table
