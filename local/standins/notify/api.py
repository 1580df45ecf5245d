"""Notify's API version 2, as far as the official client uses it for e-mail."""

import json
from collections.abc import Iterable
from typing import Any, Final
from urllib.parse import urlencode
from uuid import UUID, uuid4

from aiohttp import web
from pydantic import BaseModel

from local.standins.notify import rendering
from local.standins.notify.errors import bad_request, make_invalid, not_found, service_suspended
from local.standins.notify.forms import (
    TEMPLATE_TYPES,
    EmailForm,
    LetterForm,
    ListQuery,
    PrecompiledLetterForm,
    PreviewForm,
    TextForm,
    list_query,
    parse_form,
    uuid_from_path,
)
from local.standins.notify.outbox import Message, Search, format_time
from local.standins.notify.recipients import SMOKE_TEST_ADDRESSES
from local.standins.notify.services import ApiKey, KeyType, Service, by_id
from local.standins.notify.state import NOTIFY, REFERENCE, Notify
from local.standins.notify.templates import Template
from local.standins.notify.tokens import authenticate_request

PAGE_SIZE: Final = 250
LARGEST_EMAIL_BYTES: Final = 2_000_000
_DAY_SECONDS: Final = 86_400
_TEMPLATES_CREATED_AT: Final = "2019-10-01T09:00:00.000000Z"
_FAILED: Final = ("technical-failure", "temporary-failure", "permanent-failure")

routes = web.RouteTableDef()


@routes.post("/v2/notifications/email")
async def post_email(request: web.Request) -> web.Response:
    """Accept an e-mail. Every accepted request is one more message, even with the same reference."""
    notify = request.app[NOTIFY]
    service, key = _authenticate_caller(request)
    form = parse_form(EmailForm, await _read_json(request))
    if form.reference:
        request[REFERENCE] = form.reference
    notify.check_limits(service, key)
    template = _template_for_sending(notify, service, form)
    _check_reply_to(service, form)
    _check_recipient(notify, service, key, form.email_address)
    message = _make_message(notify, service, key, form, template)
    if form.email_address.strip().lower() not in SMOKE_TEST_ADDRESSES:
        notify.keep(message, service, key)
    return web.json_response(_make_accepted(request, service, message), status=201)


@routes.post("/v2/notifications/sms")
async def post_text(request: web.Request) -> web.Response:
    """Refuse a text message as Notify does for a service without that permission."""
    _authenticate_caller(request)
    parse_form(TextForm, await _read_json(request))
    raise bad_request("Service is not allowed to send text messages")


@routes.post("/v2/notifications/letter")
async def post_letter(request: web.Request) -> web.Response:
    """Refuse a letter as Notify does for a service without that permission."""
    _authenticate_caller(request)
    data = await _read_json(request)
    form: type[BaseModel] = PrecompiledLetterForm if isinstance(data, dict) and "content" in data else LetterForm
    parse_form(form, data)
    raise bad_request("Service is not allowed to send letters")


@routes.get("/v2/notifications/{id}")
async def get_notification(request: web.Request) -> web.Response:
    """One message of the caller's service, sent with any of its keys."""
    notify = request.app[NOTIFY]
    service, _ = _authenticate_caller(request)
    message = notify.outbox.get(str(uuid_from_path(request.match_info["id"])), service.slug)
    if message is None or message.created_at < _oldest_kept(notify):
        raise not_found()
    return web.json_response(_make_notification(request, service, message))


@routes.get("/v2/notifications")
async def get_notifications(request: web.Request) -> web.Response:
    """Up to 250 messages sent with this kind of key, newest first, and the address of the next page."""
    notify = request.app[NOTIFY]
    service, key = _authenticate_caller(request)
    query = list_query({name: request.query.getall(name) for name in request.query})
    if query.reference is not None:
        request[REFERENCE] = query.reference
    found = notify.outbox.find(_make_search(notify, service, key, query), notify.clock(), PAGE_SIZE)
    if query.template_type and "email" not in query.template_type:
        found = []
    return web.json_response(
        {
            "notifications": [_make_notification(request, service, message) for message in found],
            "links": _make_links(request, query, found),
        }
    )


@routes.get("/v2/template/{id}")
@routes.get("/v2/template/{id}/version/{version}")
async def get_template(request: web.Request) -> web.Response:
    """One template with its placeholders still in it. Only its current version is kept here."""
    service, _ = _authenticate_caller(request)
    template = _find_template(request, service)
    version = request.match_info.get("version")
    if version is not None and version != str(template.version):
        raise not_found()
    return web.json_response(_template_json(template))


