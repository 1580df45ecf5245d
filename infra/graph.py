"""Microsoft Graph as the person who is signed in to Azure CLI: `az rest` asks, and no secret passes through here.

Standard library alone, so that it runs in Azure Cloud Shell as it stands.
"""

import json
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple, Protocol
from urllib.parse import quote

V1: Final = "https://graph.microsoft.com/v1.0/"
MICROSOFT_GRAPH: Final = "00000003-0000-0000-c000-000000000000"
"""App id of Microsoft Graph itself, the same in every tenant."""
PATIENCE: Final = 120
"""Seconds. `az` waits for the network for less."""
NOT_SIGNED_IN: Final = ("az login", "AADSTS")
NOT_ALLOWED: Final = ("Forbidden", "Authorization_RequestDenied", "Insufficient privileges")
NOT_THERE: Final = ("Not Found", "Request_ResourceNotFound", "does not exist or one of its queried")


class CannotGoOnError(Exception):
    """What went wrong and what to do, in sentences for whoever started the script."""


class NotThereError(CannotGoOnError):
    """Graph knows nothing of this id; perhaps not yet."""


class Graph(Protocol):
    """Asks Microsoft Graph. Paths are relative to v1.0; queries in them are plain text."""

    def ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The answer, empty where there is none.

        Raises:
            NotThereError: what is asked for is not there.
            CannotGoOnError: nobody is signed in, it is not allowed, or Graph says no.
        """


class AzureCli:
    """Graph by Azure CLI."""

    def __init__(self) -> None:
        az = shutil.which("az")
        if az is None:
            raise CannotGoOnError("Azure CLI is missing: install it, or open https://shell.azure.com, which has it.")
        self._az = az

    def ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """See `Graph`."""
        url = path if path.startswith(V1) else V1 + _encode_path(path)
        # What people typed goes by standard input: on Windows `az` is a batch file, whose shell would take the quotes
        # out of an argument, and read what follows an & as a command of its own.
        if body is None:
            said = self._run(["--method", method, "--url", "@-"], url)
        else:
            content = ["--body", "@-", "--headers", "Content-Type=application/json"]
            said = self._run(["--method", method, "--url", url, *content], json.dumps(body))
        if said.returncode:
            raise _make_refusal(method, path.partition("?")[0], said.stderr.strip())
        return dict(json.loads(said.stdout)) if said.stdout.strip() else {}

    def _run(self, arguments: Sequence[str], by_input: str) -> "subprocess.CompletedProcess[str]":
        try:
            return subprocess.run(  # noqa: S603 - a fixed program; arguments are never a shell string
                [self._az, "rest", "--only-show-errors", "--output", "json", *arguments],
                input=by_input,
                capture_output=True,
                text=True,
                check=False,
                timeout=PATIENCE,
            )
        except subprocess.TimeoutExpired:
            raise CannotGoOnError(
                f"Azure CLI did not answer in {PATIENCE} seconds. Look whether `az account show` does, then run the "
                "same command again: it goes on where it stopped."
            ) from None


def _encode_path(path: str) -> str:
    """Only an & before a $ parts the query; any other belongs to a name."""
    return quote(path, safe="/?$=(),;:@'").replace("%26$", "&$")


def list_every(graph: Graph, path: str) -> list[dict[str, Any]]:
    """All entries of a list, page after page."""
    found: list[dict[str, Any]] = []
    following: str | None = path
    while following:
        page = graph.ask("get", following)
        found += page["value"]
        following = page.get("@odata.nextLink")
    return found


class Changes:
    """What is changed, said line by line; with `dry` it is said and not done."""

    def __init__(self, graph: Graph, say: Callable[[str], None], *, dry: bool) -> None:
        self._graph = graph
        self._say = say
        self._dry = dry
        self.count = 0

    def make(self, sentence: str, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """One change. The answer is empty where nothing is done."""
        self.count += 1
        self._say(f"  {'would ' if self._dry else ''}{sentence}")
        return {} if self._dry else self._graph.ask(method, path, body)

    def note(self, sentence: str) -> None:
        """Something that a person should know and this script leaves alone."""
        self._say(f"  note: {sentence}")


class SignedIn(NamedTuple):
    """The tenant that is signed in to. `domain` is its first one, of which it is never without: …onmicrosoft.com."""

    id: str
    domain: str


def check_tenant(graph: Graph, domain: str) -> SignedIn:
    """The tenant that is signed in to, which must be the one that was meant, by whichever of its names.

    Raises:
        CannotGoOnError: it is another one.
    """
    organization = list_every(graph, "organization?$select=id,verifiedDomains")[0]
    domains = [str(each["name"]) for each in organization["verifiedDomains"]]
    if domain.casefold() not in {name.casefold() for name in domains} | {str(organization["id"]).casefold()}:
        raise CannotGoOnError(
            f"You are signed in to the tenant of {domains[0]}, not to {domain}. Sign in to the right one: "
            f"az login --tenant {domain} --allow-no-subscriptions"
        )
    first = next((str(each["name"]) for each in organization["verifiedDomains"] if each.get("isInitial")), "")
    if not first:
        raise CannotGoOnError(f"The tenant of {domains[0]} does not say which domain is its first one: it should.")
    return SignedIn(str(organization["id"]), first)


def _make_refusal(method: str, path: str, said: str) -> CannotGoOnError:
    kind = NotThereError if any(sign in said for sign in NOT_THERE) else CannotGoOnError
    return kind(_explain_refusal(method, path, said))


def _explain_refusal(method: str, path: str, said: str) -> str:
    what = f"{method.upper()} {path}"
    if any(sign in said for sign in NOT_SIGNED_IN):
        return "Nobody is signed in. Sign in first: az login --tenant DOMAIN --allow-no-subscriptions"
    if any(sign in said for sign in NOT_ALLOWED):
        return (
            f"Microsoft Graph does not allow you to do this ({what}). You need the role Application Administrator, "
            "and Privileged Role Administrator (or Global Administrator) to consent to permissions."
        )
    if any(sign in said for sign in NOT_THERE):
        return (
            f"Microsoft Graph does not know this yet ({what}). What was made a moment ago takes some seconds to be "
            "seen everywhere: run the same command again in a minute, it goes on where it stopped."
        )
    return f"Microsoft Graph refused ({what}): {said or 'it did not say why'}"
