"""An upload is taken or refused with the reason; its rows become accounts, however often a piece is staged."""

from dataclasses import replace
from datetime import timedelta

import pytest

from shared import names
from shared.intake.stage_rows import stage_rows
from shared.intake.sweep_exports import sweep_exports
from shared.model.lifecycle import Outcome, State
from shared.model.messages import ReceiveExport, StageRows
from shared.model.migration import PIECE_ROWS, Phase
from tests.support.signatures import wants_signatures
from tests.support.stories import LONG_AGO, settle
from tests.support.world import GREAT_YARMOUTH, SOUTH_NORFOLK, World, export, line

UPLOADER = "0a1b2c3d-0000-4000-8000-00000000000f"


async def _receive(world: World, body: bytes, name: str = "south-norfolk/portal.csv") -> None:
    await world.upload(body, name)
    await world.deliver_but(names.STAGE_ROWS)


async def test_a_good_file_is_taken_and_answered(world: World) -> None:
    await _receive(world, export(line("C1"), line("C2")))
    migration = await world.migration()
    assert (migration.phase, migration.rows, migration.authority) == (Phase.STAGING, 2, SOUTH_NORFOLK)
    answer = await world.report("received.json")
    assert answer["taken"]
    assert (answer["rows"], answer["encoding"], answer["separator"]) == (2, "UTF-8", "comma")


@pytest.mark.parametrize(
    ("name", "body", "reason", "detail"),
    [
        ("south-norfolk/a.csv", b"", "empty", ""),
        ("south-norfolk/a.csv", export(), "no_rows", ""),
        ("south-norfolk/a.csv", b"email\nx\n", "missing_column", "customer_ref"),
        ("south-norfolk/a.xlsx", export(line("C1")), "not_csv", "does not end in .csv"),
        ("south-norfolk/old/a.csv", export(line("C1")), "wrong_folder", ""),
        ("south-norfolk/assess/old/a.csv", export(line("C1")), "wrong_folder", ""),
        ("south-norfolk/exclude/a.csv", export(line("C1")), "missing_column", "why"),
        ("South Norfolk/a.csv", export(line("C1")), "unknown_authority", "did you mean `south-norfolk`?"),
        ("a.csv", export(line("C1")), "unknown_authority", "known are"),
    ],
)
async def test_a_file_that_is_not_taken_is_refused_with_the_reason(
    world: World, name: str, body: bytes, reason: str, detail: str
) -> None:
    await _receive(world, body, name)
    migration = await world.migration()
    assert (migration.phase, migration.reason) == (Phase.REFUSED, reason)
    answer = await world.report("refused.json")
    assert (answer["taken"], answer["reason"]) == (False, reason)
    assert detail in answer["detail"]
    assert answer["sentence"]
    assert not any(world.outbox.queues.values())


@pytest.mark.parametrize(
    ("uploader", "by", "folder", "reason"),
    [
        ("required", "", "", "uploader_missing"),
        ("required", "Ada from the portal team", "", "uploader_missing"),
        ("required", UPLOADER, "", ""),
        ("required", UPLOADER.upper(), "", ""),
        ("required", "", "assess/", ""),
        ("told", "", "", ""),
    ],
)
async def test_an_upload_says_whose_it_is_where_the_profile_wants_to_know(
    world: World, uploader: str, by: str, folder: str, reason: str
) -> None:
    wants_signatures(world, uploader=uploader)
    name = f"south-norfolk/{folder}portal.csv"
    world.exports.upload(name, export(line("C1")), by)
    await world.outbox.send(ReceiveExport(blob=name))
    await world.deliver_but(names.STAGE_ROWS)
    migration = await world.migration()
    assert (migration.phase, migration.reason) == (Phase.REFUSED if reason else Phase.STAGING, reason)
    if reason:
        assert '--metadata "uploaded_by=$(az ad signed-in-user show' in (await world.report("refused.json"))["next"]


