"""`python -m local.deployed FOLDER`: write the files of a deployment to Azure into a folder, to look at or to try.

That is everything in the checkout except what `.funcignore` names, by the rules of .gitignore, as `azd` reads it. Files
that git ignores are included too, unless `.funcignore` excludes them, because neither `azd` nor Core Tools asks git.
"""

import argparse
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from pathspec import GitIgnoreSpec

ROOT: Final = Path(__file__).resolve().parent.parent
IGNORED_BY: Final = ".funcignore"


def main(arguments: list[str] | None = None) -> int:
    """Lay it out and say how much it is. Returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m local.deployed",
        description="Lay out what a deployment takes to Azure: the checkout without what .funcignore names.",
        epilog="example: python -m local.deployed .local/deployed",
    )
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="folder to write to; must be new or empty")
    folder = parser.parse_args(arguments).folder
    try:
        files = lay_out(ROOT, folder)
    except OSError as error:
        print(
            f"Nothing was laid out in {folder}: {error.strerror}. Name a folder that is new or empty.", file=sys.stderr
        )
        return 1
    size = sum((folder / file).stat().st_size for file in files)
    print(f"{len(files)} files, {size / 1024:,.0f} KiB, in {folder}")
    return 0


def lay_out(root: Path, folder: Path) -> list[Path]:
    """Copy what is deployed from `root` into `folder`. Returns the files, relative to both.

    Raises:
        OSError: the folder has something in it already, or cannot be written.
    """
    files = sorted(deployed_files(root))
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise FileExistsError(None, "it is not empty")
    for file in files:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(root / file, folder / file)
    return files


def deployed_files(root: Path) -> Iterator[Path]:
    """The files below `root` that its `.funcignore` leaves, relative to it."""
    ignored = GitIgnoreSpec.from_lines((root / IGNORED_BY).read_text(encoding="utf-8").splitlines())
    for folder, folders, files in os.walk(root):
        here = Path(folder).relative_to(root)
        # A folder that is ignored is not entered, so nothing in it can be taken back: git's rule too.
        folders[:] = [name for name in folders if not ignored.match_file(f"{(here / name).as_posix()}/")]
        yield from (here / name for name in files if not ignored.match_file((here / name).as_posix()))


if __name__ == "__main__":
    sys.exit(main())
