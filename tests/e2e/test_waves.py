"""Waves, the switch of a portal and lists of people to be left alone, through the real runtime and `ops` as typed."""

import csv
import io
import json
import re
import time
import urllib.error
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest

from local.azurite import Azurite
from local.samples.cases import KNOWN, NEW
from local.stack import send_json
from tests.e2e.kit import GREAT_YARMOUTH, OURS, PATIENCE, SOUTH_NORFOLK, Run, profiles, running

pytestmark = [pytest.mark.e2e, pytest.mark.azurite]

FILE: Final = f"{SOUTH_NORFOLK}/portal.csv"
KONTO: Final = f"{GREAT_YARMOUTH}/konto.csv"
PREFIX: Final = {SOUTH_NORFOLK: "SouthNorfolk", GREAT_YARMOUTH: "GreatYarmouth"}
ENCODING: Final = {SOUTH_NORFOLK: "utf-8", GREAT_YARMOUTH: "cp1252"}
QUIET: Final = 5
"""Seconds in which the timers that release and open have come round: whatever was to be begun would have been."""


@contextmanager
def planned(
    folder: Path, storage: Azurite, plans: Callable[[Run], Mapping[str, str]], **settings: str
) -> Iterator[Run]:
    """A stack whose councils have plans that are made of their samples."""
    slow = settings.get("DIRECTORY_WRITE_LIMIT")
    options = ("--write-limit", slow, "--write-window", settings["DIRECTORY_WRITE_WINDOW_SECONDS"]) if slow else ()
    with running(folder, storage, hosts=0, directory_options=options) as run:
        run.stack.settings |= {"AUTHORITIES_FOLDER": str(profiles(folder, plans(run))), **settings}
        run.stack.add_host()
        yield run


def _moved(run: Run, authority: str = SOUTH_NORFOLK) -> set[str]:
    """Whose accounts the directory holds, by customer reference; each once."""
    name = f"{OURS}{PREFIX[authority]}CustomerRef"
    found = [str(user[name]) for user in run.users().values() if user.get(name)]
    assert len(set(found)) == len(found)
    return set(found)


def _written(run: Run) -> int:
    return sum(entry["status"] < 300 for entry in run.directory_writes())


def _stops(migration: dict[str, Any]) -> str:
    """What is in the way of the wave that comes next."""
    return " ".join(wait["sentence"] for wait in migration["waits"] if wait["what"] == "wave")


def _until_stopped(run: Run, file: str, *parts: str) -> dict[str, Any]:
    return run.until(file, lambda m: all(part in _stops(m) for part in parts))


def _line(said: str, pattern: str) -> str:
    """The command that is shown to be typed."""
    found = re.search(pattern, said)
    assert found is not None, f"{pattern} is not in: {said}"
    return found[0]


# a wave that went wrong

POINT: Final = "help desks briefed"
TOO_LONG: Final = ("SN-7" + "0" * 60, "SN-8" + "0" * 60)
"""References that the directory refuses while an attribute may hold fifty letters only."""
UNREACHED: Final = "SN-9000001"
DESK: Final = "customer-services"


def _in_pilot(run: Run) -> list[str]:
    """Twelve who are created or joined, and every case in which the names differ."""
    truth = run.truth().values()
    plain = [row["source_id"] for row in truth if row["case"] in {NEW.name, KNOWN.name}][:12]
    return [*plain, *_differing(run), *TOO_LONG, UNREACHED]


def _differing(run: Run) -> list[str]:
    return [row["source_id"] for row in run.truth().values() if row["reason"] == "names_differ"]


def _with_trouble(run: Run) -> None:
    """Add to the sample, and to what is true of it, customers with whom something goes wrong."""
    who = {reference: f"long{number}@example.org" for number, reference in enumerate(TOO_LONG)}
    who[UNREACHED] = "perm-fail@simulator.notify"
    number = len(run.truth())
    with (run.samples / f"{SOUTH_NORFOLK}.csv").open("a", encoding="utf-8") as export:
        export.writelines(
            f"{reference},{address},Ada,Trouble,true,active,2015-01-01,2019-09-01,NR15 1AA,,\r\n"
            for reference, address in who.items()
        )
    with (run.samples / f"{SOUTH_NORFOLK}.truth.csv").open("a", encoding="utf-8") as truth:
        truth.writelines(f"{number + at},{reference},create,,,trouble\r\n" for at, reference in enumerate(who, 1))


