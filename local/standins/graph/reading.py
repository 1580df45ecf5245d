"""GET of users: one, many by page and filter, the deleted ones, and the questions that B2C refuses."""

import base64
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any
from urllib.parse import quote

from local.standins.graph.calls import Call, Reply
from local.standins.graph.errors import GraphError, make_malformed, not_found, unsupported_query
from local.standins.graph.filter_checks import check_extensions, check_filter
from local.standins.graph.filter_syntax import Properties, parse_filter
from local.standins.graph.filters import find_equality, matches_filter
from local.standins.graph.permissions import need_extensions_list, need_organization, need_read
from local.standins.graph.properties import DEFAULT_SET, PROPERTIES, Kind, is_extension
from local.standins.graph.state import Directory

DEFAULT_TOP = 100
NO_COUNT = "$count is not currently supported."
SEARCH = (
    "Request with $search query parameter only works through MSGraph with a special request header: "
    "'ConsistencyLevel: eventual'"
)
PREMIUM = "Neither tenant is B2C or tenant doesn't have premium license"


def get_one(directory: Directory, call: Call) -> Reply:
    """``GET /users/{id}``, by object id or userPrincipalName."""
    need_read(directory.rules)
    check_select(call.select)
    entry = directory.direct(call.segments[1])
    if entry is None:
        raise not_found(call.segments[1])
    return Reply(200, make_entity(entry.properties, call), target=entry.id)


def get_many(directory: Directory, call: Call) -> Reply:
    """``GET /users``: a page of those the filter means, as far as lists show them yet."""
    need_read(directory.rules)
    _check_options(directory, call)
    return Reply(200, _make_page(directory, call, _find_users(directory, call)))


def get_deleted_many(directory: Directory, call: Call) -> Reply:
    """``GET /directory/deletedItems/microsoft.graph.user``."""
    need_read(directory.rules)
    _check_options(directory, call)
    if "$filter" in call.query:
        raise unsupported_query("This stand-in does not filter deleted users.")
    found = ((entry.number, entry.properties) for entry in directory.store if entry.deleted)
    return Reply(200, _make_page(directory, call, found))


def get_deleted_one(directory: Directory, call: Call) -> Reply:
    """``GET /directory/deletedItems/{id}``."""
    need_read(directory.rules)
    check_select(call.select)
    entry = directory.store.get(call.segments[2])
    if entry is None or not entry.deleted:
        raise not_found(call.segments[2])
    return Reply(200, make_entity(entry.properties, call), target=entry.id)


def refuse_count(_directory: Directory, _call: Call) -> Reply:
    """``GET /users/$count``: an advanced query."""
    raise unsupported_query(NO_COUNT)


def refuse_delta(_directory: Directory, _call: Call) -> Reply:
    """``GET /users/delta``: not for a B2C tenant."""
    raise unsupported_query("Change enumeration is not supported for requested tenant.")


def get_organization(directory: Directory, call: Call) -> Reply:
    """``GET /beta/organization``: what is left of the object quota. v1.0 does not know the property."""
    need_organization(directory.rules)
    if not call.beta and "directorySizeQuota" in call.select:
        raise _unknown_selected("directorySizeQuota", "microsoft.graph.organization")
    tenant: dict[str, Any] = {"id": TENANT_ID}
    if call.beta:
        tenant["directorySizeQuota"] = {
            "used": int(directory.objects()),
            "total": directory.rules.object_limit,
        }
    return Reply(200, {"@odata.context": f"{call.root}/$metadata#organization", "value": [tenant]})


def get_available_extensions(directory: Directory, call: Call) -> Reply:
    """``POST /directoryObjects/getAvailableExtensionProperties``: all registered, ready or not."""
    need_extensions_list(directory.rules)
    value = [
        {
            "@odata.type": "#microsoft.graph.extensionProperty",
            "appDisplayName": "b2c-extensions-app. Do not modify. Used by AADB2C for storing user data.",
            "dataType": kind,
            "isMultiValued": False,
            "isSyncedFromOnPremises": False,
            "name": name,
            "targetObjects": ["User"],
        }
        for name, kind in directory.rules.extension_types().items()
    ]
    return Reply(200, {"@odata.context": f"{call.root}/$metadata#Collection(extensionProperty)", "value": value})


TENANT_ID = "11111111-2222-4333-8444-555555555555"


# What is asked


