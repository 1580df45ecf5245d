"""The shared directory: in memory, and by the real SDK on the stand-in."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from datetime import timedelta

import pytest

from shared.adapters.memory import ManualClock, MemoryDirectory
from shared.errors import DirectoryRefused
from shared.model.account import Authority, DirectoryId
from shared.model.counts.directory_counts import DirectoryCounts
from shared.model.directory_user import DirectoryUser, Identity
from shared.model.profile import Profile
from shared.ports import Directory, NewUser
from tests.contract.records import NOW, SOUTH, YARMOUTH, account_id
from tests.contract.standin import (
    ADA,
    GREAT_YARMOUTH,
    NOBODY,
    SOUTH_NORFOLK,
    TENANT,
    by_email,
    flagged,
    properties,
    somebody,
    standing_in,
)


@dataclass
class Tenant:
    """The port, who was there before us, and how to make reads lag."""

    directory: Directory
    holds: Callable[[DirectoryUser], object]
    lag: Callable[[], None]
    clock: ManualClock

    async def one(self, user: DirectoryId) -> DirectoryUser:
        found = await self.directory.get(user)
        assert found
        return found

    async def created(self, profile: Profile = SOUTH_NORFOLK, user: NewUser = ADA) -> DirectoryUser:
        return await self.one(await self.directory.create(profile, user))

    async def at(self, address: str) -> list[DirectoryId]:
        return sorted(user.id for user in await self.directory.with_address(address))


class Lagging(MemoryDirectory):
    """Does not show what was created since it began to lag."""

    async def create(self, profile: Profile, user: NewUser) -> DirectoryId:
        created = await super().create(profile, user)
        self.hidden.add(created)
        return created


@pytest.fixture(params=["memory", "standin"])
async def tenant(request: pytest.FixtureRequest, clock: ManualClock) -> AsyncIterator[Tenant]:
    if request.param == "memory":
        memory = MemoryDirectory(clock)

        def lag() -> None:
            memory.__class__ = Lagging

        yield Tenant(memory, memory.add, lag, clock)
        return
    async with standing_in(clock) as standin:

        def holds(user: DirectoryUser) -> None:
            alone = type(standin.tenant)(standin.tenant.rules)
            alone.seed([properties(user)])
            standin.tenant.store.seed(alone.store)

        yield Tenant(
            standin.graph, holds, lambda: standin.turn(visibility_lag_seconds=60, direct_lag_seconds=60), clock
        )


async def test_nobody_is_there(tenant: Tenant) -> None:
    assert await tenant.directory.get(NOBODY) is None
    assert await tenant.directory.with_address("ada@example.org") == ()
    assert await tenant.directory.with_owner_marker(SOUTH, account_id(1)) == ()
    assert await tenant.directory.count_users(SOUTH) == DirectoryCounts()


async def test_a_created_user_is_read_back_with_all_that_we_gave(tenant: Tenant) -> None:
    user = await tenant.created()
    assert by_email("ada@example.org") in user.identities
    assert [i for i in user.identities if i.sign_in_type.lower() != "userprincipalname"] == [
        by_email("ada@example.org")
    ]
    assert (user.given_name, user.surname, user.display_name) == ("Ada", "Larter", "Ada Larter")
    assert (user.owner_markers, user.customer_refs) == ({SOUTH: account_id(1)}, {SOUTH: "REF1"})
    assert user.enabled
    assert user.other_mails == ()
    whole = tenant.clock.now().replace(microsecond=0)
    assert (user.created, user.password_changed) == (whole, whole)


async def test_a_created_user_is_found_in_every_way(tenant: Tenant) -> None:
    user = await tenant.created()
    assert await tenant.directory.with_owner_marker(SOUTH, account_id(1)) == (user,)
    assert await tenant.directory.with_address("ada@example.org") == (user,)
    assert await tenant.directory.with_owner_marker(SOUTH, account_id(2)) == ()
    assert await tenant.directory.with_owner_marker(YARMOUTH, account_id(1)) == ()
    assert await tenant.directory.with_address("da@example.org") == ()


async def test_the_flag_is_set_where_the_profile_wants_it(tenant: Tenant) -> None:
    assert (await tenant.created()).must_reset is None
    other = NewUser("bob@example.org", "Bob", "Larter", account_id(2), "REF2")
    assert (await tenant.created(flagged(SOUTH_NORFOLK), other)).must_reset is True


DATES = ("2024-01-02", "2024-01-02T03:04:05Z", "2024-13-45", "19-2026", "PT")
GUIDS = ("00000000-0000-4000-8000-00000000ABCD", "ABCDEF0123456789ABCDEF0123456789")
OTHERS = ("0012", "1.0", "true", "null", "{x}", "o'hara", 'Zoë <1> & "2" \\', "x" * 200)


@pytest.mark.parametrize("ref", [*DATES, *GUIDS, *OTHERS])
async def test_a_customer_reference_stays_as_the_council_writes_it(tenant: Tenant, ref: str) -> None:
    user = await tenant.created(user=replace(ADA, customer_ref=ref))
    assert user.customer_refs == {SOUTH: ref}
    assert await tenant.directory.link(GREAT_YARMOUTH, user.id, account_id(2), ref)
    assert (await tenant.one(user.id)).customer_refs == {SOUTH: ref, YARMOUTH: ref}


@pytest.mark.parametrize(
    ("given_name", "surname", "shown"),
    [
        ("Ada <b>", "O'Hara>", "Ada b O'Hara"),
        ("Zoë", "Ångström-名前", "Zoë Ångström-名前"),
        ("Ada", "", "Ada"),
        ("", "Larter", "Larter"),
        ("", "", "Customer"),
        ("<>", "", "Customer"),
        ("x" * 64, "y" * 64, f"{'x' * 64} {'y' * 64}"),
    ],
)
async def test_names_are_kept_and_shown_without_brackets(
    tenant: Tenant, given_name: str, surname: str, shown: str
) -> None:
    user = await tenant.created(user=replace(ADA, given_name=given_name, surname=surname))
    assert (user.given_name, user.surname, user.display_name) == (given_name, surname, shown)


ADDRESSES = ("ada@example.org", "ada+portal@example.org", "o'hara@example.org", "a&b=c#d%41@example.org", "a_b/c@e.org")


@pytest.mark.parametrize("address", ADDRESSES)
async def test_an_address_is_found_whichever_way_a_user_has_it(tenant: Tenant, address: str) -> None:
    tenant.holds(somebody(1, by_email(address.title())))
    tenant.holds(somebody(2, Identity("userName", TENANT, address.upper())))
    tenant.holds(somebody(3, Identity("federated", "google.com", "1234"), other_mails=["x@y.org", address.upper()]))
    tenant.holds(somebody(4, by_email("x" + address), other_mails=["y" + address]))
    tenant.holds(somebody(5, Identity("federated", "facebook.com", address.replace("a", "b"))))
    assert await tenant.at(address) == [somebody(number).id for number in (1, 2, 3)]


async def test_a_user_who_has_the_address_twice_is_found_once(tenant: Tenant) -> None:
    tenant.holds(somebody(1, by_email("ada@example.org"), other_mails=["ada@example.org"]))
    assert await tenant.at("ada@example.org") == [somebody(1).id]


async def test_a_user_is_told_as_the_directory_has_it(tenant: Tenant) -> None:
    identities = (by_email("Ada@Example.org"), Identity("federated", "google.com", "1234"))
    user = replace(
        somebody(1, *identities, other_mails=["ada@gmail.com"], enabled=False),
        created=NOW.replace(microsecond=0),
        owner_markers={SOUTH: account_id(1), YARMOUTH: account_id(2)},
        customer_refs={YARMOUTH: "REF2"},
    )
    tenant.holds(user)
    found = await tenant.one(user.id)
    own = tuple(i for i in found.identities if i.sign_in_type.lower() != "userprincipalname")
    assert replace(found, identities=own) == user


async def test_authorities_have_marks_of_their_own(tenant: Tenant) -> None:
    user = await tenant.created()
    assert await tenant.directory.link(GREAT_YARMOUTH, user.id, account_id(2), "Y2")
    both = await tenant.one(user.id)
    assert both.owner_markers == {SOUTH: account_id(1), YARMOUTH: account_id(2)}
    assert both.customer_refs == {SOUTH: "REF1", YARMOUTH: "Y2"}
    assert await tenant.directory.with_owner_marker(SOUTH, account_id(1)) == (both,)
    assert await tenant.directory.with_owner_marker(YARMOUTH, account_id(2)) == (both,)
    assert await tenant.directory.with_owner_marker(YARMOUTH, account_id(1)) == ()


async def test_a_link_changes_our_attributes_and_nothing_else(tenant: Tenant) -> None:
    tenant.holds(
        replace(
            somebody(1, by_email("Ada@Example.org"), other_mails=["ada@gmail.com"]),
            created=NOW.replace(microsecond=0),
            owner_markers={YARMOUTH: account_id(9)},
            customer_refs={YARMOUTH: "2024-01-02"},
        )
    )
    before = await tenant.one(somebody(1).id)
    tenant.clock.tick(timedelta(days=1))
    for ref in ("REF1", "REF1", "REF2"):
        assert await tenant.directory.link(SOUTH_NORFOLK, before.id, account_id(1), ref)
        after = await tenant.one(before.id)
        owner_markers, refs = {**before.owner_markers, SOUTH: account_id(1)}, {**before.customer_refs, SOUTH: ref}
        assert after == replace(before, owner_markers=owner_markers, customer_refs=refs)


async def test_a_user_who_is_gone_cannot_be_linked(tenant: Tenant) -> None:
    assert not await tenant.directory.link(SOUTH_NORFOLK, NOBODY, account_id(1), "REF1")
    assert await tenant.directory.count_users(SOUTH) == DirectoryCounts()


@pytest.mark.parametrize("held", ["ada@example.org", "Ada@Example.ORG"])
async def test_an_address_that_somebody_signs_in_with_is_refused_as_a_conflict(tenant: Tenant, held: str) -> None:
    tenant.holds(somebody(1, by_email(held)))
    with pytest.raises(DirectoryRefused) as caught:
        await tenant.directory.create(SOUTH_NORFOLK, ADA)
    refused = caught.value
    assert (refused.conflict, refused.attribute, refused.setting) == (True, False, False)
    assert await tenant.at("ada@example.org") == [somebody(1).id]


async def test_a_contact_address_is_no_conflict(tenant: Tenant) -> None:
    tenant.holds(somebody(1, Identity("federated", "google.com", "1234"), other_mails=["ada@example.org"]))
    await tenant.created()
    assert len(await tenant.at("ada@example.org")) == 2


async def test_what_reads_do_not_show_yet_is_a_conflict_all_the_same(tenant: Tenant) -> None:
    tenant.lag()
    id_ = await tenant.directory.create(SOUTH_NORFOLK, ADA)
    assert await tenant.directory.get(id_) is None
    assert await tenant.at("ada@example.org") == []
    assert await tenant.directory.with_owner_marker(SOUTH, account_id(1)) == ()
    with pytest.raises(DirectoryRefused) as caught:
        await tenant.directory.create(SOUTH_NORFOLK, ADA)
    assert caught.value.conflict


async def test_users_without_our_mark_are_counted(tenant: Tenant) -> None:
    for number in range(1, 4):
        tenant.holds(somebody(number, by_email(f"x{number}@example.org")))
    await tenant.created()
    await tenant.directory.link(GREAT_YARMOUTH, somebody(1).id, account_id(2), "Y")
    assert await without_mark(tenant, SOUTH) == (3, 4)
    assert await without_mark(tenant, YARMOUTH) == (3, 4)
    await tenant.directory.link(SOUTH_NORFOLK, somebody(1).id, account_id(3), "S")
    assert await without_mark(tenant, SOUTH) == (2, 4)


async def without_mark(tenant: Tenant, authority: Authority) -> tuple[int, int]:
    counted = await tenant.directory.count_users(authority)
    return counted.without_mark, counted.users


async def test_who_is_not_ours_is_split_by_identity_and_by_mark(tenant: Tenant) -> None:
    google, facebook = (Identity("federated", issuer, "1234") for issuer in ("google.com", "facebook.com"))
    everybody: list[tuple[Identity, ...]] = [
        (by_email("x1@example.org"),),
        (Identity("userName", TENANT, "x2"), by_email("x2@example.org")),
        (google,),
        (facebook,),
        (google, by_email("x5@example.org")),
        (Identity("userName", TENANT, "x6"),),
        (),
    ]
    for number, identities in enumerate(everybody, 1):
        tenant.holds(somebody(number, *identities))
    await tenant.directory.link(GREAT_YARMOUTH, somebody(3).id, account_id(3), "Y3")
    await tenant.created()
    assert await tenant.directory.count_users(SOUTH) == DirectoryCounts(
        users=8,
        without_mark=7,
        by_kind={
            "local e-mail address": 3,
            "federated: facebook.com": 1,
            "federated: google.com": 1,
            "other": 1,
            "user name only": 1,
        },
        by_mark={"nobody": 6, "great-yarmouth": 1},
    )
    assert (await tenant.directory.count_users(YARMOUTH)).by_mark == {"nobody": 6, "south-norfolk": 1}
