"""Asks GOV.UK Notify with each council's key: its templates, and a message to the address kept for that."""

import asyncio
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final
from urllib.parse import urlsplit

import httpx
from notifications_python_client.authentication import create_jwt_token

from shared.adapters.inspection.asking import TIMEOUT, Asker, Reply
from shared.model.account import Authority
from shared.model.profile import Profile
from shared.ports import Clock
from shared.ports.doctor_facts import ClockReading, FoundTemplate, KeyTrouble, MessageFacts, Sending, ServiceFacts
from shared.settings.settings import LOOPBACK, NOTIFY_KEY_LENGTH

SERVICE: Final = "the message service"
NOBODY: Final = "simulate-delivered@notifications.service.gov.uk"
"""GOV.UK Notify checks a message to this address, but stores and sends nothing, whatever the key."""
SECRET_LENGTH: Final = 36
PLACEHOLDER: Final = re.compile(r"\(\(([^()?]+)(?:\?\?[^()]*)?\)\)")


@dataclass(frozen=True, slots=True)
class MessageInspector:
    """GOV.UK Notify at one address."""

    url: str
    key_of: Callable[[Authority], str | None]
    setting_of: Callable[[Authority], str]
    clock: Clock

    async def look(self, profiles: Mapping[Authority, Profile], chosen: frozenset[Authority]) -> MessageFacts:
        """Examine every council's key, and send a test message for the chosen ones."""
        loopback = urlsplit(self.url).hostname in LOOPBACK
        async with httpx.AsyncClient(timeout=TIMEOUT, trust_env=not loopback) as http:
            asker = _Services(self, Asker(SERVICE, self.clock, http))
            looks = (asker.service(profile, send=name in chosen) for name, profile in profiles.items())
            services = dict(zip(profiles, await asyncio.gather(*looks), strict=True))
        same = {name: self._same_service(name, profiles) for name in profiles}
        told = {name: replace(service, same_service=same[name]) for name, service in services.items()}
        return MessageFacts(told, asker.reading)

    def _same_service(self, name: Authority, profiles: Mapping[Authority, Profile]) -> frozenset[Authority]:
        ids = {other: service_id(self.key_of(other) or "") for other in profiles}
        return frozenset(other for other in profiles if other != name and ids[other] and ids[other] == ids[name])


class _Services:
    def __init__(self, inspector: MessageInspector, asker: Asker) -> None:
        self._inspector = inspector
        self._asker = asker
        self.reading: ClockReading | None = None

    async def service(self, profile: Profile, *, send: bool) -> ServiceFacts:
        key = self._inspector.key_of(profile.authority) or ""
        facts = ServiceFacts(self._inspector.setting_of(profile.authority))
        if not key:
            return replace(facts, trouble=KeyTrouble.ABSENT)
        if len(key) < NOTIFY_KEY_LENGTH:
            return replace(facts, trouble=KeyTrouble.MALFORMED)
        reply = await self._ask_service(key, "GET", "/v2/templates")
        if reply.status != httpx.codes.OK:
            return replace(facts, trouble=_judge_key(reply), detail=_describe_reply(reply))
        facts = replace(facts, templates=_read_templates(reply.body))
        return await self._send_test_message(key, profile, facts) if send else facts

    async def _ask_service(self, key: str, method: str, path: str, **more: Any) -> Reply:  # noqa: ANN401 - what httpx takes
        token = create_jwt_token(key[-SECRET_LENGTH:], service_id(key))  # type: ignore[no-untyped-call]
        headers = {"authorization": f"Bearer {token}"}
        reply = await self._asker.ask(method, f"{self._inspector.url}{path}", headers=headers, **more)
        self.reading = self.reading or reply.clock
        return reply

    async def _send_test_message(self, key: str, profile: Profile, facts: ServiceFacts) -> ServiceFacts:
        """Send a test message with the first template of the council that exists."""
        wanted = [id_ for id_ in profile.messages.templates.values() if id_.lower() in facts.templates]
        fit = [id_ for id_ in wanted if facts.templates[id_.lower()].type == "email"]
        if not fit:
            return facts
        # Everything is filled in: what a template has too many is told by its own check.
        values = dict.fromkeys(facts.templates[fit[0].lower()].placeholders, "nobody")
        body: dict[str, Any] = {"email_address": NOBODY, "template_id": fit[0], "personalisation": values}
        if profile.messages.reply_to:
            body["email_reply_to_id"] = profile.messages.reply_to
        reply = await self._ask_service(key, "POST", "/v2/notifications/email", json=body)
        return replace(facts, sending=_judge_sending(reply), sending_detail=_describe_reply(reply))


def service_id(key: str) -> str:
    """Return the id of the service that a key belongs to. It stands before the secret and is not secret itself."""
    return key[-NOTIFY_KEY_LENGTH : -SECRET_LENGTH - 1]


def _read_templates(body: Mapping[str, Any]) -> dict[str, FoundTemplate]:
    listed = body.get("templates") or []
    return {str(each["id"]).lower(): _read_template(each) for each in listed if isinstance(each, dict) and "id" in each}


def _read_template(each: Mapping[str, Any]) -> FoundTemplate:
    named = each.get("personalisation")
    text = f"{each.get('subject') or ''}\n{each.get('body') or ''}"
    names = list(named) if isinstance(named, dict) else PLACEHOLDER.findall(text)
    return FoundTemplate(str(each.get("type", "")), tuple(dict.fromkeys(names)))


def _judge_key(reply: Reply) -> KeyTrouble:
    """Judge a key by the status. The text of the answer may change, so it only chooses between sentences for people."""
    if reply.status not in {httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN}:
        return KeyTrouble.UNREACHABLE
    said = _join_messages(reply)
    if "clock" in said:
        return KeyTrouble.CLOCK
    return KeyTrouble.SUSPENDED if "archived" in said or "suspended" in said else KeyTrouble.REFUSED


def _judge_sending(reply: Reply) -> Sending:
    said = _join_messages(reply)
    match reply.status:
        case httpx.codes.CREATED:
            return Sending.ACCEPTED
        case httpx.codes.BAD_REQUEST if "reply_to" in said:
            return Sending.REPLY_TO
        case httpx.codes.BAD_REQUEST if "trial mode" in said or "team-only" in said:
            return Sending.RESTRICTED
        case httpx.codes.BAD_REQUEST | httpx.codes.FORBIDDEN:
            return Sending.REFUSED
    return Sending.FAILED


def _get_errors(reply: Reply) -> list[dict[str, Any]]:
    errors = reply.body.get("errors")
    return [each for each in errors if isinstance(each, dict)] if isinstance(errors, list) else []


def _join_messages(reply: Reply) -> str:
    return " ".join(str(each.get("message", "")) for each in _get_errors(reply)).lower()


def _describe_reply(reply: Reply) -> str:
    """Return status and kinds of errors. Their sentences may quote the request, so they are left out."""
    kinds = sorted({str(each.get("error", "")) for each in _get_errors(reply)})
    return " ".join([reply.trouble, *(kind for kind in kinds if re.fullmatch(r"\w+", kind))])