def _check_options(directory: Directory, call: Call) -> None:
    check_select(call.select)
    advanced = directory.rules.advanced_queries_accepted
    if "$search" in call.query:
        raise unsupported_query(SEARCH)
    if call.advanced and not advanced:
        raise unsupported_query(NO_COUNT)
    for name in ("$skip", "$orderby", "$expand"):
        if name in call.query:
            raise unsupported_query(f"'{name}' is not supported by the service.")


def check_select(names: Iterable[str]) -> None:
    """Refuse properties that a user does not have. An unknown extension is simply absent."""
    for name in names:
        if name == "signInActivity":
            raise GraphError(403, "Authentication_RequestFromNonPremiumTenantOrB2CTenant", PREMIUM)
        if name not in PROPERTIES and not is_extension(name):
            raise _unknown_selected(name, "microsoft.graph.user")


def _unknown_selected(name: str, kind: str) -> GraphError:
    return make_malformed(
        f"Parsing OData Select and Expand failed: Could not find a property named '{name}' on type '{kind}'."
    )


def _find_users(directory: Directory, call: Call) -> Iterator[tuple[int, Properties]]:
    text = call.query.get("$filter")
    if text is None:
        return directory.visible()
    node = parse_filter(text)
    advanced = call.advanced and directory.rules.advanced_queries_accepted
    check_filter(node, directory.rules, advanced=advanced)
    check_extensions(node, directory.rules)
    wanted = find_equality(node)
    entries = None
    if wanted:
        found = {entry.id: entry for entry in directory.store.candidates(*wanted)}
        entries = sorted(found.values(), key=lambda entry: entry.number)
    meant = directory.visible(entries)
    return ((number, user) for number, user in meant if matches_filter(node, user, directory.rules))


def _read_top(directory: Directory, call: Call) -> int:
    text = call.query.get("$top")
    if text is None:
        return DEFAULT_TOP
    if not text.isdigit() or not 0 < int(text) <= directory.rules.top_maximum:
        raise unsupported_query(
            f"The limit of '{directory.rules.top_maximum}' for Top query has been exceeded or is not valid. "
            f"The value from the incoming request is '{text}'."
        )
    return int(text)


# What is answered


def _make_page(directory: Directory, call: Call, found: Iterator[tuple[int, Properties]]) -> Mapping[str, Any]:
    top, after = _read_top(directory, call), _read_skip_token(call)
    rest = ((number, user) for number, user in found if number > after)
    directory.pages += 1
    every = directory.rules.empty_page_every
    if every and directory.pages % every == 0:
        return _make_collection(call, (), after)
    page = list(islice(rest, top + 1))
    more = page[top - 1][0] if len(page) > top else None
    return _make_collection(call, [user for _, user in page[:top]], more)


def _make_collection(call: Call, users: Sequence[Properties], after: int | None) -> Mapping[str, Any]:
    names = f"({','.join(call.select)})" if call.select else ""
    body: dict[str, Any] = {"@odata.context": f"{call.root}/$metadata#users{names}"}
    if after is not None:
        body["@odata.nextLink"] = _next_link(call, after)
    body["value"] = [select_properties(user, call.select) for user in users]
    return body


def _next_link(call: Call, after: int) -> str:
    token = base64.urlsafe_b64encode(f"after {after}".encode()).decode().rstrip("=")
    query = {**call.query, "$skiptoken": token}
    pairs = "&".join(f"{name}={quote(value, safe=',')}" for name, value in query.items())
    return f"{call.root}{call.path}?{pairs}"


def _read_skip_token(call: Call) -> int:
    token = call.query.get("$skiptoken")
    if token is None:
        return 0
    try:
        word, number = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode().split()
        if word == "after":
            return int(number)
    except ValueError:
        pass
    raise make_malformed("The specified skip token is not valid.")


def select_properties(user: Properties, select: Sequence[str], extra: Sequence[str] = ()) -> dict[str, Any]:
    """The selected properties, or the default set. A password is never among them."""
    names = select or (*DEFAULT_SET, *extra)
    shown = (name for name in names if name in user or not is_extension(name))
    return {name: user[name] if name in user else _make_absent(name) for name in shown}


def _make_absent(name: str) -> list[Any] | None:
    return [] if PROPERTIES[name].kind is Kind.STRINGS or name == "identities" else None


def make_entity(user: Properties, call: Call, extra: Sequence[str] = ()) -> Mapping[str, Any]:
    """One user as an answer of its own."""
    names = f"({','.join(call.select)})" if call.select else ""
    context = f"{call.root}/$metadata#users{names}/$entity"
    return {"@odata.context": context, **select_properties(user, call.select, extra)}