def _three_waves(run: Run) -> dict[str, str]:
    _with_trouble(run)
    plan = f"""approval = "automatic"
checklist = ["{POINT}"]
pilot = {json.dumps(_in_pilot(run))}
gate = {{failed_percent = 1, review_percent = 100, undelivered_percent = 3}}
waves = [{{name = "pilot", takes = "pilot"}}, {{name = "half", takes = "50%"}}, {{name = "rest", takes = "rest"}}]
"""
    return {SOUTH_NORFOLK: plan}


def test_a_wave_that_went_wrong_holds_the_next_until_people_have_seen_to_it(
    tmp_path: Path, clean_azurite: Azurite
) -> None:
    with planned(tmp_path, clean_azurite, _three_waves) as run:
        run.rules(run.stack.directory, {"extension_max_length": 50})
        run.rules(run.stack.notify, {"sending_after_ms": 0, "completed_after_ms": 0})
        run.upload(run.sample(), FILE)
        migration = _nobody_before_the_checklist(run)
        _the_pilot_fails(run, migration)
        _mended_one_by_one(run, migration)
        _opened_all_the_same(run, migration)
        _cases_hold_the_last(run, migration)
        _ends_as_true(run)


def _nobody_before_the_checklist(run: Run) -> dict[str, Any]:
    migration = _until_stopped(run, FILE, f'"{POINT}" is not confirmed for wave 1')
    shown = run.ops("status")
    assert (shown.returncode, run.directory_writes(), run.messages()) == (2, [], [])
    done = run.copied(_line(shown.stdout, r'ops wave check \S+ 1 "[^"]+"'))
    assert done.returncode == 0, done.stderr
    assert f"Confirmed: {POINT}" in done.stdout
    return migration


def _the_pilot_fails(run: Run, migration: dict[str, Any]) -> None:
    """Some stuck, some in review without an owner, one not reached; and nobody of the second wave is touched."""
    _until_stopped(run, FILE, "are stuck", "have no owner or no date", f'"{POINT}" is not confirmed for wave 2')
    # Which messages did not arrive is asked now and then, and at once by an app that has just started.
    run.stack.hosts[-1].stop()
    run.stack.add_host()
    _until_stopped(run, FILE, "are stuck", "not reached")
    pilot = set(_in_pilot(run)) - set(_differing(run)) - set(TOO_LONG)
    assert _moved(run) == pilot
    assert _written(run) == len(pilot)
    listed, shown = run.ops("wave", "list", migration["migration"]), run.ops("status")
    for each in (listed, shown):
        assert each.returncode == 2
        assert "2 are stuck" in each.stdout
        assert "plan.gate.failed_percent allows 1 %" in each.stdout
        assert "plan.gate.undelivered_percent allows 3 %" in each.stdout
        assert f'ops wave open {migration["migration"]} 2 --why "..."' in each.stdout
    assert "1 pilot" in listed.stdout
    assert "ops poison replay --cause directory_refused" in shown.stdout


def _mended_one_by_one(run: Run, migration: dict[str, Any]) -> None:
    """What has been seen to is not in the way any more; the rates still are."""
    name = migration["migration"]
    listed = run.ops("review", "list", name)
    assert "names_differ" in listed.stdout
    assert _assign(run, name, "names_differ").returncode == 0
    run.until(FILE, lambda m: "no owner" not in _stops(m))
    assert run.ops("wave", "check", name, "2", POINT).returncode == 0
    stopped = run.until(FILE, lambda m: "not confirmed" not in _stops(m))
    assert "are stuck" in _stops(stopped)
    assert "not reached" in _stops(stopped)


def _assign(run: Run, migration: str, reason: str) -> Any:  # noqa: ANN401 - what a process came to
    day = f"{datetime.now(UTC) + timedelta(days=7):%Y-%m-%d}"
    return run.ops("review", "assign", migration, reason, "--owner", DESK, "--by-day", day)


def _assigned_over_http(run: Run, migration: str, reason: str) -> int:
    """What `ops review assign` asks; returns how many cases there were."""
    day = f"{datetime.now(UTC) + timedelta(days=7):%Y-%m-%d}"
    says = {"which": reason, "owner": DESK, "decide_by": day}
    try:
        return int(send_json(f"{run.url}/api/migrations/{migration}/review", says)["cases"])
    except urllib.error.HTTPError:
        return 0


