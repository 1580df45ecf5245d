"""The doctor's report as a person reads it in a terminal. Pure: a report in, things that rich can print out."""

from collections.abc import Iterable
from typing import Final

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from ops.answers_doctor import Check, Report
from ops.words import format_count, format_time

PURPOSES: Final = {
    "assess": "to look only: before a plan is approved",
    "wave": "to move accounts",
    "closed": "all is moved: nothing may be changed any more",
}
AREAS: Final = {
    "settings": "Settings",
    "profiles": "Councils' profiles",
    "storage": "Storage account",
    "clock": "Clock",
    "directory": "Directory",
    "messages": "Message service",
    "canary": "Canary",
}
MARKS: Final = {
    "ok": ("✓", "ok", "green"),
    "missing": ("✗", "missing", "bold red"),
    "too_much": ("✗", "too much", "bold red"),
    "not_checked": ("-", "not checked", "yellow"),
}
"""For each status its sign, word and colour. The word is for readers who do not see the colour."""
LOOKED: Final = {
    "app": "The app looked, with its own credentials.",
    "process": "A process on this machine looked, with the settings of this shell: a deployed app's may differ.",
}


def make_examination(report: Report) -> RenderableType:
    """Everything, area by area, what to mend under each finding, the verdict at the end."""
    parts: list[RenderableType] = [_make_title(report)]
    for area in dict.fromkeys(check.area for check in report.checks):
        parts.append(Text(AREAS.get(area, area), style="bold"))
        parts.append(Padding(_make_table(check for check in report.checks if check.area == area), (0, 0, 1, 1)))
    return Group(*parts, _make_verdict(report))


def _make_title(report: Report) -> Text:
    title = Text(f"Ready for `{report.purpose}`?", style="bold")
    title.append(f" ({PURPOSES.get(report.purpose, report.purpose)})", style="not bold")
    who = report.authority or "all councils"
    return title.append(
        f"\n{who} · {format_time(report.at)} · {LOOKED.get(report.by, report.by)}\n", style="not bold dim"
    )


def _make_table(checks: Iterable[Check]) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    for no_wrap, width in ((True, len("- not checked")), (True, None), (False, None)):
        table.add_column(no_wrap=no_wrap, min_width=width)
    for check in checks:
        sign, word, style = MARKS.get(check.status, ("?", check.status, ""))
        table.add_row(Text(f"{sign} {word}", style=style), Text(check.name), _make_found_text(check))
    return table


def _make_found_text(check: Check) -> Text:
    found = Text(check.found, style="bold" if check.mend else "dim" if check.status == "not_checked" else "")
    if check.mend:
        found.append(f"\nMend: {check.mend}", style="not bold")
        found.append(f"\nMore: {check.anchor}", style="not bold cyan")
    return found


def _make_verdict(report: Report) -> Text:
    skipped = report.counts.get("not_checked", 0)
    rest = f" {format_count(skipped, 'thing was', 'things were')} not checked." if skipped else ""
    if not report.findings:
        return Text(f"Nothing to mend.{rest}", style="green")
    return Text(
        f"{format_count(report.findings, 'finding')}: mend what is marked ✗, then look again.{rest}", style="bold red"
    )
