"""The answers as a person reads them in a terminal. Pure: answers in, things that rich can print out.

Text of the app is put into `Text`, never into markup, because a file may be called `[red].csv`.
"""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime

from rich import box
from rich.columns import Columns
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from ops.answers import Cause, Lost, Migration, Poison, Queue, Resumed, Settled, Status, Stuck
from ops.findings import GOING, list_findings, needs_a_look
from ops.words import OUTCOMES, PHASES, QUEUES, STATES, format_count, format_duration, format_interval, format_time


def make_overview(status: Status) -> RenderableType:
    """Everything: the verdict, each council's newest upload and what needs a look in full, the others in a line."""
    parts: list[RenderableType] = [_make_loss_panel(each) for each in status.lost]
    if not status.migrations and not status.lost:
        parts.append(Text("Nothing was uploaded yet: put a file into exports/<council>/."))
    full, earlier = _split_migrations(status)
    parts += [Padding(make_migration_panel(each, status.at), (0, 0, 1, 0)) for each in full]
    if earlier:
        parts.append(Padding(_make_earlier_table(earlier), (0, 0, 1, 0)))
    facts = [Text(fact, style="dim") for fact in describe_quota(status)]
    return Group(
        *parts,
        *_make_queue_table(status.queues),
        *facts,
        *_make_backup_panel(status),
        _make_verdict(list_findings(status)),
    )


def _make_loss_panel(found: Lost) -> RenderableType:
    body = Text(f"{found.sentence}\n", style="bold")
    body.append(f"What to do: {found.next}", style="not bold cyan")
    title = Text(f"TABLES LOST: {found.council} ({', '.join(found.tables) or 'all are back'})")
    return Panel(body, title=title, title_align="left", border_style="bold red", box=box.HEAVY)


def _make_backup_panel(status: Status) -> list[RenderableType]:
    if status.copied_at is None:
        return []
    age = format_duration(max(int((status.at - status.copied_at).total_seconds()), 0))
    return [Text(f"The tables were copied {age} ago.", style="dim")]


def _split_migrations(status: Status) -> tuple[list[Migration], list[Migration]]:
    """Migrations to be shown in full, and those of which a line is enough."""
    seen: set[str] = set()
    full: list[Migration] = []
    earlier: list[Migration] = []
    for each in status.migrations:
        newest = each.phase not in {"refused", "superseded"} and each.authority not in seen
        if newest:
            seen.add(each.authority)
        (full if newest or needs_a_look(each, status) else earlier).append(each)
    return full, earlier


def _make_verdict(found: list[str]) -> RenderableType:
    if not found:
        return Text("Nothing is stuck, paused or refused.", style="green")
    lines = Text(f"{format_count(len(found), 'finding')}:", style="bold yellow")
    for sentence in found:
        lines.append(f"\n  - {sentence}", style="not bold default")
    return lines


def make_migration_panel(found: Migration, now: datetime) -> RenderableType:
    """One migration in full."""
    parts: list[RenderableType] = [_make_title(found)]
    if found.paused:
        parts.append(_make_pause_panel(found))
    if found.refused:
        parts.append(_make_refusal_panel(found, found.refused))
    if found.states:
        parts.append(
            Columns(
                [
                    _make_count_table("outcome", found.outcomes, OUTCOMES),
                    _make_count_table("state", found.states, STATES),
                ]
            )
        )
    if found.failures:
        parts.append(_make_failure_table(found.failures))
    if found.reasons:
        parts.append(_make_reason_line(found.reasons))
    if found.waits:
        parts.append(_describe_waits(found))
    parts.append(_make_foot_line(found, now))
    return Group(*parts)


def _make_title(found: Migration) -> Text:
    title = Text(found.name, style="bold")
    title.append(f" · {found.migration}", style="not bold cyan")
    about = [found.file, f"uploaded {format_time(found.uploaded_at)}"]
    if found.rows:
        about.append(format_count(found.rows, "row"))
    if found.phase == "staging":
        about.append(f"{found.staged:,} read so far")
    about.append(PHASES.get(found.phase, found.phase))
    return title.append("\n" + " · ".join(about), style="not bold default")


def _make_pause_panel(found: Migration) -> RenderableType:
    pause = found.paused
    if pause is None:
        return Text()
    detail = f" ({pause.detail})" if pause.detail else ""
    body = Text(f"{pause.sentence}{detail}\n", style="bold")
    body.append(f"What to do: {pause.remedy}\n", style="not bold")
    body.append(f"Then: ops resume {found.migration}", style="not bold cyan")
    title = Text(f"PAUSED since {format_time(pause.since)}: {pause.reason}")
    return Panel(body, title=title, title_align="left", border_style="bold yellow", box=box.HEAVY)