def _opened_all_the_same(run: Run, migration: dict[str, Any]) -> None:
    name, before = migration["migration"], _written(run)
    early = run.ops("wave", "open", name, "3", "--why", "too early")
    assert (early.returncode, "Wave 2 is not open yet" in early.stderr) == (1, True)
    assert run.ops("wave", "open", name, "2").returncode == 1
    time.sleep(QUIET)
    assert _written(run) == before
    opened = run.ops("wave", "open", name, "2", "--why", "all of them are known", "--by", "ann")
    assert (opened.returncode, f"Wave 2 of {name} is open." in opened.stdout) == (0, True)


def _cases_hold_the_last(run: Run, migration: dict[str, Any]) -> None:
    """The last wave waits for its point and for the cases of the second, and then opens by itself."""
    name = migration["migration"]
    _until_stopped(run, FILE, "of wave 2 have no owner or no date", f'"{POINT}" is not confirmed for wave 3')
    before = _written(run)
    assert before > len(_in_pilot(run))
    assert run.ops("wave", "check", name, "3", POINT).returncode == 0
    run.until(FILE, lambda m: "no owner" in _stops(m) and "not confirmed" not in _stops(m))
    assert _written(run) == before
    reasons = {row["reason"] for row in run.truth().values() if row["outcome"] == "review"}
    assert sum(_assigned_over_http(run, name, reason) for reason in reasons) > 1
    run.until(FILE, lambda m: not m["waits"])
    assert run.ops("wave", "list", name).returncode == 0


def _ends_as_true(run: Run) -> None:
    """Those who were stuck are replayed once their cause is mended; who was not reached is set aside."""
    run.until(FILE, lambda m: m["phase"] == "done")
    run.rules(run.stack.directory, {"extension_max_length": 256})
    assert run.ops("poison", "replay", "--cause", "directory_refused").returncode == 0
    migration = run.until(FILE, lambda m: m["phase"] == "done" and not m["failures"])
    run.assert_ended_as_true(SOUTH_NORFOLK, migration, untold=[UNREACHED])
    [unreached] = [row for row in run.result(migration) if row["source_id"] == UNREACHED]
    assert unreached["reason"] == "address_undelivered"
    assert _written(run) == len(_moved(run))
    assert run.ops("status").returncode == 0
    run.assert_nothing_in_poison()


# the switch of a portal, and people to be left alone

SWITCHED: Final = "2024-03-05T10:00:00"
"""A Tuesday morning that is over."""


def _next_year() -> str:
    """A Tuesday morning in February, which has no bank holiday."""
    day = datetime(datetime.now(UTC).year + 1, 2, 1, 10, tzinfo=UTC)
    return f"{day + timedelta(days=(1 - day.weekday()) % 7):%Y-%m-%dT%H:%M:%S}"


def _at_once(_: Run) -> dict[str, str]:
    return {
        authority: f'approval = "automatic"\nswitch = "at-once"\nswitch_at = {when}'
        for authority, when in ((GREAT_YARMOUTH, SWITCHED), (SOUTH_NORFOLK, _next_year()))
    }


def _chosen(run: Run, authority: str, of_each: int) -> tuple[bytes, dict[str, str]]:
    """A sample with so many to be created and so many to be joined, and what is true of each."""
    wanted: dict[str, str] = {}
    for case in (NEW.name, KNOWN.name):
        found = [row for row in run.truth(authority).values() if row["case"] == case]
        wanted |= {row["source_id"]: row["outcome"] for row in found[:of_each]}
    text = run.sample(authority).decode(ENCODING[authority])
    separator = ";" if authority == GREAT_YARMOUTH else ","
    header, *rows = csv.reader(io.StringIO(text), delimiter=separator)
    out = io.StringIO()
    csv.writer(out, delimiter=separator).writerows([header, *(row for row in rows if row and row[0].strip() in wanted)])
    return out.getvalue().encode(ENCODING[authority]), wanted


def _leave_alone(run: Run, name: str, why: Mapping[str, str]) -> dict[str, Any]:
    lines = "".join(f"{reference};{word}\n" for reference, word in why.items())
    run.upload(f"AccountNo;why\n{lines}".encode(), f"{GREAT_YARMOUTH}/exclude/{name}.csv")
    return run.done(f"{GREAT_YARMOUTH}/exclude/{name}.csv")


