"""Read the answers of Graph, only as far as the app needs them.

The SDK's models have some two thousand kinds of object, and check all of them for every user. That takes more time than
all other work on an account. Requests, authentication and errors still use the SDK. Only users and pages of users are
read here, with the few properties that the app asks for.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, cast

from shared.model.directory_user import Identity

if TYPE_CHECKING:
    from kiota_abstractions.serialization import Parsable, ParsableFactory, ParseNode, ParseNodeFactory

PLAIN: Final = frozenset(
    {
        "id",
        "displayName",
        "givenName",
        "surname",
        "identities",
        "otherMails",
        "accountEnabled",
        "createdDateTime",
        "lastPasswordChangeDateTime",
    }
)
"""The properties that have a field of their own. The others, such as our attributes, are kept by name."""


@dataclass(frozen=True, slots=True)
class ReadUser:
    """A user as Graph answers. A property that was not requested, or is null, is empty."""

    id: str = ""
    display_name: str = ""
    given_name: str = ""
    surname: str = ""
    identities: tuple[Identity, ...] = ()
    other_mails: tuple[str, ...] = ()
    account_enabled: bool = True
    created: datetime | None = None
    password_changed: datetime | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)
    """Texts stay texts: a customer reference that looks like a GUID or a date is never written another way."""


@dataclass(frozen=True, slots=True)
class ReadPage:
    """A page of users. `value` is None if the answer holds no list."""

    value: tuple[ReadUser, ...] | None
    next_link: str | None


def read_user(answer: Any) -> ReadUser:  # noqa: ANN401 - JSON
    """A user.

    Raises:
        ValueError: the answer is no user.
    """
    if not isinstance(answer, dict):
        raise ValueError("not a user")  # noqa: TRY004 - what is no answer is told as a broken one
    return ReadUser(
        id=_read_text(answer, "id"),
        display_name=_read_text(answer, "displayName"),
        given_name=_read_text(answer, "givenName"),
        surname=_read_text(answer, "surname"),
        identities=tuple(
            Identity(_read_text(each, "signInType"), _read_text(each, "issuer"), _read_text(each, "issuerAssignedId"))
            for each in answer.get("identities") or ()
            if isinstance(each, dict)
        ),
        other_mails=tuple(answer.get("otherMails") or ()),
        account_enabled=answer.get("accountEnabled") is not False,
        created=_read_time(answer, "createdDateTime"),
        password_changed=_read_time(answer, "lastPasswordChangeDateTime"),
        extra={name: value for name, value in answer.items() if name not in PLAIN},
    )


def read_page(answer: Any) -> ReadPage:  # noqa: ANN401 - JSON
    """A page of users.

    Raises:
        ValueError: the answer is no page.
    """
    if not isinstance(answer, dict):
        raise ValueError("not a page")  # noqa: TRY004 - the same
    value = answer.get("value")
    users = tuple(read_user(each) for each in value) if isinstance(value, list) else None
    return ReadPage(users, answer.get("@odata.nextLink"))


def _read_text(answer: Mapping[str, Any], name: str) -> str:
    value = answer.get(name)
    return value if isinstance(value, str) else ""


def _read_time(answer: Mapping[str, Any], name: str) -> datetime | None:
    value = answer.get(name)
    return datetime.fromisoformat(value) if isinstance(value, str) else None


READS: Final = {"User": read_user, "UserCollectionResponse": read_page}
"""Name of the SDK's model -> how we read it."""


def parse_nodes() -> "ParseNodeFactory":
    """The SDK's way to read JSON, but for users."""
    from kiota_serialization_json.json_parse_node import JsonParseNode  # noqa: PLC0415 - slow to import
    from kiota_serialization_json.json_parse_node_factory import JsonParseNodeFactory  # noqa: PLC0415

    class Node(JsonParseNode):
        def get_object_value[P: "Parsable"](self, factory: "ParsableFactory[P]") -> P:
            read = READS.get(getattr(factory, "__name__", ""))
            return cast("P", read(self._json_node)) if read else super().get_object_value(factory)

        def _create_new_node(self, node: Any) -> "Node":  # noqa: ANN401 - JSON
            return Node(node)

    class Factory(JsonParseNodeFactory):
        def get_root_parse_node(self, content_type: str, content: bytes) -> "ParseNode":  # noqa: ARG002 - or it fails
            return Node(json.loads(content))

    return Factory()