@pytest.mark.parametrize(
    ("signed_in", "by", "kept"),
    [
        (True, UPLOADER, UPLOADER),
        (True, f" {UPLOADER.upper()} ", UPLOADER.upper()),
        (True, "ann@council.gov.uk", ""),
        (True, "ann", "ann"),
        (False, "ann", "ann"),
        (False, UPLOADER, UPLOADER),
        (False, "ann@council.gov.uk", "ann@council.gov.uk"),
    ],
)
async def test_who_uploaded_is_kept_but_no_address_where_people_sign_in(
    world: World, by: str, kept: str, *, signed_in: bool
) -> None:
    world.wrap = lambda ports: replace(ports, signed_in=signed_in)
    world.exports.upload("south-norfolk/portal.csv", export(line("C1")), by)
    await world.outbox.send(ReceiveExport(blob="south-norfolk/portal.csv"))
    await world.deliver_but(names.STAGE_ROWS)
    migration = await world.migration()
    assert (migration.phase, migration.uploaded_by) == (Phase.STAGING, kept)


async def test_a_refused_file_is_not_received_again(world: World) -> None:
    await _receive(world, b"")
    world.clock.tick(timedelta(minutes=5))
    assert await sweep_exports(world.ports) == 0


async def test_an_event_of_a_blob_that_is_gone_does_nothing(world: World) -> None:
    await world.outbox.send(ReceiveExport(blob="south-norfolk/gone.csv"))
    await world.deliver()
    assert not await world.migrations()


async def test_a_second_event_sends_the_rows_on_again_and_opens_nothing(world: World) -> None:
    await _receive(world, export(line("C1")))
    world.outbox.queues[names.STAGE_ROWS].clear()
    await world.outbox.send(ReceiveExport(blob="south-norfolk/portal.csv"))
    await world.deliver_but(names.STAGE_ROWS)
    assert len(await world.migrations()) == 1
    assert len(world.outbox.queues[names.STAGE_ROWS]) == 1


async def test_the_sweep_finds_what_no_event_told(world: World) -> None:
    world.exports.upload("south-norfolk/portal.csv", export(line("C1")))
    assert await sweep_exports(world.ports) == 0
    world.clock.tick(timedelta(seconds=31))
    assert await sweep_exports(world.ports) == 1
    await settle(world)
    assert (await world.migration()).phase is Phase.DONE
    assert await sweep_exports(world.ports) == 0


async def test_an_upload_that_comes_to_light_after_a_newer_one_is_left(world: World) -> None:
    world.exports.upload("south-norfolk/monday.csv", export(line("C1"), line("C2")))
    world.clock.tick(timedelta(seconds=5))
    await world.upload(export(line("C1")), "south-norfolk/tuesday.csv")
    await settle(world)
    await sweep_exports(world.ports)
    await settle(world)
    monday, tuesday = await world.migrations()
    assert (monday.phase, monday.reason, monday.superseded_by) == (Phase.SUPERSEDED, "older_upload", tuesday.id)
    assert tuesday.phase is Phase.DONE


async def test_large_files_are_staged_in_pieces(world: World) -> None:
    rows = 2 * PIECE_ROWS + 1
    await _receive(world, export(*(line(f"C{n}") for n in range(rows))))
    for piece in range(3):
        migration = await world.migration()
        assert (migration.piece, migration.row) == (piece, piece * PIECE_ROWS)
        await world.deliver()
        for number in (0, 1):
            del number
            await stage_rows(world.ports, StageRows(authority=SOUTH_NORFOLK, migration=migration.id, piece=piece))
    migration = await world.migration()
    assert (migration.phase, migration.row) == (Phase.CLASSIFYING, rows)
    assert len(await world.accounts()) == rows


async def test_a_file_of_exactly_one_piece_ends_with_it(world: World) -> None:
    await _receive(world, export(*(line(f"C{n}") for n in range(PIECE_ROWS))))
    await world.deliver()
    assert (await world.migration()).phase is Phase.CLASSIFYING


async def test_a_piece_that_was_staged_and_not_recorded_is_staged_again_the_same(world: World) -> None:
    await _receive(world, export(line("C1"), line("C1"), line("C2"), "x"))
    before = await world.migration()
    await world.deliver()
    first = await world.accounts()
    await world.ledger.migrations.change(SOUTH_NORFOLK, before.id, lambda _: before)
    await stage_rows(world.ports, StageRows(authority=SOUTH_NORFOLK, migration=before.id, piece=0))
    assert await world.accounts() == first
    await settle(world)
    result = await world.result_lines()
    assert sorted(row["outcome"] for row in result) == ["create", "create", "duplicate", "reject"]