def _make_refusal_panel(found: Migration, why: Cause) -> RenderableType:
    body = Text(why.sentence, style="bold")
    if found.superseded_by:
        body.append(f"\nThe other file: {found.superseded_by}", style="not bold")
    body.append(f"\nWhat to do: {why.remedy}", style="not bold")
    if found.phase == "failed":
        body.append(f"\nThen: ops poison replay --cause {why.reason}", style="not bold cyan")
    words = PHASES.get(found.phase, found.phase).upper()
    style = "dim" if found.phase == "superseded" else "bold red"
    return Panel(body, title=Text(f"{words}: {why.reason}"), title_align="left", border_style=style)


def _make_table(*columns: str, title: str = "") -> Table:
    table = Table(box=box.SIMPLE_HEAD, title=title or None, title_justify="left", title_style="bold", pad_edge=False)
    for column in columns:
        table.add_column(column, justify="right" if column in {"rows", "accounts", "waiting"} else "left")
    return table


def _make_count_table(title: str, counts: dict[str, int], words: dict[str, str]) -> Table:
    table = _make_table("rows", title, "which is")
    for name in [*(name for name in words if name in counts), *(name for name in counts if name not in words)]:
        if counts[name]:
            table.add_row(f"{counts[name]:,}", Text(name), Text(words.get(name, "")))
    return table


def _make_failure_table(failures: Iterable[Cause]) -> Table:
    table = _make_table("accounts", "stuck because of", "what it means, and what to do")
    for cause in failures:
        means = Text(f"{cause.sentence} {cause.remedy}")
        means.append(f"\nops poison replay --cause {cause.reason}", style="cyan")
        table.add_row(f"{cause.count:,}", Text(cause.reason, style="bold red"), means)
    return table


def _make_reason_line(reasons: dict[str, int]) -> Text:
    line = Text("Reasons (docs/reasons.md): ", style="dim")
    return line.append(", ".join(f"{reason} {count:,}" for reason, count in reasons.items()), style="not dim")


def _make_foot_line(found: Migration, now: datetime) -> Text:
    facts = []
    if found.speed is not None:
        facts.append(f"Pace: {', '.join(_describe_speed(found))}.")
    if found.oldest_waiting_seconds is not None:
        facts.append(f"The oldest account has waited for {format_duration(found.oldest_waiting_seconds)}.")
    if found.counted_at is not None:
        facts.append(f"Counted {format_duration(max(int((now - found.counted_at).total_seconds()), 0))} ago.")
    facts.append(f"Reports: {found.reports}")
    return Text(" ".join(facts), style="dim").append(f"\nNext: {found.next}", style="not dim")


def _describe_waits(found: Migration) -> Text:
    """Return what it waits for, and the commands for those who have to act."""
    text = Text("Waits for:", style="bold yellow")
    for wait in found.waits:
        text.append(f"\n  - {wait.sentence}", style="not bold default")
        if wait.command:
            text.append(f"\n    {wait.command}", style="not bold cyan")
    return text


def _describe_speed(found: Migration) -> list[str]:
    """Return its speed, and when what is due now will be done.

    Later waves are shown by what the migration waits for.
    """
    speed = found.speed
    if speed is None:
        return []
    ready = format_interval(speed.ready_from, speed.ready_until) if speed.ready_from and speed.ready_until else ""
    return [f"{speed.per_minute:,.0f} a minute", *([f"what is due now is ready {ready}"] if ready else [])]


def _make_earlier_table(migrations: Iterable[Migration]) -> Table:
    table = _make_table("rows", "council", "migration", "uploaded", "came to", title="Earlier and other uploads")
    for each in migrations:
        came_to = PHASES.get(each.phase, each.phase)
        if each.refused:
            came_to = f"{came_to}: {each.refused.reason}"
        cells = (each.name, each.migration, format_time(each.uploaded_at), came_to)
        table.add_row(f"{each.rows:,}" if each.rows else "", *map(Text, cells))
    return table


def _make_queue_table(queues: Iterable[Queue]) -> list[RenderableType]:
    """The queues that hold anything."""
    busy = [queue for queue in queues if queue.messages or queue.poison]
    if not busy:
        return []
    table = _make_table("waiting", "stuck", "queue", "which holds")
    for queue in busy:
        stuck = Text(f"{queue.poison:,}" if queue.poison else "", style="bold red")
        table.add_row(f"{queue.messages:,}", stuck, queue.queue, Text(QUEUES.get(queue.queue, "")))
    return [table]


def make_progress_table(status: Status) -> Table:
    """Return one line for each migration that moves or needs a look, for watching."""
    table = Table(box=None, pad_edge=False, show_header=False)
    for each in list_watched(status):
        table.add_row(*map(Text, progress_cells(each)))
    for fact in describe_quota(status):
        table.add_row(Text(fact, style="dim"))
    return table


