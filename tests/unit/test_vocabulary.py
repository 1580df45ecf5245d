"""One word for one thing: words that were given up stay out of names, docstrings, texts and pages."""

import ast
import re
import tokenize
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).resolve().parents[2]
CODE: Final = ("shared", "functions", "ops", "local", "bench")

NAMES: Final = {
    "moment": "due_at, or a name for the time",
    "vain": "unacknowledged_sends",
    "torn": "tables_emptied",
    "glance": "projection",
    "heir": "successor",
    "lane": "limiter",
    "band": "cohort",
    "walk": "sweep",
    "visited": "swept",
    "hold_to": "check_plan_drift",
    "let_go": "resume",
    "lost_since": "tables_lost_at",
    "met_before": "begun_before",
}
"""Part of a name -> what to use instead. A part is what stands between underscores."""

PROSE: Final = {
    r"the walk\b|a visit of": "the sweep",
    r"\bin vain\b": "without an acknowledgement",
    r"\bheirs?\b": "successor",
    r"\bglances?\b|\bglanced\b": "projection",
    r"\b[Ll]et(s|ting)? go\b": "resume",
    r"\blanes?\b": "rate limiter",
    r"\bwhat it comes to\b|\bhow far it is\b": "the result, or the progress",
    r"^(Whether|In what|Since when|So long|So often|Whoever)\b": "a full sentence with a subject and a verb",
}
"""Words in docstrings, comments and pages -> what to write instead."""

ALLOWED: Final = {
    ("local/infra_checks", "walk"): "the standard library's ast.walk and os.walk",
    ("dev.py", "lane"): "a lane of tests: which of them run",
    ("CONTRIBUTING.md", "lane"): "the same",
}


def list_python_files() -> list[Path]:
    """Every module of the product, and the script."""
    return [ROOT / "dev.py", *(file for folder in CODE for file in sorted((ROOT / folder).rglob("*.py")))]


def list_pages() -> list[Path]:
    """Every page that people read."""
    return [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


def find_bad_names(text: str) -> Iterator[tuple[int, str, str]]:
    """Line, name and remedy of each name in Python source that has a part of `NAMES`."""
    for node in ast.walk(ast.parse(text)):
        for name in _names_of(node):
            for part, instead in NAMES.items():
                if re.search(rf"(^|_){part}s?(_|$)", name.lower()):
                    yield getattr(node, "lineno", 0), name, instead


def _names_of(node: ast.AST) -> list[str]:
    match node:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            return [name]
        case ast.arg(arg=name) | ast.keyword(arg=str(name)) | ast.Name(id=name):
            return [name]
        case _:
            return []


def find_bad_prose(text: str, *, python: bool) -> Iterator[tuple[int, str, str]]:
    """Line, words and remedy of each passage in docstrings and comments, or in a page, that `PROSE` has."""
    for number, passage in _list_passages(text) if python else enumerate(text.split("\n"), 1):
        for pattern, instead in PROSE.items():
            if found := re.search(pattern, passage):
                yield number, found[0], instead


def _list_passages(text: str) -> Iterator[tuple[int, str]]:
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield node.lineno, " ".join(node.value.value.split())
    for token in tokenize.generate_tokens(iter(text.splitlines(keepends=True)).__next__):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string.lstrip("# ")


def _is_allowed(file: Path, words: str) -> bool:
    path = file.relative_to(ROOT).as_posix()
    return any(path.startswith(where) and word in words for where, word in ALLOWED)


def test_no_name_has_a_word_that_was_given_up() -> None:
    found = [
        f"{file.relative_to(ROOT)}:{line}: {name}: use {instead}"
        for file in list_python_files()
        for line, name, instead in find_bad_names(file.read_text(encoding="utf-8"))
        if not _is_allowed(file, name)
    ]
    assert found == []


def test_no_sentence_has_a_word_that_was_given_up() -> None:
    pages = [(file, False) for file in list_pages()]
    found = [
        f"{file.relative_to(ROOT)}:{line}: '{words}': write {instead}"
        for file, python in [*((file, True) for file in list_python_files()), *pages]
        for line, words, instead in find_bad_prose(file.read_text(encoding="utf-8"), python=python)
        if not _is_allowed(file, words)
    ]
    assert found == []


@pytest.mark.parametrize("part", NAMES)
def test_each_word_is_found_in_a_name(part: str) -> None:
    planted = f"def find_{part}(x):\n    return x\n"
    assert [name for _, name, _ in find_bad_names(planted)] == [f"find_{part}"]
    assert list(find_bad_names(f"def find_{part}less(x):\n    return x\n")) == []


@pytest.mark.parametrize(
    "sentence",
    [
        "What the walk found.",
        "Sent in vain.",
        "Its heir.",
        "At a glance.",
        "Let go of it.",
        "The lane of writes.",
        "Whether it is open.",
        "So long it waits.",
    ],
)
def test_each_word_is_found_in_a_docstring_a_comment_and_a_page(sentence: str) -> None:
    assert len(list(find_bad_prose(f'"""{sentence}"""\n', python=True))) == 1
    assert len(list(find_bad_prose(f"x = 1  # {sentence}\n", python=True))) == 1
    assert len(list(find_bad_prose(sentence, python=False))) == 1


def list_functions() -> list[str]:
    """The names of all functions and methods of the product, without those of the language."""
    return [
        node.name
        for file in list_python_files()
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not node.name.startswith("__")
    ]


def test_less_than_a_quarter_of_the_functions_have_a_name_of_one_word() -> None:
    names = list_functions()
    short = [name for name in names if "_" not in name.strip("_")]
    assert len(names) > 2000
    assert len(short) / len(names) < 0.25


SAME_MEANING: Final = frozenset({"main"})
"""Functions that a command line asks for by this name."""


def test_no_function_of_the_app_has_a_name_with_two_meanings() -> None:
    where: dict[str, set[str]] = defaultdict(set)
    for file in sorted((ROOT / "shared").rglob("*.py")):
        for node in ast.parse(file.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and not node.name.startswith(
                "_"
            ):
                where[node.name].add(file.relative_to(ROOT).as_posix())
    assert {name: files for name, files in where.items() if len(files) > 1 and name not in SAME_MEANING} == {}
