"""The data storage account: every container, queue and table that the code names."""

from collections.abc import Mapping
from typing import Final

from shared.ports.doctor_facts import Presence, StorageFacts, Thing
from shared.readiness.rules.report import Area, Check, Code, report_missing, report_ok, report_unchecked

KINDS: Final[Mapping[str, tuple[Code, str, str]]] = {
    "container": (Code.CONTAINER_MISSING, "containers", "Storage Blob Data Contributor"),
    "queue": (Code.QUEUE_MISSING, "queues", "Storage Queue Data Contributor"),
    "table": (Code.TABLE_MISSING, "tables", "Storage Table Data Contributor"),
}
"""Kind -> what it is when one is missing, how several are called, and the role that reads and writes them."""
DEPLOY: Final = "`azd provision` makes what is missing and touches nothing else (here: `python3 dev.py host`)"


def check_storage_account(facts: StorageFacts | None, because: str) -> list[Check]:
    """One line for each kind, or one for all where the cause is one."""
    if facts is None:
        return [report_unchecked(Area.STORAGE, several, because) for _, several, _ in KINDS.values()]
    for presence, judge in ((Presence.UNREACHABLE, _nobody_answers), (Presence.ABSENT, _describe_empty)):
        if all(thing.presence is presence for thing in facts.things):
            return [judge(facts.things)]
    return [_check_kind(kind, [thing for thing in facts.things if thing.kind == kind]) for kind in KINDS]


def _nobody_answers(things: tuple[Thing, ...]) -> Check:
    return report_missing(
        Area.STORAGE,
        "storage account",
        Code.STORAGE_UNREACHABLE,
        f"it does not answer ({things[0].detail}), so nothing in it could be looked at",
        "Check the address in MigrationStorage, the network (firewall, private endpoint) and, here, that Azurite runs.",
    )


def _describe_empty(_things: tuple[Thing, ...]) -> Check:
    found = "none of our containers, queues and tables is there"
    mend = f"Check that MigrationStorage means the right account; then {DEPLOY}."
    return report_missing(Area.STORAGE, "storage account", Code.STORAGE_EMPTY, found, mend)


def _check_kind(kind: str, things: list[Thing]) -> Check:
    code, several, role = KINDS[kind]
    absent = _list_names(things, Presence.ABSENT)
    if absent:
        found = f"not there: {', '.join(absent)}"
        return report_missing(Area.STORAGE, several, code, found, f"Make {_name_things(kind, absent)}: {DEPLOY}.")
    refused = [thing for thing in things if thing.presence is Presence.REFUSED]
    if refused:
        found = f"the app may not read {_name_some(refused, things)} ({refused[0].detail})"
        mend = f"Give the app's identity the role {role} on the storage account; it takes some minutes to work."
        return report_missing(Area.STORAGE, several, Code.STORAGE_REFUSED, found, mend)
    away = [thing for thing in things if thing.presence is Presence.UNREACHABLE]
    if away:
        found = f"no answer about {_name_some(away, things)} ({away[0].detail})"
        mend = f"Check that the service of the {several} can be reached from the app, then look again."
        return report_missing(Area.STORAGE, several, Code.STORAGE_UNREACHABLE, found, mend)
    return report_ok(Area.STORAGE, several, f"{len(things)} there and readable: {', '.join(t.name for t in things)}")


def _list_names(things: list[Thing], presence: Presence) -> list[str]:
    return [thing.name for thing in things if thing.presence is presence]


def _name_things(kind: str, names: list[str]) -> str:
    return f"the {kind} {names[0]}" if len(names) == 1 else f"the {kind}s {', '.join(names)}"


def _name_some(some: list[Thing], things: list[Thing]) -> str:
    return "any of them" if len(some) == len(things) else ", ".join(thing.name for thing in some)
