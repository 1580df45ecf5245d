"""Containers, queues, tables: what the code names is declared, and nothing else. Uploads reach the right queue."""

import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Final

from local.infra_checks.code import Code
from local.infra_checks.deployment import Deployed
from local.infra_checks.findings import Finding
from local.infra_checks.template import Template
from local.infra_checks.values import Value, get_value, is_known

RULE: Final = "names"
FILE: Final = Path(__file__).parent / "allowed/containers.toml"
LIST: Final = "local/infra_checks/allowed/containers.toml"
SERVICES: Final[Mapping[str, str]] = {
    "container": "microsoft.storage/storageaccounts/blobservices/containers",
    "queue": "microsoft.storage/storageaccounts/queueservices/queues",
    "table": "microsoft.storage/storageaccounts/tableservices/tables",
}
EVENTS: Final = "microsoft.eventgrid/systemtopics/eventsubscriptions"
LIFECYCLE: Final = "microsoft.storage/storageaccounts/managementpolicies"
NAMES_FILE: Final = "shared/names.py"
TAGS_FILE: Final = "shared/adapters/storage/blob_reports.py"


@cache
def more_containers() -> Mapping[str, str]:
    """Containers that the code does not name, with the reason for each."""
    found: dict[str, str] = tomllib.loads(FILE.read_text(encoding="utf-8"))["containers"]
    return found


def check_names(deployed: Sequence[Deployed], code: Code) -> Iterator[Finding]:
    """Both directions, for each of the three services."""
    wanted = {"container": code.containers, "queue": (*code.queues, *code.poison), "table": code.tables}
    for kind, names in wanted.items():
        yield from _check_service(kind, names, deployed, code)
    yield from _check_bindings(deployed, code)
    yield from _check_events(deployed, code)
    yield from _check_lifecycle(deployed)
    yield from _kept_for_ever(deployed, code)
    yield from _check_personal(deployed, code)


def _list_deployed(kind: str, deployed: Iterable[Deployed]) -> list[Deployed]:
    return [each for each in deployed if each.type.lower() == SERVICES[kind]]


def _check_service(kind: str, wanted: Iterable[str], deployed: Sequence[Deployed], code: Code) -> Iterator[Finding]:
    found = _list_deployed(kind, deployed)
    declared = {get_last_name(each) for each in found if not each.existing and each.certain}
    allowed = {*wanted, *(more_containers() if kind == "container" else ())}
    for name in wanted:
        if name not in declared:
            wrong = f"the {kind} `{name}` is named in the code and not declared in infra"
            yield Finding(
                NAMES_FILE,
                code.line_of(name),
                RULE,
                wrong,
                "declare it in Bicep beside the others, without a condition",
            )
    for each in found:
        yield from _check_unnamed(kind, each, allowed, declared)


def _check_unnamed(kind: str, each: Deployed, allowed: set[str], declared: set[str]) -> Iterator[Finding]:
    name = get_last_name(each)
    if not is_known(name):
        yield each.finding(
            RULE, f"the name of the {kind} `{each.symbol}` cannot be read: {name}", "write it as a literal"
        )
    elif name not in allowed and not each.existing:
        more = f", or give a reason in {LIST}" if kind == "container" else ""
        yield each.finding(
            RULE, f"the code names no {kind} `{name}`", f"take it away, or name it in {NAMES_FILE}{more}"
        )
    elif each.existing and name not in declared:
        yield each.finding(RULE, f"the {kind} `{name}` is looked up and nobody declares it", "mend the name")


def get_last_name(each: Deployed) -> str:
    """A resource's own name: the last part of `account/default/name`."""
    return each.name.rpartition("/")[2]


def _check_bindings(deployed: Sequence[Deployed], code: Code) -> Iterator[Finding]:
    """Queues that a function is bound to, should names.py not list them."""
    declared = {get_last_name(each) for each in _list_deployed("queue", deployed) if not each.existing}
    for binding in code.bindings:
        queue = binding.get("queueName")
        if isinstance(queue, str) and "%" not in queue and queue not in {*declared, *code.queues}:
            wrong = f"function {binding['function']} is bound to the queue `{queue}`, which infra does not declare"
            yield Finding(NAMES_FILE, 1, RULE, wrong, "name it in QUEUES of shared/names.py, and declare it in Bicep")


def _check_events(deployed: Sequence[Deployed], code: Code) -> Iterator[Finding]:
    """Check that uploads, and only uploads, cause events for `receive-export`."""
    subscriptions = [each for each in deployed if each.type.lower() == EVENTS and _of_uploads(each)]
    if not any(each.certain for each in subscriptions):
        wrong = f"nothing tells `{code.receive_export}` of uploads"
        yield Finding("infra/main.bicep", 1, RULE, wrong, "declare an Event Grid subscription for BlobCreated")
    for each in subscriptions:
        yield from _check_subscription(
            each, code, {get_last_name(one) for one in _list_deployed("container", deployed) if not one.existing}
        )


def _list_rules(each: Deployed) -> list[Value]:
    rules = (
        get_value(dict(each.properties), "properties", "policy", "rules") if each.type.lower() == LIFECYCLE else None
    )
    return rules if isinstance(rules, list) else []


