"""The conditions of rights, judged for single requests as Azure does: what is let through and what is not."""

import re
from typing import Final, NamedTuple

import pytest

from local.infra_checks import roles

BLOBS: Final = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs"
COUNCIL: Final = "south-norfolk"


class Request(NamedTuple):
    """One request for a blob, or for a listing. Azure knows what is not said here as absent, which is like nothing."""

    action: str
    path: str = ""
    prefix: str = ""
    container: str = "exports"
    listing: bool = False

    def says(self, attribute: str) -> str:
        """What the request or its resource says under this name."""
        last = attribute.rpartition(":")[2]
        return {"path": self.path, "prefix": self.prefix, "name": self.container}[last]


def allows(condition: str, request: Request) -> bool:
    """Whether Azure lets it pass: AND, OR and NOT as written, over each of its questions answered for this request."""

    def action(found: re.Match[str]) -> str:
        return str(found[1] == f"{BLOBS}/{request.action}")

    def part(found: re.Match[str]) -> str:
        return str(found[1] == "Blob.List" and request.listing)

    def compared(found: re.Match[str]) -> str:
        said, value = request.says(found[1]), found[3]
        like = re.escape(value).replace(r"\*", ".*").replace(r"\?", ".")
        return str(
            {
                "StringEquals": said == value,
                "StringStartsWith": bool(said) and said.startswith(value),
                "StringLike": bool(re.fullmatch(like, said)),
                "StringNotLike": not re.fullmatch(like, said),
            }[found[2]]
        )

    said = re.sub(r"SubOperationMatches\{'([^']*)'\}", part, condition)
    said = re.sub(r"ActionMatches\{'([^']*)'\}", action, said)
    said = re.sub(r"@(?:Resource|Request)\[([^\]]+)\] (\w+) '([^']*)'", compared, said)
    said = re.sub(r"\bAND\b", "and", re.sub(r"\bOR\b", "or", re.sub(r"\bNOT\b|!", " not ", said))).strip()
    assert not set(re.findall(r"\w+", said)) - {"and", "or", "not", "True", "False"}, (
        f"a question is not understood: {said}"
    )
    return bool(eval(" ".join(said.split())))  # noqa: S307 - nothing but True, False, and, or, not is left in it


def of(holder: str) -> str:
    """The condition of his right, for one council."""
    (found,) = (each for each in roles.read_allow_list().conditions if each.to == holder)
    return found.text.replace("«council»", COUNCIL)


@pytest.mark.parametrize(
    "request_",
    [
        Request("write", f"{COUNCIL}/march.csv"),
        Request("add/action", f"{COUNCIL}/march.csv"),
        Request("read", f"{COUNCIL}/march.csv"),
        Request("read", prefix=f"{COUNCIL}/", listing=True),
        Request("read", prefix=f"{COUNCIL}/mar", listing=True),
    ],
)
def test_an_uploader_writes_reads_and_lists_in_the_folder_of_the_council(request_: Request) -> None:
    assert allows(of("an uploader"), request_)


@pytest.mark.parametrize(
    "action", [each.removeprefix(f"{BLOBS}/") for each in roles.read_allow_list().own["exportUploader"].data_actions]
)
@pytest.mark.parametrize(
    "path",
    [
        "great-yarmouth/march.csv",
        f"great-yarmouth/{COUNCIL}/march.csv",
        f"{COUNCIL}-2/march.csv",
        COUNCIL,
        "march.csv",
        "",
    ],
)
def test_an_uploader_has_nothing_to_do_elsewhere(action: str, path: str) -> None:
    assert not allows(of("an uploader"), Request(action, path))


@pytest.mark.parametrize("prefix", ["", "great-yarmouth/", COUNCIL, f"{COUNCIL}-2/", "s"])
def test_an_uploader_lists_no_other_folder(prefix: str) -> None:
    assert not allows(of("an uploader"), Request("read", prefix=prefix, listing=True))


@pytest.mark.parametrize("action", ["write", "read"])
def test_an_uploaders_folder_is_one_of_the_container_for_uploads(action: str) -> None:
    assert not allows(of("an uploader"), Request(action, f"{COUNCIL}/march.csv", container="reports"))


def test_an_operator_reads_reports_that_list_nobody() -> None:
    assert allows(of("an operator"), Request("read", f"{COUNCIL}/m1/result.csv", container="reports"))
    assert allows(of("an operator"), Request("read", prefix="", container="reports", listing=True))


def test_an_operator_reads_no_report_that_lists_people() -> None:
    assert not allows(of("an operator"), Request("read", f"{COUNCIL}/m1/personal/review.csv", container="reports"))
