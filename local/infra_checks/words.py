"""Words that must not be there: keys handed out, connection strings with keys, settings that the plan refuses."""

import re
from collections.abc import Iterator, Mapping
from typing import Final

from tree_sitter import Node

from local.infra_checks.findings import Finding
from local.infra_checks.parsing import walk_nodes
from local.infra_checks.template import Template, get_text, read_literal, unquote_key

RULE: Final = "words"
HANDS_OUT: Final = re.compile(r"^list([A-Z]\w*)?$")
IN_TEXT: Final[Mapping[str, re.Pattern[str]]] = {
    "a key of a storage account": re.compile(r"AccountKey\s*=|DefaultEndpointsProtocol\s*=", re.IGNORECASE),
    "a shared access key or signature": re.compile(r"SharedAccess(Key|Signature)|[?&]sig=", re.IGNORECASE),
    "a function that hands out keys": re.compile(
        r"\blist(Keys|AccountSas|ServiceSas|Secrets|Credentials)\b", re.IGNORECASE
    ),
}
REFUSED: Final = re.compile(
    r"FUNCTIONS_EXTENSION_VERSION|FUNCTIONS_WORKER_RUNTIME(_VERSION)?|FUNCTIONS_WORKER_PROCESS_COUNT"
    r"|FUNCTIONS_WORKER_DYNAMIC_CONCURRENCY_ENABLED|FUNCTIONS_MAX_HTTP_CONCURRENCY|WEBSITE_RUN_FROM_PACKAGE"
    r"|WEBSITE_CONTENT\w*|SCM_DO_BUILD_DURING_DEPLOYMENT|ENABLE_ORYX_BUILD"
    r"|WEBSITE_MAX_DYNAMIC_APPLICATION_SCALE_OUT|WEBSITE_TIME_ZONE|TZ|WEBSITE_NODE_DEFAULT_VERSION",
    re.IGNORECASE,
)
"""Flex Consumption refuses these settings, or ignores them."""
REFUSED_PROPERTIES: Final = frozenset({"linuxFxVersion", "windowsFxVersion", "functionAppScaleLimit", "alwaysOn"})
RUNTIME_TELEMETRY: Final = re.compile(r"PYTHON_APPLICATIONINSIGHTS_ENABLE_TELEMETRY", re.IGNORECASE)
"""The Functions runtime would set telemetry up itself, and trace URLs that hold addresses."""
OWN_TELEMETRY: Final = "take it away: the app refuses to start with it; it sets telemetry up itself (shared/telemetry)"
FLEX: Final = "take it away: Flex Consumption refuses it; the like stands in functionAppConfig of the site"
BY_IDENTITY: Final = "take it away: everything here goes by identity and role, and no key is handed out"


def check_words(template: Template) -> Iterator[Finding]:
    """One file. Comments and descriptions may say anything."""
    for node in walk_nodes(template.source.root):
        found = _find_wrong(node)
        if found is not None and not _in_decorator(node):
            yield template.source.finding(node, RULE, *found)


def _find_wrong(node: Node) -> tuple[str, str] | None:
    match node.type:
        case "call_expression":
            return _check_call(node)
        case "object_property":
            return _check_entry(node)
        case "string":
            return _check_text(node)
    return None


def _check_call(node: Node) -> tuple[str, str] | None:
    name = get_text(node.named_children[0]).rpartition(".")[2]
    return (f"`{name}` hands out keys", BY_IDENTITY) if HANDS_OUT.match(name) else None


def _check_entry(node: Node) -> tuple[str, str] | None:
    key = unquote_key(node.named_children[0]) if node.named_children else ""
    if key in REFUSED_PROPERTIES:
        return f"`{key}` is set", FLEX
    mend = find_refused(key)
    return None if mend is None else (f"`{key}` is set", mend)


def find_refused(setting: str) -> str | None:
    """Return what to do about a forbidden app setting. None if it is allowed."""
    if RUNTIME_TELEMETRY.fullmatch(setting):
        return OWN_TELEMETRY
    return FLEX if REFUSED.fullmatch(setting) else None


def _check_text(node: Node) -> tuple[str, str] | None:
    whole = get_text(node)
    mend = find_refused(read_literal(node) or "")
    if mend is not None:
        return f"`{read_literal(node)}` is named", mend
    for what, pattern in IN_TEXT.items():
        if pattern.search(whole):
            return f"the text holds {what}", BY_IDENTITY
    return None


def _in_decorator(node: Node) -> bool:
    above = node.parent
    while above is not None and above.type != "decorator":
        above = above.parent
    return above is not None
