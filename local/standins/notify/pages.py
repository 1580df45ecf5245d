"""The outbox for people: what was accepted, newest first, and each message as its reader would see it."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

from aiohttp import web
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from local.standins.notify import rendering
from local.standins.notify.outbox import Message, Search
from local.standins.notify.services import Service
from local.standins.notify.state import NOTIFY, Notify

PAGE_SIZE: Final = 50
_FOLDER: Final = Path(__file__).parent / "pages"
_PAGES: Final = Environment(loader=FileSystemLoader(_FOLDER), autoescape=True, undefined=StrictUndefined)
_HEADERS: Final = {
    # Bodies hold what strangers wrote into a name field: the browser runs and loads nothing.
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'",
    "Referrer-Policy": "no-referrer",
}

routes = web.RouteTableDef()


@routes.get("/")
async def show_outbox(request: web.Request) -> web.Response:
    """The list, newest first, 50 to a page; `q` searches addresses, subjects, references and bodies."""
    notify = request.app[NOTIFY]
    words = request.query.get("q", "").strip()
    search = Search(words=words)
    total = notify.outbox.count(search, notify.clock())
    pages = max(1, -(-total // PAGE_SIZE))
    page = min(max(1, _read_number(request.query.get("page"))), pages)
    found = notify.outbox.find(search, notify.clock(), PAGE_SIZE, (page - 1) * PAGE_SIZE)
    return _render_page(
        "outbox.html",
        messages=[_make_row(notify, message) for message in found],
        words=words,
        total=total,
        page=page,
        pages=pages,
        newer=_make_address(words, page - 1) if page > 1 else "",
        older=_make_address(words, page + 1) if page < pages else "",
    )


@routes.get("/messages/{id}")
async def show_message(request: web.Request) -> web.Response:
    """One message as in a mail program: from, to, subject, text."""
    notify = request.app[NOTIFY]
    found = notify.outbox.get(request.match_info["id"])
    if found is None:
        return _render_page("missing.html", status=404)
    service = next((each for each in notify.services if each.slug == found.service), None)
    return _render_page("message.html", message=_make_row(notify, found), mail=_make_mail(found, service))


def _make_row(notify: Notify, message: Message) -> Mapping[str, Any]:
    template = next(
        (each for each in notify.templates.of(message.service) if str(each.id) == message.template_id), None
    )
    return {
        "id": message.id,
        "to": message.email_address,
        "subject": rendering.strip_escapes(message.subject),
        "service": message.service,
        "key_type": message.key_type,
        "template": template.name if template else message.template_id,
        "reference": message.reference or "none",
        "status": message.status(notify.clock()),
        "created_at": datetime.fromtimestamp(message.created_at, UTC).strftime("%d %B %Y, %H:%M:%S UTC").lstrip("0"),
    }


def _make_mail(message: Message, service: Service | None) -> Mapping[str, Any]:
    return {
        "sender": service.name if service else message.service,
        "sender_address": service.email_from if service else "",
        "reply_to": service.reply_to if service else "",
        "body": Markup(rendering.to_html(message.body)),  # noqa: S704 - to_html escapes everything it did not write
    }


def _render_page(name: str, status: int = 200, **values: object) -> web.Response:
    text = _PAGES.get_template(name).render(values)
    return web.Response(text=text, status=status, content_type="text/html", charset="utf-8", headers=_HEADERS)


def _read_number(text: str | None) -> int:
    return int(text) if text and text.isascii() and text.isdigit() else 1


def _make_address(words: str, page: int) -> str:
    query = {"q": words, "page": str(page)} if words else {"page": str(page)}
    return f"/?{urlencode(query)}"
