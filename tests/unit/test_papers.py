"""The papers say what is there: they name real files, every stored field and every right, and their links lead.

What only people can judge (a risk, a measure's worth) no test can keep true; what a machine can see is seen here.
"""

import ast
import base64
import dataclasses
import importlib
import json
import pkgutil
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping
from pathlib import Path
from typing import Final, NamedTuple

import azure.functions as func
import pytest

import functions
from infra.directory import permissions
from shared import names, ports
from shared.access.roles import Role
from shared.adapters.storage import entities
from shared.adapters.storage.store import Verb, Write
from shared.model import account, directory_user, messages, migration, row
from shared.model.counts import progress, summary
from shared.model.pacing import rate_limit
from shared.model.pseudonyms import Pseudonyms
from shared.model.safeguards import canary, rebuild, timer_failure
from shared.reporting.rules import result_file
from shared.runtime import wiring
from shared.settings.settings import Settings
from tests.support import timeless
from tests.support.stories import ROWS, populate, settle
from tests.support.world import SOUTH_NORFOLK, World, export

ROOT: Final = Path(__file__).parent.parent.parent
DOCS: Final = ROOT / "docs"
SECURITY: Final = DOCS / "security.md"
DPIA: Final = DOCS / "dpia.md"
PAPERS: Final = (SECURITY, DPIA, ROOT / "CONTRIBUTING.md")
PAGES: Final = sorted({*PAPERS, ROOT / "README.md", ROOT / "infra/README.md", *DOCS.rglob("*.md")})

LINK: Final = re.compile(r"(?<!!)\[(?:[^\[\]]|\[[^\]]*\])*\]\(<?([^)>\s]+)>?\)")
FENCE: Final = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)
CODE: Final = re.compile(r"`([^`\n]+)`")
PLACE: Final = re.compile(r"(?P<path>[\w.-]+(?:/[\w.*-]+)*/?)(?:::(?P<name>\w+))?")
HEADING: Final = re.compile(r"^#{1,6} +(.+?) *#*$", re.MULTILINE)
ANCHOR: Final = re.compile(r"""<a\s+(?:id|name)=["']([^"']+)["']""")
WORD: Final = re.compile(r"[a-z_]+")


def _of_page(page: Path) -> str:
    return str(page.relative_to(ROOT))


# links


@pytest.mark.parametrize("page", PAGES, ids=_of_page)
def test_every_relative_link_leads_to_a_file_and_a_heading(page: Path) -> None:
    links = [link for link in LINK.findall(_prose(page)) if not re.match(r"[a-z]+:", link)]
    assert [link for link in links if not _leads(page, link)] == []


def _leads(page: Path, link: str) -> bool:
    path, _, anchor = link.partition("#")
    target = (page.parent / path).resolve() if path else page
    if not target.exists():
        return False
    return not anchor or (target.suffix == ".md" and anchor in set(_anchors(target)))


def _anchors(page: Path) -> Iterator[str]:
    """As GitHub makes them: of each heading's text, a second of the same name with `-1`; and those set by hand."""
    text = _prose(page)
    yield from ANCHOR.findall(text)
    seen: dict[str, int] = {}
    for heading in HEADING.findall(text):
        told = re.sub(r"<[^>]*>", "", re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading))
        slug = re.sub(r"[^\w\- ]", "", told.strip().lower()).replace(" ", "-")
        yield f"{slug}-{seen[slug]}" if slug in seen else slug
        seen[slug] = seen.get(slug, 0) + 1


def _prose(page: Path) -> str:
    """A page without its fenced code, where nothing is a link or a heading."""
    return FENCE.sub("", page.read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("heading", "anchor"),
    [
        ("## A file that is not taken", "a-file-that-is-not-taken"),
        ("### `Account`: one customer (table `Accounts`)", "account-one-customer-table-accounts"),
        ("## T7 A false, or edited, export", "t7-a-false-or-edited-export"),
        ("## [Linked](x.md) & more", "linked--more"),
        ('<a id="by_hand"></a>', "by_hand"),
    ],
)
def test_a_heading_is_reached_as_on_github(tmp_path: Path, heading: str, anchor: str) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"# Title\n\n{heading}\n\n```\n# no heading\n```\n", encoding="utf-8")
    assert _leads(page, f"#{anchor}")
    assert not _leads(page, "#no-heading")


