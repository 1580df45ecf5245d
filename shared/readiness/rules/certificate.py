"""The certificate by which the app signs in to the directory: when it ends, and whether it can be used."""

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from shared.readiness.rules.report import Area, Check, Code, report_missing, report_ok, report_unchecked
from shared.settings.settings import Settings, certificate_bytes

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

NOTICE: Final = timedelta(days=30)
NAME: Final = "certificate"
RENEW: Final = (
    "Make a certificate under a new name in the vault, have the directory's administrator trust it beside the old one, "
    "then `azd env set DIRECTORY_CERTIFICATE` with the new name and `azd provision` (infra/README.md, 'Renewing the "
    "certificate'; the app reads it from DIRECTORY_CLIENT_CERTIFICATE)."
)


@dataclass(frozen=True, slots=True)
class Validity:
    """The time in which a certificate is valid. `trouble` says why it cannot be used at all."""

    begins: datetime | None = None
    ends: datetime | None = None
    trouble: str = ""


def read_validity(content: bytes) -> Validity:
    """Return what a certificate with its key says. It is PEM or PKCS#12, as the directory's credential takes it."""
    try:
        certificate, has_key = _read_pem(content) if b"-----BEGIN" in content else _read_pkcs12(content)
    except (ValueError, TypeError):
        return Validity(trouble="it cannot be read as PEM or PKCS#12 without a password")
    if certificate is None:
        return Validity(trouble="there is no certificate in it")
    if not has_key:
        return Validity(trouble="there is no private key beside the certificate")
    return Validity(certificate.not_valid_before_utc, certificate.not_valid_after_utc)


def _read_pem(content: bytes) -> "tuple[Certificate | None, bool]":
    from cryptography.x509 import load_pem_x509_certificate  # noqa: PLC0415 - slow to import, and seldom wanted

    return load_pem_x509_certificate(content), b"PRIVATE KEY-----" in content


def _read_pkcs12(content: bytes) -> "tuple[Certificate | None, bool]":
    from cryptography.hazmat.primitives.serialization.pkcs12 import load_key_and_certificates  # noqa: PLC0415

    key, certificate, _ = load_key_and_certificates(content, None)
    return certificate, key is not None


def check_certificate(settings: Settings | None, now: datetime, because: str) -> Check:
    """Check how the app signs in, and if that ends soon."""
    if settings is None or because:
        return report_unchecked(Area.DIRECTORY, NAME, because or "the settings cannot be read")
    if settings.directory_client_certificate is not None:
        return judge_validity(read_validity(certificate_bytes(settings.directory_client_certificate)), now)
    if settings.on_loopback:
        return report_ok(Area.DIRECTORY, NAME, "none is needed: the directory is a stand-in on this machine")
    found = "a client secret instead: when it ends cannot be seen from here (a certificate would be safer)"
    return report_ok(Area.DIRECTORY, NAME, found)


def judge_validity(found: Validity, now: datetime) -> Check:
    """Return if the certificate can be used now, and for long enough."""
    if found.trouble or found.begins is None or found.ends is None:
        said = f"DIRECTORY_CLIENT_CERTIFICATE cannot be used: {found.trouble}"
        return report_missing(Area.DIRECTORY, NAME, Code.CERTIFICATE_UNUSABLE, said, RENEW)
    if now < found.begins:
        said = f"it is not valid before {found.begins:%d %B %Y}"
        return report_missing(Area.DIRECTORY, NAME, Code.CERTIFICATE_UNUSABLE, said, RENEW)
    days = math.ceil((found.ends - now) / timedelta(days=1))
    if now >= found.ends:
        said = f"it expired on {found.ends:%d %B %Y}"
        return report_missing(Area.DIRECTORY, NAME, Code.CERTIFICATE_EXPIRING, said, RENEW)
    if found.ends - now < NOTICE:
        said = f"it expires in {days} {'day' if days == 1 else 'days'}, on {found.ends:%d %B %Y}"
        return report_missing(Area.DIRECTORY, NAME, Code.CERTIFICATE_EXPIRING, said, RENEW)
    return report_ok(Area.DIRECTORY, NAME, f"valid until {found.ends:%d %B %Y} ({days} days)")
