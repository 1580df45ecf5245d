"""From a seed to files, written as they are made, however many rows."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Final

from local.samples import mix
from local.samples.councils import COUNCILS, SOUTH_NORFOLK
from local.samples.files import CouncilFiles, DirectoryFile
from local.samples.mix import BLOCK_ROWS, Joined
from local.samples.people import Maker, count_serials

FEWEST_ROWS: Final = 100
DIRECTORY_USERS: Final = 2500


@dataclass(frozen=True)
class Order:
    """What to make: the number of rows for each council slug, in the order in which the councils join."""

    rows: Mapping[str, int]
    seed: int = 2019
    directory_users: int = DIRECTORY_USERS


def generate_samples(order: Order, folder: Path) -> None:
    """Write all files of this order into the folder. The same order gives the same bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    numbers = count_serials()
    joined = Joined()
    created = 0
    with DirectoryFile(folder, order.directory_users) as directory_file:
        for slug, rows in order.rows.items():
            maker = Maker(COUNCILS[slug], Random(f"{order.seed}:{slug}"), numbers)
            with CouncilFiles(folder, maker.council) as files:
                users_met, joined = _write_council(maker, rows, joined, files, directory_file)
                files.write_counts(order.directory_users + created, users_met)
                created += files.created
        maker = Maker(SOUTH_NORFOLK, Random(f"{order.seed}:directory"), numbers)
        for user in mix.make_bystanders(maker, directory_file.left):
            directory_file.add(user)


def _write_council(
    maker: Maker, rows: int, earlier: Joined, files: CouncilFiles, directory_file: DirectoryFile
) -> tuple[int, Joined]:
    """Write one export block by block. How many users its rows point at, and who has joined by it."""
    joined = Joined()
    users_met = 0
    for start in range(0, rows, BLOCK_ROWS):
        cases = mix.cases_of(maker, earlier, first=start == 0)
        chosen = mix.make_block(maker, min(BLOCK_ROWS, rows - start), cases, directory_file.left)
        for case, made in chosen:
            joined.remember(made)
            users_met += len(made.users) + case.meets
            for user in made.users:
                directory_file.add(user)
        for case, line in mix.mix_rows(chosen, maker.rng):
            files.add(line, case.name)
    return users_met, joined
