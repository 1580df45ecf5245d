"""What a canary needs of the directory, in memory and by the real SDK; and the people whom it waits for."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest

from local.standins.graph.people import LINKED, Customer, run_administrator
from local.standins.graph.rules import Rules, change_rules
from local.standins.graph.state import Directory as Tenant
from shared.adapters.memory import ManualClock, MemoryDirectory
from shared.errors import DirectoryRefused, StaleWrite
from shared.model.account import DirectoryId
from shared.model.safeguards.canary import LINKED_REF, RETIRED, Canary, CanaryStep, Done, LearnedAnswer
from shared.ports import Directory, Ledger
from tests.contract.records import NOW, SOUTH, YARMOUTH, account_id, address_key
from tests.contract.standin import (
    ADA,
    ATTRIBUTES,
    GREAT_YARMOUTH,
    NOBODY,
    SOUTH_NORFOLK,
    properties,
    somebody,
    standing_in,
)

ADMINISTRATOR = "User Administrator"


@dataclass
class UnderTest:
    """The port, and what an administrator may turn."""

    directory: Directory
    let_delete: Callable[[], None]
    let_bin_hold: Callable[[], None]


@pytest.fixture(params=["memory", "standin"])
async def port(request: pytest.FixtureRequest, clock: ManualClock) -> AsyncIterator[UnderTest]:
    if request.param == "memory":
        memory = MemoryDirectory(clock)
        yield UnderTest(
            memory,
            lambda: setattr(memory, "may_delete", True),
            lambda: setattr(memory, "bin_holds_addresses", True),
        )
        return
    async with standing_in(clock, people_act_after_seconds=0.0) as standin:
        yield UnderTest(
            standin.graph,
            lambda: standin.turn(permissions=["User.ReadWrite.All"], roles=[ADMINISTRATOR]),
            lambda: standin.turn(soft_deleted_hold_identities=True),
        )


async def test_a_retired_user_has_no_mark_and_another_name_and_all_else_as_it_was(port: UnderTest) -> None:
    user = await port.directory.create(SOUTH_NORFOLK, ADA)
    assert await port.directory.link(GREAT_YARMOUTH, user, account_id(2), "REF2")
    before = await port.directory.get(user)
    assert before is not None
    assert await port.directory.retire(SOUTH_NORFOLK, user, RETIRED)
    assert await port.directory.get(user) == replace(
        before, display_name=RETIRED, owner_markers={YARMOUTH: account_id(2)}, customer_refs={YARMOUTH: "REF2"}
    )
    assert await port.directory.with_owner_marker(SOUTH, account_id(1)) == ()


async def test_nobody_is_not_retired(port: UnderTest) -> None:
    assert not await port.directory.retire(SOUTH_NORFOLK, NOBODY, RETIRED)


async def test_an_app_without_the_right_deletes_nobody(port: UnderTest) -> None:
    user = await port.directory.create(SOUTH_NORFOLK, ADA)
    assert not await port.directory.delete(user)
    assert await port.directory.get(user) is not None


async def test_an_app_with_the_right_deletes_and_may_do_so_twice(port: UnderTest) -> None:
    port.let_delete()
    user = await port.directory.create(SOUTH_NORFOLK, ADA)
    assert await port.directory.delete(user)
    assert await port.directory.get(user) is None
    assert await port.directory.with_address(ADA.address) == ()
    assert await port.directory.delete(user)


async def test_the_address_of_a_deleted_user_is_free(port: UnderTest) -> None:
    port.let_delete()
    await port.directory.delete(await port.directory.create(SOUTH_NORFOLK, ADA))
    assert await port.directory.create(SOUTH_NORFOLK, ADA)


async def test_the_address_of_a_deleted_user_is_held_where_the_directory_is_so(port: UnderTest) -> None:
    port.let_delete()
    port.let_bin_hold()
    await port.directory.delete(await port.directory.create(SOUTH_NORFOLK, ADA))
    with pytest.raises(DirectoryRefused) as refused:
        await port.directory.create(SOUTH_NORFOLK, ADA)
    assert (refused.value.conflict, refused.value.target) == (True, "proxyAddresses")


async def test_look_ups_ignore_case(port: UnderTest) -> None:
    user = await port.directory.create(SOUTH_NORFOLK, ADA)
    assert [found.id for found in await port.directory.with_address(ADA.address.upper())] == [user]


async def test_a_refused_way_to_force_the_reset_is_named(clock: ManualClock) -> None:
    async with standing_in(clock, force_change_accepted=False) as standin:
        with pytest.raises(DirectoryRefused) as refused:
            await standin.graph.create(SOUTH_NORFOLK, ADA)
        assert (refused.value.setting, refused.value.target) == (True, "passwordProfile")


async def test_a_wrong_issuer_is_not_taken_for_it(clock: ManualClock) -> None:
    async with standing_in(clock, "other.onmicrosoft.com") as standin:
        with pytest.raises(DirectoryRefused) as refused:
            await standin.graph.create(SOUTH_NORFOLK, ADA)
        assert (refused.value.setting, refused.value.target) == (True, "")


async def test_the_ledger_keeps_a_canary_as_it_was(ledger: Ledger) -> None:
    canary = Canary(
        SOUTH,
        3,
        "somebody",
        address_key(1),
        NOW,
        CanaryStep.GONE,
        NOW,
        by_flag=True,
        done=(Done(CanaryStep.CREATE, NOW), Done(CanaryStep.RESET, NOW, "flag_survives_reset", "x")),
        user=NOBODY,
        living=(NOBODY,),
        made=(NOBODY,),
        created_at=NOW,
        signed_in=False,
        passed_at=NOW,
        answers={"conflict_property": LearnedAnswer("proxyAddresses", NOW)},
    )
    assert await ledger.canaries.get(SOUTH) is None
    await ledger.canaries.save(None, canary)
    stored = await ledger.canaries.get(SOUTH)
    assert stored is not None
    assert stored.record == canary
    assert await ledger.canaries.get(YARMOUTH) is None


async def test_of_two_writers_of_a_canary_one_is_told_to_look_again(ledger: Ledger) -> None:
    canary = Canary(SOUTH, 1, "somebody", address_key(1), NOW, CanaryStep.FREE, NOW)
    stored = await ledger.canaries.save(None, canary)
    with pytest.raises(StaleWrite):
        await ledger.canaries.save(None, canary)
    await ledger.canaries.save(stored, replace(canary, step=CanaryStep.CREATE))
    with pytest.raises(StaleWrite):
        await ledger.canaries.save(stored, canary)


def _a_tenant(clock: ManualClock, **switches: object) -> Tenant:
    return Tenant(change_rules(Rules(), switches), None, lambda: clock.now().timestamp())


def _holds(tenant: Tenant, reference: str = LINKED, **more: object) -> None:
    """One user with this customer reference, now."""
    user: dict[str, Any] = {**properties(somebody(1)), **more}
    extra = {ATTRIBUTES.customer_ref(SOUTH): reference, "lastPasswordChangeDateTime": "2020-01-01T00:00:00Z"}
    alone = Tenant(tenant.rules)
    alone.seed([{**user, **extra}])
    for entry in alone.store:
        tenant.put(entry)


def _user(tenant: Tenant) -> dict[str, Any]:
    [entry] = tenant.store
    return dict(entry.properties)


def test_the_stand_in_and_the_app_mean_the_same_by_a_canary() -> None:
    assert LINKED == LINKED_REF


def test_a_canarys_customer_sets_a_password_once_when_it_is_time(clock: ManualClock) -> None:
    tenant = _a_tenant(clock)
    customer = Customer(tenant)
    _holds(tenant)
    customer.act()
    assert _user(tenant)["lastPasswordChangeDateTime"] == "2020-01-01T00:00:00Z"
    clock.tick(timedelta(seconds=1))
    customer.act()
    first = _user(tenant)
    clock.tick(timedelta(hours=1))
    customer.act()
    assert _user(tenant) == first
    assert first["lastPasswordChangeDateTime"] == "2026-03-02T09:00:01Z"
    assert first[ATTRIBUTES.must_reset] is False
    assert customer.signed_in == {DirectoryId(first["id"])}


def test_the_switches_say_what_a_reset_does(clock: ManualClock) -> None:
    tenant = _a_tenant(clock, reset_moves_last_password_change=False, reset_clears_must_reset=False)
    _holds(tenant, LINKED, **{ATTRIBUTES.must_reset: True})
    clock.tick(timedelta(seconds=1))
    Customer(tenant).act()
    assert _user(tenant)["lastPasswordChangeDateTime"] == "2020-01-01T00:00:00Z"
    assert _user(tenant)[ATTRIBUTES.must_reset] is True


@pytest.mark.parametrize("reference", ["canary", "C1", ""])
def test_nobody_elses_account_changes_by_itself(clock: ManualClock, reference: str) -> None:
    tenant = _a_tenant(clock)
    _holds(tenant, reference)
    before = _user(tenant)
    clock.tick(timedelta(hours=1))
    Customer(tenant).act()
    run_administrator(tenant)
    assert _user(tenant) == before


def test_the_administrator_deletes_what_a_canary_asks_for(clock: ManualClock) -> None:
    tenant = _a_tenant(clock)
    _holds(tenant, "", displayName=RETIRED)
    clock.tick(timedelta(seconds=1))
    run_administrator(tenant)
    assert tenant.store.deleted == 1


def test_people_can_be_switched_off(clock: ManualClock) -> None:
    tenant = _a_tenant(clock, people_act_after_seconds=0.0)
    _holds(tenant, displayName=RETIRED)
    before = _user(tenant)
    clock.tick(timedelta(hours=1))
    Customer(tenant).act()
    run_administrator(tenant)
    assert _user(tenant) == before
