"""One request to Graph and its answer, apart from HTTP, so that a batch can carry them too."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from local.standins.graph.errors import make_malformed, wrong_shape


@dataclass(frozen=True, slots=True)
class Call:
    """A request below ``/v1.0`` or ``/beta``. Header names are lower case, query names begin with ``$``."""

    method: str
    segments: tuple[str, ...]
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    root: str
    beta: bool = False
    in_batch: bool = False

    @property
    def path(self) -> str:
        """The path without the version and the query."""
        return "/" + "/".join(self.segments)

    @property
    def select(self) -> tuple[str, ...]:
        """The names in ``$select``. Empty for the default set."""
        return tuple(name for name in (each.strip() for each in self.query.get("$select", "").split(",")) if name)

    @property
    def advanced(self) -> bool:
        """Return True if header and parameter ask for an advanced query."""
        eventual = self.headers.get("consistencylevel", "").lower() == "eventual"
        return eventual and self.query.get("$count", "").lower() == "true"

    def json(self) -> dict[str, Any]:
        """The body, which must be a JSON object."""
        if not self.body:
            raise make_malformed("Empty Payload. JSON content expected.")
        try:
            found = json.loads(self.body)
        except ValueError:
            raise make_malformed("Unable to read JSON request payload.") from None
        if not isinstance(found, dict):
            raise wrong_shape("user")
        return found


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer. Status 0: no answer, and the connection ends. ``page`` is a body that is not JSON."""

    status: int
    body: Mapping[str, Any] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    target: str | None = None
    page: str | None = None

    def under(self, headers: Mapping[str, str]) -> "Reply":
        """Return the same answer with more headers. Its own headers stay."""
        return replace(self, headers={**headers, **self.headers})


def split_address(url: str) -> tuple[tuple[str, ...], dict[str, str]]:
    """Segments and query of a relative address. A raw ``+`` in the query is a space, as in Graph."""
    parts = urlsplit(url)
    segments = tuple(unquote(each) for each in parts.path.split("/") if each)
    pairs = parse_qsl(parts.query, keep_blank_values=True)
    return segments, {name if name.startswith("$") else f"${name}": value for name, value in pairs}
