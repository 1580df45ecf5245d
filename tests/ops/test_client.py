"""Whatever goes wrong on the way to the app becomes a sentence that says what to do."""

import socket

import pytest

from ops.answers import Resumed, Status
from ops.client import App, NoAnswerError, clean_address
from tests.ops.conftest import Ops
from tests.ops.kit import AppStub, a_status


def _says(stub: AppStub, status: int, body: object = "") -> str:
    stub.says("GET", "/api/status", body, status=status)
    with App(stub.url) as app, pytest.raises(NoAnswerError) as error:
        app.get(Status, "status")
    return str(error.value)


def test_an_app_that_is_not_there_says_what_to_start(ops: Ops) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        result = ops("status", url=url)
    assert result.exit_code == 1
    assert f"No app answers at {url}. Start one with `python3 dev.py host`" in result.output


def test_the_words_of_the_app_go_before_any_of_ours(stub: AppStub) -> None:
    assert _says(stub, 400, {"error": "limit should be a number from 1 to 1000."}) == (
        "limit should be a number from 1 to 1000."
    )


@pytest.mark.parametrize(
    ("status", "sentence"),
    [
        (302, "Put your own access token for the app into OPS_TOKEN."),
        (401, "does not let you in (HTTP 401)"),
        (403, "does not let you in (HTTP 403)"),
        (404, "it is not this app"),
        (405, "refused the request (HTTP 405)"),
        (500, "failed (HTTP 500) and said nothing"),
        (503, "failed (HTTP 503) and said nothing"),
    ],
)
def test_every_status_has_a_sentence(stub: AppStub, status: int, sentence: str) -> None:
    assert sentence in _says(stub, status)


def test_a_sign_in_that_is_wanted_is_told_with_the_way_to_it(stub: AppStub) -> None:
    said = _says(stub, 401, {"error": "Sign in first."})
    assert said == "Sign in first. Put your own access token for the app into OPS_TOKEN."


@pytest.mark.parametrize("body", ["hello", [], {"migrations": 3}])
def test_another_server_is_not_taken_for_the_app(stub: AppStub, body: object) -> None:
    assert "Is it this app, and of the same version?" in _says(stub, 200, body)


def test_what_is_no_address_is_said() -> None:
    with App("south-norfolk") as app, pytest.raises(NoAnswerError, match="is not an address"):
        app.get(Status, "status")


@pytest.mark.parametrize("copied", ["http://h:1", "http://h:1/", "http://h:1/api", " http://h:1/api/ "])
def test_an_address_is_forgiven_what_people_copy_along(copied: str) -> None:
    assert clean_address(copied) == "http://h:1"


def test_a_token_is_sent_and_never_over_plain_http(stub: AppStub) -> None:
    stub.says("GET", "/api/status", a_status())
    with App(stub.url, "secret") as app:
        app.get(Status, "status")
    assert stub.asked[0].authorization == "Bearer secret"
    with pytest.raises(NoAnswerError, match="over https only"):
        App("http://app.example", "secret")


def test_fields_that_are_not_known_are_passed_over(stub: AppStub) -> None:
    stub.says("POST", "/api/x", {"migration": "m", "phase": "running", "paused": False, "by": "somebody"})
    with App(stub.url) as app:
        assert app.post(Resumed, "x").read.migration == "m"


@pytest.mark.parametrize("token", ["t\u00f6ken", "two words", "broken\nline", "tab\t"])
def test_what_is_no_token_is_said_and_not_repeated(stub: AppStub, token: str) -> None:
    with pytest.raises(NoAnswerError, match="OPS_TOKEN is not a token") as refused:
        App(stub.url, token)
    assert token not in str(refused.value)


def test_an_address_with_a_password_is_not_taken_and_not_repeated() -> None:
    with pytest.raises(NoAnswerError, match="Leave that out") as refused:
        App("https://somebody:canary@example.org")
    assert "canary" not in str(refused.value)


def test_half_an_address_is_no_address() -> None:
    with pytest.raises(NoAnswerError, match="is not an address"):
        App("http://[::1")
