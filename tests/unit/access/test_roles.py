"""Who may ask for what: app roles from the platform's sign-in."""

import base64

import pytest

from shared.access.roles import (
    DEPLOYED,
    LOCAL,
    OPERATORS,
    READERS,
    ROLE_CLAIM,
    NotLetIn,
    Role,
    admit_person,
    read_caller,
)
from shared.names import STORAGE_CONNECTION
from shared.runtime import wiring
from shared.settings.settings import read_settings
from tests.support.sign_in import CALLER, signed_in
from tests.unit.settings.test_messages_and_settings import GOOD


@pytest.fixture
def deployed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEBSITE_SITE_NAME", "app")
    monkeypatch.setenv("WEBSITE_AUTH_ENABLED", "True")


def test_nobody_signs_in_on_a_laptop() -> None:
    assert admit_person({}, OPERATORS) == LOCAL


@pytest.mark.usefixtures("deployed")
def test_a_deployed_app_answers_nobody_who_is_not_signed_in() -> None:
    with pytest.raises(NotLetIn, match="Sign in first") as refused:
        admit_person({}, READERS)
    assert refused.value.status_code == 401


@pytest.mark.parametrize("sign", DEPLOYED)
def test_one_sign_of_a_deployment_is_enough_to_ask_for_a_sign_in(monkeypatch: pytest.MonkeyPatch, sign: str) -> None:
    monkeypatch.setenv(sign, "x")
    with pytest.raises(NotLetIn, match="Sign in first"):
        admit_person({}, READERS)


@pytest.mark.parametrize("sign", ["", *DEPLOYED])
async def test_the_steps_know_whether_people_sign_in(monkeypatch: pytest.MonkeyPatch, sign: str) -> None:
    told = {**GOOD, STORAGE_CONNECTION: "UseDevelopmentStorage=true", **({sign: "x"} if sign else {})}
    for name, value in told.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(wiring, "get_settings", read_settings)
    monkeypatch.setattr(wiring, "get_profiles", dict)
    assert wiring.get_ports().signed_in is bool(sign)


@pytest.mark.usefixtures("deployed")
def test_headers_prove_nothing_where_the_platforms_sign_in_is_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WEBSITE_AUTH_ENABLED")
    with pytest.raises(NotLetIn, match="Sign in first"):
        admit_person(signed_in("operator"), READERS)


@pytest.mark.usefixtures("deployed")
@pytest.mark.parametrize("typ", ["roles", ROLE_CLAIM])
def test_an_operator_operates_and_reads(typ: str) -> None:
    for allowed in (OPERATORS, READERS):
        assert admit_person(signed_in("operator", typ=typ), allowed).id == CALLER


@pytest.mark.usefixtures("deployed")
@pytest.mark.parametrize("roles", [(), ("viewer",), ("approver", "helpdesk"), ("Operator",), ("admin",)])
def test_nobody_else_operates(roles: tuple[str, ...]) -> None:
    with pytest.raises(NotLetIn, match="needs the app role `operator`") as refused:
        admit_person(signed_in(*roles), OPERATORS)
    assert refused.value.status_code == 403


@pytest.mark.usefixtures("deployed")
@pytest.mark.parametrize(
    "text",
    [
        "",
        "?",
        "e30=",
        "W10=",
        base64.b64encode(b'{"claims": [1]}').decode(),
        base64.b64encode(b"[" * 100_000).decode(),
        base64.b64encode(b'{"claims": [{"typ": "roles", "val": []}]}').decode(),
    ],
)
def test_a_principal_that_cannot_be_read_gives_no_role(text: str) -> None:
    assert read_caller({"x-ms-client-principal-id": CALLER, "x-ms-client-principal": text}).roles == frozenset()


@pytest.mark.usefixtures("deployed")
def test_a_help_desk_reads_no_status() -> None:
    with pytest.raises(NotLetIn):
        admit_person(signed_in(Role.HELPDESK), READERS)
