"""The stand-in directory as a process and as a page: its command line, its memory, its controls."""

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from local.standins.graph.__main__ import main, make_parser, rules_from
from local.standins.graph.page import PAGE
from local.standins.graph.rules import RuleError, Rules, change_rules, list_switches
from local.standins.graph.state import Directory
from local.standins.graph.store import FILE, Store
from tests.local.conftest_directory import (
    ADMINISTRATOR,
    MARK,
    MUST_RESET,
    REFERENCE,
    WIDE,
    Served,
    by_identity,
    payload,
    person,
    serve,
)

pytestmark = pytest.mark.enable_socket


@pytest_asyncio.fixture
async def standin() -> AsyncIterator[Served]:
    async with serve() as served:
        yield served


ROOT = Path(__file__).parents[2]
SEEDED = {
    "id": "00000000-0000-4000-8000-000000000001",
    "displayName": "Sue Seeded",
    "identities": payload("sue@example.org")["identities"],
    "createdDateTime": "2019-03-04T05:06:07Z",
    "lastPasswordChangeDateTime": "2020-01-01T00:00:00Z",
    REFERENCE: "SN-9",
}


@asynccontextmanager
async def process(*arguments: str) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    started = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "local.standins.graph", *arguments, cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    assert started.stdout
    try:
        line = (await started.stdout.readline()).decode()
        assert line.startswith("directory listening on http://127.0.0.1:")
        yield started, line.split()[-1]
    finally:
        if started.returncode is None:
            started.kill()
        await started.wait()


# The process


async def test_a_killed_process_has_lost_nothing_it_answered(tmp_path: Path) -> None:
    async with process("--port", "0", "--data", str(tmp_path)) as (running, address), httpx.AsyncClient() as client:
        created = await client.post(f"{address}/users", json=payload())
        running.send_signal(signal.SIGKILL)

    async with process("--port", "0", "--data", str(tmp_path)) as (running, address), httpx.AsyncClient() as client:
        found = await client.get(f"{address}/users/{created.json()['id']}")
        again = await client.post(f"{address}/users", json=payload())
        running.send_signal(signal.SIGTERM)
        assert await running.wait() == 0

    assert (created.status_code, found.status_code, again.status_code) == (201, 200, 400)