async def test_the_same_customer_again_is_a_duplicate_in_the_piece_and_in_a_later_one(world: World) -> None:
    rows = [line("C0"), line("C0"), *(line(f"C{n}", status="closed") for n in range(1, PIECE_ROWS)), line("C0")]
    await _receive(world, export(*rows))
    await settle(world, step=timedelta(seconds=10))
    again = {row["row"]: row["reason"] for row in await world.result_lines() if row["outcome"] == "duplicate"}
    assert again == {"2": "same_as_row_1", str(len(rows)): "same_as_row_1"}
    assert len(await world.result_lines()) == len(rows)


async def test_the_same_customer_again_in_a_later_piece_of_a_second_export_is_a_duplicate(world: World) -> None:
    await _receive(world, export(line("C0")))
    await settle(world)
    rows = [line("C0"), *(line(f"C{n}", status="closed") for n in range(1, PIECE_ROWS)), line("C0")]
    await _receive(world, export(*rows), "south-norfolk/again.csv")
    await settle(world)
    assert [r["outcome"] for r in await world.result_lines() if r["source_id"] == "C0"] == ["unchanged", "duplicate"]


async def test_an_export_that_is_overwritten_while_it_is_staged_gives_way(world: World) -> None:
    await _receive(world, export(line("C1"), line("C2")))
    world.clock.tick(timedelta(seconds=1))
    await world.upload(export(line("C2")))
    await world.deliver()
    await settle(world)
    first, second = await world.migrations()
    assert first.phase is Phase.SUPERSEDED
    assert second.phase is Phase.DONE
    assert [a.state for a in await world.accounts()] == [State.TOLD]


async def test_accounts_of_an_export_that_was_overwritten_half_way_are_left_to_the_next(world: World) -> None:
    rows = [line(f"C{n}", status="closed") for n in range(PIECE_ROWS - 1)]
    await _receive(world, export(line("A1"), *rows, line("A2")))
    await world.deliver()
    world.clock.tick(timedelta(seconds=1))
    await world.upload(export(line("A3")))
    await world.deliver()
    await settle(world)
    states = {(await world.ledger.rows.get(account)).source_id: account.state for account in await world.accounts()}  # type: ignore[union-attr]
    assert states == {"A1": State.HELD, "A3": State.TOLD}


async def test_a_running_export_is_not_blocked_for_good_by_a_newer_one_that_was_overwritten(world: World) -> None:
    await _receive(world, export(line("A1"), line("A2")), "south-norfolk/monday.csv")
    await world.run(rounds=2)
    world.clock.tick(timedelta(seconds=1))
    rows = [line(f"C{n}", status="closed") for n in range(PIECE_ROWS)]
    await _receive(world, export(*rows, line("A1")), "south-norfolk/tuesday.csv")
    await stage_rows(world.ports, StageRows(authority=SOUTH_NORFOLK, migration=(await world.migration()).id, piece=0))
    world.clock.tick(timedelta(seconds=1))
    await world.upload(export(line("A1")), "south-norfolk/tuesday.csv")
    await settle(world)
    assert not [m.id for m in await world.migrations() if m.open]
    assert {a.state for a in await world.accounts()} <= {State.TOLD, State.HELD}


async def test_the_same_bytes_under_another_name_change_nothing(world: World) -> None:
    world.directory.local_user("l1@example.org", "Ada", "Example", LONG_AGO)
    body = export(line("C1"), line("L1"), line("R1", email="none"))
    await world.upload(body)
    await settle(world)
    writes, told = world.directory.writes, list(world.told)
    await world.upload(body, "south-norfolk/again.csv")
    await settle(world)
    result = await world.result()
    assert {key: row["outcome"] for key, row in result.items()} == {
        "C1": "unchanged",
        "L1": "unchanged",
        "R1": "reject",
    }
    assert (world.directory.writes, world.told) == (writes, told)


async def test_what_changed_in_the_portal_since_is_for_a_person(world: World) -> None:
    await world.upload(export(line("C1"), line("C2")))
    await settle(world)
    await world.upload(export(line("C1", surname="Changed"), line("C2", status="Active")), "south-norfolk/again.csv")
    await settle(world)
    result = await world.result()
    assert (result["C1"]["outcome"], result["C1"]["reason"]) == ("review", "changed_since_migrated")
    assert result["C2"]["outcome"] == "unchanged"
    assert world.directory.writes == 2


