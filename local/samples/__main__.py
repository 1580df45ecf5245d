"""`python -m local.samples`: write invented exports, a directory for them, and the truth about both."""

import argparse
import sys
from pathlib import Path
from typing import Final

from local.samples.councils import COUNCILS
from local.samples.generate import DIRECTORY_USERS, FEWEST_ROWS, Order, generate_samples

_EPILOG: Final = """
files, in the folder given with --out:
  south-norfolk.csv          1,200 customers, comma, UTF-8, with every kind of mess
  great-yarmouth.csv         400 customers, semicolon, Windows-1252, other column names
  <council>.truth.csv        one line for each data row: row,source_id,outcome,reason,directory_id,case
  <council>.truth.json       the same as counts, with the users of the directory that no row points at
  directory.json             {"users": [...]} as Graph shows them, to seed the stand-in directory with

The truth is for South Norfolk first and Great Yarmouth after it, on this directory, the change announced on
1 November 2019. Accounts that South Norfolk's customers were given and have not claimed prove nothing: a customer
of Great Yarmouth with such an account is "review".

examples:
  python -m local.samples --out .local/samples
  python -m local.samples --out .local/big --authority south-norfolk --rows 1000000 --directory-users 200000
  python -m local.samples --out .local/other --seed 7

Everybody is invented: reserved domains, telephone numbers for drama, postcodes that cannot exist.
"""


def main(arguments: list[str] | None = None) -> int:
    """Write the files. Returns the exit status."""
    parser = _make_parser()
    options = parser.parse_args(arguments)
    rows = _read_rows(options.authority, options.rows)
    if min(rows.values()) < FEWEST_ROWS:
        parser.error(f"--rows must be at least {FEWEST_ROWS}, so that every kind of customer has a row.")
    if options.directory_users < 0:
        parser.error("--directory-users cannot be less than 0.")
    try:
        generate_samples(Order(rows, options.seed, options.directory_users), options.out)
    except OSError as error:
        print(f"The samples cannot be written to {options.out}: {error.strerror}.", file=sys.stderr)
        return 1
    for slug, number in rows.items():
        print(f"{options.out / slug}.csv has {number:,} rows")
    return 0


def _make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m local.samples",
        description="Make exports of customers who do not exist, and a directory that knows some of them.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--out", type=Path, required=True, metavar="DIR", help="folder to write to; made if it is missing")
    add("--seed", type=int, default=2019, metavar="N", help="the same number gives the same files (2019)")
    add("--rows", type=int, metavar="N", help="rows of the export; of both: Great Yarmouth gets a third")
    add("--authority", choices=sorted(COUNCILS), help="only this council (default: both)")
    add(
        "--directory-users",
        type=int,
        default=DIRECTORY_USERS,
        metavar="N",
        help=f"users of the directory ({DIRECTORY_USERS:,}); when all have rows, the rest is new",
    )
    return parser


def _read_rows(authority: str | None, rows: int | None) -> dict[str, int]:
    if authority:
        return {authority: COUNCILS[authority].default_rows if rows is None else rows}
    if rows is None:
        return {slug: council.default_rows for slug, council in COUNCILS.items()}
    first, second = COUNCILS
    return {first: rows, second: max(rows // 3, min(rows, FEWEST_ROWS))}


if __name__ == "__main__":
    sys.exit(main())