def test_nobody_is_told_before_the_switch_and_whoever_is_to_be_left_alone_never(
    tmp_path: Path, clean_azurite: Azurite
) -> None:
    with planned(tmp_path, clean_azurite, _at_once) as run:
        body, wanted = _chosen(run, GREAT_YARMOUTH, 5)
        created, joined = ([who for who, outcome in wanted.items() if outcome == o] for o in ("create", "link"))
        alone = {created[0]: "deceased", joined[0]: "objection", created[1]: "His daughter rang and asked for it"}
        _told_of_the_list(run, _leave_alone(run, "first", alone))
        run.upload(body, KONTO)
        run.upload(_chosen(run, SOUTH_NORFOLK, 2)[0], FILE)
        migration = _created_and_not_told(run, set(wanted) - set(alone))
        _leave_alone(run, "second", {created[2]: "safeguarding"})
        run.until(KONTO, lambda m: m["states"].get("held") == 1)
        _not_before_its_time(run)
        _confirmed(run, migration)
        _left_alone(run, {**dict.fromkeys(alone, "reject"), created[2]: "create"})


def _told_of_the_list(run: Run, listed: dict[str, Any]) -> None:
    report = run.report(f"{listed['reports'].removeprefix('reports/')}excluded.json")
    assert report is not None
    assert json.loads(report)["left_alone"] == {
        "excluded_deceased": 1,
        "excluded_objection": 1,
        "excluded_other": 1,
    }


def _created_and_not_told(run: Run, who: set[str]) -> dict[str, Any]:
    migration = run.until(KONTO, lambda m: m["states"].get("provisioned") == len(who) and bool(m["waits"]))
    run.until(FILE, lambda m: m["states"].get("classified") == 4)
    time.sleep(QUIET)
    assert _moved(run, GREAT_YARMOUTH) == who
    assert run.messages() == []
    return migration


def _not_before_its_time(run: Run) -> None:
    """The other council's portal switches next year."""
    waits = run.migration(FILE)
    assert waits is not None
    early = run.ops("switch", "confirm", waits["migration"])
    assert (early.returncode, "Confirm it once it has" in early.stderr) == (1, True)
    assert _moved(run) == set()


def _confirmed(run: Run, migration: dict[str, Any]) -> None:
    shown = run.ops("status", "--authority", GREAT_YARMOUTH)
    assert (shown.returncode, run.messages()) == (2, [])
    command = _line(shown.stdout, rf"ops switch confirm {migration['migration']}")
    assert run.copied(command).returncode == 0
    run.done(KONTO)
    again = run.copied(command)
    assert (again.returncode, "confirmed already" in again.stderr) == (1, True)


def _left_alone(run: Run, outcomes: Mapping[str, str]) -> None:
    migration = run.done(KONTO)
    result = {row["source_id"]: row for row in run.result(migration)}
    alone = {who: row for who, row in result.items() if row["reason"].startswith("excluded_")}
    assert {who: row["outcome"] for who, row in alone.items()} == outcomes
    assert Counter(row["reason"] for row in alone.values()) == {
        f"excluded_{why}": 1 for why in ("deceased", "objection", "other", "safeguarding")
    }
    assert {row["state"] for who, row in result.items() if who not in alone} == {"told"}
    assert all(not row["notified_at"] for row in alone.values())
    told = Counter(message["reference"] for message in run.messages())
    assert (len(told), set(told.values())) == (len(result) - len(alone), {1})
    assert _written(run) == len(_moved(run, GREAT_YARMOUTH))


# a plan that is rejected, one that is cancelled, and one that a newer takes over

BITES: Final = 5
"""Seconds after which a cancellation has stopped every write."""
COLUMNS: Final = "customer_ref,email,first_name,last_name,email_verified,status,created,last_login,postcode"
LONG_AGO: Final = "2015-06-01"
FIRST: Final = [f"SN-A{number:03}" for number in range(5)]
MANY: Final = [f"SN-B{number:03}" for number in range(40)]
DORMANT: Final = [f"SN-C{number:03}" for number in range(5)]
NEW_ONES: Final = ["SN-N001", "SN-N002"]


