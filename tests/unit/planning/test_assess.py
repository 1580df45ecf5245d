"""The complete picture: true to the last row, told before anything is changed, and naming nobody where it must not."""

import csv
import io
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from local.samples.generate import Order, generate_samples
from shared import names
from shared.adapters.memory import MemoryReports
from shared.errors import Stop, Throttled, TryLater
from shared.model.account import AccountId, DirectoryId
from shared.model.counts.summary import add_up_shards
from shared.model.directory_user import DirectoryUser, Identity
from shared.model.lifecycle import Outcome
from shared.model.migration import Migration, Phase
from shared.model.reasons import explain_reason
from shared.operations.control import resume_by_person
from shared.planning.assess import assess_migration
from shared.reporting import publish_lists
from tests.support.signatures import assessed as drafted
from tests.support.signatures import wants_signatures
from tests.support.stories import populate, settle
from tests.support.world import GREAT_YARMOUTH, SOUTH_NORFOLK, World, export, line

SAMPLE_ROWS = 400
SAMPLE_USERS = 600


async def assessed(world: World, body: bytes, name: str = "south-norfolk/portal.csv") -> Migration:
    """Upload, and go on until the picture is published; nobody is provisioned."""
    await world.upload(body, name)
    for number in range(400):
        await world.deliver_but(names.PROVISION_ACCOUNT)
        migration = (await world.migrations())[-1]
        if migration.phase is Phase.RUNNING or migration.paused:
            return migration
        await world.timers(number)
        world.clock.tick(timedelta(seconds=5))
    raise AssertionError("there was no assessment")


def small() -> bytes:
    """A row of every outcome, and a name with letters beyond A to Z."""
    return export(
        line("C1", given="Zoë", surname="Brontë"),
        line("L1", given="Lena", surname="Linked"),
        line("V1", given="Vera", surname="Reviewed"),
        line("R1", email="no-address"),
        line("C1", email="c1-again@example.org"),
        line("=C2", email="c2@example.org", given="=1+1", surname="@Other"),
    )


def listed(world: World, migration: Migration, name: str) -> list[dict[str, str]]:
    text = world.reports.files[f"{migration.folder}/personal/{name}.csv"].decode()
    return list(csv.DictReader(io.StringIO(text)))


def public(world: World, migration: Migration) -> str:
    """What everybody may read of the picture."""
    return "".join(world.reports.files[f"{migration.folder}/assessment.{kind}"].decode() for kind in ("json", "html"))


# the sample


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sample")
    generate_samples(Order({"south-norfolk": SAMPLE_ROWS}, directory_users=SAMPLE_USERS), folder)
    return folder


def seed(world: World, sample: Path) -> None:
    for user in json.loads((sample / "directory.json").read_text("utf-8"))["users"]:
        world.directory.add(
            DirectoryUser(
                id=DirectoryId(user["id"]),
                identities=tuple(
                    Identity(i["signInType"], i["issuer"], i["issuerAssignedId"]) for i in user["identities"]
                ),
                other_mails=tuple(user.get("otherMails") or ()),
                given_name=user.get("givenName") or "",
                surname=user.get("surname") or "",
                display_name=user.get("displayName") or "",
                enabled=user["accountEnabled"],
                created=datetime.fromisoformat(user["createdDateTime"]),
            )
        )


async def test_the_picture_of_the_sample_is_what_its_generator_says_is_true(world: World, sample: Path) -> None:
    seed(world, sample)
    migration = await assessed(world, (sample / "south-norfolk.csv").read_bytes())
    with (sample / "south-norfolk.truth.csv").open(encoding="utf-8", newline="") as stream:
        truth = list(csv.DictReader(stream))
    said = await world.report("assessment.json", migration)
    outcomes = Counter(row["outcome"] for row in truth)
    assert said["rows"] == len(truth) == SAMPLE_ROWS
    assert {outcome: said[outcome] for outcome in Outcome} == {outcome: outcomes[outcome] for outcome in Outcome}
    reasons = Counter(row["reason"] for row in truth if row["outcome"] in {"review", "reject"})
    assert said["reasons"] == dict(reasons)
    assert said["directory_only"] == said["directory_users"] == SAMPLE_USERS
    for split in ("directory_only_by_identity", "directory_only_by_authority"):
        assert sum(said[split].values()) == SAMPLE_USERS
    for outcome in ("create", "link", "review", "reject", "duplicate"):
        rows = {row["row"] for row in truth if row["outcome"] == outcome}
        assert {row["row"] for row in listed(world, migration, outcome)} == rows


async def test_assessing_writes_nothing_to_the_directory_and_tells_nobody(world: World, sample: Path) -> None:
    seed(world, sample)
    before = dict(world.directory.users)
    await assessed(world, (sample / "south-norfolk.csv").read_bytes())
    assert (world.directory.writes, world.notifier.sent) == (0, [])
    assert world.directory.users == before


