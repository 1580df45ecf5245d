"""What the app answers, as builders, and a stand-in for the app that gives such answers over HTTP."""

import json
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, override

from ops.answers import Migration, Status

type Json = dict[str, Any]

QUEUES = (
    "receive-export",
    "stage-rows",
    "stage-suppressions",
    "classify-account",
    "adopt-plan",
    "provision-account",
    "notify-customer",
)
ACCOUNT = "a0123456789abcdef0123456789abcdef01234567"


def a_migration(**changes: object) -> Json:
    """A migration that is done, all well."""
    return {
        "migration": "2026-03-02-portal-d7e3",
        "authority": "south-norfolk",
        "council": "South Norfolk Council",
        "file": "south-norfolk/portal.csv",
        "phase": "done",
        "uploaded_at": "2026-03-02T09:00:00Z",
        "paused": None,
        "refused": None,
        "superseded_by": "",
        "rows": 1200,
        "staged": 1200,
        "outcomes": {"create": 800, "link": 300, "review": 60, "reject": 30, "duplicate": 10, "unchanged": 0},
        "states": {"told": 1100, "review": 60, "rejected": 30, "duplicate": 10},
        "reasons": {"shared_address": 60, "email_invalid": 30},
        "failures": [],
        "oldest_waiting_seconds": None,
        "counted_at": "2026-03-02T09:09:50Z",
        "reports": "reports/south-norfolk/2026-03-02-portal-d7e3/",
        "next": "Done. 60 need a person: see result.csv.",
        **changes,
    }


def a_cause(reason: str, count: int = 1) -> Json:
    """A reason with words of its own."""
    return {"reason": reason, "count": count, "sentence": f"What {reason} is.", "remedy": f"How to mend {reason}."}


def a_pause(reason: str = "permission_missing") -> Json:
    """A pause."""
    return {**a_cause(reason), "detail": "Authorization_RequestDenied", "since": "2026-03-02T09:05:00Z"}


def a_refusal(**changes: object) -> Json:
    """An upload that was not taken."""
    refused = {"phase": "refused", "refused": a_cause("missing_column"), "rows": 0, "staged": 0, "next": "Mend it."}
    return a_migration(**{"migration": "2026-03-01-old-aaaa", **refused, "outcomes": {}, "states": {}, **changes})


def a_status(*migrations: Json, poison: int = 0, messages: int = 0) -> Json:
    """Everything at ten past nine; `poison` and `messages` lie in one of the queues."""
    queues = [{"queue": name, "messages": 0, "poison": 0} for name in QUEUES]
    queues[3] |= {"poison": poison, "messages": messages}
    return {"at": "2026-03-02T09:10:00Z", "migrations": list(migrations), "queues": queues}


def stuck(reason: str = "directory_refused", account: str = ACCOUNT) -> Json:
    """One stuck account."""
    why = a_cause(reason)
    del why["count"]
    return {**why, "account": account, "authority": "south-norfolk", "migration": "2026-03-02-portal-d7e3", "row": 7}


def read(status: Json) -> Status:
    """As the command line reads it."""
    return Status.model_validate(status)


def read_migration(**changes: object) -> Migration:
    """One migration as the command line reads it."""
    return Migration.model_validate(a_migration(**changes))


@dataclass(frozen=True)
class Asked:
    """One request that the stand-in got."""

    method: str
    path: str
    body: Json
    authorization: str = ""


@dataclass
class AppStub:
    """Answers each method and path with what a test put there: a body, or several in turn (the last one stays)."""

    answers: dict[str, list[tuple[int, object]]] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    url: str = ""

    def says(self, method: str, path: str, *bodies: object, status: int = 200) -> None:
        """Answer with these bodies in turn; text goes as it is, anything else as JSON."""
        self.answers[f"{method} {path}"] = [(status, body) for body in bodies]

    def answer(self, asked: Asked) -> tuple[int, object]:
        """What to say to a request."""
        self.asked.append(asked)
        prepared = self.answers.get(f"{asked.method} {asked.path.partition('?')[0]}", [(404, "")])
        return prepared.pop(0) if len(prepared) > 1 else prepared[0]


def serving(stub: AppStub) -> ThreadingHTTPServer:
    """A server on a free port that answers as the stub says."""

    class Handler(BaseHTTPRequestHandler):
        """One request."""

        def do_GET(self) -> None:
            self._answer()

        def do_POST(self) -> None:
            self._answer()

        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            said = Asked(
                self.command, self.path, json.loads(body) if body else {}, self.headers.get("authorization", "")
            )
            status, answer = stub.answer(said)
            content = answer if isinstance(answer, str) else json.dumps(answer)
            self.send_response(status)
            self.send_header("content-type", "text/plain" if isinstance(answer, str) else "application/json")
            self.end_headers()
            self.wfile.write(content.encode())

        @override
        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    stub.url = f"http://127.0.0.1:{server.server_address[1]}"
    return server
