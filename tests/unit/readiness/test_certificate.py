"""When the way in to the directory ends, and whether it can be used at all."""

import base64
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import NameOID

from shared.readiness.rules.certificate import Validity, check_certificate, judge_validity, read_validity
from shared.readiness.rules.report import CheckStatus, Code
from tests.unit.readiness.builders import NOW, settings

KEY = ec.generate_private_key(ec.SECP256R1())
NAME = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "migration")])
BEGINS, ENDS = NOW - timedelta(days=100), NOW + timedelta(days=200)
MADE = (
    x509.CertificateBuilder(NAME, NAME, KEY.public_key(), 7)
    .not_valid_before(BEGINS)
    .not_valid_after(ENDS)
    .sign(KEY, hashes.SHA256())
)
PEM = MADE.public_bytes(serialization.Encoding.PEM)
PEM_KEY = KEY.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
PLAIN = serialization.NoEncryption()


@pytest.mark.parametrize(
    "content",
    [PEM_KEY + PEM, PEM + PEM_KEY, pkcs12.serialize_key_and_certificates(None, KEY, MADE, None, PLAIN)],
    ids=["key first", "certificate first", "pkcs12"],
)
def test_both_forms_that_the_credential_takes_are_read(content: bytes) -> None:
    assert read_validity(content) == Validity(BEGINS, ENDS)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (PEM, "no private key"),
        (PEM_KEY, "cannot be read"),
        (base64.b64decode("Y2FuYXJ5"), "cannot be read"),
        (pkcs12.serialize_key_and_certificates(None, KEY, None, None, PLAIN), "no certificate"),
        (
            pkcs12.serialize_key_and_certificates(
                None, KEY, MADE, None, serialization.BestAvailableEncryption(b"a password")
            ),
            "without a password",
        ),
    ],
)
def test_what_cannot_be_used_says_why(content: bytes, says: str) -> None:
    found = read_validity(content)
    assert says in found.trouble
    assert judge_validity(found, NOW).code is Code.CERTIFICATE_UNUSABLE
    # The steps of infra/README.md: a new name, for the app takes the newest version whether it is trusted or not.
    for step in ("under a new name", "trust it beside the old one", "`azd env set DIRECTORY_CERTIFICATE`", "`azd prov"):
        assert step in judge_validity(found, NOW).mend


@pytest.mark.parametrize(
    ("days", "code", "says"),
    [
        (31, None, "31 days"),
        (30, None, "30 days"),
        (29.9, Code.CERTIFICATE_EXPIRING, "in 30 days"),
        (20, Code.CERTIFICATE_EXPIRING, "it expires in 20 days"),
        (0.5, Code.CERTIFICATE_EXPIRING, "in 1 day, on"),
        (0, Code.CERTIFICATE_EXPIRING, "it expired on 02 March 2026"),
        (-5, Code.CERTIFICATE_EXPIRING, "it expired on"),
    ],
)
def test_thirty_days_before_its_end_it_is_a_finding(days: float, code: Code | None, says: str) -> None:
    check = judge_validity(Validity(BEGINS, NOW + timedelta(days=days)), NOW)
    assert check.code is code
    assert says in check.found


def test_a_certificate_of_tomorrow_cannot_be_used_today() -> None:
    assert judge_validity(Validity(NOW + timedelta(days=1), ENDS), NOW).code is Code.CERTIFICATE_UNUSABLE


def test_a_stand_in_needs_none_and_a_secret_is_only_remarked_upon() -> None:
    local = settings().settings
    assert local is not None
    assert "stand-in" in check_certificate(local, NOW, "").found
    real = local.model_copy(update={"directory_graph_url": "https://graph.microsoft.com/v1.0"})
    check = check_certificate(real, NOW, "")
    assert check.status is CheckStatus.OK
    assert "a client secret instead" in check.found
    assert check_certificate(local, NOW, "it is wrong").status is CheckStatus.NOT_CHECKED
