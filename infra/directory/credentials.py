"""The certificate by which the app proves itself. Its private key never leaves the council's Key Vault."""

import base64
import binascii
import ssl
from pathlib import Path
from typing import Final

from infra.graph import CannotGoOnError, Changes
from infra.registration import Registration

DER_BEGINS: Final = b"\x30\x82"
"""Every certificate that is not text begins so: a long ASN.1 sequence."""


def public_part(file: Path) -> str:
    """The certificate, base64 of DER, as Graph wants it.

    Raises:
        CannotGoOnError: it cannot be read, is no certificate, or has a private key in it.
    """
    try:
        content = file.read_bytes()
    except OSError as error:
        raise CannotGoOnError(f"{file} cannot be read: {error.strerror}.") from None
    if b"PRIVATE KEY" in content:
        raise CannotGoOnError(
            f"{file} has a private key in it. It must not leave the vault: delete this file, have a new certificate "
            "made, and bring its public part only (az keyvault certificate download)."
        )
    try:
        der = ssl.PEM_cert_to_DER_cert(content.decode()) if b"-----BEGIN CERTIFICATE-----" in content else content
    except (ValueError, binascii.Error):
        der = b""
    if not der.startswith(DER_BEGINS):
        raise CannotGoOnError(f"{file} is no certificate: it should be a .cer or .pem file as Key Vault gives it.")
    return base64.b64encode(der).decode()


def trust(changes: Changes, app: Registration, certificate: str, *, alone: bool) -> None:
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