def test_the_second_heading_of_a_name_has_a_number(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# Same\n# Same\n# Same\n", encoding="utf-8")
    assert list(_anchors(page)) == ["same", "same-1", "same-2"]


# names of files, functions and resources


@pytest.mark.parametrize("page", PAPERS, ids=_of_page)
def test_every_file_and_name_in_backticks_is_there(page: Path) -> None:
    assert [told for told in CODE.findall(_prose(page)) if not _is_there(told)] == []


def _is_there(told: str) -> bool:
    """Whether a code span that names a place of this repository (`path` or `path::name`) tells the truth."""
    found = PLACE.fullmatch(told)
    if not found or not _of_this_repository(found["path"], found["name"]):
        return True
    path = ROOT / found["path"].removesuffix("/**")
    if found["name"] is None:
        return bool(list(ROOT.glob(found["path"]))) if "*" in found["path"] else path.exists()
    return path.is_file() and found["name"] in _names_in(path)


def _of_this_repository(path: str, name: str | None) -> bool:
    first, _, rest = path.partition("/")
    if rest or name:
        return name is not None or (ROOT / first).is_dir() or first.startswith(".github")
    return first.endswith((".py", ".toml", ".bicep", ".yaml", ".md"))


def _names_in(path: Path) -> set[str]:
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".bicep":
        return set(re.findall(r"^(?:resource|module|param|var|output|func|type) +(\w+)", text, re.MULTILINE))
    if path.suffix == ".py":
        return set(_defined(ast.parse(text)))
    return set(re.findall(r"\w+", text))


def _defined(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield name
            case ast.AnnAssign(target=ast.Name(id=name)) | ast.Assign(targets=[ast.Name(id=name)]):
                yield name
            case _:
                pass


@pytest.mark.parametrize(
    ("told", "true"),
    [
        ("shared/matching/rules/match.py::decide_match", True),
        ("shared/model/directory_user.py::DirectoryUser", True),
        ("shared/matching/rules/match.py::guess", False),
        ("shared/matching/guessing.py", False),
        ("docs/adr/", True),
        ("function_app.py", True),
        ("nothing.bicep", False),
        ('approval = "required"', True),
        ("reports/<authority>/", True),
    ],
)
def test_a_name_that_is_nowhere_is_found_out(told: str, true: bool) -> None:  # noqa: FBT001 - an expectation
    assert _is_there(told) is true


# the data map of dpia.md

RECORDS: Final[Mapping[str, set[str]]] = {
    **{
        kind.__name__: {field.name for field in dataclasses.fields(kind)}
        for kind in (
            account.Change,
            migration.Migration,
            migration.Layout,
            row.Row,
            row.Person,
            rate_limit.Pace,
            rebuild.Rebuild,
            progress.Progress,
            timer_failure.TimerFailure,
            summary.ShardSummary,
            ports.Letter,
            ports.Notice,
            ports.NewUser,
            directory_user.DirectoryUser,
        )
    },
    "Canary": {field.name for field in dataclasses.fields(canary.Canary)} | {"verdict", "record"},
    "Account": {field.name for field in dataclasses.fields(account.Account)} | {"waiting"},
    **{
        kind.__name__: set(kind.model_fields)
        for kind in (
            messages.ReceiveExport,
            messages.StageRows,
            messages.StageSuppressions,
            messages.AdoptPlan,
            messages.AccountMessage,
        )
    },
    "result.csv": set(result_file.COLUMNS),
}
MAPPED: Final = {"ACCOUNT", "MIGRATION", "ROW", "PACE", "PROGRESS", "REBUILD", "TIMER_FAILURE"}
"""The mappers of `entities`; each stands for a record above."""


@pytest.mark.parametrize("record", sorted(RECORDS))
def test_the_data_map_names_every_field_and_no_other(record: str) -> None:
    told = _data_map()
    assert record in told, f"docs/dpia.md needs a heading that starts with `{record}`"
    assert told[record] == RECORDS[record]


def test_every_kind_of_record_that_is_stored_is_in_the_data_map() -> None:
    mappers = {name for name, value in vars(entities).items() if isinstance(value, entities.Mapper)}
    assert mappers == MAPPED


def test_every_container_queue_and_table_is_in_the_data_map() -> None:
    told = set(CODE.findall(_prose(DPIA)))
    assert [name for name in (*names.CONTAINERS, *names.QUEUES, *names.TABLES) if name not in told] == []


def test_no_column_is_written_that_the_data_map_does_not_name() -> None:
    async def story() -> World:
        world = World()
        populate(world)
        await world.upload(export(*ROWS))
        await settle(world)
        return world

    mapped = set(CODE.findall(_section(DPIA, "Data map")))
    written = {column for _, _, _, values in timeless.run(story()).tables.everything() for column in values}
    assert "notify_id" in written
    assert written - mapped == set()


def _data_map() -> dict[str, set[str]]:
    """Record -> the fields in the first column of the table below the heading that starts with its name."""
    found: dict[str, set[str]] = {}
    for part in re.split(r"^#+ ", _prose(DPIA), flags=re.MULTILINE)[1:]:
        named = re.match(r"`([^`]+)`", part)
        if named:
            cells = [line.split("|")[1] for line in part.splitlines() if line.startswith("| `")]
            found[named[1]] = {field for cell in cells for field in CODE.findall(cell)}
    return found


# what dpia.md says of erasing somebody by hand


def test_who_is_erased_by_hand_is_gone_from_the_tables_and_from_result_csv() -> None:
    async def story() -> World:
        world = World()
        populate(world)
        await world.upload(export(*ROWS))
        await settle(world)
        assert "C2" in await world.result()
        await _erase(world, "C2")
        await settle(world)
        return world

    world = timeless.run(story())
    left = [values for _, _, _, values in world.tables.everything()]
    assert timeless.run(world.result()).keys() == {"C1", "L1", "L2", "V1", "R1"}
    assert "c2@example.org" not in repr(left)
    assert Pseudonyms(b"k" * 32).account(SOUTH_NORFOLK, "C2") not in repr(left)


async def _erase(world: World, source_id: str) -> None:
    """As the steps say: the rows by their `source_id`, then everything of their `account`."""
    everything = list(world.tables.everything())
    rows_ = [each for each in everything if each[0] == names.ROWS and each[3].get("source_id") == source_id]
    ids = [str(values["account"]) for _, _, _, values in rows_]
    of_account = [each for each in everything if each[0] == names.ACCOUNTS and any(id_ in each[2] for id_ in ids)]
    for table, partition, row_key, _ in [*rows_, *of_account]:
        await world.tables.write(table, partition, [Write(Verb.DELETE, row_key)])


# secrets


def test_every_secret_has_its_line_in_the_table_of_secrets() -> None:
    secret = {str(f.validation_alias) for f in Settings.model_fields.values() if "SecretStr" in str(f.annotation)}
    lines = _section(SECURITY, "Secrets")
    assert "PSEUDONYM_KEY" in secret
    assert [name for name in sorted(secret) if f"| `{name}`" not in lines] == []


def _section(page: Path, heading: str) -> str:
    """The text below a heading, to the next of the same level."""
    text = _prose(page)
    found = re.search(rf"^(#+) {re.escape(heading)}\n(.*?)(?=^\1 |\Z)", text, re.MULTILINE | re.DOTALL)
    assert found, f"{_of_page(page)} has no heading {heading!r}"
    return found[2]


# rights in Azure, and days

BICEP: Final = sorted((ROOT / "infra").rglob("*.bicep"))
ASSIGNMENT: Final = re.compile(
    r"^resource +(\w+) +'Microsoft\.Authorization/roleAssignments@(.*?)^}", re.MULTILINE | re.DOTALL
)
ROLE: Final = re.compile(r"^var +(\w+) = '[0-9a-f-]{36}' // (.+)$", re.MULTILINE)
OWN_ROLE: Final = re.compile(
    r"^resource +(\w+) +'Microsoft\.Authorization/roleDefinitions@.*?roleName: '([^'$]+) \$", re.MULTILINE | re.DOTALL
)
DAYS: Final = re.compile(r"^param +(\w+Days) +int = (\d+)$", re.MULTILINE)


def test_the_table_of_rights_names_every_role_that_is_given() -> None:
    told = {cells[-2].strip("`"): cells[1].partition(",")[0] for cells in _rows(_section(SECURITY, "In Azure"))}
    assert told == {assignment: role for file in BICEP for assignment, role in _roles_given(file)}


def _roles_given(file: Path) -> Iterator[tuple[str, str]]:
    """Each role assignment of a file, and the name of its role: the comment beside the role's id, or our own name."""
    text = file.read_text(encoding="utf-8")
    roles = dict(ROLE.findall(text) + OWN_ROLE.findall(text))
    for name, body in ASSIGNMENT.findall(text):
        used = re.search(r"roleDefinitions', (\w+)(?:\.name)?\)", body)
        yield f"{_of_page(file)}::{name}", roles.get(used[1], "") if used else ""


def test_the_table_of_rights_names_the_permissions_in_the_directory() -> None:
    table = " ".join(cells[1] for cells in _rows(_section(SECURITY, "In the directory")))
    granted = {*permissions.READING, *permissions.NARROW, *permissions.WIDE}
    assert set(CODE.findall(table)) == granted


def test_each_day_of_deletion_is_told_as_it_is_set() -> None:
    set_ = dict(DAYS.findall((ROOT / "infra/main.bicep").read_text(encoding="utf-8")))
    chosen = json.loads((ROOT / "infra/main.parameters.json").read_text(encoding="utf-8"))["parameters"]
    told = {cells[0].strip("`"): cells[1] for cells in _rows(_section(DPIA, "Retention")) if cells[1].isdecimal()}
    assert told == set_ | {name: str(chosen[name]["value"]) for name in set_.keys() & chosen.keys()}


def _rows(text: str) -> list[list[str]]:
    """The cells of each line of the tables in a text, their headings left out."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]
    headings = {number - 1 for number, row in enumerate(cells) if set(row[0]) == {"-"}}
    return [row for number, row in enumerate(cells) if number not in headings and set(row[0]) != {"-"}]


# who may ask for what

CALLER: Final = "9d4f1a9e-0000-4000-8000-000000000001"
REFUSED: Final = {401, 403}


class Asked(NamedTuple):
    """One HTTP function, as it is called."""

    function: Callable[[func.HttpRequest], Awaitable[func.HttpResponse]]
    methods: tuple[str, ...]
    route: str


def _http_functions() -> Iterator[Asked]:
    app = func.FunctionApp()
    for module in pkgutil.iter_modules(functions.__path__, "functions."):
        blueprint = getattr(importlib.import_module(module.name), "blueprint", None)
        if blueprint is not None:
            app.register_functions(blueprint)
    for function in app.get_functions():
        trigger = function.get_trigger()
        if trigger is not None and trigger.get_binding_name() == "httpTrigger":
            bound = trigger.get_dict_repr()
            methods = tuple(str(getattr(method, "value", method)) for method in bound.get("methods") or ())
            yield Asked(function.get_user_function(), methods, f"/api/{bound['route']}")


FUNCTIONS: Final = sorted(_http_functions(), key=lambda asked: asked.route)


@pytest.fixture
def _deployed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An app that asks people to sign in, and that has no settings: nothing behind the door can be reached."""
    monkeypatch.setenv("WEBSITE_SITE_NAME", "app")
    monkeypatch.setenv("WEBSITE_AUTH_ENABLED", "True")
    for name in [*Settings.model_fields, names.STORAGE_CONNECTION]:
        monkeypatch.delenv(name.upper(), raising=False)
    wiring.get_settings.cache_clear()
    wiring.get_profiles.cache_clear()
    yield
    wiring.get_settings.cache_clear()
    wiring.get_profiles.cache_clear()


async def _let_in(asked: Asked, method: str, *roles: str, signed_in: bool = True) -> bool:
    """Whether somebody with these roles gets past the door, whatever the function answers then."""
    claims = [{"typ": "roles", "val": role} for role in roles]
    principal = base64.b64encode(json.dumps({"claims": claims}).encode()).decode()
    headers = {"x-ms-client-principal-id": CALLER, "x-ms-client-principal": principal} if signed_in else {}
    params = dict.fromkeys(re.findall(r"{(\w+)", asked.route), "x")
    request = func.HttpRequest(method, asked.route, headers=headers, route_params=params, body=b"{}")
    return (await asked.function(request)).status_code not in REFUSED


@pytest.mark.usefixtures("_deployed")
@pytest.mark.parametrize("asked", FUNCTIONS, ids=lambda asked: asked.route)
async def test_each_role_may_ask_for_what_the_table_says(asked: Asked) -> None:
    table = _rights()
    for method in asked.methods:
        may: set[str] = {role for role in Role if await _let_in(asked, method, role)}
        if await _let_in(asked, method, signed_in=False):
            may |= {"anybody"}
        assert table.get(f"{method} {asked.route}") == may, f"docs/security.md, {method} {asked.route}: {sorted(may)}"


def test_the_table_of_rights_names_no_function_that_is_not_there() -> None:
    there = {f"{method} {asked.route}" for asked in FUNCTIONS for method in asked.methods}
    assert {"GET /api/status", "GET /api/health"} <= there
    assert set(_rights()) == there


def _rights() -> dict[str, set[str]]:
    """Function -> who may call it, as the table says; `anybody` means without signing in."""
    lines = [line for line in _section(SECURITY, "Asking the app over HTTP").splitlines() if line.startswith("|")]
    columns = [CODE.sub(r"\1", cell).strip() for cell in lines[0].split("|")[2:-2]]
    found: dict[str, set[str]] = {}
    for line in lines[2:]:
        function, *cells = (cell.strip() for cell in line.split("|")[1:-2])
        told = {column for column, cell in zip(columns, cells, strict=True) if cell == "yes"}
        found[function.strip("`")] = {"anybody", *Role} if "anybody" in told else told
    return found
