"""Requests to the app. Every failure becomes a sentence that says what to do."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self
from urllib.parse import quote, urlsplit

import httpx
from pydantic import BaseModel, ValidationError

LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")
TIMEOUT: Final = httpx.Timeout(240, connect=5)
"""Seconds. A replay of everything may take long, and Azure itself stops after 230 seconds."""

type Json = dict[str, Any]


class NoAnswerError(Exception):
    """The app could not be asked, or said no. The message is for people."""


class NotReachableError(NoAnswerError):
    """Nothing answers at that address. The app may be starting, so asking again may help."""


@dataclass(frozen=True)
class Answer[T: BaseModel]:
    """An answer of the app: as this command line reads it, and the original text."""

    read: T
    said: Json


class App:
    """The app's HTTP functions at one address. Use it in a `with`."""

    def __init__(self, url: str, token: str = "") -> None:
        self._url = clean_address(url)
        local = _find_host(self._url) in LOOPBACK
        if not (token.isascii() and token.isprintable() and " " not in token):
            raise NoAnswerError("OPS_TOKEN is not a token: it has blanks, line breaks or letters that none has.")
        if token and not local and not self._url.startswith("https://"):
            raise NoAnswerError(f"{self._url} is not https, and OPS_TOKEN is sent over https only.")
        headers = {"authorization": f"Bearer {token}"} if token else {}
        # A proxy of the office does not know this machine's own loopback.
        self._http = httpx.Client(timeout=TIMEOUT, headers=headers, trust_env=not local)
        self._local = local

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def get[T: BaseModel](self, kind: type[T], path: str, params: Mapping[str, str | int] | None = None) -> Answer[T]:
        """Ask for something. Changes nothing.

        Raises:
            NoAnswerError: with the sentence for people.
        """
        return self._read_answer(kind, self._ask_app("GET", path, params=params))

    def post[T: BaseModel](
        self, kind: type[T], path: str, body: Json | None = None, params: Mapping[str, str] | None = None
    ) -> Answer[T]:
        """Have something done.

        Raises:
            NoAnswerError: with the sentence for people.
        """
        return self._read_answer(kind, self._ask_app("POST", path, params=params, body=body or {}))

    def _ask_app(
        self, method: str, path: str, *, params: Mapping[str, str | int] | None, body: Json | None = None
    ) -> httpx.Response:
        try:
            response = self._http.request(method, f"{self._url}/api/{path}", params=params, json=body)
        except (httpx.ConnectError, httpx.ConnectTimeout):
            raise NotReachableError(self._nobody_there()) from None
        except httpx.TimeoutException:
            raise NoAnswerError(
                f"The app at {self._url} took the request but did not answer in time. What was asked may be done: "
                "`ops status` shows it, and asking again does no harm."
            ) from None
        except (httpx.InvalidURL, httpx.UnsupportedProtocol):
            raise NoAnswerError(f"{self._url} is not an address. It should be like http://127.0.0.1:7071.") from None
        except httpx.HTTPError as error:
            raise NotReachableError(
                f"The connection to {self._url} broke ({type(error).__name__}). Try again; "
                "if it stays, look whether the app runs."
            ) from None
        if not response.is_success:
            raise NoAnswerError(self._describe_refusal(response))
        return response

    def _nobody_there(self) -> str:
        if self._local:
            return (
                f"No app answers at {self._url}. Start one with `python3 dev.py host`, or name another with --url "
                "or OPS_URL: `python3 dev.py demo --keep` says where its own is."
            )
        return f"No app answers at {self._url}. Check the address (--url or OPS_URL), the network, and that it runs."

    def _describe_refusal(self, response: httpx.Response) -> str:
        """Return a sentence for an answer that is not a success."""
        sentence = _read_error(response)
        status = response.status_code
        if status in {httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN} or response.is_redirect:
            why = sentence or f"The app at {self._url} does not let you in (HTTP {status})."
            return f"{why} Put your own access token for the app into OPS_TOKEN."
        if sentence:
            return sentence
        if status == httpx.codes.NOT_FOUND:
            return f"{self._url} answers, but it is not this app: it knows no such function. Check --url or OPS_URL."
        if response.is_server_error:
            return f"The app at {self._url} failed (HTTP {status}) and said nothing. Its log tells why; then try again."
        return f"The app at {self._url} refused the request (HTTP {status}) and did not say why."

    def _read_answer[T: BaseModel](self, kind: type[T], response: httpx.Response) -> Answer[T]:
        try:
            return Answer(kind.model_validate_json(response.content), response.json())
        except ValidationError:
            raise NoAnswerError(
                f"{self._url} answered something else than this command line understands. "
                "Is it this app, and of the same version?"
            ) from None


def path_of(migration: str, rest: str) -> str:
    """Return the path for requests about one migration."""
    return f"migrations/{quote(migration, safe='')}/{rest}"


def of_council(authority: str) -> dict[str, str] | None:
    """Return the council of the migration, if one is named."""
    return {"authority": authority} if authority else None


def make_name_body(by: str) -> Json:
    """Return the name of the caller, where nobody signs in."""
    return {"by": by} if by else {}


def clean_address(url: str) -> str:
    """The app's address without what people copy along: a slash or `/api` at its end."""
    return url.strip().rstrip("/").removesuffix("/api").rstrip("/")


def _find_host(url: str) -> str | None:
    """Return the host in an address.

    Raises:
        NoAnswerError: the address is malformed, or holds a password, which is not repeated.
    """
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        raise NoAnswerError(f"{url} is not an address. It should be like http://127.0.0.1:7071.") from None
    if "@" in parts.netloc:
        raise NoAnswerError("The address has a name or a password in it. Leave that out, and use OPS_TOKEN.")
    return host


def _read_error(response: httpx.Response) -> str:
    """The app's own sentence, empty if it gave none."""
    try:
        body = response.json()
    except ValueError:
        return ""
    said = body.get("error") if isinstance(body, dict) else None
    return said if isinstance(said, str) else ""