def _signed_plans(_: Run) -> dict[str, str]:
    """Signed by one person each; South Norfolk's in three waves, each of which waits for a point."""
    south_norfolk = f"""approval = "required"
signatures = ["data-owner", "operations"]
checklist = ["{POINT}"]
dormant_months = 24
pilot = {json.dumps(FIRST)}
gate = {{failed_percent = 1, review_percent = 100, undelivered_percent = 3}}
waves = [{{name = "pilot", takes = "pilot"}}, {{name = "all", takes = "rest"}}, {{name = "last", takes = "dormant"}}]
"""
    return {SOUTH_NORFOLK: south_norfolk, GREAT_YARMOUTH: 'approval = "required"\nsignatures = ["data-owner"]'}


@pytest.mark.deep
def test_plans_are_rejected_cancelled_and_taken_over_by_newer_ones(tmp_path: Path, clean_azurite: Azurite) -> None:
    # Fewer at once than there are accounts, or nothing is left to be cancelled.
    slowly = {"DIRECTORY_WRITE_LIMIT": "12", "DIRECTORY_WRITE_WINDOW_SECONDS": "15"}
    with planned(tmp_path, clean_azurite, _signed_plans, **slowly) as run:
        run.upload(run.sample(GREAT_YARMOUTH), f"{GREAT_YARMOUTH}/rejected.csv")
        _rejected(run)
        run.upload(run.sample(GREAT_YARMOUTH), KONTO)
        stopped = _cancelled(run)
        _taken_over(run)
        _stayed_so(run, stopped)


def _assessed(run: Run, file: str) -> dict[str, Any]:
    return run.until(file, lambda m: m["phase"] == "assessed" and bool(m["waits"]))


def _sign(run: Run, migration: dict[str, Any]) -> None:
    """Each part by another person, who types what `ops plan show` shows."""
    shown = run.ops("plan", "show", migration["migration"])
    assert shown.returncode == 2, shown.stderr
    commands = re.findall(r"ops plan approve .*", shown.stdout)
    assert commands
    for number, command in enumerate(commands):
        signed = run.copied(f"{command.replace('ROWS', str(migration['rows']))} --by person-{number}")
        assert signed.returncode == 0, signed.stderr


def _rejected(run: Run) -> None:
    migration = _assessed(run, f"{GREAT_YARMOUTH}/rejected.csv")
    name = migration["migration"]
    no = run.ops("plan", "reject", name, "--by", "ann", typed="n\n")
    assert (no.returncode, "Nothing was done." in no.stderr) == (1, True)
    yes = run.ops("plan", "reject", name, "--by", "ann", typed="y\n")
    assert (yes.returncode, "Nothing was done." in yes.stdout) == (0, True)
    shown = run.ops("plan", "show", name)
    assert shown.returncode == 0
    assert "Rejected by ann. Mend what was wrong, and upload the export again." in shown.stdout
    late = run.ops("plan", "approve", name, "--as", "data-owner", "--hash", "a" * 12, "--rows", "1", "--by", "bob")
    assert (late.returncode, "Upload the export again" in late.stderr) == (1, True)
    over = run.migration(f"{GREAT_YARMOUTH}/rejected.csv")
    assert over is not None
    assert (over["phase"], over["refused"]["reason"]) == ("cancelled", "plan_rejected")
    assert "pload" in over["next"]


@dataclass(frozen=True)
class Stopped:
    """What there was when a cancellation had taken hold."""

    users: dict[str, dict[str, Any]]
    told: int


def _cancelled(run: Run) -> Stopped:
    """Within seconds nobody else is touched."""
    migration = _assessed(run, KONTO)
    assert (run.directory_writes(), run.messages()) == ([], []), "of the plan that was rejected"
    other = run.ops("cancel", migration["migration"], typed="another\n")
    assert (other.returncode, "That is another name" in other.stderr) == (1, True)
    _sign(run, migration)
    run.until(KONTO, lambda m: m["states"].get("told", 0) >= 3)
    done = run.ops("cancel", migration["migration"], "--by", "ann", typed=f"{migration['migration']}\n")
    assert done.returncode == 0, done.stderr
    time.sleep(BITES)
    stopped = Stopped(_marked(run), len(run.messages()))
    writes = len(run.directory_writes())
    time.sleep(QUIET)
    assert (len(run.directory_writes()), len(run.messages())) == (writes, stopped.told)
    return stopped