def describe_quota(status: Status) -> list[str]:
    """Return how much of the directory's quota is used and how many requests were refused, if known."""
    facts = []
    if status.quota_used is not None:
        facts.append(f"Write quota used: {status.quota_used:.0%}.")
    if status.throttled_share is not None:
        facts.append(f"Throttled: {status.throttled_share:.1%} of the requests.")
    return facts


def list_watched(status: Status) -> list[Migration]:
    """Return the migrations that move or need a look. If there are none, the newest."""
    going = [m for m in status.migrations if m.phase in GOING]
    looked_at = [m for m in status.migrations if m not in going and needs_a_look(m, status)]
    return going + looked_at or status.migrations[:1]


def progress_cells(found: Migration) -> tuple[str, str, str, str]:
    """Return the council, the activity, the progress, and what stops it."""
    done, of = _count_done(found), found.rows
    share = f"{done:,} of {of:,} ({done * 100 // of} %)" if of else ""
    notes = _describe_speed(found)
    if found.paused:
        notes.append(f"PAUSED: {found.paused.reason}")
    if found.stuck:
        notes.append(f"{found.stuck:,} stuck")
    if found.oldest_waiting_seconds:
        notes.append(f"oldest has waited for {format_duration(found.oldest_waiting_seconds)}")
    notes += [cause.reason for cause in found.failures]
    notes += [wait.sentence for wait in found.waits]
    return found.name, PHASES.get(found.phase, found.phase), share, ", ".join(notes)


def _count_done(found: Migration) -> int:
    """Rows behind which lies what the phase is about."""
    if found.done is not None:
        return found.done
    if found.phase == "staging":
        return found.staged
    ahead = {"classifying": ("staged",), "running": ("staged", "classified", "released")}.get(found.phase, ())
    return sum(count for state, count in found.states.items() if state not in ahead)


def make_poison_page(found: Poison, limit: int) -> RenderableType:
    """Return what failed, by cause, with what to do."""
    parts: list[RenderableType] = []
    if found.stuck:
        parts += [_make_failure_table(_list_causes(found.stuck)), _make_account_table(found.stuck)]
        if len(found.stuck) == limit:
            parts.append(Text(f"These are the first {limit:,}; there may be more (--limit, at most 1000)."))
    else:
        parts.append(Text("No account is stuck.", style="green"))
    for queue in found.queues:
        parts.append(Text(f"{queue.queue}-poison holds {format_count(queue.poison, 'message')}."))
    if found.queues:
        parts.append(
            Text("A message in poison that belongs to no stuck account: see docs/runbook.md, 'A poison queue'.")
        )
    return Group(*parts)


def _list_causes(stuck: Iterable[Stuck]) -> list[Cause]:
    first = {each.reason: each for each in stuck}
    counts = Counter(each.reason for each in stuck)
    return [
        Cause(reason=reason, count=count, sentence=first[reason].sentence, remedy=first[reason].remedy)
        for reason, count in counts.most_common()
    ]


def _make_account_table(stuck: Iterable[Stuck]) -> Table:
    table = _make_table("account", "cause", "migration", "row")
    table.columns[0].no_wrap = True
    for each in stuck:
        table.add_row(each.account, Text(each.reason), Text(each.migration), f"{each.row:,}")
    return table


def describe_settled(done: Settled, verb: str) -> str:
    """Return the result of a replay or discard as a sentence."""
    what = format_count(done.accounts, "account")
    if done.migrations:
        what += f" and {format_count(done.migrations, 'upload')}"
    if not done.accounts and not done.migrations:
        what = "Nothing is stuck that this means, so nothing was"
    taken = f" {format_count(done.messages, 'message')} taken out of the poison queues." if done.messages else ""
    return f"{what} {verb}.{taken}"


def describe_resumed(now: Resumed) -> str:
    """Return the result of a resume as a sentence."""
    words = PHASES.get(now.phase, now.phase)
    if now.paused:
        return f"{now.migration} was paused again at once: `ops status` says why."
    if now.phase in {"done", "refused", "superseded", "failed", "cancelled"}:
        return f"{now.migration} is not paused: it is {words}."
    return f"{now.migration} goes on: {words}. `ops status --watch` shows how."


def describe_paused(now: Resumed) -> str:
    """Return the result of a pause as a sentence."""
    if now.reason != "paused_by_person":
        return f"{now.migration} was paused already: {now.reason}. `ops status` says what to do."
    return f"{now.migration} is paused: no new effect starts. `ops resume {now.migration}` lets it go on."


def describe_cancelled(now: Resumed) -> str:
    """Return the result of a cancellation as a sentence."""
    return (
        f"{now.migration} is cancelled: what was done stays, the rest is left as it was. result.csv will tell it. "
        "Whoever was created and not told yet (state `held` with a directory_id there) cannot sign in until told: "
        "upload the export again, or tell them another way."
    )
