"""A mixed export for benchmarks: every kind of customer, in a directory that answers in more than one way.

The export is the invented one of `local.samples`, so the truth about every row is known. While accounts are created,
some of their customers sign up by themselves. Their creates are conflicts, which the directory answers with 400 or 409.
"""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from azure.storage.blob import BlobServiceClient

from bench import kit
from local.samples.generate import Order, generate_samples
from local.stack import TENANT, Stack, send_json

FILE: Final = "south-norfolk/mixed.csv"
SEED: Final = 2019
USERS_A_ROW: Final = 2
"""Users in the directory for each row of the export."""
EVERY: Final = 40
"""One in this many new customers signs up while accounts are created."""
ANSWERS: Final = {"create_answer": "either", "conflict_status": 0}
"""Switches of the stand-in: creates are answered with and without the user, conflicts with 400 and 409."""


@dataclass(frozen=True)
class Sample:
    """The files of a mixed export."""

    export: bytes
    users: Path
    """What the directory holds at the start."""
    truth: dict[str, dict[str, str]]
    """The right result for each row, by its number."""

    def list_newcomers(self) -> Iterator[tuple[str, str]]:
        """Row number and address of the customers who sign up by themselves."""
        addresses = csv.DictReader(io.StringIO(self.export.decode("utf-8-sig")))
        plain = [
            (str(number), row["email"])
            for number, row in enumerate(addresses, 1)
            if self.truth[str(number)]["case"] == "new customer"
        ]
        yield from plain[::EVERY]


def make_sample(folder: Path, rows: int) -> Sample:
    """Write the files of an export with this number of rows."""
    generate_samples(Order({"south-norfolk": rows}, SEED, USERS_A_ROW * rows), folder)
    with (folder / "south-norfolk.truth.csv").open(newline="", encoding="utf-8") as file:
        truth = {row["row"]: row for row in csv.DictReader(file)}
    return Sample((folder / "south-norfolk.csv").read_bytes(), folder / "directory.json", truth)


def sign_up(stack: Stack, sample: Sample) -> set[str]:
    """Let the newcomers sign up now. Returns the numbers of their rows."""
    found = dict(sample.list_newcomers())
    users = [
        {
            "id": f"00000000-0000-4000-9000-{int(number):012}",
            "displayName": "Somebody New",
            "accountEnabled": True,
            "identities": [{"signInType": "emailAddress", "issuer": TENANT, "issuerAssignedId": address.strip()}],
        }
        for number, address in found.items()
    ]
    send_json(f"{stack.directory.url}/_standin/users", {"users": users})
    return set(found)


def count_wrong(stack: Stack, migration: dict[str, Any], sample: Sample, newcomers: set[str]) -> int:
    """Return how many rows of result.csv differ from the truth.

    If a newcomer's account was created before the sign-up, the row is right too.
    """
    path = migration["reports"].removeprefix("reports/") + "result.csv"
    with BlobServiceClient.from_connection_string(stack.storage.connection_string) as service:
        text = service.get_blob_client("reports", path).download_blob().readall().decode("utf-8-sig")
    result = {row["row"]: row for row in csv.DictReader(io.StringIO(text))}
    wrong = len(sample.truth.keys() ^ result.keys())
    for number in sample.truth.keys() & result.keys():
        row, true = result[number], sample.truth[number]
        moved = row["outcome"] in {"create", "link"}
        right = row["outcome"] == true["outcome"] and (row["state"] == "told" or not moved)
        aside = number in newcomers and row["reason"] == "appeared_since_assessment"
        wrong += not (right or aside)
    return wrong


def turn_answers(stack: Stack) -> None:
    """Make the directory answer in more than one way."""
    send_json(f"{stack.directory.url}/_standin/rules", ANSWERS, "PATCH")


def upload_sample(stack: Stack, sample: Sample) -> None:
    """Upload the mixed export."""
    kit.upload_export(stack, sample.export, FILE)
