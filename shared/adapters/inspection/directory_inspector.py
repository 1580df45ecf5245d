"""Ask the directory with calls that change nothing. If there is nothing to change, the refusal shows the right."""

import asyncio
import base64
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import httpx
from azure.core.exceptions import AzureError, ServiceRequestError, ServiceResponseError

from shared.adapters.inspection.asking import TIMEOUT, Asker, Reply
from shared.ports import Clock
from shared.ports.doctor_facts import CallResult, DirectoryFacts, Right

if TYPE_CHECKING:
    from collections.abc import Callable

    from azure.core.credentials_async import AsyncTokenCredential

SERVICE: Final = "the directory"
SCOPE: Final = "https://graph.microsoft.com/.default"
SIGN_IN: Final = "login.microsoftonline.com"
SILENT: Final = (0, httpx.codes.UNAUTHORIZED, httpx.codes.TOO_MANY_REQUESTS)
TOKEN_SECONDS: Final = 20
NOBODY: Final = "00000000-0000-4000-8000-00000000d0c7"
"""An object id that the directory cannot have given: it makes random ones."""
NOTHING: Final = f"/users/{NOBODY}"

CALLS: Final[Mapping[Right, tuple[str, str, dict[str, Any] | None]]] = {
    Right.CREATE: ("POST", "/users", {}),
    Right.UPDATE: ("PATCH", NOTHING, {"givenName": None}),
    Right.DELETE: ("DELETE", NOTHING, None),
    Right.PASSWORD: ("PATCH", NOTHING, {"passwordProfile": {"forceChangePasswordNextSignIn": True}}),
    Right.IDENTITIES: ("PATCH", NOTHING, {"identities": []}),
    Right.GROUPS: ("POST", "/groups", {}),
    Right.APPLICATIONS: ("POST", "/applications", {}),
}
"""For each right, a call that cannot change anything. 403 means that the right is missing. 400 (nothing to create) and
404 (no such user) mean that the app has it.
"""


@dataclass(frozen=True, slots=True)
class DirectoryInspector:
    """The directory at one address, by the app's own credential."""

    url: str
    credential: "Callable[[], AsyncTokenCredential] | None"
    """Makes the credential. None on loopback, where no token is fetched."""
    clock: Clock

    async def look(self, wanted: Mapping[str, str]) -> DirectoryFacts:
        """Return all facts.

        `wanted` are attributes with their types, for a search if the directory does not list them.
        """
        token = await self._fetch_token()
        if isinstance(token, DirectoryFacts):
            return token
        headers = {"authorization": f"Bearer {token}"} if token else {}
        loopback = self.credential is None
        async with httpx.AsyncClient(timeout=TIMEOUT, headers=headers, trust_env=not loopback) as http:
            questions = _Questions(self.url, Asker(SERVICE, self.clock, http))
            return replace(
                await questions.all(wanted), granted=read_claim(token, "roles"), roles=read_claim(token, "wids")
            )

    async def _fetch_token(self) -> str | DirectoryFacts:
        """Return the token, or why there is none: there was no answer, or a refusal."""
        if self.credential is None:
            return ""
        try:
            async with asyncio.timeout(TOKEN_SECONDS), self.credential() as credential:
                return (await credential.get_token(SCOPE)).token
        except TimeoutError:
            return DirectoryFacts(unreachable=f"{SIGN_IN} gave no token within {TOKEN_SECONDS} s")
        except (ServiceRequestError, ServiceResponseError) as error:
            return DirectoryFacts(unreachable=f"{SIGN_IN} does not answer ({type(error).__name__})")
        except (AzureError, ValueError) as error:
            # Its text may quote ids and addresses; Microsoft's code says what happened.
            code = re.search(r"AADSTS\d+", str(error))
            return DirectoryFacts(sign_in=f"no token ({code.group() if code else type(error).__name__})")