@routes.get("/v2/templates")
async def get_templates(request: web.Request) -> web.Response:
    """All templates of the caller's service."""
    service, _ = _authenticate_caller(request)
    wanted = request.query.get("type", "email")
    if wanted not in TEMPLATE_TYPES:
        raise make_invalid(f"type {wanted} is not one of [{', '.join(TEMPLATE_TYPES)}]")
    templates = request.app[NOTIFY].templates.of(service.slug) if wanted == "email" else []
    return web.json_response({"templates": [_template_json(template) for template in templates]})


@routes.post("/v2/template/{id}/preview")
async def preview_template(request: web.Request) -> web.Response:
    """The template as it would be sent with this personalisation. Nothing is sent."""
    service, _ = _authenticate_caller(request)
    form = parse_form(PreviewForm, await _read_json(request) if request.can_read_body else {})
    template = _find_template(request, service)
    _check_complete(template, form.personalisation)
    body = rendering.fill_text(template.body, form.personalisation)
    preview = {
        "id": str(template.id),
        "type": "email",
        "version": template.version,
        "subject": rendering.fill_text(template.subject, form.personalisation),
        "body": body,
        "html": rendering.to_html(body),
        "postage": None,
    }
    return web.json_response(preview)


def _authenticate_caller(request: web.Request) -> tuple[Service, ApiKey]:
    notify = request.app[NOTIFY]
    service, key = authenticate_request(
        request.headers.get("Authorization"), by_id(notify.services), notify.told_time()
    )
    if notify.rules.is_suspended(service.slug):
        raise service_suspended()
    return service, key


async def _read_json(request: web.Request) -> object:
    try:
        data: object = await request.json()
    except (json.JSONDecodeError, UnicodeDecodeError):
        raise bad_request("Invalid JSON supplied in POST data") from None
    return data


def _template_for_sending(notify: Notify, service: Service, form: EmailForm) -> Template:
    template = notify.templates.find(form.template_id, service.slug)
    if template is None:
        raise bad_request("Template not found")
    if any(isinstance(value, dict) for value in form.personalisation.values()):
        raise bad_request("Send files by email has not been set up for this service")
    _check_complete(template, form.personalisation)
    return template


def _check_complete(template: Template, values: dict[str, Any]) -> None:
    if open_ones := template.missing(values):
        raise bad_request(f"Missing personalisation: {', '.join(open_ones)}")


def _check_reply_to(service: Service, form: EmailForm) -> None:
    if form.email_reply_to_id and form.email_reply_to_id != UUID(service.reply_to_id):
        known = f"does not exist in database for service id {service.id}"
        raise bad_request(f"email_reply_to_id {form.email_reply_to_id} {known}")


def _check_recipient(notify: Notify, service: Service, key: ApiKey, address: str) -> None:
    """Check the recipient. With a team key or in trial mode only the team is reached (with test keys everybody is)."""
    lowered = address.strip().lower()
    if lowered in notify.rules.team_members or lowered in SMOKE_TEST_ADDRESSES:
        return
    if key.type is KeyType.TEAM:
        raise bad_request("Can’t send to this recipient using a team-only API key")  # noqa: RUF001 - Notify's own words
    if key.type is KeyType.LIVE and notify.rules.in_trial(service.slug):
        where = "see https://www.notifications.service.gov.uk/trial-mode"
        raise bad_request(f"Can’t send to this recipient when service is in trial mode - {where}")  # noqa: RUF001 - the same


def _make_message(notify: Notify, service: Service, key: ApiKey, form: EmailForm, template: Template) -> Message:
    now = notify.clock()
    body = rendering.fill_text(template.body, form.personalisation, form.sanitise_content_for)
    size = len(body.encode())
    if size > LARGEST_EMAIL_BYTES:
        raise bad_request(f"Emails cannot be longer than {LARGEST_EMAIL_BYTES} bytes. Your message is {size} bytes.")
    return Message(
        id=str(uuid4()),
        service=service.slug,
        key_type=key.type,
        reference=form.reference or None,
        email_address=form.email_address.strip(),
        template_id=str(template.id),
        template_version=template.version,
        subject=rendering.fill_text(template.subject, form.personalisation, form.sanitise_content_for),
        body=body,
        unsubscribe_url=form.one_click_unsubscribe_url or None,
        created_at=now,
        sending_at=now + notify.rules.sending_after_ms / 1000,
        completed_at=now + max(notify.rules.sending_after_ms, notify.rules.completed_after_ms) / 1000,
        fate=notify.rules.fate_of(form.email_address.strip()),
    )