async def test_page_and_figures_name_nobody(world: World, sample: Path) -> None:
    seed(world, sample)
    migration = await assessed(world, (sample / "south-norfolk.csv").read_bytes())
    said = public(world, migration).casefold()
    people = [row for name in ("create", "link", "review") for row in listed(world, migration, name)]
    assert len(people) > SAMPLE_ROWS / 2
    for row in people:
        assert row["email"].casefold() not in said
        assert row["source_id"].casefold() not in said
        assert f"{row['given_name']} {row['surname']}".casefold() not in said
    assert "@example" not in said


# the lists


async def test_each_list_tells_who_and_why(world: World) -> None:
    populate(world)
    migration = await assessed(world, small())
    [review] = listed(world, migration, "review")
    assert (review["source_id"], review["surname"], review["reason"]) == ("V1", "Reviewed", "names_differ")
    assert "the names differ" in review["evidence"]
    assert review["sentence"]
    [linked] = listed(world, migration, "link")
    assert (linked["row"], linked["email"], bool(linked["directory_id"])) == ("2", "l1@example.org", True)
    [rejected] = listed(world, migration, "reject")
    assert (rejected["row"], rejected["reason"]) == ("4", "email_invalid")
    [again] = listed(world, migration, "duplicate")
    assert (again["row"], again["same_as_row"]) == ("5", "1")
    created = {row["row"]: row for row in listed(world, migration, "create")}
    assert created.keys() == {"1", "6"}
    assert (created["6"]["source_id"], created["6"]["given_name"], created["6"]["surname"]) == (
        "'=C2",
        "'=1+1",
        "'@Other",
    )


async def test_names_for_the_encoding_check_are_listed_and_only_their_letters_shown(world: World) -> None:
    migration = await assessed(world, small())
    [name] = listed(world, migration, "names-to-check")
    assert (name["given_name"], name["surname"], name["looks"]) == ("Zoë", "Brontë", "well")
    said = await world.report("assessment.json", migration)
    assert said["names_to_check"] == {"names": 1, "damaged": 0, "letters": {"ë": 1}}
    assert "Bront" not in public(world, migration)


async def test_long_lists_are_written_part_by_part(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publish_lists, "LINES_AT_ONCE", 2)
    migration = await assessed(world, export(*(line(f"C{number}") for number in range(60))))
    assert {row["source_id"] for row in listed(world, migration, "create")} == {f"C{number}" for number in range(60)}


@dataclass
class FullReports(MemoryReports):
    """Storage has no room for one of the lists."""

    full: bool = True

    async def put_blocks(self, path: str, blocks: Sequence[AsyncIterator[bytes]], content_type: str) -> None:
        if self.full and path.endswith("personal/reject.csv"):
            raise OSError("no room")
        await super().put_blocks(path, blocks, content_type)


async def test_a_list_that_cannot_be_written_holds_the_picture_back_until_it_can() -> None:
    reports = FullReports()
    world = World(reports=reports)
    await world.upload(small())
    for number in range(8):
        await world.timers(number)
        await world.deliver()
        world.clock.tick(timedelta(seconds=10))
    migration = await world.migration()
    assert migration.phase is Phase.CLASSIFYING
    assert f"{migration.folder}/assessment.json" not in reports.files
    assert world.errors
    assert all("OSError" in str(error) for error in world.errors)
    reports.full = False
    await settle(world)
    assert (await world.report("assessment.json"))["create"] == 4


# the messages


async def test_each_message_is_shown_as_an_invented_person_would_read_it(world: World) -> None:
    migration = await assessed(world, small())
    page = world.reports.files[f"{migration.folder}/assessment.html"].decode()
    assert "Dear Ada Example," in page
    assert "Dear Ben Example," in page
    said = await world.report("assessment.json", migration)
    assert [(each["message"], each["version"]) for each in said["templates"]] == [
        ("set-your-password", 1),
        ("now-one-account", 1),
    ]


def _announcing(world: World) -> None:
    profile = world.profiles[SOUTH_NORFOLK]
    before = {"account-is-changing": "t-changing", "accounts-become-one": "t-one"}
    messages = profile.messages.model_copy(update={"templates": {**profile.messages.templates, **before}})
    world.profiles[SOUTH_NORFOLK] = profile.model_copy(update={"messages": messages})


async def test_what_customers_read_before_anything_changes_is_shown_and_part_of_the_plan(world: World) -> None:
    _announcing(world)
    migration = await assessed(world, small())
    page = world.reports.files[f"{migration.folder}/assessment.html"].decode()
    assert "this is account-is-changing" in page
    assert "as Ben Example would read it before anything changes" in page
    said = await world.report("assessment.json", migration)
    assert [each["message"] for each in said["templates"]] == [
        "account-is-changing",
        "set-your-password",
        "accounts-become-one",
        "now-one-account",
    ]

    def reworded(other: World) -> None:
        _announcing(other)
        other.notifier.versions["t-changing"] = 2

    assert await plan_of(reworded, small()) != await plan_of(_announcing, small())


