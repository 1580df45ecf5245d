"""The certificate by which the app proves itself. Its private key never leaves the council's Key Vault."""

import base64
import binascii
import ssl
from pathlib import Path
from typing import Final

from infra.graph import CannotGoOnError, Changes
from infra.registration import Registration

BEGIN: Final = b"-----BEGIN CERTIFICATE-----"
SEQUENCE: Final = b"\x30"
INTEGER: Final = b"\x02"
"""Keys (PKCS#1, PKCS#8), alone or with their certificate (PKCS#12: .pfx, .p12), begin with a version."""
THIRD_VERSION: Final = b"\xa0\x03\x02\x01\x02"
"""With it what a certificate says of itself begins. Requests and encrypted keys have something else there."""


def public_part(file: Path) -> str:
    """The certificate, base64 of DER, as Graph wants it.

    Raises:
        CannotGoOnError: it cannot be read, is not one certificate, or has a private key in it.
    """
    # What is sent is looked at by its structure, not by its first bytes: a .pfx, which Key Vault offers beside the
    # certificate, begins like one and holds the key.
    try:
        content = file.read_bytes()
    except OSError as error:
        raise CannotGoOnError(f"{file} cannot be read: {error.strerror}.") from None
    if b"PRIVATE KEY" in content or any(_begins_with(each, INTEGER) for each in (content, _decode_der(content))):
        raise CannotGoOnError(
            f"{file} has a private key in it. It must not leave the vault: delete this file, have a new certificate "
            "made, and bring its public part only (az keyvault certificate download)."
        )
    if not _is_one_certificate(_decode_der(content)):
        raise CannotGoOnError(f"{file} is no certificate: it should be a .cer or .pem file as Key Vault gives it.")
    return base64.b64encode(_decode_der(content)).decode()


def _decode_der(content: bytes) -> bytes:
    """The bytes of a certificate that is text; other content as it is."""
    try:
        if BEGIN not in content:
            return content
        return ssl.PEM_cert_to_DER_cert(content.decode()) if content.count(BEGIN) == 1 else b""
    except (ValueError, binascii.Error):
        return b""


def _begins_with(der: bytes, first: bytes) -> bool:
    """Whether the outermost sequence begins with this."""
    return der.startswith(SEQUENCE) and der[_measure_head(der) :].startswith(first)


def _is_one_certificate(der: bytes) -> bool:
    """Whether it is a certificate from its first byte to its last: nothing may follow."""
    inner = der[_measure_head(der) :]
    return _begins_with(der, SEQUENCE) and len(inner) == _measure_length(der) and _begins_with(inner, THIRD_VERSION)


def _measure_head(der: bytes) -> int:
    """Bytes of kind and length before what a piece of ASN.1 holds. A long length says first how long it is itself."""
    long = der[1] & 0x7F if len(der) > 1 and der[1] & 0x80 else 0
    return 2 + long


def _measure_length(der: bytes) -> int:
    head = _measure_head(der)
    return int.from_bytes(der[2:head]) if head > 2 else der[1]  # noqa: PLR2004 - kind, length


def trust_certificate(changes: Changes, app: Registration, certificate: str, *, alone: bool) -> None:
    """Let the app prove itself by this certificate; `alone`: by no other any more."""
    there = list(app.found.get("keyCredentials", []))
    kept = [] if alone else there
    known = [each for each in there if each.get("key") == certificate]
    if known and (not alone or len(there) == 1):
        return
    # A PATCH replaces the whole list, so what should stay is sent again.
    ours = known or [
        {"type": "AsymmetricX509Cert", "usage": "Verify", "key": certificate, "displayName": "directory-certificate"}
    ]
    sentence = "trust this certificate alone" if alone else "trust this certificate"
    changes.make(sentence, "patch", f"applications/{app.id}", {"keyCredentials": [*kept, *ours]})