def test_a_taken_port_is_one_sentence_and_status_2(capsys: pytest.CaptureFixture[str]) -> None:
    async def take_and_start() -> int:
        server = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", 0)
        async with server:
            port = server.sockets[0].getsockname()[1]
            return await asyncio.to_thread(main, ["--port", str(port)])

    assert asyncio.run(take_and_start()) == 2
    assert "is taken" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--seed", "nowhere.json"], "there is no seed file"),
        (["--fault", '{"kind": "earthquake"}'], "there is no fault 'earthquake'"),
        (["--extension", "Ref:Text"], "is not NAME:Type"),
    ],
)
def test_a_wrong_option_is_one_sentence_and_status_2(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    assert said in capsys.readouterr().err


def test_every_switch_has_an_option_with_its_reason() -> None:
    options = make_parser().parse_args(
        ["--extension", "Ref:String", "--write-limit", "5", "--write-window", "2.5", "--no-force-change-accepted"]
    )
    text = " ".join(make_parser().format_help().split())

    rules = rules_from(options)

    assert rules.extensions == ("Ref:String",)
    assert (rules.write_limit, rules.write_window_seconds, rules.force_change_accepted) == (5, 2.5, False)
    assert rules_from(make_parser().parse_args([])) == Rules()
    assert all(" ".join(switch.why.split()[:3]) in text for switch in list_switches())


# Memory


async def test_users_the_recycle_bin_and_purges_survive_a_restart(tmp_path: Path) -> None:
    async with serve(folder=tmp_path, permissions=WIDE, roles=[ADMINISTRATOR]) as standin:
        made = [await standin.create(person(f"p{n}@example.org")) for n in range(4)]
        for each in made[:2]:
            await standin.graph.users.by_user_id(each.id or "").delete()
        await standin.graph.directory.deleted_items.by_directory_object_id(made[0].id or "").delete()
        await standin.patch(made[2].id, {REFERENCE: "changed"})
        before = await standin.raw()

    async with serve(folder=tmp_path) as standin:
        assert await standin.raw() == before
        assert len(before) == 3
        await standin.create(person("p0@example.org"))
        numbers = [entry.number for entry in standin.directory.store]
        assert len(set(numbers)) == 4


def test_a_torn_last_line_is_a_write_that_nobody_was_told_of(tmp_path: Path) -> None:
    first = Directory(folder=tmp_path)
    first.seed([SEEDED])
    first.close()
    with (tmp_path / FILE).open("ab") as file:
        file.write(b'{"put": {"properties": {"id": "torn')

    again = Store(tmp_path)

    assert [entry.id for entry in again] == [SEEDED["id"]]
    again.close()
    assert len((tmp_path / FILE).read_bytes().splitlines()) == 1


@pytest.mark.skipif(sys.platform == "win32", reason="Windows itself refuses to replace an open file")
def test_two_directories_do_not_share_a_folder(tmp_path: Path) -> None:
    first = Store(tmp_path)

    with pytest.raises(OSError, match="in use by another directory"):
        Store(tmp_path)

    first.close()
    Store(tmp_path).close()


async def test_a_seed_fills_an_empty_directory_and_is_kept_as_given(tmp_path: Path) -> None:
    async with serve(folder=tmp_path, visibility_lag_seconds=60) as standin:
        assert standin.directory.seed([SEEDED]) == 1
        (found,) = await standin.find(by_identity("sue@example.org"), "id", "createdDateTime", "creationType")
        assert found.created_date_time
        assert found.created_date_time.year == 2019
        assert found.creation_type == "LocalAccount"
        assert (await standin.raw())[0].items() >= {k: v for k, v in SEEDED.items() if k != "identities"}.items()

    async with serve(folder=tmp_path) as standin:
        assert standin.directory.seed([SEEDED | {"id": "another"}]) == 0
        assert len(await standin.raw()) == 1


# Controls


async def test_the_journal_tells_what_was_asked_without_values(standin: Served) -> None:
    created = await standin.create()
    await standin.find(by_identity("ann@example.org"), "id")

    told = (await standin.http.get("/_standin/journal")).json()

    write, read = told["entries"]
    assert (write["n"], write["method"], write["path"], write["status"]) == (1, "POST", "/v1.0/users", 201)
    assert (write["target"], write["kind"], write["units"]) == (created.id, "write", 5)
    assert (sorted(read["query_keys"]), read["kind"], read["units"]) == (["$filter", "$select"], "read", 1)
    assert "ann@example.org" not in json.dumps(told)
    assert told["counters"] == {"reads": 1, "requests": 2, "status_200": 1, "status_201": 1, "units": 6, "writes": 1}
    await standin.http.delete("/_standin/journal")
    assert (await standin.http.get("/_standin/journal")).json() == {"entries": [], "counters": {}}


async def test_the_journal_tells_whose_write_it_was_by_the_name_of_the_mark_alone(standin: Served) -> None:
    created = await standin.create(person(**{MARK: "a0-mark-of-ann"}))
    await standin.patch(created.id, {REFERENCE: "SN-9"})
    await standin.patch(created.id, {MARK: None})

    told = (await standin.http.get("/_standin/journal")).json()

    assert [line["marks"] for line in told["entries"]] == [[MARK], [], [MARK]]
    assert "a0-mark-of-ann" not in json.dumps(told)


async def test_switches_turn_while_it_runs(standin: Served) -> None:
    answer = await standin.http.patch("/_standin/rules", json={"latency_ms": 1, "visibility_lag_seconds": 2})

    assert (answer.json()["latency_ms"], answer.json()["visibility_lag_seconds"]) == (1, 2.0)
    assert standin.directory.rules == change_rules(Rules(), {"latency_ms": 1, "visibility_lag_seconds": 2})
    explained = (await standin.http.get("/_standin/rules?why")).json()
    assert explained.keys() == answer.json().keys()


@pytest.mark.parametrize(
    "wanted",
    [
        {"latency": 5},
        {"latency_ms": "5"},
        {"latency_ms": True},
        {"require_token": 1},
        {"roles": "User Administrator"},
        {"tenant": "other"},
        {"latency_ms": 5, "conflict_status": 500},
        {"empty_page_every": 1},
        {"write_window_seconds": 0},
        {"extensions": ["Ref"]},
        [],
    ],
)
async def test_a_switch_that_cannot_turn_leaves_all_as_they_were(standin: Served, wanted: Any) -> None:  # noqa: ANN401
    answer = await standin.http.patch("/_standin/rules", json=wanted)

    assert (answer.status_code, bool(answer.json()["error"])) == (400, True)
    assert standin.directory.rules == Rules()


def test_a_wrong_switch_names_those_that_exist() -> None:
    with pytest.raises(RuleError, match="visibility_lag_seconds"):
        change_rules(Rules(), {"lag": 1})


@pytest.mark.parametrize("moves", [True, False])
@pytest.mark.parametrize("clears", [True, False])
async def test_a_customers_own_reset_does_what_the_switches_say(standin: Served, *, moves: bool, clears: bool) -> None:
    standin.turn(reset_moves_last_password_change=moves, reset_clears_must_reset=clears)
    body = payload(**{MUST_RESET: True})
    body["passwordProfile"]["forceChangePasswordNextSignIn"] = True
    created = (await standin.post(body)).json()
    standin.clock.passes(3600)

    answer = await standin.http.post(f"/_standin/users/{created['id']}/reset-password")

    (stored,) = await standin.raw()
    assert answer.status_code == 200
    assert stored["forceChangePasswordNextSignIn"] is False
    assert (stored["lastPasswordChangeDateTime"] > stored["createdDateTime"]) is moves
    assert stored[MUST_RESET] is not clears


async def test_one_reset_may_differ_from_the_switches(standin: Served) -> None:
    created = await standin.create(person(**{MUST_RESET: True}))

    wanted = {"clears_must_reset": True, "moves_last_password_change": False, "password_length": 20}
    await standin.http.post(f"/_standin/users/{created.id}/reset-password", json=wanted)

    (stored,) = await standin.raw()
    assert (stored[MUST_RESET], stored["passwordLength"]) == (False, 20)
    assert (await standin.http.post("/_standin/users/nobody/reset-password")).status_code == 404


async def test_health_counts_the_living_and_the_deleted(standin: Served) -> None:
    standin.turn(permissions=WIDE, roles=[ADMINISTRATOR])
    created = await standin.create()
    await standin.create(person("bob@example.org"))
    await standin.graph.users.by_user_id(created.id or "").delete()

    health = (await standin.http.get("/_standin/health")).json()

    assert (health["status"], health["users"], health["deleted"]) == ("ok", 1, 1)


# The page


async def test_the_page_shows_people_newest_first_and_escapes_them(standin: Served) -> None:
    standin.directory.seed([SEEDED | {"displayName": "<script>alert(1)</script>"}])
    standin.clock.passes(60)
    await standin.create(person(**{MUST_RESET: True, REFERENCE: "SN-10"}))

    page = await standin.http.get("/")

    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "Stand-in directory: invented people" in page.text
    assert "<script" not in page.text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page.text
    assert page.text.index("Ann Invented") < page.text.index("&lt;script")
    assert "SouthNorfolkCustomerRef</span> SN-10" in page.text
    assert "(e-mail)" in page.text
    assert page.text.count("<td>Yes</td>") == 3


async def test_the_page_is_searched_and_turned(standin: Served) -> None:
    standin.directory.seed({"id": f"id-{n}", "displayName": f"Person {n:03}"} for n in range(PAGE + 1))

    first = (await standin.http.get("/")).text
    last = (await standin.http.get("/?page=99")).text
    found = (await standin.http.get("/?q=person 007")).text
    nobody = (await standin.http.get('/?q="><b>')).text

    assert 'rel="next"' in first
    assert "Person 000" not in first
    assert ("Person 000" in last, 'rel="next"' in last, 'rel="prev"' in last) == (True, False, True)
    assert "1 account found" in found
    assert "No account is meant by this search" in nobody
    assert "<b>" not in nobody
