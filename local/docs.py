"""`python -m local.docs`: print docs/flow.md, docs/reasons.md and docs/where-things-go.md from the code.

Their prose is the code's own: the doc comments of states, events and phases, and the comments that part the tables.
"""

import ast
import inspect
import re
import tomllib
from collections import defaultdict
from collections.abc import Iterable, Iterator
from enum import StrEnum
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Final

import shared
from shared.model import lifecycle, migration, reasons
from shared.model.lifecycle import MOVING, TRANSITIONS, Event, Outcome, State
from shared.model.migration import Phase
from shared.model.reasons import REASONS, explain_reason

DOCS: Final = Path(__file__).resolve().parent.parent / "docs"

_PRINTED: Final = "<!-- Printed from {source} by `python -m local.docs`. Change the code, not this page. -->"

_FLOW: Final = """{printed}
# The flow of an account

An account is one customer of one council, over all exports. What may happen to it is the table `TRANSITIONS` in
`shared/model/lifecycle.py`; what is not in it is refused. *When* it happens is the answer of the one gate, `due` in
`shared/scheduling/rules/gate.py`.

```mermaid
{diagram}
```

## States

An account that is *moving* is on its way to the directory; every other state is at rest for now (a `provisioned`
account may still wait for its message). No event leads to {unreached} yet.

{states}

## Events

{events}

## Transitions

{transitions}

## Outcomes

What a row of an export comes to. `link` and `create` are scenarios 1 and 2 of the README; scenario 3, customers who are
in the directory only, has no rows and is counted as `directory_only`.

{outcomes}

## Phases of a migration

A migration is one upload, from file to proof (`shared/model/migration.py`).

{phases}
"""

_REASONS: Final = """{printed}
# Reasons

Every reason code, as it stands in `result.csv`, in the reports, in the log and in `ops status`, with what it means and
what to do next. By symptom instead: [runbook.md](runbook.md).

{sections}

## Codes that are made of something

{made}
"""


_PLACES: Final = """{printed}
# Where a new thing goes

Each package of `shared/` has one purpose. Choose the package whose sentence fits the new thing. Inside a package, pure
rules go into the package *rules*, each step into a module that is named with a verb, and the HTTP handlers into the
module *api*. A package imports only packages after it in this list, and `lint-imports` checks that:

{layers}

| New thing | Place |
|---|---|
| a reason code | `shared/model/reasons.py` |
| a state or an event of an account | `shared/model/lifecycle.py` |
| a column or a setting of a council | `shared/model/profile.py` |
| a setting of the app | `shared/settings/settings.py` |
| a container, a queue or a table | `shared/names.py` |
| a message on a queue | `shared/model/messages.py` |
| a stored field | its record in `shared/model/`, `shared/adapters/storage/entities.py` |
| a kind of record | a protocol in `shared/ports/ledger.py`, a class in `shared/adapters/storage/records/` |
| a function of the app | a file in `functions/`, a line in `function_app.py` |
| a command for people | `ops/` |
| a rule that `infra/` must keep | `local/infra_checks/` |
| a behaviour of Microsoft Graph that tests need | `local/standins/graph/` |
| a behaviour of GOV.UK Notify that tests need | `local/standins/notify/` |

{packages}
"""


def places() -> str:
    """docs/where-things-go.md."""
    return _PLACES.format(
        printed=_PRINTED.format(source="the docstrings of `shared/`"),
        layers=", ".join(f"`{name}`" for layer in _list_layers() for name in layer.split(" | ")),
        packages="\n\n".join(_describe_package(package) for package in _list_packages()),
    )


