"""What people are told to look up, type and set is there: runbook, deployment page and code share their words."""

import json
import re
import shlex
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Any, Final, get_args

import pytest
import typer

from local import docs
from ops.commands import commands
from shared import names
from shared.model import reasons
from shared.model.reasons import REASONS
from shared.readiness.rules.canary_texts import FAILURES
from shared.readiness.rules.report import Code, make_anchor

ROOT: Final = Path(__file__).parent.parent.parent
DOCS: Final = ROOT / "docs"
RUNBOOK: Final = (DOCS / "runbook.md").read_text(encoding="utf-8")
DEPLOY: Final = (DOCS / "deploy.md").read_text(encoding="utf-8")
MAIN: Final = (ROOT / "infra/main.bicep").read_text(encoding="utf-8")
STORAGE: Final = (ROOT / "infra/modules/storage-data.bicep").read_text(encoding="utf-8")
PAGES: Final = sorted([ROOT / "README.md", ROOT / "infra/README.md", ROOT / "CONTRIBUTING.md", *DOCS.rglob("*.md")])
FOR_PEOPLE_ON_CALL: Final = [page for page in PAGES if page.parent != DOCS / "adr"]

BLOCK: Final = re.compile(r"^ *```\w*\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
SPAN: Final = re.compile(r"`([^`\n]+)`")
OPS: Final = re.compile(r"(?:^|\s)(?:python3 dev\.py )?ops (?P<rest>[a-z].*)$", re.MULTILINE)


def _of_page(page: Path) -> str:
    return str(page.relative_to(ROOT))


def _sources(*folders: str) -> Iterator[Path]:
    for folder in folders:
        yield from sorted(path for path in (ROOT / folder).rglob("*") if path.suffix in {".py", ".bicep", ".json"})


def _anchors(markdown: str) -> list[str]:
    """Of headings as GitHub makes them, and those set by hand."""
    text = BLOCK.sub("", markdown)
    headings = [heading.replace("`", "") for heading in re.findall(r"^#+ (.+)$", text, re.MULTILINE)]
    made = [re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings]
    return [*made, *re.findall(r'<a id="([^"]+)">', text)]


# anchors


@pytest.mark.parametrize("code", list(Code))
def test_every_finding_of_the_doctor_has_its_entry(code: Code) -> None:
    page, _, partition = make_anchor(code).partition("#")
    assert _anchors((ROOT / page).read_text(encoding="utf-8")).count(partition) == 1


def test_every_place_that_the_code_points_at_is_there() -> None:
    told: set[str] = set()
    for path in _sources("shared", "functions", "ops", "infra", "local"):
        text = path.read_text(encoding="utf-8")
        told |= set(re.findall(r"docs/runbook\.md#([a-z0-9-]+)", text))
        told |= {title.lower().replace(" ", "-") for title in re.findall(r"docs/runbook\.md, '([^']+)'", text)}
    assert "a-poison-queue" in told
    assert told - set(_anchors(RUNBOOK)) == set()


def test_no_two_entries_have_one_name() -> None:
    anchors = _anchors(RUNBOOK)
    assert [name for name in anchors if anchors.count(name) > 1] == []


@pytest.mark.parametrize(
    "sentence",
    ["The app failed", "No app answers at", "This needs the app role", "Sign in first", "rows and counts differ"],
)
def test_a_sentence_that_the_runbook_quotes_is_said(sentence: str) -> None:
    assert sentence in RUNBOOK
    assert any(sentence in path.read_text(encoding="utf-8") for path in _sources("shared", "ops"))


# reasons


def test_every_reason_has_an_anchor_and_an_explanation() -> None:
    page = (DOCS / "reasons.md").read_text(encoding="utf-8")
    told = {
        line.split("|")[1].strip(" `"): (line.split("|")[2].strip(), line.split("|")[3].strip())
        for line in page.splitlines()
        if line.startswith("| `")
    }
    for code, reason in REASONS.items():
        assert told[code] == (f'<a id="{code}"></a>{reason.sentence}', reason.remedy)
    assert sorted(REASONS) == sorted(re.findall(r'<a id="([^"]+)">', page))


@pytest.mark.parametrize("title", [title for title, _ in docs.list_sections(reasons, "REASONS")])
def test_the_runbook_leads_to_every_kind_of_reason(title: str) -> None:
    assert f"(reasons.md#{title.lower().replace(' ', '-')})" in RUNBOOK


@pytest.mark.parametrize("code", sorted(FAILURES))
def test_every_failure_of_a_canary_has_its_line(code: str) -> None:
    [part] = re.findall(r"^## The canary failed\n(.*?)^## ", RUNBOOK, re.MULTILINE | re.DOTALL)
    assert f"| `{code}` |" in part


# commands


NOT_BUILT: Final[frozenset[str]] = frozenset()
"""Commands of which sentences tell before they are there."""


class Wrong(AssertionError):
    """A command that nobody can type."""


def _shown(text: str) -> list[str]:
    """Every `ops …` in code spans and blocks, without `ops`; a line that a backslash breaks is one."""
    blocks = [block.replace("\\\n", " ") for block in BLOCK.findall(text)]
    spans = SPAN.findall(BLOCK.sub("", text))
    found = [match["rest"] for part in [*blocks, *spans] for match in OPS.finditer(part)]
    return [re.split(r" [|>#] |\s{2,}#", command)[0].strip() for command in found]


def _check(told: str) -> None:
    """Walk the tree of commands with what is told.

    Raises:
        Wrong: a command, option, value or argument that does not exist.
    """
    command: Any = typer.main.get_command(commands)
    words = shlex.split(told.replace("\\|", "|"))
    while words and hasattr(command, "commands"):
        name = words.pop(0)
        if name not in command.commands:
            raise Wrong(f"ops {told}: there is no command {name}")
        command = command.commands[name]
    _check_options(told, command, words)


def _check_options(told: str, command: Any, words: list[str]) -> None:  # noqa: ANN401 - typer's own click
    options = {name: each for each in command.params for name in each.opts if name.startswith("-")}
    arguments = [each for each in command.params if each.param_type_name == "argument"]
    while words:
        word = words.pop(0)
        if not word.startswith("-"):
            if not arguments:
                raise Wrong(f"ops {told}: nobody takes {word}")
            arguments.pop()
        elif word not in options:
            raise Wrong(f"ops {told}: there is no option {word}")
        elif not options[word].is_flag and words:
            _check_value(told, options[word], words.pop(0))


def _check_value(told: str, option: Any, value: str) -> None:  # noqa: ANN401 - the same
    choices = set(_choices(option.type_descriptor.annotation))
    # `assess|wave|closed` stands for one of them.
    if choices and not set(value.split("|")) <= choices:
        raise Wrong(f"ops {told}: {value} should be one of {', '.join(sorted(choices))}")


def _choices(annotation: object) -> Iterator[str]:
    """The words that an option takes, none where it takes any."""
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        yield from (str(member.value) for member in annotation)
    for argument in get_args(annotation):
        yield from [argument] if isinstance(argument, str) else _choices(argument)


@pytest.mark.parametrize("page", PAGES, ids=_of_page)
def test_every_command_that_a_page_shows_can_be_typed(page: Path) -> None:
    for told in _shown(page.read_text(encoding="utf-8")):
        _check(told)


def test_every_command_that_a_sentence_of_the_app_names_can_be_typed() -> None:
    told = {
        match.replace("\\", " ")
        for path in _sources("shared", "ops")
        for match in re.findall(r"`ops ([a-z][^`{]*)[`{]", path.read_text(encoding="utf-8"))
    }
    assert "poison replay" in told
    for command in told - NOT_BUILT:
        _check(command)


@pytest.mark.parametrize(
    "told",
    ["reanimate", "poison eat", "status --loud", "doctor --for fun", "rebuild --from hope", "resume a b", "status now"],
)
def test_a_command_that_nobody_can_type_is_found(told: str) -> None:
    with pytest.raises(Wrong):
        _check(told)


def test_the_runbook_shows_every_command() -> None:
    tree: Any = typer.main.get_command(commands)
    leaves = [
        name if not hasattr(command, "commands") else f"{name} {under}"
        for name, command in tree.commands.items()
        for under in getattr(command, "commands", [""])
    ]
    assert [leaf for leaf in leaves if f"`ops {leaf}" not in RUNBOOK] == []


def test_a_function_that_is_to_be_switched_off_is_one() -> None:
    functions = {
        name
        for path in _sources("functions")
        for name in re.findall(r"^async def (\w+)\(", path.read_text(encoding="utf-8"), re.MULTILINE)
    }
    told = {name for page in PAGES for name in re.findall(r"AzureWebJobs\.(\w+)\.Disabled", page.read_text("utf-8"))}
    # With fewer than these the timers would send in vain what nobody takes.
    assert told == {"release_accounts", "reconcile", "provision_account", "notify_customer"}
    assert told <= functions


# queues, tables, containers


BY_EVENT_GRID: Final = "dead-letters"
THERE: Final = {
    "queue": {*names.EVERY_QUEUE},
    "table": {*names.TABLES},
    "container": {*names.CONTAINERS, BY_EVENT_GRID},
}
LISTED: Final = re.compile(r"\b(queue|table|container)s? ((?:`[^`\n]+`(?:,? and |, | or )?)+)")
NOT_OF_STORAGE: Final = {"TRANSITIONS"}


@pytest.mark.parametrize("page", FOR_PEOPLE_ON_CALL, ids=_of_page)
def test_every_queue_table_and_container_that_is_named_is_there(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    named = {(kind, name) for kind, name in re.findall(r"--(queue|table|container)-name ([a-zA-Z-]+)", text)}
    named |= {(kind, name) for kind, listed in LISTED.findall(text) for name in SPAN.findall(listed)}
    # Capitals stand for a name that the reader fills in; `…-poison` for all of them.
    named = {(kind, name) for kind, name in named if not name.isupper() and "…" not in name} - {
        ("table", name) for name in NOT_OF_STORAGE
    }
    assert [(kind, name) for kind, name in sorted(named) if name not in THERE[kind]] == []


def test_event_grids_own_container_is_in_the_templates() -> None:
    [listed] = re.findall(r"^var containers = \[(.*?)\]", STORAGE, re.MULTILINE | re.DOTALL)
    assert set(re.findall(r"'([^']+)'", listed)) == THERE["container"]


def test_the_runbook_says_what_each_queue_table_and_container_holds() -> None:
    assert [name for all_ in THERE.values() for name in sorted(all_) if f"`{name}`" not in RUNBOOK] == []


# parameters of the deployment


def _parameters() -> dict[str, str]:
    """Parameter -> default, as the page shows it: without quotes; the name alone where there is none."""
    declared = re.findall(r"^param (\w+) \w+(?: = (.+))?$", MAIN, re.MULTILINE)
    return {name: default.strip("'") for name, default in declared}


def _from_environment() -> dict[str, tuple[str, str]]:
    """Parameter -> azd's variable and its default, of those that come from there."""
    file = json.loads((ROOT / "infra/main.parameters.json").read_text(encoding="utf-8"))
    values = {name: str(each["value"]) for name, each in file["parameters"].items()}
    found = {name: re.fullmatch(r"\$\{(\w+)(?:=(.*))?\}", value) for name, value in values.items()}
    return {name: (match[1], match[2] or "") for name, match in found.items() if match}


def test_the_page_has_every_parameter_with_its_default() -> None:
    [part] = re.findall(r"^## Parameters\n(.*?)^## ", DEPLOY, re.MULTILINE | re.DOTALL)
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in part.splitlines() if line.startswith("| `")]
    told = {name.strip("`"): default.strip("`") for name, default, _ in cells}
    expected = _parameters() | {"authorities": "the folder `authorities"}
    expected |= {name: default or variable for name, (variable, default) in _from_environment().items()}
    assert told == expected
    means = {name.strip("`"): text for name, _, text in cells}
    renamed = {name: variable for name, (variable, default) in _from_environment().items() if default}
    assert [name for name, variable in renamed.items() if f"`{variable}`" not in means[name]] == []


def test_the_page_has_azd_set_what_has_no_default() -> None:
    wanted = {variable for variable, default in _from_environment().values() if not default}
    told = set(re.findall(r"azd env (?:set|new) (\w+)", DEPLOY))
    assert wanted - told == {"AZURE_ENV_NAME"}  # `azd env new` sets it
    assert "azd env new production" in DEPLOY
