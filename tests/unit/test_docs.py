"""The documents say what is there: printed pages are fresh, links resolve, runbook and code share their words."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

import dev
from local import docs
from shared import names
from shared.model import reasons
from shared.model.profile import Profile

ROOT = Path(__file__).parent.parent.parent
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
MENTIONED = re.compile(
    r"`((?:shared|functions|local|ops|docs|authorities)/[\w./-]+\.\w+|[\w.]+\.(?:py|toml|json|txt))`"
)
MADE_BY_THE_APP = {"assessment.json", "excluded.json", "received.json", "refused.json"}
COMMAND = re.compile(r"python3 dev\.py (\w+)")


def _of_page(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("name", sorted(docs.PAGES))
def test_a_printed_page_is_as_the_code_is(name: str) -> None:
    committed = (docs.DOCS / name).read_text(encoding="utf-8")
    assert committed == docs.PAGES[name](), "print it again: python -m local.docs"


@pytest.mark.parametrize("page", PAGES, ids=_of_page)
def test_every_link_leads_to_something(page: Path) -> None:
    assert [link for link in LINK.findall(page.read_text(encoding="utf-8")) if not _resolves(page, link)] == []


def _resolves(page: Path, link: str) -> bool:
    if link.startswith("https://"):
        return True
    path, _, anchor = link.partition("#")
    target = (page.parent / path).resolve() if path else page
    return target.exists() and (not anchor or anchor in set(_anchors(target)))


def _anchors(page: Path) -> Iterator[str]:
    """As GitHub makes them of headings, and those set by hand."""
    text = page.read_text(encoding="utf-8")
    yield from re.findall(r'<a id="([^"]+)">', text)
    for heading in re.findall(r"^#+ (.+)$", text, re.MULTILINE):
        yield re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


@pytest.mark.parametrize("page", PAGES, ids=_of_page)
def test_every_file_that_is_mentioned_exists(page: Path) -> None:
    mentioned = set(MENTIONED.findall(page.read_text(encoding="utf-8"))) - MADE_BY_THE_APP
    assert [name for name in sorted(mentioned) if not (ROOT / name).exists()] == []


def test_what_a_reason_tells_people_to_read_exists() -> None:
    told = " ".join(reason.remedy for reason in [*reasons.REASONS.values(), reasons.explain_reason("unheard_of")])
    assert [name for name in sorted(set(re.findall(r"docs/[\w.]+\.md", told))) if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=_of_page)
def test_every_command_that_is_mentioned_is_one(page: Path) -> None:
    mentioned = set(COMMAND.findall(page.read_text(encoding="utf-8")))
    assert mentioned <= {*dev.MODULES, "test", "setup"}


def test_the_runbook_knows_every_queue_and_its_poison() -> None:
    runbook = (docs.DOCS / "runbook.md").read_text(encoding="utf-8")
    assert [
        name for queue in names.QUEUES for name in (queue, names.poison_of(queue)) if f"`{name}`" not in runbook
    ] == []


@pytest.mark.parametrize("section", ["a stop", "stuck"])
def test_the_runbook_knows_every_reason_to_pause_or_be_stuck(section: str) -> None:
    runbook = (docs.DOCS / "runbook.md").read_text(encoding="utf-8")
    codes = dict(docs.list_sections(reasons, "REASONS"))[section]
    assert [code for code in codes if f"`{code}`" not in runbook] == []


def test_every_state_and_reason_has_its_line_in_the_printed_pages() -> None:
    printed = docs.reason_codes()
    assert [code for code in reasons.REASONS if f"| `{code}` |" not in printed] == []


def test_the_plan_that_a_page_shows_can_be_put_into_a_profile() -> None:
    page = (docs.DOCS / "planning.md").read_text(encoding="utf-8")
    shown = tomllib.loads(page.partition("```toml\n")[2].partition("```")[0])
    profile = tomllib.loads((docs.DOCS.parent / "authorities/south-norfolk.toml").read_text(encoding="utf-8"))
    read = Profile.model_validate({**profile, **shown, "authority": "south-norfolk"})
    assert [wave.takes for wave in read.plan.waves] == ["pilot", "5%", "rest", "dormant", "late"]
    assert set(shown["plan"]) <= set(type(read.plan).model_fields)