@pytest.mark.parametrize("rounds", range(5))
async def test_a_newer_export_takes_over_whatever_the_older_one_does(world: World, rounds: int) -> None:
    await world.upload(export(line("C1"), line("C2"), line("C3", "x")), "south-norfolk/monday.csv")
    await world.run(rounds)
    world.clock.tick(timedelta(seconds=1))
    await world.upload(export(line("C1"), line("C3"), line("C4")), "south-norfolk/tuesday.csv")
    await settle(world)
    monday, tuesday = await world.migrations()
    assert not monday.open
    assert tuesday.phase is Phase.DONE
    result = await world.result(tuesday)
    assert {row["state"] for row in result.values()} == {"told"}
    assert sorted(set(world.told)) == sorted(world.told)
    left_out = [a for a in await world.accounts() if a.migration == monday.id and a.state is not State.TOLD]
    assert all((a.state, a.reason) == (State.HELD, "superseded") for a in left_out)


async def test_what_a_newer_export_left_out_no_longer_shares_its_address(world: World) -> None:
    await world.upload(export(line("C1", "same@example.org"), line("C2", "same@example.org")))
    await world.deliver()
    await world.deliver()
    world.clock.tick(timedelta(seconds=1))
    await world.upload(export(line("C2", "same@example.org")), "south-norfolk/tuesday.csv")
    await world.deliver()
    await settle(world)
    left_out = next(a for a in await world.accounts() if a.state is State.HELD)
    assert await world.ledger.addresses.list_accounts(SOUTH_NORFOLK, left_out.address_key) != [left_out.id]


async def test_failing_five_times_to_receive_is_kept_and_can_be_replayed(world: World) -> None:
    await world.upload(export(line("C1")))
    [item] = world.outbox.queues[names.RECEIVE_EXPORT]
    item.dequeued = names.MAX_DEQUEUE_COUNT - 1
    reports, broken = world.reports, World().reports
    broken.files = None  # type: ignore[assignment]  # whatever is put there fails
    world.wrap = lambda ports: replace(ports, reports=broken)
    await world.deliver()
    assert ((await world.migration()).phase, (await world.migration()).reason) == (Phase.FAILED, "receiving_failed")
    assert world.outbox.poison[names.RECEIVE_EXPORT]
    world.wrap = lambda ports: replace(ports, reports=reports)
    await world.outbox.send(ReceiveExport(blob="south-norfolk/portal.csv"))
    await settle(world)
    assert (await world.migration()).phase is Phase.DONE


async def test_two_councils_at_once_and_a_customer_of_both(world: World) -> None:
    header = "AccountNo;E-mail;Forename;Surname;Verified;State;Opened;LastSeen;Postcode"
    yarmouth = f"{header}\r\nY1;c1@example.org;Ada;Example;Yes;Open;;;\r\n".encode("cp1252")
    await world.upload(export(line("C1")))
    await settle(world)
    await world.upload(yarmouth, "great-yarmouth/a.csv")
    await settle(world)
    [account] = await world.accounts(GREAT_YARMOUTH)
    assert (account.outcome, account.reason) == (Outcome.REVIEW, "unclaimed_other_authority")
    [user] = world.directory.users.values()
    world.directory.users[user.id] = replace(user, password_changed=world.clock.now())
    await world.upload(yarmouth, "great-yarmouth/b.csv")
    await settle(world)
    [account] = await world.accounts(GREAT_YARMOUTH)
    assert (account.outcome, account.state, account.directory_id) == (Outcome.LINK, State.TOLD, user.id)
    assert set(world.directory.users[user.id].owner_markers) == {SOUTH_NORFOLK, GREAT_YARMOUTH}


async def test_an_older_export_takes_nothing_back_from_a_newer_one(world: World) -> None:
    lines = [line(f"C{number}") for number in range(40)]
    await world.upload(export(*lines), "south-norfolk/monday.csv")
    world.clock.tick(timedelta(seconds=2))
    await world.upload(export(*reversed(lines)), "south-norfolk/tuesday.csv")
    await world.deliver()
    await settle(world)
    result = await world.result()
    assert {(row["outcome"], row["state"]) for row in result.values()} == {("create", "told")}
    assert len(result) == len(lines)


async def test_the_later_of_two_versions_of_one_second_counts(world: World) -> None:
    for number in range(8):
        await world.upload(export(line(f"C{number}")))
        await world.deliver()
        world.clock.tick(timedelta(milliseconds=50))
    await settle(world)
    told = {account.state.value for account in await world.accounts() if account.migration == await _newest(world)}
    assert told == {"told"}


async def _newest(world: World) -> str:
    return max(await world.migrations(), key=lambda migration: migration.received_at).id