@pytest.mark.parametrize(
    ("trouble", "says"),
    [
        (TryLater("message_service_unreachable"), "did not answer"),
        (Throttled("message_service_throttled"), "did not answer"),
        (Stop("message_template_refused"), "The message service refuses the template"),
    ],
)
async def test_a_message_that_cannot_be_shown_holds_nothing_up(world: World, trouble: Exception, says: str) -> None:
    world.notifier.fail_previews = [trouble]
    migration = await assessed(world, small())
    assert migration.phase is Phase.RUNNING
    assert says in world.reports.files[f"{migration.folder}/assessment.html"].decode()
    assert [each["version"] for each in (await world.report("assessment.json"))["templates"]] == [None, 1]


async def test_without_a_message_service_the_page_says_that_nobody_is_told(world: World) -> None:
    world.wrap = lambda ports: replace(ports, notifier=None)
    migration = await assessed(world, small())
    assert (migration.paused, migration.pause_reason) == (True, "nobody_to_tell")
    assert "switched off" in world.reports.files[f"{migration.folder}/assessment.html"].decode()
    assert (await world.report("assessment.json"))["predicted_messages"] == 0


async def test_without_the_message_to_those_who_need_a_password_nobody_is_created(world: World) -> None:
    profile = world.profiles[SOUTH_NORFOLK]
    messages = profile.messages.model_copy(update={"templates": {"now-one-account": "t"}})
    world.profiles[SOUTH_NORFOLK] = profile.model_copy(update={"messages": messages})
    migration = await assessed(world, export(line("C1")))
    assert (migration.paused, migration.pause_reason) == (True, "nobody_to_tell")
    assert "set-your-password" in explain_reason("nobody_to_tell").remedy
    await resume_by_person(world.ports, SOUTH_NORFOLK, migration.id, "ann")  # nothing is mended by that
    await world.run()
    assert world.directory.writes == 0


# the plan and its picture


async def plan_of(change: Callable[[World], None], body: bytes) -> str:
    world = World()
    populate(world)
    change(world)
    return (await assessed(world, body)).plan_hash


async def test_the_plan_is_the_same_for_the_same_facts_and_another_for_another_text(world: World) -> None:
    template = world.profiles[SOUTH_NORFOLK].messages.templates["set-your-password"]
    same = [await plan_of(lambda _: None, small()) for _ in range(2)]
    assert same[0] == same[1]
    assert await plan_of(lambda w: w.notifier.versions.update({template: 2}), small()) != same[0]
    assert await plan_of(lambda _: None, small() + line("C9").encode() + b"\n") != same[0]


async def test_the_same_facts_give_the_same_bytes() -> None:
    pictures: list[dict[str, bytes]] = []
    for _ in range(2):
        world = World()
        populate(world)
        await assessed(world, small())
        pictures.append(world.reports.files)
    assert pictures[0] == pictures[1]


async def test_users_whom_another_council_marked_are_told_apart(world: World) -> None:
    found = populate(world)
    other = {GREAT_YARMOUTH: AccountId("a" + "1" * 40)}
    await world.directory.link(world.profiles[GREAT_YARMOUTH], found.others[1].id, other[GREAT_YARMOUTH], "Y1")
    await assessed(world, small())
    said = await world.report("assessment.json")
    assert said["directory_only_by_authority"] == {"nobody": 3, "great-yarmouth": 1}
    assert said["directory_only_by_identity"] == {"local e-mail address": 4}


async def test_an_extract_stands_beside_the_earlier_ones(world: World) -> None:
    first = await assessed(world, small())
    world.clock.tick(timedelta(days=14))
    second = await assessed(world, export(line("C1"), line("C5")), "south-norfolk/later.csv")
    assert second.id != first.id
    page = world.reports.files[f"{second.folder}/assessment.html"].decode()
    beside = page[page.index("Beside earlier extracts") :]
    assert beside.index("portal.csv") < beside.index("later.csv")
    assert "portal.csv" in beside
    assert "later.csv" not in world.reports.files[f"{first.folder}/assessment.html"].decode()


async def test_what_was_sent_back_since_it_was_counted_is_counted_first(world: World) -> None:
    wants_signatures(world)
    before = await drafted(world, export(line("C1")))
    totals = add_up_shards(await world.ledger.summaries.list_all(SOUTH_NORFOLK, before.id))
    counted = replace(before, phase=Phase.CLASSIFYING, plan=None)
    later = replace(counted, moved_at=world.clock.now() + timedelta(seconds=1))
    await world.ledger.migrations.change(SOUTH_NORFOLK, before.id, lambda _: later)
    await assess_migration(world.ports, world.profiles[SOUTH_NORFOLK], counted, totals)
    assert (await world.migration()).phase is Phase.CLASSIFYING
    await assess_migration(world.ports, world.profiles[SOUTH_NORFOLK], later, totals)
    assert (await world.migration()).phase is Phase.ASSESSED


@pytest.mark.parametrize(("folder", "wanted"), [("", ["data-owner", "operations"]), ("assess/", [])])
async def test_signatures_are_wanted_only_where_they_would_be_taken(
    world: World, folder: str, wanted: list[str]
) -> None:
    wants_signatures(world)
    migration = await drafted(world, export(line("C1")), f"south-norfolk/{folder}portal.csv")
    assert (await world.report("assessment.json", migration))["signatures_wanted"] == wanted
    assert ("Signatures wanted" in public(world, migration)) is bool(wanted)
