"""One cause, one finding: each fault alone in healthy facts, judged as a whole."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from infra.directory import permissions
from infra.directory.permissions import Stage
from shared.model.account import AddressKey
from shared.model.pseudonyms import Pseudonyms
from shared.model.safeguards.canary import Canary, CanaryStep
from shared.ports.doctor_facts import CallResult, FoundTemplate, KeyTrouble, Presence, ProfileFacts, Right, Sending
from shared.readiness.canary_checks import Known
from shared.readiness.examine import Examination, Found, judge_findings
from shared.readiness.key_checks import NAME as KEY
from shared.readiness.key_checks import NotedKey
from shared.readiness.rules.report import Area, CheckStatus, Code, Purpose, make_report
from tests.unit.readiness.builders import (
    APP,
    NOW,
    PROFILES,
    SOUTH,
    YARMOUTH,
    directory,
    found_in,
    messages,
    profiles,
    service,
    settings,
    storage,
    things,
)

SN_TEMPLATE = PROFILES[SOUTH].messages.templates["set-your-password"]
USER_ADMINISTRATOR = "fe930be7-5e62-47db-91af-98c3a49a38b1"


def healthy(purpose: Purpose = Purpose.WAVE, **changes: Any) -> tuple[Examination, Found]:  # noqa: ANN401
    """All well, but for what is changed."""
    case = Examination(
        purpose, changes.pop("authority", ""), changes.pop("settings", settings()), changes.pop("profiles", profiles())
    )
    told = None if purpose is Purpose.CLOSED else messages()
    found = Found(directory=directory(purpose), messages=told, storage=storage())
    return case, replace(found, **changes)


def findings(purpose: Purpose = Purpose.WAVE, **changes: Any) -> list[Any]:  # noqa: ANN401
    return found_in(judge_findings(*healthy(purpose, **changes), NOW))


@pytest.mark.parametrize("purpose", list(Purpose))
def test_where_all_is_well_nothing_is_found_and_nothing_left_out(purpose: Purpose) -> None:
    checks = judge_findings(*healthy(purpose), NOW)
    assert {check.status for check in checks} == {CheckStatus.OK}


MAY = directory().may
ALL_NO = dict.fromkeys(Right, CallResult.NO)
FAULTS: dict[str, tuple[dict[str, Any], Code, str]] = {
    "setting": ({"settings": settings(PSEUDONYM_KEY="PSEUDONYM_KEY is missing")}, Code.SETTING_WRONG, "PSEUDONYM_KEY"),
    "another key": ({"key": NotedKey("0" * 40)}, Code.PSEUDONYM_KEY_CHANGED, "made with another key"),
    "app id": (
        {"settings": settings(DIRECTORY_EXTENSIONS_APP_ID="DIRECTORY_EXTENSIONS_APP_ID is malformed")},
        Code.SETTING_WRONG,
        "DIRECTORY_EXTENSIONS_APP_ID",
    ),
    "connection": (
        {"settings": settings(MigrationStorage="MigrationStorage is missing"), "storage": None},
        Code.SETTING_WRONG,
        "MigrationStorage",
    ),
    "profile": (
        {
            "profiles": ProfileFacts(
                PROFILES, {"norwich.toml": "norwich.toml: exprt: no such key"}, {"norwich.toml": "export"}
            )
        },
        Code.PROFILE_WRONG,
        "norwich.toml: exprt",
    ),
    "no token": ({"directory": directory(sign_in="HTTP 401", may={})}, Code.DIRECTORY_SIGN_IN, "HTTP 401"),
    "directory away": (
        {"directory": directory(unreachable="HTTP 503", may={})},
        Code.DIRECTORY_UNREACHABLE,
        "HTTP 503",
    ),
    "directory throttles": (
        {
            "directory": directory(
                silent="HTTP 429",
                may={**dict.fromkeys(Right, CallResult.FAILED), Right.READ: CallResult.YES},
                attributes=None,
                quota_trouble="HTTP 429",
            )
        },
        Code.DIRECTORY_UNREACHABLE,
        "HTTP 429",
    ),
    "no reading": (
        {"directory": directory(may=ALL_NO, attributes=None, quota_trouble="HTTP 403")},
        Code.PERMISSION_MISSING,
        "may not read users, create users or change users",
    ),
    "no creating": (
        {"directory": directory(may={**MAY, Right.CREATE: CallResult.NO})},
        Code.PERMISSION_MISSING,
        "may not create users",
    ),
    "may delete": (
        {"directory": directory(may={**MAY, Right.DELETE: CallResult.YES})},
        Code.RIGHT_TOO_MANY,
        "delete users",
    ),
    "may add a way to sign in": (
        {"directory": directory(may={**MAY, Right.IDENTITIES: CallResult.YES})},
        Code.RIGHT_TOO_MANY,
        "change how users sign in",
    ),
    "token says that it may": (
        {"directory": directory(granted=frozenset({"User.ReadWrite.All", "User.ManageIdentities.All"}))},
        Code.RIGHT_TOO_MANY,
        "its token holds User.ManageIdentities.All",
    ),
    "token reads the whole directory": (
        {"directory": directory(granted=frozenset({"User.ReadWrite.All", "Directory.Read.All", "AuditLog.Read.All"}))},
        Code.RIGHT_TOO_MANY,
        "its token holds AuditLog.Read.All, Directory.Read.All",
    ),
    "token says too much": (
        {"directory": directory(granted=frozenset({"User.ReadWrite.All", "RoleManagement.ReadWrite.Directory"}))},
        Code.RIGHT_TOO_MANY,
        "its token holds RoleManagement.ReadWrite.Directory",
    ),
    "token names a role": (
        {"directory": directory(granted=frozenset({"User.ReadWrite.All"}), roles=frozenset({USER_ADMINISTRATOR}))},
        Code.RIGHT_TOO_MANY,
        "a directory role",
    ),
    "attributes of another app": (
        {"directory": directory(attributes={f"extension_{'f' * 32}_SouthNorfolkAccount": "String"})},
        Code.ATTRIBUTE_MISSING,
        "but for the app " + "f" * 32,
    ),
    "quota unseen": ({"directory": directory(quota_trouble="HTTP 403")}, Code.QUOTA_UNSEEN, "HTTP 403"),
    "full at 90 %": ({"directory": directory(used=9_001)}, Code.DIRECTORY_ALMOST_FULL, "9,001 of 10,000"),
    "plans do not fit": ({"creates": 8_901}, Code.DIRECTORY_ALMOST_FULL, "8,901 accounts are to be created"),
    "container": ({"storage": storage(exports=Presence.ABSENT)}, Code.CONTAINER_MISSING, "exports"),
    "two queues": (
        {"storage": storage(stage_rows=Presence.ABSENT, stage_rows_poison=Presence.ABSENT)},
        Code.QUEUE_MISSING,
        "stage-rows, stage-rows-poison",
    ),
    "table": ({"storage": storage(Accounts=Presence.ABSENT)}, Code.TABLE_MISSING, "Accounts"),
    "table refused": (
        {"storage": storage(Rows=Presence.REFUSED, Accounts=Presence.REFUSED, Migrations=Presence.REFUSED)},
        Code.STORAGE_REFUSED,
        "HTTP 403",
    ),
    "a service of it away": ({"storage": storage(Rows=Presence.UNREACHABLE)}, Code.STORAGE_UNREACHABLE, "Rows"),
    "nothing there": (
        {"storage": replace(storage(), things=tuple(replace(t, presence=Presence.ABSENT) for t in things()))},
        Code.STORAGE_EMPTY,
        "none of our",
    ),
    "storage away": (
        {"storage": replace(storage(), things=tuple(replace(t, presence=Presence.UNREACHABLE) for t in things()))},
        Code.STORAGE_UNREACHABLE,
        "does not answer",
    ),
    "clock of the directory": (
        {"directory": directory(ahead=30)},
        Code.CLOCK_OFF,
        "the clock of the directory is 30 s ahead",
    ),
    "our clock": (
        {"directory": directory(ahead=61), "messages": messages(61, trouble=KeyTrouble.CLOCK), "storage": storage(60)},
        Code.CLOCK_OFF,
        "ours is 61 s behind",
    ),
    "a clock that only Notify judges": (
        {"messages": messages(trouble=KeyTrouble.CLOCK)},
        Code.CLOCK_OFF,
        "refuses our tokens",
    ),
    "a token that our clock spoils": (
        {"directory": directory(sign_in="no token (AADSTS700024)", may={}, clock=None), "storage": storage(60)},
        Code.CLOCK_OFF,
        "",
    ),
    "no key": (
        {"messages": messages(trouble=KeyTrouble.ABSENT)},
        Code.MESSAGE_KEY_MISSING,
        "NOTIFY_API_KEY_SOUTH_NORFOLK",
    ),
    "half a key": ({"messages": messages(trouble=KeyTrouble.MALFORMED)}, Code.MESSAGE_KEY_REFUSED, "not whole"),
    "key refused": ({"messages": messages(trouble=KeyTrouble.REFUSED)}, Code.MESSAGE_KEY_REFUSED, "refuses the key"),
    "suspended": (
        {"messages": messages(trouble=KeyTrouble.SUSPENDED)},
        Code.MESSAGE_KEY_REFUSED,
        "archived or suspended",
    ),
    "one council's away": (
        {"messages": messages(trouble=KeyTrouble.UNREACHABLE)},
        Code.MESSAGES_UNREACHABLE,
        "looked at",
    ),
    "message service away": (
        {
            "messages": replace(
                messages(),
                services={name: service(name, trouble=KeyTrouble.UNREACHABLE, templates={}) for name in PROFILES},
            )
        },
        Code.MESSAGES_UNREACHABLE,
        "could not be asked",
    ),
    "another's key": (
        {
            "messages": messages(
                templates=service(YARMOUTH).templates, same_service=frozenset({YARMOUTH}), sending=Sending.UNTRIED
            )
        },
        Code.MESSAGE_KEY_FOREIGN,
        "it is the service of great-yarmouth",
    ),
    "a template is gone": (
        {"messages": messages(templates={SN_TEMPLATE: FoundTemplate("email", ())})},
        Code.TEMPLATE_MISSING,
        "has no template",
    ),
    "a text message": (
        {"messages": messages(templates={**service(SOUTH).templates, SN_TEMPLATE: FoundTemplate("sms", ())})},
        Code.TEMPLATE_UNFIT,
        "a template for sms",
    ),
    "a placeholder": (
        {
            "messages": messages(
                templates={**service(SOUTH).templates, SN_TEMPLATE: FoundTemplate("email", ("First Name", "ref"))}
            )
        },
        Code.TEMPLATE_UNFIT,
        "it has ((ref)), which",
    ),
    "reply-to": ({"messages": messages(sending=Sending.REPLY_TO)}, Code.REPLY_TO_UNKNOWN, "no reply-to address"),
    "trial mode": ({"messages": messages(sending=Sending.RESTRICTED)}, Code.SENDING_REFUSED, "trial mode"),
    "sending refused": (
        {"messages": messages(sending=Sending.REFUSED, sending_detail="HTTP 400 BadRequestError")},
        Code.SENDING_REFUSED,
        "HTTP 400 BadRequestError",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_alone_is_found_once_with_its_mend_and_nothing_else(fault: str) -> None:
    changes, code, says = FAULTS[fault]
    found = findings(**changes)
    assert [check.code for check in found] == [code]
    assert says in found[0].found or says in found[0].name
    assert found[0].mend.endswith(".")
    assert found[0].anchor == f"docs/runbook.md#doctor-{code.replace('_', '-')}"


def test_every_code_is_found_by_some_fault() -> None:
    elsewhere = {
        Code.CERTIFICATE_UNUSABLE,
        Code.CERTIFICATE_EXPIRING,
        Code.ATTRIBUTES_UNSEEN,
        Code.CANARY_DUE,
        Code.MESSAGES_OFF,
        Code.PROFILE_MESSAGES,
    }
    assert {code for _, code, _ in FAULTS.values()} | elsewhere == set(Code)


@pytest.mark.parametrize("purpose", [Purpose.ASSESS, Purpose.CLOSED])
def test_who_may_write_may_too_much_before_approval_and_after_the_end(purpose: Purpose) -> None:
    found = findings(purpose, directory=directory(Purpose.WAVE))
    assert [check.status for check in found] == [CheckStatus.TOO_MUCH]
    assert "create users and change users" in found[0].found


def test_after_the_end_nobody_needs_to_read_and_nobody_is_told() -> None:
    assert findings(Purpose.CLOSED, directory=directory(Purpose.CLOSED, may=ALL_NO)) == []
    areas = {check.area for check in judge_findings(*healthy(Purpose.CLOSED), NOW)}
    assert Area.MESSAGES not in areas


def test_nobody_there_proves_no_right_of_which_the_token_knows_nothing() -> None:
    everything = dict.fromkeys(Right, CallResult.YES)
    plain = frozenset({"0997a1d0-0d1d-4acb-b408-d5ca73121e90"})
    narrow = frozenset({"User.Read.All", "User.Create", "User.ReadUpdate.All"})
    assert findings(directory=directory(may=everything, granted=narrow, roles=plain)) == []
    wide = frozenset({"User.ReadWrite.All"})
    assert findings(directory=directory(may=everything, granted=wide, roles=plain)) == []
    reading = frozenset({"User.Read.All"})
    found = findings(directory=directory(may=everything, granted=reading, roles=plain))
    assert [check.code for check in found] == [Code.PERMISSION_MISSING]
    assert "the token holds User.Read.All" in found[0].found


@pytest.mark.parametrize("stage", list(Stage))
@pytest.mark.parametrize("offered", [(*permissions.NARROW, *permissions.WIDE), permissions.WIDE])
def test_what_the_script_grants_for_a_stage_is_enough_and_not_too_much(stage: Stage, offered: tuple[str, ...]) -> None:
    granted = frozenset(permissions.list_permissions(stage, offered))
    assert findings(Purpose(stage), directory=directory(Purpose(stage), granted=granted)) == []
    more = granted | {"User.ManageIdentities.All"}
    found = findings(Purpose(stage), directory=directory(Purpose(stage), granted=more))
    assert [check.code for check in found] == [Code.RIGHT_TOO_MANY]


@pytest.mark.parametrize(
    ("noted", "says"),
    [
        (NotedKey(Pseudonyms(bytes.fromhex("ab" * 32)).fingerprint()), "were made with this key"),
        (NotedKey(None), "no account was made yet"),
        (NotedKey(None, readable=False), "the tables cannot be read"),
    ],
)
def test_the_key_of_the_accounts_a_key_that_is_the_first_and_one_that_nobody_knows(noted: NotedKey, says: str) -> None:
    [check] = [each for each in judge_findings(*healthy(key=noted), NOW) if each.name == KEY]
    assert not check.finding
    assert says in check.found


def test_a_key_that_is_wrong_in_itself_is_not_compared() -> None:
    wrong = settings(PSEUDONYM_KEY="PSEUDONYM_KEY is missing")
    [check] = [
        each for each in judge_findings(*healthy(settings=wrong, key=NotedKey("0" * 40)), NOW) if each.name == KEY
    ]
    assert check.status is CheckStatus.NOT_CHECKED


def test_attributes_of_which_nobody_tells_are_a_finding() -> None:
    assert [check.code for check in findings(directory=directory(attributes=None))] == [Code.ATTRIBUTES_UNSEEN]


def test_attributes_that_only_a_search_knows_are_taken_for_what_they_should_be() -> None:
    searched = dict.fromkeys(directory().attributes or {}, "")
    assert findings(directory=directory(attributes=searched)) == []
    del searched[f"extension_{APP}_SouthNorfolkAccount"]
    assert "or of another type" in findings(directory=directory(attributes=searched))[0].found


def test_a_profile_that_asks_for_a_canary_wants_a_young_one() -> None:
    asks = PROFILES[SOUTH].model_copy(
        update={"directory": PROFILES[SOUTH].directory.model_copy(update={"canary_within_days": 14})}
    )

    def codes(known: Known) -> list[Code | None]:
        return [check.code for check in findings(profiles=profiles(south_norfolk=asks), canaries={SOUTH: known})]

    assert codes(Known(None)) == [Code.CANARY_DUE]
    assert codes(Known(a_canary(13))) == []
    assert codes(Known(a_canary(15))) == [Code.CANARY_DUE]
    assert codes(Known(None, readable=False)) == []


def a_canary(days: int) -> Canary:
    then = NOW - timedelta(days=days)
    return Canary(SOUTH, 1, "local", AddressKey("key"), then, CanaryStep.END, then, finished_at=then, passed_at=then)


def test_one_template_of_two_would_leave_customers_untold() -> None:
    half = PROFILES[SOUTH].messages.model_copy(update={"templates": {"set-your-password": SN_TEMPLATE}})
    changed = PROFILES[SOUTH].model_copy(update={"messages": half})
    found = findings(profiles=profiles(south_norfolk=changed))
    assert [check.code for check in found] == [Code.PROFILE_MESSAGES]
    assert "none for now-one-account" in found[0].found


def test_a_message_service_that_is_off_matters_before_a_wave_only() -> None:
    off = replace(settings(), settings=settings().settings.model_copy(update={"notify_provider": "none"}))  # type: ignore[union-attr]
    assert [check.code for check in findings(settings=off, messages=None)] == [Code.MESSAGES_OFF]
    assert findings(Purpose.ASSESS, settings=off, messages=None) == []


def test_only_the_named_council_is_looked_at_but_any_wrong_profile_is_told() -> None:
    wrong = ProfileFacts(PROFILES, {"norwich.toml": "norwich.toml: exprt: no such key"})
    checks = judge_findings(*healthy(authority="south-norfolk", profiles=wrong), NOW)
    assert not any("yarmouth" in check.name for check in checks)
    assert [check.code for check in found_in(checks)] == [Code.PROFILE_WRONG]


def test_the_report_is_in_the_order_of_the_areas_and_counts() -> None:
    checks = judge_findings(*healthy(directory=directory(sign_in="HTTP 401", may={})), NOW)
    made = make_report(Purpose.WAVE, "", NOW, "app", checks)
    areas = [check.area for check in made.checks]
    assert areas == sorted(areas, key=list(Area).index)
    assert made.findings == made.counts[CheckStatus.MISSING] == 1
    assert sum(made.counts.values()) == len(checks)


def test_a_common_key_that_is_wrong_for_all_is_one_finding_and_for_one_names_that_councils_own_setting() -> None:
    common = {"setting": "NOTIFY_API_KEY"}
    nobodys = {name: service(name, **common, templates={}, sending=Sending.UNTRIED) for name in PROFILES}
    found = findings(messages=replace(messages(), services=nobodys))
    assert [(check.code, check.name) for check in found] == [(Code.MESSAGE_KEY_FOREIGN, "key of all councils")]
    theirs = {**nobodys, YARMOUTH: service(YARMOUTH, **common)}
    found = findings(messages=replace(messages(), services=theirs))
    assert [check.code for check in found] == [Code.MESSAGE_KEY_FOREIGN]
    assert "into NOTIFY_API_KEY_SOUTH_NORFOLK" in found[0].mend