def _marked(run: Run) -> dict[str, dict[str, Any]]:
    """Whom Great Yarmouth has in the directory."""
    return {id_: user for id_, user in run.users().items() if user.get(f"{OURS}GreatYarmouthAccount")}


def _stayed_so(run: Run, stopped: Stopped) -> None:
    """What was finished is as it was, the rest was left alone, and result.csv tells which is which."""
    migration = run.until(KONTO, lambda m: not {"classified", "released", "provisioned"} & set(_some(m["states"])))
    deadline = time.monotonic() + PATIENCE
    while run.report(f"{migration['reports'].removeprefix('reports/')}result.csv") is None:
        assert time.monotonic() < deadline, "nothing is told of it"
        time.sleep(1)
    assert _marked(run) == stopped.users
    result = [row for row in run.result(migration) if row["outcome"] in {"create", "link"}]
    assert {(row["state"], row["reason"]) for row in result} == {("told", ""), ("held", "cancelled")}
    told = [row["directory_id"] for row in result if row["state"] == "told"]
    assert len(told) == stopped.told
    assert set(told) <= set(stopped.users)


def _some(states: Mapping[str, int]) -> list[str]:
    return [state for state, number in states.items() if number]


def _export(who: Sequence[str], addresses: Mapping[str, str] = {}) -> bytes:
    def line(reference: str) -> str:
        seen = LONG_AGO if reference in DORMANT else f"{datetime.now(UTC):%Y-%m-%d}"
        address = addresses.get(reference, f"{reference.lower()}@example.org")
        return f"{reference},{address},Ada,Example,true,active,2014-01-01,{seen},NR15 1AA"

    return "\n".join([COLUMNS, *map(line, who), ""]).encode()


def _taken_over(run: Run) -> None:
    """The pilot is moved, many are on their way, the last are not begun: a newer plan goes on from there."""
    before = len(run.messages())
    run.upload(_export([*FIRST, *MANY, *DORMANT]), FILE)
    older = _assessed(run, FILE)
    _sign(run, older)
    _check(run, older, 1, 2)
    newer = f"{SOUTH_NORFOLK}/newer.csv"
    run.until(FILE, lambda m: m["states"].get("told", 0) >= len(FIRST))
    # Of the pilot one has gone, of the last one has gone and another has a new address; two have joined.
    changed = {DORMANT[1]: "somewhere-else@example.org"}
    run.upload(_export([*FIRST[1:], *MANY, *DORMANT[1:], *NEW_ONES], changed), newer)
    migration = _assessed(run, newer)
    assert _moved(run) <= {*FIRST, *MANY}
    _sign(run, migration)
    _check(run, migration, 1, 2, 3)
    migration = run.done(newer)
    assert run.until(FILE, lambda m: m["superseded_by"] == migration["migration"])
    _each_once(run, migration, before, changed)


def _check(run: Run, migration: dict[str, Any], *waves: int) -> None:
    for wave in waves:
        done = run.ops("wave", "check", migration["migration"], str(wave), POINT)
        assert done.returncode == 0, done.stderr


def _each_once(run: Run, newer: dict[str, Any], before: int, changed: Mapping[str, str]) -> None:
    everybody = {*FIRST, *MANY, *DORMANT[1:], *NEW_ONES}
    assert _moved(run) == everybody
    told = Counter(message["email_address"] for message in run.messages()[before:])
    assert told == {changed.get(who, f"{who.lower()}@example.org"): 1 for who in everybody}
    result = {row["source_id"]: row for row in run.result(newer)}
    assert set(result) == everybody - {FIRST[0]}
    assert {result[who]["outcome"] for who in FIRST[1:]} == {"unchanged"}
    assert {result[who]["outcome"] for who in (*DORMANT[1:], *NEW_ONES)} == {"create"}
    assert {row["state"] for row in result.values()} == {"told"}
    older = {row["source_id"]: row for row in run.result(_of(run, FILE))}
    assert (older[FIRST[0]]["state"], older[DORMANT[0]]["state"]) == ("told", "held")
    assert older[DORMANT[0]]["reason"] == "superseded"


def _of(run: Run, file: str) -> dict[str, Any]:
    """The older one, once it has told what the newer left of it."""
    return run.done(file)