def _check_lifecycle(deployed: Sequence[Deployed]) -> Iterator[Finding]:
    """A rule that deletes after a time is for a container that there is."""
    containers = {get_last_name(each) for each in _list_deployed("container", deployed) if not each.existing}
    for each in deployed:
        for rule in _list_rules(each):
            prefixes = get_value(rule, "definition", "filters", "prefixMatch")
            for prefix in prefixes if isinstance(prefixes, list) else ():
                container = str(prefix).partition("/")[0]
                if is_known(container) and container not in containers:
                    wrong = (
                        f"rule `{get_value(rule, 'name')}` is for the container `{container}`, which nobody declares"
                    )
                    yield each.finding(RULE, wrong, "mend the prefix: container, then the beginning of the path")


def _check_personal(deployed: Sequence[Deployed], code: Code) -> Iterator[Finding]:
    """Reports that list people are known to retention by the tag that the app sets, and by no other."""
    wanted = [{"name": code.personal, "op": "==", "value": "true"}]
    there = False
    for each in deployed:
        for rule in _list_rules(each):
            filters, tags = (
                get_value(rule, "definition", "filters"),
                get_value(rule, "definition", "filters", "blobIndexMatch"),
            )
            there = there or (
                tags == wanted and get_value(filters, "prefixMatch") == [f"{code.reports}/"] and _is_deleting(rule)
            )
            if tags is not None and tags != wanted:
                wrong = f"rule `{get_value(rule, 'name')}` asks for the tag {tags}"
                yield each.finding(RULE, wrong, f"the app sets {code.personal} = true ({TAGS_FILE}): ask for that")
    if not there:
        wrong = f"no rule deletes the reports that list people, which carry the tag `{code.personal}`"
        mend = f"let an enabled rule for {code.reports}/ with that blobIndexMatch delete them"
        yield Finding("infra/main.bicep", 1, RULE, wrong, mend)


def _kept_for_ever(deployed: Sequence[Deployed], code: Code) -> Iterator[Finding]:
    """Check that all blobs of the app are deleted in time, because they are about people or are copies."""
    deleting = [rule for each in deployed for rule in _list_rules(each) if _is_deleting(rule)]
    filters = [get_value(rule, "definition", "filters") for rule in deleting]
    whole = [str(get_value(each, "prefixMatch")) for each in filters if get_value(each, "blobIndexMatch") is None]
    declared = {get_last_name(each) for each in _list_deployed("container", deployed) if not each.existing}
    for container in code.containers:
        if container in declared and str([f"{container}/"]) not in whole:
            wrong = f"no rule deletes what is in `{container}`"
            yield Finding(
                "infra/main.bicep", 1, RULE, wrong, f"let an enabled rule for {container}/ delete after a time"
            )


def _is_deleting(rule: Value) -> bool:
    after = get_value(rule, "definition", "actions", "baseBlob", "delete")
    return (
        get_value(rule, "enabled") is True
        and isinstance(after, dict)
        and any(days is not None for days in after.values())
    )


def _of_uploads(each: Deployed) -> bool:
    """Return True if a subscription is about blobs, or delivers to a queue.

    Others report a certificate that expires.
    """
    properties = str(get_value(dict(each.properties), "properties"))
    return not each.existing and ("Microsoft.Storage.Blob" in properties or "'StorageQueue'" in properties)


def _check_subscription(each: Deployed, code: Code, containers: set[str]) -> Iterator[Finding]:
    properties = get_value(dict(each.properties), "properties")
    queue = _find_either(
        properties, "deliveryWithResourceIdentity.destination", "destination", then="properties.queueName"
    )
    prefix = f"/blobServices/default/containers/{code.exports}/"
    begins = get_value(properties, "filter", "subjectBeginsWith")
    events = get_value(properties, "filter", "includedEventTypes")
    dead = "deadLetterWithResourceIdentity.deadLetterDestination"
    letters = _find_either(properties, dead, "deadLetterDestination", then="properties.blobContainerName")
    if queue != code.receive_export:
        yield each.finding(RULE, f"uploads are told to `{queue}`", f"deliver to the queue `{code.receive_export}`")
    if begins not in {prefix, f"{prefix}blobs/"}:
        wrong = f"the subscription listens to `{begins}`"
        yield each.finding(RULE, wrong, f"let subjectBeginsWith be {prefix}blobs/")
    if events != ["Microsoft.Storage.BlobCreated"]:
        yield each.finding(RULE, f"the subscription asks for {events}", "ask for Microsoft.Storage.BlobCreated only")
    if letters not in containers:
        wrong = f"dead letters go to the container `{letters}`, which nobody declares"
        yield each.finding(RULE, wrong, "declare it, and send them there")


def _find_either(value: Value, *paths: str, then: str) -> Value:
    for path in paths:
        found = get_value(value, *path.split("."), *then.split("."))
        if found is not None:
            return found
    return None


def check_authorities(main: Template, value: Value, code: Code) -> Iterator[Finding]:
    """The parameter `authorities` of main.bicep names the councils that have a profile."""
    declared = main.names.get("authorities")
    if declared is None:
        wrong = "main.bicep has no parameter `authorities`"
        yield Finding(main.source.shown, 1, RULE, wrong, "declare it, with the folder's profiles as its default")
    elif not isinstance(value, list) or sorted(map(str, value)) != sorted(code.authorities):
        wrong = f"`authorities` is {value}, and there are profiles for {list(code.authorities)}"
        yield main.source.finding(declared.node, RULE, wrong, "name every file of authorities/ and nothing else")
