"""The names in the Python code of a checkout: queues, tables, containers, settings, bindings, councils."""

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ConfigDict

from local.infra_checks.findings import Finding

RULE: Final = "code"
SCRIPT: Final = Path(__file__).parent / "print_code.py"
DEPLOYED: Final = ("function_app.py", "functions", "shared")
LOOKS_LIKE_A_SETTING: Final = re.compile(r"[A-Z][A-Z0-9]*(_[A-Z0-9]+)+")


class CodeError(Exception):
    """The code of the checkout cannot be imported. The message is the last line of why."""


class Setting(BaseModel):
    """A field of the settings. `safe`: it has a default, and not merely an empty one."""

    model_config = ConfigDict(frozen=True)

    names: tuple[str, ...]
    safe: bool
    secret: bool


class Code(BaseModel):
    """The names that infrastructure must know."""

    model_config = ConfigDict(frozen=True)

    containers: tuple[str, ...]
    exports: str
    receive_export: str
    queues: tuple[str, ...]
    poison: tuple[str, ...]
    tables: tuple[str, ...]
    reports: str
    personal: str
    connection: str
    settings: tuple[Setting, ...]
    bindings: tuple[Mapping[str, Any], ...]
    authorities: tuple[str, ...] = ()
    words: frozenset[str] = frozenset()
    beginnings: frozenset[str] = frozenset()
    lines: Mapping[str, int] = {}

    def line_of(self, name: str) -> int:
        """The line of shared/names.py on which a name stands. That of its queue for a poison queue."""
        return self.lines.get(name, self.lines.get(name.removesuffix("-poison"), 1))

    def knows(self, setting: str) -> bool:
        """Return True if the code names a setting, or one that begins like it (`NOTIFY_API_KEY_…`)."""
        return setting in self.words or any(setting.startswith(each) for each in self.beginnings)


def read_code(checkout: Path) -> Code:
    """Import the code of a checkout in a process of its own.

    Raises:
        CodeError: it cannot be imported.
    """
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    environment.pop("PYTHONPATH", None)
    done = subprocess.run(
        [sys.executable, "-P", str(SCRIPT), str(checkout)],
        capture_output=True,
        cwd=checkout,
        env=environment,
        check=False,
        text=True,
    )
    if done.returncode != 0:
        raise CodeError((done.stderr.strip().splitlines() or ["it said nothing"])[-1])
    said = Code.model_validate_json(done.stdout)
    words, beginnings = _list_constants(checkout)
    authorities = tuple(sorted(file.stem for file in (checkout / "authorities").glob("*.toml")))
    more = {"authorities": authorities, "words": words, "beginnings": beginnings, "lines": _find_lines(checkout)}
    return said.model_copy(update=more)


def make_trouble_finding(error: CodeError) -> Finding:
    """Return that error as a finding."""
    return Finding("shared/names.py", 1, RULE, f"the code cannot be imported: {error}", "mend that first")


def _list_constants(checkout: Path) -> tuple[frozenset[str], frozenset[str]]:
    """Texts of the deployed code that look like settings, and beginnings of texts that are put together."""
    words, beginnings = set[str](), set[str]()
    for tree in _parse_trees(checkout):
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                words |= {node.value} if LOOKS_LIKE_A_SETTING.fullmatch(node.value) else set()
            elif isinstance(node, ast.JoinedStr) and len(node.values) > 1:
                first = node.values[0]
                text = str(first.value) if isinstance(first, ast.Constant) else ""
                beginnings |= {text} if LOOKS_LIKE_A_SETTING.fullmatch(text.rstrip("_")) else set()
    return frozenset(words), frozenset(beginnings)


def _find_lines(checkout: Path) -> dict[str, int]:
    tree = _parse_tree((checkout / "shared/names.py").read_text(encoding="utf-8"))
    texts = (node for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str))
    return {str(node.value): node.lineno for node in texts}


def _parse_trees(checkout: Path) -> Iterator[ast.Module]:
    for place in DEPLOYED:
        path = checkout / place
        for file in [path] if path.is_file() else sorted(path.rglob("*.py")):
            yield _parse_tree(file.read_text(encoding="utf-8"))


@cache
def _parse_tree(text: str) -> ast.Module:
    return ast.parse(text)
