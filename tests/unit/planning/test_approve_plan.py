"""Who may sign a plan, what a signature starts, and what is said to whoever may not."""

from dataclasses import replace
from datetime import timedelta

import pytest

from shared import names
from shared.errors import ActionRefused
from shared.model.migration import Kind, Migration, Phase
from shared.model.plan import Part
from shared.planning.approve_plan import add_approval, reject_migration, supersede_migration
from shared.planning.freeze_plan import compute_fingerprint
from tests.support.signatures import BOTH, assessed, signed, signing, wants_signatures
from tests.support.stories import settle
from tests.support.world import SOUTH_NORFOLK, World, export, line


@pytest.fixture
async def plan(world: World) -> Migration:
    """The plan of two customers waits for two signatures."""
    wants_signatures(world)
    return await assessed(world, export(line("C1"), line("C2")))


async def _changed(world: World, of: Migration, **changes: object) -> None:
    await world.ledger.migrations.change(of.authority, of.id, lambda m: replace(m, **changes))  # type: ignore[arg-type]


async def test_the_last_signature_that_is_wanted_starts_what_was_planned(world: World, plan: Migration) -> None:
    first = await add_approval(world.ports, "", plan.id, signing(plan))
    assert first
    assert (first.phase, first.approved_at, world.directory.writes) == (Phase.ASSESSED, None, 0)
    last = await add_approval(world.ports, "", plan.id, signing(plan, Part.OPERATIONS, "bob"))
    assert last
    assert (last.phase, last.piece, last.approved_at) == (Phase.ADOPTING, 0, world.clock.now())
    assert world.outbox.queues[names.ADOPT_PLAN]
    await settle(world)
    assert world.errors == []
    assert {row["state"] for row in (await world.result()).values()} == {"told"}


async def test_signing_again_sends_again_and_changes_nothing(world: World, plan: Migration) -> None:
    before = await signed(world, plan)
    world.outbox.queues[names.ADOPT_PLAN].clear()
    assert await add_approval(world.ports, "", plan.id, signing(plan, Part.OPERATIONS, "bob")) == before
    assert len(world.outbox.queues[names.ADOPT_PLAN]) == 1


async def test_every_signature_is_published_beside_the_plan(world: World, plan: Migration) -> None:
    await add_approval(world.ports, "", plan.id, signing(plan))
    told = await world.report("plan.json")
    assert (told["hash"], told["rows"], told["creates"]) == (plan.plan and plan.plan.hash, 2, 2)
    assert [(each["part"], each["by"]) for each in told["signatures"]] == [("data-owner", "ann")]


@pytest.mark.parametrize(
    ("says", "sentence"),
    [
        ({"hash": "0123456789ab"}, "The hash is not this plan's"),
        ({"hash": ""}, "The hash is not this plan's"),
        ({"rows": 3}, "you expect 3 rows, the export has 2"),
        ({"by": "uploader"}, "whoever uploads does not approve"),
        ({"part": Part.DIRECTORY_OWNER}, "asks for no signature as directory-owner"),
        ({"by": "eve", "part": Part.OPERATIONS}, "you are not among them"),
    ],
)
async def test_a_signature_that_is_not_taken_says_why(world: World, says: dict[str, object], sentence: str) -> None:
    wants_signatures(world, signers={Part.OPERATIONS: ("bob",)})
    plan = await assessed(world, export(line("C1"), line("C2")))
    assert plan.plan
    await _changed(world, plan, plan=replace(plan.plan, uploaded_by="uploader"))
    wrong = replace(signing(plan), **says)  # type: ignore[arg-type]  # as each case says it
    with pytest.raises(ActionRefused, match=sentence):
        await add_approval(world.ports, "", plan.id, wrong)
    after = (await world.migration()).plan
    assert after
    assert after.signatures == ()


async def test_a_signer_may_be_written_with_capitals_in_the_profile(world: World) -> None:
    wants_signatures(world, signers={Part.OPERATIONS: ("BOB ",)})
    plan = await assessed(world, export(line("C1"), line("C2")))
    after = await add_approval(world.ports, "", plan.id, replace(signing(plan), by="bob", part=Part.OPERATIONS))
    assert after
    assert after.plan
    assert [signature.by for signature in after.plan.signatures] == ["bob"]


async def test_a_plan_that_creates_is_not_signed_without_the_message_that_tells_to_set_a_password(world: World) -> None:
    wants_signatures(world)
    profile = world.profiles[SOUTH_NORFOLK]
    messages = profile.messages.model_copy(update={"templates": {"now-one-account": "t"}})
    world.profiles[SOUTH_NORFOLK] = profile.model_copy(update={"messages": messages})
    plan = await assessed(world, export(line("C1"), line("C2")))
    with pytest.raises(ActionRefused, match="template of set-your-password"):
        await add_approval(world.ports, "", plan.id, signing(plan))


async def test_one_person_signs_for_one_part_only(world: World, plan: Migration) -> None:
    await add_approval(world.ports, "", plan.id, signing(plan))
    with pytest.raises(ActionRefused, match="every part needs a different person"):
        await add_approval(world.ports, "", plan.id, signing(plan, Part.OPERATIONS))
    assert (await world.migration()).approved_at is None


async def test_warnings_are_accepted_or_the_plan_is_not_signed(world: World, plan: Migration) -> None:
    assert plan.plan
    await _changed(world, plan, plan=replace(plan.plan, warnings=("30 % fewer rows.",)))
    with pytest.raises(ActionRefused, match="--accept-warnings"):
        await add_approval(world.ports, "", plan.id, signing(plan))
    after = await add_approval(world.ports, "", plan.id, signing(plan, accepts_warnings=True))
    assert after
    assert after.plan
    assert [each.accepts_warnings for each in after.plan.signatures] == [True]


