"""A page for people: who is in the directory, newest first, and where each came from."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlencode

from aiohttp import web
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from local.standins.graph.control import DIRECTORY
from local.standins.graph.properties import is_extension
from local.standins.graph.rules import Rules
from local.standins.graph.state import Directory
from local.standins.graph.store import Entry

PAGE: Final = 50
TEMPLATES: Final = Environment(
    loader=FileSystemLoader(Path(__file__).parent),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
SIGN_IN_WORDS: Final = {"emailaddress": "e-mail", "username": "user name", "userprincipalname": "automatic"}


@dataclass(frozen=True, slots=True)
class SignIn:
    """One identity in words."""

    kind: str
    issuer: str
    name: str


@dataclass(frozen=True, slots=True)
class Row:
    """One user as the page shows it."""

    id: str
    name: str
    sign_ins: tuple[SignIn, ...]
    created: str
    enabled: bool
    marks: tuple[tuple[str, str], ...]
    must_reset: bool
    number: int

    def mentions(self, text: str) -> bool:
        """Return True if a search finds this user."""
        words = [
            self.id,
            self.name,
            *(each.name for each in self.sign_ins),
            *(value for _, value in self.marks),
        ]
        return any(text in word.casefold() for word in words)


async def show_page(request: web.Request) -> web.Response:
    """``GET /?q=…&page=…``."""
    directory = request.app[DIRECTORY]
    text = request.query.get("q", "").strip()
    asked = request.query.get("page", "1")
    return web.Response(
        text=render_page(directory, text, int(asked) if asked.isdigit() else 1), content_type="text/html"
    )


def render_page(directory: Directory, text: str, page: int) -> str:
    """The page as HTML. Every value is escaped."""
    rows = rows_of(directory, text)
    last = max(1, -(-len(rows) // PAGE))
    page = min(max(page, 1), last)
    return TEMPLATES.get_template("page.html").render(
        tenant=directory.rules.tenant,
        query=text,
        rows=rows[(page - 1) * PAGE : page * PAGE],
        found=len(rows),
        page=page,
        last=last,
        newer=_make_link(text, page - 1) if page > 1 else "",
        older=_make_link(text, page + 1) if page < last else "",
    )


def rows_of(directory: Directory, text: str) -> list[Row]:
    """Living users that the search means, newest first."""
    rows = (_make_row(entry, directory.rules) for entry in directory.store if not entry.deleted)
    found = (row for row in rows if row.mentions(text.casefold()))
    return sorted(found, key=lambda row: (row.created, row.number), reverse=True)


def _make_link(text: str, page: int) -> str:
    return "/?" + urlencode({"q": text, "page": page})


def _make_row(entry: Entry, rules: Rules) -> Row:
    user, prefix = entry.properties, rules.extension_name("")
    flag = rules.extension_name(rules.must_reset_extension)
    marks = {name: value for name, value in user.items() if is_extension(name) and name != flag}
    return Row(
        id=entry.id,
        name=str(user.get("displayName") or ""),
        sign_ins=tuple(
            SignIn(_describe_kind(each["signInType"]), each["issuer"], each["issuerAssignedId"])
            for each in user.get("identities") or ()
            if each["signInType"].lower() != "userprincipalname"
        ),
        created=str(user.get("createdDateTime") or ""),
        enabled=user.get("accountEnabled") is True,
        marks=tuple((name.removeprefix(prefix), str(value)) for name, value in sorted(marks.items())),
        must_reset=entry.force_change or user.get(flag) is True,
        number=entry.number,
    )


def _describe_kind(kind: str) -> str:
    return SIGN_IN_WORDS.get(kind.lower(), kind)