class _Questions:
    def __init__(self, url: str, asker: Asker) -> None:
        self._url = url
        self._asker = asker
        self._silent = ""

    async def all(self, wanted: Mapping[str, str]) -> DirectoryFacts:
        """First check that the directory answers, then ask everything else at the same time."""
        first = await self._asker.ask("GET", f"{self._url}/users", params={"$top": "1", "$select": "id"})
        facts = replace(_read_first_reply(first), clock=first.clock)
        if facts.sign_in or facts.unreachable:
            return facts
        may = facts.may
        rights, attributes, quota = await asyncio.gather(
            self._read_rights(), self._read_attributes(wanted), self._read_quota()
        )
        return replace(
            facts,
            may={**may, **rights},
            attributes=attributes,
            used=quota.used,
            total=quota.total,
            quota_trouble=quota.quota_trouble,
            silent=self._silent,
        )

    async def _ask_directory(self, method: str, path: str, **more: Any) -> Reply:  # noqa: ANN401 - what httpx takes
        """One of the later questions. The directory answered the first, so no answer now is news of its own."""
        reply = await self._asker.ask(method, path, **more)
        if reply.status in SILENT or reply.status >= httpx.codes.INTERNAL_SERVER_ERROR:
            self._silent = self._silent or _describe_reply(reply)
        return reply

    async def _read_rights(self) -> dict[Right, CallResult]:
        replies = await asyncio.gather(
            *(
                self._ask_directory(method, self._url + path, **_make_body(body))
                for method, path, body in CALLS.values()
            )
        )
        answers = list(map(_judge_reply, replies))
        odd = [
            _describe_reply(reply)
            for reply, answer in zip(replies, answers, strict=True)
            if answer is CallResult.FAILED
        ]
        self._silent = self._silent or "".join(odd[:1])
        return dict(zip(CALLS, answers, strict=True))

    async def _read_attributes(self, wanted: Mapping[str, str]) -> dict[str, str] | None:
        """Return the attributes from their list, or by a search for each if the list is refused or empty.

        The list needs Directory.Read.All, and is empty in a tenant with more than 1,000 service principals:
        https://learn.microsoft.com/graph/api/directoryobject-getavailableextensionproperties
        """
        url = f"{self._url}/directoryObjects/getAvailableExtensionProperties"
        reply = await self._ask_directory("POST", url, json={"isSyncedFromOnPremises": False})
        listed = reply.body.get("value") if reply.status == httpx.codes.OK else None
        if isinstance(listed, list) and listed:
            return {str(each["name"]): str(each.get("dataType", "")) for each in listed if "name" in each}
        found = await self._search_attributes(wanted)
        return {} if found is None and isinstance(listed, list) else found

    async def _search_attributes(self, wanted: Mapping[str, str]) -> dict[str, str] | None:
        """Return the attributes that a search finds.

        None if a search for an unknown name is answered too, because then a search shows nothing.
        """
        names = [*wanted, f"{next(iter(wanted), 'extension_')}NobodyHasThis"]
        replies = await asyncio.gather(*(self._search_attribute(name, wanted.get(name, "String")) for name in names))
        *ours, control = (reply.status for reply in replies)
        if control != httpx.codes.BAD_REQUEST or not set(ours) <= {httpx.codes.OK, httpx.codes.BAD_REQUEST}:
            return None
        return {name: "" for name, status in zip(wanted, ours, strict=True) if status == httpx.codes.OK}

    async def _search_attribute(self, name: str, kind: str) -> Reply:
        value = "true" if kind == "Boolean" else "'nobody'"
        query = {"$filter": f"{name} eq {value}", "$top": "1", "$select": "id"}
        return await self._ask_directory("GET", f"{self._url}/users", params=query)

    async def _read_quota(self) -> DirectoryFacts:
        """Return the quota from the beta version, the only one that has it."""
        beta = re.sub(r"/v1\.0$", "/beta", self._url)
        reply = await self._ask_directory("GET", f"{beta}/organization", params={"$select": "directorySizeQuota"})
        if reply.status != httpx.codes.OK:
            return DirectoryFacts(quota_trouble=_describe_reply(reply))
        tenants = reply.body.get("value") or [{}]
        quota = tenants[0].get("directorySizeQuota") or {}
        used, total = quota.get("used"), quota.get("total")
        return (
            DirectoryFacts(used=used, total=total)
            if isinstance(used, int) and isinstance(total, int)
            else DirectoryFacts()
        )


def _make_body(body: dict[str, Any] | None) -> dict[str, Any]:
    return {} if body is None else {"json": body}


def _read_first_reply(reply: Reply) -> DirectoryFacts:
    """Return what the first answer shows about all others."""
    match reply.status:
        case httpx.codes.OK if isinstance(reply.body.get("value"), list):
            return DirectoryFacts(may={Right.READ: CallResult.YES})
        case httpx.codes.OK:
            return DirectoryFacts(unreachable="what answers there is not Microsoft Graph", address_wrong=True)
        case httpx.codes.UNAUTHORIZED:
            return DirectoryFacts(sign_in=_describe_reply(reply))
        case httpx.codes.FORBIDDEN:
            return DirectoryFacts(may={Right.READ: CallResult.NO})
        case httpx.codes.NOT_FOUND:
            return DirectoryFacts(unreachable=_describe_reply(reply), address_wrong=True)
    return DirectoryFacts(unreachable=_describe_reply(reply))


def _judge_reply(reply: Reply) -> CallResult:
    code = _get_error_code(reply)
    match reply.status:
        case httpx.codes.FORBIDDEN:
            return CallResult.YES if code == "Directory_QuotaExceeded" else CallResult.NO
        case httpx.codes.METHOD_NOT_ALLOWED:
            return CallResult.UNTOLD
        case httpx.codes.BAD_REQUEST | httpx.codes.NOT_FOUND if (
            code == "BadRequest" and "segment" in _get_error_message(reply)
        ):
            return CallResult.UNTOLD
        case httpx.codes.BAD_REQUEST | httpx.codes.NOT_FOUND:
            return CallResult.YES
    return CallResult.FAILED


def _get_error(reply: Reply) -> dict[str, Any]:
    error = reply.body.get("error")
    return error if isinstance(error, dict) else {}


def _get_error_code(reply: Reply) -> str:
    return str(_get_error(reply).get("code", ""))


def _get_error_message(reply: Reply) -> str:
    return str(_get_error(reply).get("message", ""))


def _describe_reply(reply: Reply) -> str:
    """Return status and code. The sentence of an error may quote the request, so it is left out."""
    code = _get_error_code(reply)
    return f"{reply.trouble} {code}" if re.fullmatch(r"\w+", code) else reply.trouble


def read_claim(token: str, name: str) -> frozenset[str] | None:
    """Return what a token lists under this name. None if there is no token, or if its content is not readable."""
    parts = token.split(".")
    if len(parts) != 3:  # noqa: PLR2004 - header, claims, signature
        return None
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except ValueError:
        return None
    named = claims.get(name) if isinstance(claims, dict) else None
    return frozenset(map(str, named)) if isinstance(named, list) else None