def _make_accepted(request: web.Request, service: Service, message: Message) -> dict[str, Any]:
    content: dict[str, Any] = {
        "from_email": service.email_from,
        "body": message.body,
        "subject": message.subject,
    }
    if message.unsubscribe_url:
        content["one_click_unsubscribe_url"] = message.unsubscribe_url
    return {
        "id": message.id,
        "reference": message.reference,
        "content": content,
        "uri": f"{_get_root(request)}/v2/notifications/{message.id}",
        "template": _template_reference(request, service, message),
        "scheduled_for": None,
    }


def _make_notification(request: web.Request, service: Service, message: Message) -> dict[str, Any]:
    now = request.app[NOTIFY].clock()
    nothing = (
        "phone_number",
        "line_1",
        "line_2",
        "line_3",
        "line_4",
        "line_5",
        "line_6",
        "postcode",
        "postage",
    )
    return {
        **dict.fromkeys(nothing),
        "id": message.id,
        "reference": message.reference,
        "email_address": message.email_address,
        "type": "email",
        "status": message.status(now),
        "template": _template_reference(request, service, message),
        "body": message.body,
        "subject": message.subject,
        "created_at": format_time(message.created_at),
        "created_by_name": None,
        "sent_at": format_time(message.sending_at) if now >= message.sending_at else None,
        "completed_at": format_time(message.completed_at) if now >= message.completed_at else None,
        "scheduled_for": None,
        "one_click_unsubscribe_url": message.unsubscribe_url,
        "is_cost_data_ready": True,
        "cost_in_pounds": 0.0,
        "cost_details": {},
    }


def _template_reference(request: web.Request, service: Service, message: Message) -> dict[str, Any]:
    uri = f"{_get_root(request)}/services/{service.id}/templates/{message.template_id}"
    return {"id": message.template_id, "version": message.template_version, "uri": uri}


def _make_search(notify: Notify, service: Service, key: ApiKey, query: ListQuery) -> Search:
    return Search(
        service=service.slug,
        key_type=key.type,
        reference=query.reference,
        statuses=tuple(_expand_statuses(query.status)),
        older_than=str(query.older_than) if query.older_than else None,
        created_since=_oldest_kept(notify),
    )


def _expand_statuses(statuses: Iterable[str]) -> Iterable[str]:
    """Replace `failed` with every kind of failure."""
    for status in statuses:
        yield from _FAILED if status == "failed" else (status,)


def _make_links(request: web.Request, query: ListQuery, found: list[Message]) -> dict[str, str]:
    kept = query.model_dump(mode="json", exclude_none=True, exclude_defaults=True)
    links = {"current": _list_address(request, kept)}
    if found:
        # The client goes on from the first UUID in this address: not from one in the reference.
        kept.pop("older_than", None)
        links["next"] = _list_address(request, {"older_than": found[-1].id, **kept})
    return links


def _list_address(request: web.Request, query: dict[str, Any]) -> str:
    encoded = urlencode(query, doseq=True)
    return f"{_get_root(request)}/v2/notifications{'?' if encoded else ''}{encoded}"


def _find_template(request: web.Request, service: Service) -> Template:
    template = request.app[NOTIFY].templates.find(uuid_from_path(request.match_info["id"]), service.slug)
    if template is None:
        raise not_found()
    return template


def _template_json(template: Template) -> dict[str, Any]:
    return {
        "id": str(template.id),
        "name": template.name,
        "type": "email",
        "created_at": _TEMPLATES_CREATED_AT,
        "updated_at": None,
        "created_by": "nobody@example.org",
        "version": template.version,
        "body": template.body,
        "subject": template.subject,
        "letter_contact_block": None,
        "postage": None,
        "personalisation": {name: {"required": True} for name in rendering.list_placeholders(template.text)},
    }


def _oldest_kept(notify: Notify) -> float:
    return notify.clock() - notify.rules.retention_days * _DAY_SECONDS


def _get_root(request: web.Request) -> str:
    return f"{request.scheme}://{request.host}"
