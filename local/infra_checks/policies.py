"""The rules of checkov for Azure. Each suppression says why.

Checkov has its own environment, because its pinned packages clash with ours.
"""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from dev import tool_folder
from local.infra_checks.findings import Finding
from local.infra_checks.parsing import Source, line_of, walk_nodes
from local.infra_checks.template import get_text

RULE: Final = "policies"
HERE: Final = Path(__file__).parents[2]
BIN: Final = "Scripts" if os.name == "nt" else "bin"
SKIP: Final = re.compile(r"checkov:skip=(?P<check>\w+)(?::(?P<why>[^\r\n]*))?")
WORDS_OF_A_REASON: Final = 3
CONFIGURATION: Final = (".checkov.yaml", ".checkov.yml", ".checkov.baseline")
ITS_PARSER: Final = """
import sys, pycep
for name in sys.argv[1:]:
    try:
        pycep.BicepParser().parse(text=open(name, encoding="utf-8").read())
    except Exception as error:
        print(name, getattr(error, "line", None) or 1, str(error).split(".")[0].replace(chr(10), " "), sep=chr(9))
"""
NOT_THERE: Final = "run `python3 dev.py setup`, which installs it"


def find_checkov() -> Path | None:
    """Return where checkov is: in the folder of the tools, or on the path."""
    found = (tool_folder("checkov") / BIN / f"checkov{suffix}" for suffix in ("", ".cmd", ".exe"))
    on_path = shutil.which("checkov")
    return next((path for path in found if path.is_file()), Path(on_path) if on_path else None)


def check_policies(checkout: Path, sources: Iterable[Source]) -> Iterator[Finding]:
    """Run checkov over `infra/`, and hold its answer against the suppressions that are written there."""
    checkov = find_checkov()
    if checkov is None:
        yield Finding(
            "local/tools/checkov.in", 1, RULE, "checkov is not installed, so its rules were not run", NOT_THERE
        )
        return
    said = run_checkov(checkov, checkout / "infra")
    yield from judge_answer(said, checkout, sources, checkov)


def run_checkov(checkov: Path, folder: Path) -> Mapping[str, Any]:
    """The whole answer of checkov. It asks no network: nothing is downloaded and nothing is sent."""
    # It may keep its bytecode: compiling it anew takes longer than all the rest.
    left_out = ("BC_", "CKV_", "PRISMA_", "PYTHONDONTWRITEBYTECODE")
    environment = {key: value for key, value in os.environ.items() if not key.startswith(left_out)}
    command = [str(checkov), "-d", str(folder), "--framework", "bicep", "-o", "json", "--compact", "--skip-download"]
    prefix = [] if checkov.suffix in {".cmd", ".exe"} else [str(checkov.parent / "python")]
    done = subprocess.run([*prefix, *command], capture_output=True, env=environment, check=False, text=True)
    try:
        said: Mapping[str, Any] = json.loads(done.stdout)
    except ValueError:
        return {"broken": (done.stderr.strip().splitlines() or ["it said nothing"])[-1]}
    return said


def judge_answer(
    said: Mapping[str, Any], checkout: Path, sources: Iterable[Source], checkov: Path
) -> Iterator[Finding]:
    """Return the findings in checkov's answer."""
    results = said.get("results")
    if results is None or not results["passed_checks"]:
        wrong = f"checkov checked nothing: {said.get('broken', 'no resource was recognised')}"
        yield Finding("infra", 1, RULE, wrong, NOT_THERE)
        return
    for failed in results["failed_checks"]:
        file, line = f"infra{failed['file_path']}", failed["file_line_range"][0]
        wrong = f"{failed['check_id']} ({failed['check_name']}) fails for {failed['resource']}"
        yield Finding(file, line, RULE, wrong, f"mend it, or write in place // checkov:skip={failed['check_id']}: why")
    yield from _not_read(results["parsing_errors"], checkout, checkov)
    suppressed = {(f"infra{skipped['file_path']}", skipped["check_id"]) for skipped in results["skipped_checks"]}
    for source in sources:
        yield from check_idle(source, suppressed)


def _not_read(files: Iterable[str], checkout: Path, checkov: Path) -> Iterator[Finding]:
    names = [str(file) for file in files]
    python = checkov.parent / ("python.exe" if os.name == "nt" else "python")
    if not names:
        return
    done = subprocess.run([str(python), "-c", ITS_PARSER, *names], capture_output=True, check=False, text=True)
    for line in done.stdout.splitlines() or [f"{name}\t1\tunknown" for name in names]:
        name, number, said = line.split("\t")
        shown = Path(name).resolve().relative_to(checkout.resolve()).as_posix()
        wrong = f"checkov cannot read this file, so no rule was run on it ({said})"
        yield Finding(shown, int(number), RULE, wrong, "say it in older Bicep; its parser is older than ours")


def list_suppressions(source: Source) -> Iterator[tuple[int, str, str]]:
    """Line, check and reason of every suppression in a file."""
    for node in walk_nodes(source.root):
        if node.type in {"comment", "diagnostic_comment"}:
            for number, line in enumerate(get_text(node).splitlines() or [get_text(node)]):
                for found in SKIP.finditer(line):
                    yield line_of(node) + number, found["check"], (found["why"] or "").strip(" */")


def check_unexplained(source: Source) -> Iterator[Finding]:
    """Suppressions that do not say why."""
    for line, check_id, why in list_suppressions(source):
        if len(why.split()) < WORDS_OF_A_REASON:
            wrong = f"{check_id} is suppressed without a reason"
            yield Finding(source.shown, line, RULE, wrong, f"write // checkov:skip={check_id}: and why, in a sentence")


def check_idle(source: Source, suppressed: set[tuple[str, str]]) -> Iterator[Finding]:
    """Suppressions that suppress nothing."""
    for line, check_id, _ in list_suppressions(source):
        if (source.shown, check_id) not in suppressed:
            wrong = f"the suppression of {check_id} suppresses nothing"
            yield Finding(source.shown, line, RULE, wrong, "take it away, or put it inside the resource that it is for")


def check_elsewhere(checkout: Path) -> Iterator[Finding]:
    """Check that no file elsewhere tells checkov to ignore something."""
    for folder in (checkout, checkout / "infra"):
        for name in CONFIGURATION:
            if (folder / name).exists():
                shown = (folder / name).relative_to(checkout).as_posix()
                wrong = "checkov is configured away from the resources"
                yield Finding(shown, 1, RULE, wrong, "delete it; suppress in place, with a reason")