async def test_with_another_profile_it_is_another_plan(world: World, plan: Migration) -> None:
    wants_signatures(world, *BOTH, announce_days=3)
    with pytest.raises(ActionRefused, match="profile has changed"):
        await add_approval(world.ports, "", plan.id, signing(plan))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"kind": Kind.ASSESS}, "is only assessed"),
        ({"phase": Phase.CLASSIFYING, "plan": None}, "has no plan yet"),
        ({"phase": Phase.RUNNING}, "under way or done"),
        ({"phase": Phase.DONE}, "under way or done"),
        ({"phase": Phase.SUPERSEDED, "superseded_by": "newer"}, "replaced by newer"),
        ({"phase": Phase.CANCELLED}, "Upload the export again"),
        ({"phase": Phase.REFUSED}, "has no plan: it is refused"),
    ],
)
async def test_only_a_plan_that_waits_is_signed(
    world: World, plan: Migration, changes: dict[str, object], sentence: str
) -> None:
    await _changed(world, plan, **changes)
    with pytest.raises(ActionRefused, match=sentence):
        await add_approval(world.ports, "", plan.id, signing(plan))


async def test_a_rejected_plan_is_over_and_nothing_was_done(world: World, plan: Migration) -> None:
    await add_approval(world.ports, "", plan.id, signing(plan))
    over = await reject_migration(world.ports, "", plan.id, "dan")
    assert over
    assert (over.phase, over.reason, over.cancelled_by) == (Phase.CANCELLED, "plan_rejected", "dan")
    assert await reject_migration(world.ports, "", plan.id, "dan") == over
    assert (await world.report("plan.json"))["rejected_by"] == "dan"
    await settle(world)
    assert {row["reason"] for row in (await world.result()).values()} == {"cancelled"}
    assert (world.directory.writes, world.told, world.errors) == (0, [], [])
    with pytest.raises(ActionRefused, match="cancelled or its plan rejected"):
        await add_approval(world.ports, "", plan.id, signing(plan))


async def test_what_is_approved_is_not_rejected_but_cancelled(world: World, plan: Migration) -> None:
    await signed(world, plan)
    with pytest.raises(ActionRefused, match="ops cancel"):
        await reject_migration(world.ports, "", plan.id, "dan")


async def test_what_has_no_plan_is_not_rejected(world: World, plan: Migration) -> None:
    await _changed(world, plan, plan=None)
    with pytest.raises(ActionRefused, match="no plan to be rejected"):
        await reject_migration(world.ports, "", plan.id, "dan")


async def test_who_is_unknown_has_no_plan(world: World, plan: Migration) -> None:
    assert await add_approval(world.ports, "", "nothing", signing(plan)) is None
    assert await add_approval(world.ports, "great-yarmouth", plan.id, signing(plan)) is None
    assert await reject_migration(world.ports, "", "nothing", "dan") is None
    assert await supersede_migration(world.ports, "", "nothing") is None


async def test_a_plan_that_waits_gives_way_to_a_newer_upload(world: World, plan: Migration) -> None:
    with pytest.raises(ActionRefused, match="no newer upload"):
        await supersede_migration(world.ports, "", plan.id)
    world.clock.tick(timedelta(minutes=1))
    new = await assessed(world, export(line("C1")), "south-norfolk/newer.csv")
    await _changed(world, plan, phase=Phase.ASSESSED, superseded_by="")
    for _ in range(2):
        old = await supersede_migration(world.ports, SOUTH_NORFOLK, plan.id, new.id)
        assert old
        assert (old.phase, old.superseded_by, old.reason) == (Phase.SUPERSEDED, new.id, "newer_upload")
    with pytest.raises(ActionRefused, match=f"replaced by {new.id}"):
        await add_approval(world.ports, "", plan.id, signing(plan))


async def test_what_is_under_way_gives_way_to_an_approved_one_only(world: World, plan: Migration) -> None:
    await signed(world, plan)
    world.clock.tick(timedelta(minutes=1))
    new = await assessed(world, export(line("C1")), "south-norfolk/newer.csv")
    await _changed(world, plan, phase=Phase.RUNNING, superseded_by="")
    with pytest.raises(ActionRefused, match="approved"):
        await supersede_migration(world.ports, "", plan.id, new.id)
    await signed(world, new)
    old = await supersede_migration(world.ports, "", plan.id)
    assert old
    assert (old.phase, old.superseded_by) == (Phase.RUNNING, new.id)


async def test_what_is_over_gives_way_to_nobody(world: World, plan: Migration) -> None:
    world.clock.tick(timedelta(minutes=1))
    await assessed(world, export(line("C1")), "south-norfolk/newer.csv")
    await _changed(world, plan, phase=Phase.CANCELLED, superseded_by="")
    with pytest.raises(ActionRefused, match="nothing is left to give way"):
        await supersede_migration(world.ports, "", plan.id)


async def test_a_plan_of_which_nobody_knows_who_uploaded_it_is_not_signed_where_that_is_wanted() -> None:
    world = World()
    wants_signatures(world)
    found = await assessed(world, export(line("C1")))
    wants_signatures(world, uploader="required")
    assert found.plan
    profile = compute_fingerprint(world.profiles[SOUTH_NORFOLK])
    await _changed(world, found, plan=replace(found.plan, profile=profile))
    with pytest.raises(ActionRefused, match=r"does not say who uploaded it.*--metadata"):
        await add_approval(world.ports, "", found.id, signing(found))
