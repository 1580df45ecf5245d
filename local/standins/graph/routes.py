"""The handler for each address, in both spellings where the SDK and the pages differ."""

from collections.abc import Callable, Mapping
from typing import Final

from local.standins.graph import others, reading, writing
from local.standins.graph.calls import Call, Reply
from local.standins.graph.errors import method_refused, no_segment
from local.standins.graph.state import Directory

type Handler = Callable[[Directory, Call], Reply]
type Handlers = Mapping[str, Handler]

USERS: Final[Handlers] = {"GET": reading.get_many, "POST": writing.create_user}
USER: Final[Handlers] = {"GET": reading.get_one, "PATCH": writing.change_user, "DELETE": writing.delete_user}
COUNT: Final[Handlers] = {"GET": reading.refuse_count}
DELTA: Final[Handlers] = {"GET": reading.refuse_delta}
DELETED_USERS: Final[Handlers] = {"GET": reading.get_deleted_many}
DELETED_USER: Final[Handlers] = {"GET": reading.get_deleted_one, "DELETE": writing.purge_user}
RESTORE: Final[Handlers] = {"POST": writing.restore_user}
OTHERS: Final[Mapping[tuple[str, ...], Handler]] = {
    ("POST", "groups"): others.create_group,
    ("POST", "applications"): others.create_application,
}
"""Nothing else is known here about groups and applications."""
EXTENSIONS: Final[Handlers] = {"POST": reading.get_available_extensions}
ORGANIZATION: Final[Handlers] = {"GET": reading.get_organization}


def find_handler(call: Call) -> Handler:
    """Return the handler of the call. Raise Graph's 400 for an unknown address and 405 for a wrong method."""
    if (call.method, *call.segments) in OTHERS:
        return OTHERS[call.method, *call.segments]
    handlers = _list_handlers(call.segments)
    if call.method not in handlers:
        raise method_refused()
    return handlers[call.method]


def _list_handlers(segments: tuple[str, ...]) -> Handlers:
    match segments:
        case ("users",):
            return USERS
        case ("users", "$count"):
            return COUNT
        case ("users", "delta" | "delta()" | "microsoft.graph.delta" | "microsoft.graph.delta()"):
            return DELTA
        case ("users", _):
            return USER
        case ("directory", "deletedItems", "graph.user" | "microsoft.graph.user"):
            return DELETED_USERS
        case ("directory", "deletedItems", _):
            return DELETED_USER
        case ("directory", "deletedItems", _, "restore" | "microsoft.graph.restore"):
            return RESTORE
        case ("directoryObjects", "getAvailableExtensionProperties"):
            return EXTENSIONS
        case ("organization",):
            return ORGANIZATION
    raise no_segment(segments[-1] if segments else "")
