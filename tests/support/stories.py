"""Small migrations that hold every outcome, and what must be true of the world whatever happened to them."""

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from shared.model.directory_user import DirectoryUser
from shared.model.lifecycle import RowState, State
from shared.model.migration import Phase
from tests.support.world import SOUTH_NORFOLK, World, export, line

LONG_AGO = datetime(2017, 5, 1, tzinfo=UTC)
AT_REST = frozenset(state.value for state in (*State, *RowState)) - {"staged", "classified", "released"}

ROWS = (
    line("C1"),
    line("C2", surname="Other"),
    line("L1", given="Lena", surname="Linked"),
    line("L2", given="Lars", surname="Linked"),
    line("V1", given="Vera", surname="Reviewed"),
    line("R1", email="no-address"),
    line("C1", email="c1-again@example.org"),
)
NEW = {"c1@example.org", "c2@example.org"}
JOINED = {"l1@example.org", "l2@example.org"}
EXPECTED = {
    "1": ("C1", "create", "told", ""),
    "2": ("C2", "create", "told", ""),
    "3": ("L1", "link", "told", ""),
    "4": ("L2", "link", "told", ""),
    "5": ("V1", "review", "review", "names_differ"),
    "6": ("R1", "reject", "rejected", "email_invalid"),
    "7": ("C1", "duplicate", "duplicate", "same_as_row_1"),
}


@dataclass(frozen=True)
class Before:
    """The users who were in the directory first."""

    linked: tuple[DirectoryUser, ...]
    others: tuple[DirectoryUser, ...]


def populate(world: World) -> Before:
    """Somebody to be joined to, somebody with another name, and somebody who is not concerned."""
    add = world.directory.local_user
    return Before(
        linked=(
            add("l1@example.org", "Lena", "Linked", LONG_AGO),
            add("l2@example.org", "Lars", "Linked", LONG_AGO),
        ),
        others=(
            add("v1@example.org", "Viktor", "Reviewed", LONG_AGO),
            add("nobody@example.org", "No", "Body", LONG_AGO),
        ),
    )


async def settle(world: World, rounds: int = 200, step: timedelta = timedelta(seconds=30)) -> None:
    """Let the world go on, without faults, until nothing is open and no message is left, however late it comes."""
    for number in range(rounds):
        await world.timers(number)
        await world.deliver()
        found = await world.migrations()
        quiet = number > 1 and found and not any(m.open for m in found)
        world.clock.tick(timedelta(minutes=11) if quiet else step)
        if quiet and not any(world.outbox.queues.values()):
            break
    # Reports of what is closed are looked at again every ten minutes; the host may die over one of these rounds.
    await world.timers()
    for _ in range(2):
        world.clock.tick(timedelta(minutes=11))
        await world.timers()


async def outcome_by_row(world: World) -> dict[str, tuple[str, str, str, str]]:
    """result.csv by row number."""
    lines = await world.result_lines()
    return {row["row"]: (row["source_id"], row["outcome"], row["state"], row["reason"]) for row in lines}


def users_made(world: World, before: Before) -> Counter[str]:
    """How many users were created with each address."""
    there = {user.id for user in (*before.linked, *before.others)}
    return Counter(user.identities[0].assigned_id for user in world.directory.users.values() if user.id not in there)


def check_effects(world: World, before: Before) -> None:
    """The directory was changed at most once for each, nobody else was touched, nobody was told twice."""
    assert all(number == 1 for number in users_made(world, before).values())
    assert all(number == 1 for number in Counter(world.told).values())
    for user in before.others:
        assert world.directory.users[user.id] == user
    for user in before.linked:
        now = world.directory.users[user.id]
        assert (now.identities, now.given_name, now.surname, now.created) == (
            user.identities,
            user.given_name,
            user.surname,
            user.created,
        )
        assert set(now.owner_markers) <= {SOUTH_NORFOLK}


async def check_end(world: World, before: Before) -> None:
    """The small migration came to the end it has without faults."""
    check_effects(world, before)
    assert await outcome_by_row(world) == EXPECTED
    assert users_made(world, before) == Counter(NEW)
    assert Counter(world.told) == Counter(NEW | JOINED)
    assert {user.id for user in before.linked} == {
        user.id for user in world.directory.users.values() if user.owner_markers and user.created == LONG_AGO
    }
    assert (await world.migration()).phase is Phase.DONE


def small_export() -> bytes:
    """Every outcome once or twice."""
    return export(*ROWS)


OLDER = (
    line("C1"),
    line("C2", surname="Left", given="Out"),
    line("L1", given="Lena", surname="Linked"),
    line("V1", given="Vera", surname="Reviewed"),
    line("K1", given="Kept"),
)
NEWER = (
    line("C1", email="c1-corrected@example.org"),
    line("L1", given="Lena", surname="Linked"),
    line("V1", given="Vera", surname="Reviewed"),
    line("K1", given="Kept"),
    line("N1", given="New"),
)
POSSIBLE = {
    "C1": {("create", "told", ""), ("review", "review", "changed_since_migrated")},
    "L1": {("link", "told", ""), ("unchanged", "told", "")},
    "V1": {("review", "review", "names_differ")},
    "K1": {("create", "told", ""), ("unchanged", "told", "")},
    "N1": {("create", "told", "")},
}


def check_marks(world: World) -> None:
    """No account has two users, whatever their addresses."""
    owner_markers = Counter(
        owner_marker for user in world.directory.users.values() for owner_marker in user.owner_markers.values()
    )
    assert all(number == 1 for number in owner_markers.values())
    references = Counter(letter.reference for letter in world.notifier.sent)
    assert all(number == 1 for number in references.values())


async def check_overtaken(world: World, before: Before) -> None:
    """A newer export came while the older one was moving: every row of both has come to rest."""
    check_effects(world, before)
    check_marks(world)
    older, newer = await world.migrations()
    assert not older.open
    assert newer.phase is Phase.DONE
    if older.phase is Phase.DONE:
        for row in await world.result_lines(older):
            assert row["state"] in AT_REST
    for row in await world.result_lines(newer):
        assert (row["outcome"], row["state"], row["reason"]) in POSSIBLE[row["source_id"]]
    assert len(await world.result_lines(newer)) == len(NEWER)
    for account in await world.accounts():
        assert account.state.value in AT_REST
        assert account.notified_at is not None or account.state in {State.REVIEW, State.HELD}