def _list_layers() -> list[str]:
    settings = tomllib.loads((DOCS.parent / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = settings["tool"]["importlinter"]["contracts"]
    return next(list(each["layers"]) for each in contracts if each["id"] == "layers")


def _list_packages() -> list[Path]:
    """The packages as `shared/__init__.py` orders them. A package that it does not name is an error."""
    named = re.findall(r"`(\w+)`", inspect.getdoc(shared) or "")
    there = {path.name: path for path in Path(shared.__file__).parent.iterdir() if (path / "__init__.py").is_file()}
    if set(named) != set(there):
        raise ValueError(f"shared/__init__.py and its folders differ: {set(named) ^ set(there)}")
    return [there[name] for name in named]


def _describe_package(package: Path) -> str:
    root = Path(shared.__file__).parent.parent
    rows = [
        (f"`{module.relative_to(root).as_posix()}`", _first_line(module))
        for module in sorted(package.rglob("*.py"))
        if module.name != "__init__.py"
    ]
    return f"## `{package.name}`\n\n{_first_line(package / '__init__.py')}\n\n{_make_table(('module', 'holds'), rows)}"


def _first_line(module: Path) -> str:
    return (ast.get_docstring(ast.parse(module.read_text(encoding="utf-8"))) or "").partition("\n")[0]


def write_flow() -> str:
    """docs/flow.md."""
    return _FLOW.format(
        printed=_PRINTED.format(source="shared/model/lifecycle.py"),
        diagram="\n".join(_draw_diagram()),
        states=_describe_states(),
        unreached=_list_unreached(),
        events=_describe_words(lifecycle, Event, "event"),
        transitions="\n\n".join(_list_transitions()),
        outcomes=_describe_words(lifecycle, Outcome, "outcome"),
        phases=_describe_words(migration, Phase, "phase"),
    )


def reason_codes() -> str:
    """docs/reasons.md."""
    closed, objecting = explain_reason("source_closed"), explain_reason("excluded_objecting")
    made = [
        ("`source_<status>`", f"{closed.sentence} (here: `source_closed`)", closed.remedy),
        ("`excluded_<why>`", f"{objecting.sentence} (here: `excluded_objecting`)", objecting.remedy),
        ("`same_as_row_<number>`", "The row is a duplicate of this earlier row of the file.", "Nothing."),
    ]
    return _REASONS.format(
        printed=_PRINTED.format(source="shared/model/reasons.py"),
        sections="\n\n".join(_list_reasons()),
        made=_make_table(("code", "means", "what to do"), made),
    )


PAGES: Final = {"flow.md": write_flow, "reasons.md": reason_codes, "where-things-go.md": places}


def main() -> None:
    """Write the pages."""
    for name, page in PAGES.items():
        (DOCS / name).write_text(page(), encoding="utf-8", newline="\n")
        print(f"docs/{name} is printed")


def _draw_diagram() -> Iterator[str]:
    events: dict[tuple[State, State], list[Event]] = defaultdict(list)
    for (state, event), following in TRANSITIONS.items():
        events[state, following].append(event)
    yield "stateDiagram-v2"
    yield f"    [*] --> {State.STAGED}: {Event.STAGE}"
    for (state, following), happened in events.items():
        yield f"    {state} --> {following}: {', '.join(happened)}"


def _describe_states() -> str:
    said = _doc_comments(lifecycle, State)
    rows = [(f"`{state}`", "moving" if state in MOVING else "at rest", said[state]) for state in State]
    return _make_table(("state", "", "means"), rows)


def _list_unreached() -> str:
    """States that are named and not built yet; `staged` is where an account begins."""
    return " and ".join(f"`{state}`" for state in State if state not in {State.STAGED, *TRANSITIONS.values()})


def _list_transitions() -> Iterator[str]:
    keys = {f"State.{state.name}, Event.{event.name}": (state, event) for state, event in TRANSITIONS}
    for title, found in list_sections(lifecycle, "TRANSITIONS"):
        rows = [(f"`{keys[key][0]}`", f"`{keys[key][1]}`", f"`{TRANSITIONS[keys[key]]}`") for key in found]
        yield f"**{title.capitalize()}**\n\n" + _make_table(("an account that is", "and then", "is afterwards"), rows)


def _list_reasons() -> Iterator[str]:
    for title, codes in list_sections(reasons, "REASONS"):
        known = [(code, REASONS[code]) for code in codes]
        # The anchor stands beside the code, so that runbook and people can point at one reason.
        rows = [(f"`{code}`", f'<a id="{code}"></a>{reason.sentence}', reason.remedy) for code, reason in known]
        yield f"## {title.capitalize()}\n\n" + _make_table(("code", "means", "what to do"), rows)


def _describe_words(module: ModuleType, words: type[StrEnum], title: str) -> str:
    said = _doc_comments(module, words)
    return _make_table((title, "means"), [(f"`{word}`", said[word]) for word in words])


def _make_table(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [header, tuple("---" for _ in header), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', '\\|') for cell in line)} |" for line in lines)


def _doc_comments(module: ModuleType, words: type[StrEnum]) -> dict[str, str]:
    """Return the text below each member of an enumeration. Python forgets it, so it is read from the source."""
    found: dict[str, str] = {}
    body = next(
        node.body for node in _parse_module(module) if isinstance(node, ast.ClassDef) and node.name == words.__name__
    )
    for member, comment in pairwise(body):
        match member, comment:
            case ast.Assign(targets=[ast.Name(name)]), ast.Expr(ast.Constant(str(text))):
                found[words[name]] = " ".join(text.split())
            case _:
                pass
    return found


def list_sections(module: ModuleType, table: str) -> Iterator[tuple[str, list[str]]]:
    """Return the comments that divide a dictionary, each with the keys below it."""
    source = inspect.getsource(module).splitlines()
    title, keys = "", list[str]()
    for key in _list_keys(module, table):
        comment = source[key.lineno - 2].strip()
        if comment.startswith("# "):
            if keys:
                yield title, keys
            title, keys = comment.removeprefix("# "), []
        keys.append(key.value if isinstance(key, ast.Constant) and isinstance(key.value, str) else _format_pair(key))
    yield title, keys


def _format_pair(key: ast.expr) -> str:
    return ast.unparse(key).strip("()")


def _list_keys(module: ModuleType, table: str) -> list[ast.expr]:
    for node in _parse_module(module):
        match node:
            case ast.AnnAssign(target=ast.Name(name), value=ast.Dict(keys)) if name == table:
                return [key for key in keys if key is not None]
            case _:
                pass
    raise LookupError(f"{module.__name__} has no dictionary {table}")


def _parse_module(module: ModuleType) -> list[ast.stmt]:
    return ast.parse(inspect.getsource(module)).body


if __name__ == "__main__":
    main()
