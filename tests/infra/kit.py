"""A copy of the checkout in which a fault can be planted, and small templates of our own."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from local.infra_checks import gate
from local.infra_checks.code import Code
from local.infra_checks.findings import Finding

ROOT: Final = Path(__file__).parents[2]
COPIED: Final = ("infra", "shared", "functions", "authorities")


class Clone:
    """The parts of the checkout that the gate reads, in another folder."""

    def __init__(self, folder: Path) -> None:
        """Copy them."""
        self.folder = folder
        for part in COPIED:
            shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "azure.yaml", folder)

    def plant(self, file: str, old: str, new: str) -> None:
        """Put one text in the place of another; it must be there."""
        text = (self.folder / file).read_text(encoding="utf-8")
        assert old in text, f"{file} has no {old!r} any more: plant this fault elsewhere"
        (self.folder / file).write_text(text.replace(old, new, 1), encoding="utf-8")

    def append(self, file: str, text: str) -> None:
        """Add to the end of a file, which may be a new one."""
        with (self.folder / file).open("a", encoding="utf-8") as opened:
            opened.write(text)

    def findings(self, said: Code | None = None) -> list[Finding]:
        """What the gate finds there without checkov; `said` saves reading the code again where that is as it was."""
        return gate.check_infra(self.folder, with_policies=False, said=said)


def a_checkout(folder: Path, files: Mapping[str, str]) -> Path:
    """A folder with these files."""
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder
