"""Classify, provision, notify: what each answer of the other side comes to."""

from dataclasses import replace
from datetime import timedelta

import pytest

from shared import names
from shared.adapters.memory import MemoryDirectory
from shared.adapters.storage.table_ledger import open_ledger
from shared.errors import AnswerLost, Cannot, DirectoryRefused, Hold, StaleWrite, Stop, Throttled, TryLater
from shared.model.account import Account, DirectoryId
from shared.model.lifecycle import Outcome, State
from shared.model.migration import Phase
from shared.model.pacing.rate_limit import MAX_TRYING_TIME, WRITE
from shared.model.profile import Profile
from shared.operations import control, poison
from shared.ports import NewUser
from tests.support.stories import LONG_AGO, settle
from tests.support.world import RUNS, SOUTH_NORFOLK, World, export, line

CONFLICT = DirectoryRefused("Request_BadRequest", conflict=True, attribute=False, setting=False)
REFUSED = DirectoryRefused("Request_BadRequest", conflict=False, attribute=False, setting=False)


class LaggingDirectory(MemoryDirectory):
    """Nobody who was just created is to be seen."""

    async def create(self, profile: Profile, user: NewUser) -> DirectoryId:
        made = await super().create(profile, user)
        self.hidden.add(made)
        return made


async def _one(world: World, *rows: str) -> Account:
    """Let one customer's export run to its end."""
    await world.upload(export(*(rows or (line("C1"),))))
    await settle(world)
    return (await world.accounts())[0]


async def _until(world: World, queue: str, *rows: str) -> Account:
    """Stop when the first message is in a queue."""
    await world.upload(export(*(rows or (line("C1"),))))
    while not world.outbox.queues[queue]:
        await world.timers()
        await world.deliver_but(queue)
        world.clock.tick(timedelta(seconds=10))
    return (await world.accounts())[0]


async def test_redelivery_creates_once_and_sends_again(world: World) -> None:
    await _until(world, names.PROVISION_ACCOUNT)
    [item] = world.outbox.queues[names.PROVISION_ACCOUNT]
    for attempt in (1, 2, 3):
        await RUNS[names.PROVISION_ACCOUNT](world.ports, item.body, attempt)
    assert world.directory.writes == 1
    assert len(world.outbox.queues[names.NOTIFY_CUSTOMER]) == 3
    await settle(world)
    assert world.told == ["c1@example.org"]


async def test_redelivery_of_a_message_tells_once(world: World) -> None:
    await _until(world, names.NOTIFY_CUSTOMER)
    [item] = world.outbox.queues[names.NOTIFY_CUSTOMER]
    for attempt in (1, 2, 3):
        await RUNS[names.NOTIFY_CUSTOMER](world.ports, item.body, attempt)
    assert world.told == ["c1@example.org"]


async def test_a_message_of_an_older_release_is_dropped(world: World) -> None:
    await _until(world, names.PROVISION_ACCOUNT)
    [item] = world.outbox.queues[names.PROVISION_ACCOUNT]
    world.clock.tick(timedelta(minutes=3))
    await world.timers()
    await world.timers()
    await RUNS[names.PROVISION_ACCOUNT](world.ports, item.body, 1)
    assert world.directory.writes == 0


@pytest.mark.parametrize(
    ("rows", "reasons"),
    [
        ((line("C1", "jürgen@example.org"),), {"email_look_alike"}),
        ((line("C1", "x@example.org"), line("C2", "X@example.org")), {"shared_address"}),
        ((line("V1", given="Vera"),), {"names_differ"}),
        ((line("V1", verified="no", given="Viktor"),), {"source_unverified"}),
    ],
)
async def test_what_is_in_doubt_is_for_a_person_and_changes_nothing(
    world: World, rows: tuple[str, ...], reasons: set[str]
) -> None:
    world.directory.local_user("v1@example.org", "Viktor", "Example", LONG_AGO)
    await _one(world, *rows)
    result = (await world.result()).values()
    assert {(r["outcome"], r["state"], r["reason"]) for r in result} == {("review", "review", r) for r in reasons}
    assert (world.directory.writes, world.told) == (0, [])


async def test_two_accounts_that_match_one_identity_both_go_to_a_person(world: World) -> None:
    user = world.directory.local_user("l1@example.org", "Ada", "Example", LONG_AGO)
    second = replace(user.identities[0], assigned_id="l2@example.org")
    world.directory.users[user.id] = replace(user, identities=(*user.identities, second))
    await _one(world, line("L1"), line("L2"))
    assert {r["reason"] for r in (await world.result()).values()} == {"one_identity_two_accounts"}
    assert world.directory.writes == 0


async def _two_that_match_one_identity(world: World) -> list[Account]:
    """Both are about to be classified."""
    user = world.directory.local_user("l1@example.org", "Ada", "Example", LONG_AGO)
    second = replace(user.identities[0], assigned_id="l2@example.org")
    world.directory.users[user.id] = replace(user, identities=(*user.identities, second))
    await _until(world, names.CLASSIFY_ACCOUNT, line("L1"), line("L2"))
    return await world.accounts()


async def test_who_claimed_an_identity_and_was_not_saved_yet_looks_again(world: World) -> None:
    first, second = await _two_that_match_one_identity(world)
    user = next(iter(world.directory.users.values()))
    before = await world.ledger.accounts.get(SOUTH_NORFOLK, first.id)
    await world.ledger.identity_claims.claim(SOUTH_NORFOLK, user.id, first.id)
    [item] = [each for each in world.outbox.queues[names.CLASSIFY_ACCOUNT] if second.id.encode() in each.body]
    await RUNS[names.CLASSIFY_ACCOUNT](world.ports, item.body, 1)
    assert before
    with pytest.raises(StaleWrite):
        await world.ledger.accounts.save(before, replace(first, directory_id=user.id), None)
    await settle(world)
    assert {r["reason"] for r in (await world.result()).values()} == {"one_identity_two_accounts"}
    assert world.directory.writes == 0


async def test_a_claim_of_somebody_who_was_judged_otherwise_in_the_end_holds_up_nobody(world: World) -> None:
    first, _ = await _two_that_match_one_identity(world)
    user = next(iter(world.directory.users.values()))
    await world.ledger.identity_claims.claim(SOUTH_NORFOLK, user.id, first.id)
    only = user.identities[:1] if first.row == 2 else user.identities[1:]
    world.directory.users[user.id] = replace(user, identities=only)
    await settle(world)
    assert sorted(r["outcome"] for r in (await world.result()).values()) == ["create", "link"]


async def test_a_pause_of_another_process_bites_within_a_second(world: World) -> None:
    await _until(world, names.PROVISION_ACCOUNT)
    [item] = world.outbox.queues[names.PROVISION_ACCOUNT]
    migration = await world.migration()
    assert await world.ledger.migrations.get_recent(migration.authority, migration.id) == migration
    another = open_ledger(world.tables, world.clock)
    now = world.clock.now()
    await another.migrations.change(migration.authority, migration.id, lambda m: replace(m, paused_at=now))
    world.clock.tick(timedelta(seconds=1))
    await RUNS[names.PROVISION_ACCOUNT](world.ports, item.body, 1)
    assert world.directory.writes == 0


async def test_what_another_process_allows_is_done_at_once(world: World) -> None:
    account = await _until(world, names.PROVISION_ACCOUNT)
    [item] = world.outbox.queues[names.PROVISION_ACCOUNT]
    migration = await world.migration()
    another = open_ledger(world.tables, world.clock)
    now = world.clock.now()
    await another.migrations.change(migration.authority, migration.id, lambda m: replace(m, paused_at=now))
    world.clock.tick(timedelta(seconds=1))
    paused = await world.ledger.migrations.get_recent(account.authority, account.migration)
    assert paused
    assert paused.paused
    await another.migrations.change(migration.authority, migration.id, lambda m: replace(m, paused_at=None))
    await RUNS[names.PROVISION_ACCOUNT](world.ports, item.body, 1)
    assert world.directory.writes == 1


async def test_an_identity_joined_to_another_account_of_ours_is_not_joined_again(world: World) -> None:
    user = world.directory.local_user("l1@example.org", "Ada", "Example", LONG_AGO)
    await _one(world, line("L1"))
    linked = world.directory.users[user.id]
    second = replace(user.identities[0], assigned_id="l9@example.org")
    world.directory.users[user.id] = replace(linked, identities=(*user.identities, second))
    await world.upload(export(line("L9")), "south-norfolk/b.csv")
    await settle(world)
    assert (await world.result())["L9"]["reason"] == "already_linked"


async def test_our_mark_without_our_record_is_for_a_person(world: World) -> None:
    account = await _until(world, names.CLASSIFY_ACCOUNT)
    user = world.directory.local_user("c1@example.org", "Ada", "Example", LONG_AGO)
    world.directory.users[user.id] = replace(user, owner_markers={SOUTH_NORFOLK: account.id})
    await settle(world)
    assert (await world.result())["C1"]["reason"] == "already_marked"


async def test_what_was_there_before_a_link_is_kept(world: World) -> None:
    user = world.directory.local_user("l1@example.org", "Ada", "Example", LONG_AGO)
    world.directory.users[user.id] = replace(user, customer_refs={SOUTH_NORFOLK: "old"})
    account = await _one(world, line("L1"))
    assert (account.outcome, account.directory_id, account.before["customer_ref"]) == (Outcome.LINK, user.id, "old")
    assert world.directory.users[user.id].customer_refs == {SOUTH_NORFOLK: "L1"}


# provision


async def test_a_conflict_with_our_own_user_is_ours(world: World) -> None:
    await _until(world, names.PROVISION_ACCOUNT)
    world.directory.fail_after.append(CONFLICT)
    await settle(world)
    assert (await world.result())["C1"]["state"] == "told"
    assert world.directory.writes == 1


async def test_a_conflict_with_somebody_else_is_for_a_person(world: World) -> None:
    await _until(world, names.PROVISION_ACCOUNT)
    world.directory.local_user("c1@example.org", "Ada", "Example", LONG_AGO)
    await settle(world)
    row = (await world.result())["C1"]
    assert (row["outcome"], row["state"], row["reason"]) == ("review", "review", "appeared_since_assessment")
    assert world.directory.writes == 0


async def test_a_conflict_with_nobody_is_for_a_person_after_fifteen_minutes(world: World) -> None:
    await _until(world, names.PROVISION_ACCOUNT)
    world.directory.fail = [CONFLICT] * 1000
    began = world.clock.now()
    await settle(world)
    row = (await world.result())["C1"]
    assert (row["state"], row["reason"]) == ("review", "directory_unclear")
    [ended] = [
        c for c in await world.ledger.accounts.list_history(SOUTH_NORFOLK, (await world.accounts())[0].id) if c.reason
    ][-1:]
    assert timedelta(minutes=15) <= ended.at - began <= timedelta(minutes=25)


async def test_a_conflict_with_somebody_who_lags_is_told_apart_when_he_is_seen(world: World) -> None:
    await _until(world, names.PROVISION_ACCOUNT)
    user = world.directory.local_user("c1@example.org", "Ada", "Example", LONG_AGO)
    world.directory.hidden.add(user.id)
    await world.run(rounds=20)
    assert (await world.accounts())[0].state is not State.REVIEW
    world.directory.hidden.clear()
    await settle(world)
    assert (await world.result())["C1"]["reason"] == "appeared_since_assessment"


@pytest.mark.parametrize("stored", [False, True], ids=["before it was stored", "after it was stored"])
@pytest.mark.parametrize("ref", ["C1", "L1"], ids=["create", "link"])
async def test_a_lost_answer_has_one_effect(world: World, ref: str, stored: bool) -> None:  # noqa: FBT001
    world.directory.local_user("l1@example.org", "Ada", "Example", LONG_AGO)
    await _until(world, names.PROVISION_ACCOUNT, line(ref))
    (world.directory.fail_after if stored else world.directory.fail).append(AnswerLost("503"))
    await settle(world)
    assert (await world.result())[ref]["state"] == "told"
    assert world.directory.writes == 1
    assert len(world.directory.users) == (1 if ref == "L1" else 2)


async def test_nobody_is_told_before_the_user_is_seen(world: World) -> None:
    await _until(world, names.PROVISION_ACCOUNT)
    await world.timers()
    world.directory = LaggingDirectory(world.clock)
    await world.run(rounds=8)
    assert (world.directory.writes, world.told) == (1, [])
    world.directory.hidden.clear()
    await settle(world)
    assert (world.directory.writes, world.told) == (1, ["c1@example.org"])


@pytest.mark.parametrize(
    ("refused", "reason"),
    [
        (DirectoryRefused("x", conflict=False, attribute=True, setting=False), "attribute_unknown"),
        (DirectoryRefused("x", conflict=False, attribute=False, setting=True), "setting_refused"),
        (Stop("directory_full", "quota"), "directory_full"),
        (Stop("permission_missing"), "permission_missing"),
    ],
)
async def test_what_would_repeat_for_everybody_pauses_until_somebody_resumes(
    world: World, refused: Exception, reason: str
) -> None:
    await _until(world, names.PROVISION_ACCOUNT, line("C1"), line("C2"), line("C3"))
    world.directory.fail = [refused]
    await world.run(rounds=30)
    migration = await world.migration()
    assert (migration.paused, migration.pause_reason) == (True, reason)
    assert {a.state for a in await world.accounts()} <= {State.CLASSIFIED, State.RELEASED}
    assert world.directory.writes == 0
    assert await control.resume_by_person(world.ports, "", migration.id, "me")
    await settle(world)
    assert {a.state for a in await world.accounts()} == {State.TOLD}
    assert sorted(world.told) == ["c1@example.org", "c2@example.org", "c3@example.org"]


async def test_resuming_what_does_not_exist_says_so(world: World) -> None:
    assert await control.resume_by_person(world.ports, "", "nothing", "me") is None


async def test_a_clear_refusal_of_one_account_stops_that_one(world: World) -> None:
    await _until(world, names.PROVISION_ACCOUNT, line("C1"), line("C2"))
    world.directory.fail = [REFUSED]
    await settle(world)
    assert sorted((r["state"], r["reason"]) for r in (await world.result()).values()) == [
        ("failed", "directory_refused"),
        ("told", ""),
    ]


async def test_an_old_classification_is_made_again_before_anything_is_written(world: World) -> None:
    world.directory.local_user("l1@example.org", "Ada", "Example", LONG_AGO)
    await _until(world, names.PROVISION_ACCOUNT, line("C1"), line("L1"), line("C2"))
    world.directory.local_user("c1@example.org", "Ada", "Other", LONG_AGO)
    [linked] = [u for u in world.directory.users.values() if u.surname == "Example"]
    world.directory.users[linked.id] = replace(linked, enabled=False)
    world.clock.tick(timedelta(minutes=16))
    await settle(world)
    result = await world.result()
    assert result["C1"]["reason"] == result["L1"]["reason"] == "changed_since_assessment"
    assert result["C2"]["state"] == "told"
    assert world.directory.writes == 1


async def test_a_user_that_was_deleted_before_the_link_is_for_a_person(world: World) -> None:
    world.directory.local_user("l1@example.org", "Ada", "Example", LONG_AGO)
    await _until(world, names.PROVISION_ACCOUNT, line("L1"))
    world.directory.users.clear()
    await settle(world)
    assert (await world.result())["L1"]["state"] == "review"


async def test_throttling_blocks_everybody_and_uses_up_no_attempt(world: World) -> None:
    await _until(world, names.PROVISION_ACCOUNT, line("C1"), line("C2"))
    world.directory.fail = [Throttled("directory_throttled", timedelta(minutes=3))]
    await world.timers()
    await world.deliver()
    pace = await world.ledger.rate_limits.get(WRITE)
    assert pace is not None
    assert pace.record.blocked_until > world.clock.now() + timedelta(minutes=2)
    assert not world.errors
    await settle(world)
    assert {a.state for a in await world.accounts()} == {State.TOLD}


async def test_who_cannot_be_reached_for_a_day_is_given_up_and_can_be_replayed(world: World) -> None:
    await _until(world, names.PROVISION_ACCOUNT)
    world.directory.fail = [TryLater("directory_unreachable") for _ in range(100_000)]
    began = world.clock.now()
    await world.run(rounds=150, step=timedelta(minutes=15))
    [account] = await world.accounts()
    assert (account.state, account.reason) == (State.FAILED, "directory_unreachable")
    assert world.clock.now() - began >= MAX_TRYING_TIME
    assert len(await world.ledger.accounts.list_history(SOUTH_NORFOLK, account.id)) < 3000
    world.directory.fail.clear()
    await poison.replay_stuck(world.ports, poison.Choice(cause="directory_unreachable"), "me")
    await settle(world)
    assert (await world.accounts())[0].state is State.TOLD


async def test_a_row_that_is_gone_is_told(world: World) -> None:
    account = await _until(world, names.PROVISION_ACCOUNT)
    row = await world.ledger.rows.get(account)
    assert row is not None
    await world.ledger.rows.put([replace(row, person=None)])
    await settle(world)
    [account] = await world.accounts()
    assert (account.state, account.reason) == (State.FAILED, "row_missing")


async def test_a_bug_is_tried_five_times_and_then_kept_with_the_account(world: World) -> None:
    await _until(world, names.PROVISION_ACCOUNT)
    world.directory.fail = [ValueError("c1@example.org")] * 1000
    await settle(world)
    [account] = await world.accounts()
    assert (account.state, account.reason) == (State.FAILED, "unexpected_error")
    assert len(world.errors) >= 5
    assert "c1@" not in str(world.errors)
    assert world.outbox.poison[names.PROVISION_ACCOUNT]


async def test_a_bug_is_kept_with_the_account_however_slow_the_host_polls(world: World) -> None:
    await _until(world, names.PROVISION_ACCOUNT)
    world.directory.fail = [ValueError("a bug")] * 1000
    await settle(world, step=timedelta(seconds=31))
    [account] = await world.accounts()
    assert (account.state, account.reason) == (State.FAILED, "unexpected_error")


async def test_a_bug_that_is_told_as_an_error_of_ours_is_kept_too(world: World) -> None:
    await _until(world, names.CLASSIFY_ACCOUNT)
    world.directory.fail_reads = [AnswerLost("a read never says this")] * 30
    await settle(world)
    [account] = await world.accounts()
    assert (account.state, account.reason) == (State.FAILED, "unexpected_error")


# notify


async def test_a_lost_answer_of_the_message_service_is_looked_up_and_not_sent_again(world: World) -> None:
    await _until(world, names.NOTIFY_CUSTOMER)
    world.notifier.fail_after.append(AnswerLost("503"))
    await settle(world)
    [account] = await world.accounts()
    assert (account.state, account.notify_id, world.told) == (State.TOLD, "n1", ["c1@example.org"])


async def test_a_message_that_never_arrived_there_is_sent_after_a_wait(world: World) -> None:
    await _until(world, names.NOTIFY_CUSTOMER)
    world.notifier.fail.append(AnswerLost("503"))
    began = world.clock.now()
    await settle(world)
    [account] = await world.accounts()
    assert account.notified_at is not None
    assert account.notified_at - began >= timedelta(minutes=2)
    assert world.told == ["c1@example.org"]


@pytest.mark.parametrize("no", [TryLater("message_service_unreachable"), Throttled("message_service_unreachable")])
async def test_a_clear_no_leaves_no_doubt(world: World, no: Exception) -> None:
    await _until(world, names.NOTIFY_CUSTOMER)
    world.notifier.fail.append(no)
    await world.timers()
    await world.deliver()
    [account] = await world.accounts()
    assert (account.state, account.claimed_at) == (State.PROVISIONED, None)
    await settle(world)
    assert world.told == ["c1@example.org"]


async def test_an_address_that_is_refused_is_held(world: World) -> None:
    await _until(world, names.NOTIFY_CUSTOMER)
    world.notifier.fail.append(Hold("address_refused"))
    await settle(world)
    row = (await world.result())["C1"]
    assert (row["outcome"], row["state"], row["reason"]) == ("create", "held", "address_refused")


async def test_a_service_that_refuses_us_pauses(world: World) -> None:
    await _until(world, names.NOTIFY_CUSTOMER)
    world.notifier.fail.append(Stop("message_service_refused"))
    await world.run(rounds=20)
    migration = await world.migration()
    assert migration.pause_reason == "message_service_refused"
    await control.resume_by_person(world.ports, SOUTH_NORFOLK, migration.id, "me")
    await settle(world)
    assert world.told == ["c1@example.org"]


async def test_with_messages_off_everybody_is_provisioned_and_nobody_told(world: World) -> None:
    world.wrap = lambda ports: replace(ports, notifier=None)
    profile = world.profiles[SOUTH_NORFOLK]
    themselves = profile.plan.model_copy(update={"council_tells_customers": True})
    world.profiles[SOUTH_NORFOLK] = profile.model_copy(update={"plan": themselves})
    await _one(world)
    row = (await world.result())["C1"]
    assert (row["state"], row["notified_at"], world.told) == ("provisioned", "", [])
    assert (await world.migration()).phase is Phase.DONE


async def test_with_approval_required_nothing_is_written(world: World) -> None:
    profile = world.profiles[SOUTH_NORFOLK]
    world.profiles[SOUTH_NORFOLK] = profile.model_copy(
        update={"plan": profile.plan.model_copy(update={"approval": "required"})}
    )
    await world.upload(export(line("C1")))
    await world.run(rounds=30)
    assert (await world.report("assessment.json"))["create"] == 1
    assert (await world.accounts(), world.directory.writes) == ([], 0)
    assert (await world.migration()).phase is Phase.ASSESSED


async def test_an_error_that_nothing_settles_names_nobody() -> None:
    assert str(Cannot("row_missing")) == "row_missing"


async def test_a_conflict_is_a_holder_that_does_not_show_whatever_property_it_names(world: World) -> None:
    await _until(world, names.PROVISION_ACCOUNT)
    refused = DirectoryRefused("Request_BadRequest", conflict=True, attribute=True, setting=True)
    world.directory.fail = [refused] * 1000
    await settle(world)
    migration = await world.migration()
    assert not migration.paused
    assert [account.reason for account in await world.accounts()] == ["directory_unclear"]


async def test_one_account_that_stops_again_and_again_fails_alone(world: World) -> None:
    await _until(world, names.PROVISION_ACCOUNT)
    world.directory.fail = [Stop("permission_missing")] * 1000
    for _ in range(8):
        await settle(world)
        await control.resume_by_person(world.ports, "", (await world.migration()).id, "somebody")
    await settle(world)
    assert [account.reason for account in await world.accounts()] == ["permission_missing"]
    assert not (await world.migration()).paused
