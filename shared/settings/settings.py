"""The app's settings: environment variables, read once at the start, refused in one line."""

import base64
import os
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import Annotated, Final, Literal
from urllib.parse import urlsplit

from pydantic import (
    AliasChoices,
    Field,
    SecretStr,
    StringConstraints,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.errors import BadSetting
from shared.model.account import Authority
from shared.model.pacing.rate_limit import Quota, Quotas

APP_ID: Final = r"^[0-9A-Fa-f]{8}-?[0-9A-Fa-f]{4}-?[0-9A-Fa-f]{4}-?[0-9A-Fa-f]{4}-?[0-9A-Fa-f]{12}$"
NOTIFY_KEY_LENGTH: Final = 73
"""The service id and the secret at the end of a GOV.UK Notify key, with the hyphen between."""
VAULT_REFERENCE: Final = "@Microsoft.KeyVault("
LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")
ROOT: Final = Path(__file__).resolve().parents[2]
_SAYS: Final = {
    "DIRECTORY_KIND": "b2c",
    "DIRECTORY_TENANT": "the directory's domain, like norfolkidentity.onmicrosoft.com",
    "DIRECTORY_GRAPH_URL": "an https address, like https://graph.microsoft.com/v1.0 (plain http only to loopback)",
    "DIRECTORY_EXTENSIONS_APP_ID": "the app id of the b2c-extensions-app, 32 hex digits with or without hyphens",
    "DIRECTORY_WRITE_LIMIT": "a whole number above 0, like 3000",
    "DIRECTORY_WRITE_WINDOW_SECONDS": "a number above 0, like 150",
    "DIRECTORY_WRITE_SHARE": "a number above 0 and at most 1, like 0.98",
    "DIRECTORY_READ_LIMIT": "a whole number of resource units above 0, like 3500",
    "DIRECTORY_READ_WINDOW_SECONDS": "a number above 0, like 10",
    "DIRECTORY_READ_SHARE": "a number above 0 and at most 1, like 0.5",
    "DIRECTORY_CLIENT_CERTIFICATE": "a certificate with its key: PEM text, or base64 PKCS#12 as Key Vault gives it",
    "AUTHORITIES_FOLDER": "the folder of the councils' profiles, like authorities",
    "NOTIFY_PROVIDER": "govuk-notify or none",
    "NOTIFY_URL": "an https address (plain http only to loopback)",
    "NOTIFY_RATE_PER_MINUTE": "a whole number of messages above 0, like 3000",
    "PSEUDONYM_KEY": "a secret of at least 64 hex digits (openssl rand -hex 32); losing it orphans every account",
}
"""What a setting should be, for the one line of a refusal."""
_KEY: Final = (
    "a key of GOV.UK Notify as it shows it: name, service id, secret (or one for each council, NOTIFY_API_KEY_…)"
)


class Settings(BaseSettings):
    """All settings but those of the storage connection, which the bindings read too (see `Storage`)."""

    model_config = SettingsConfigDict(case_sensitive=True, extra="ignore", frozen=True)

    directory_kind: Literal["b2c"] = Field(validation_alias="DIRECTORY_KIND")
    directory_tenant: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+$")] = Field(
        validation_alias="DIRECTORY_TENANT"
    )
    directory_tenant_id: str = Field("", validation_alias="DIRECTORY_TENANT_ID")
    directory_client_id: str = Field("", validation_alias="DIRECTORY_CLIENT_ID")
    directory_client_certificate: SecretStr | None = Field(None, validation_alias="DIRECTORY_CLIENT_CERTIFICATE")
    directory_client_secret: SecretStr | None = Field(None, validation_alias="DIRECTORY_CLIENT_SECRET")
    directory_graph_url: str = Field("https://graph.microsoft.com/v1.0", validation_alias="DIRECTORY_GRAPH_URL")
    directory_extensions_app_id: Annotated[str, StringConstraints(pattern=APP_ID)] = Field(
        validation_alias="DIRECTORY_EXTENSIONS_APP_ID"
    )
    directory_write_limit: int = Field(3000, gt=0, validation_alias="DIRECTORY_WRITE_LIMIT")
    directory_write_window_seconds: float = Field(
        150, gt=0, le=86400, allow_inf_nan=False, validation_alias="DIRECTORY_WRITE_WINDOW_SECONDS"
    )
    directory_write_share: float = Field(0.98, gt=0, le=1, validation_alias="DIRECTORY_WRITE_SHARE")
    directory_read_limit: int = Field(3500, gt=0, validation_alias="DIRECTORY_READ_LIMIT")
    directory_read_window_seconds: float = Field(
        10, gt=0, le=86400, allow_inf_nan=False, validation_alias="DIRECTORY_READ_WINDOW_SECONDS"
    )
    directory_read_share: float = Field(0.5, gt=0, le=1, validation_alias="DIRECTORY_READ_SHARE")
    notify_provider: Literal["govuk-notify", "none"] = Field(validation_alias="NOTIFY_PROVIDER")
    notify_api_key: SecretStr | None = Field(None, validation_alias="NOTIFY_API_KEY")
    notify_url: str = Field("https://api.notifications.service.gov.uk", validation_alias="NOTIFY_URL")
    notify_rate_per_minute: int = Field(3000, gt=0, validation_alias="NOTIFY_RATE_PER_MINUTE")
    pseudonym_key: SecretStr = Field(validation_alias="PSEUDONYM_KEY")
    authorities_folder: Path = Field(Path("authorities"), validation_alias=AliasChoices("AUTHORITIES_FOLDER"))

    @field_validator("directory_kind", mode="before")
    @classmethod
    def _external_id_is_to_come(cls, value: object) -> object:
        if value == "external-id":
            raise ValueError("external-id is not built yet; this app moves accounts into Azure AD B2C (b2c)")
        return value

    @field_validator("directory_graph_url", "notify_url")
    @classmethod
    def _safe_address(cls, value: str) -> str:
        parts = urlsplit(value)
        safe = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK)
        if not safe or not parts.hostname:
            raise ValueError("not a safe address")
        return value.rstrip("/")

    @field_validator("pseudonym_key")
    @classmethod
    def _check_strong(cls, value: SecretStr) -> SecretStr:
        text = value.get_secret_value()
        if len(text) < 64 or len(text) % 2 or not all(c in "0123456789abcdefABCDEF" for c in text):  # noqa: PLR2004 - 256 bits
            raise ValueError("too short or not hex")
        return value

    @model_validator(mode="after")
    def _has_credentials(self) -> "Settings":
        if self.on_loopback:
            return self
        for name in ("directory_tenant_id", "directory_client_id"):
            if not getattr(self, name):
                raise ValueError(f"{name.upper()} is missing: the app registration in the directory's tenant")
        secrets = (self.directory_client_certificate, self.directory_client_secret)
        if not any(secret is not None and secret.get_secret_value() for secret in secrets):
            raise ValueError("DIRECTORY_CLIENT_CERTIFICATE is missing (or DIRECTORY_CLIENT_SECRET)")
        return self

    @field_validator("directory_client_certificate")
    @classmethod
    def _check_readable(cls, value: SecretStr | None) -> SecretStr | None:
        if value is None or not value.get_secret_value():
            return None
        certificate_bytes(value)
        return value

    @field_validator("authorities_folder", mode="before")
    @classmethod
    def _name_setting(cls, value: object) -> object:
        if not str(value).strip():
            raise ValueError("empty")
        return value

    @property
    def on_loopback(self) -> bool:
        """True if the directory is a stand-in on this machine, so that no token is fetched."""
        return urlsplit(self.directory_graph_url).scheme == "http"

    @cached_property
    def quotas(self) -> Quotas:
        """Return what the directory and the message service allow, and our share of it."""
        writing = timedelta(seconds=self.directory_write_window_seconds)
        reading = timedelta(seconds=self.directory_read_window_seconds)
        return Quotas(
            Quota(self.directory_write_limit, writing, self.directory_write_share),
            Quota(self.directory_read_limit, reading, self.directory_read_share),
            replace(Quotas().message, limit=self.notify_rate_per_minute),
        )

    @property
    def profiles_folder(self) -> Path:
        """Return the folder of the profiles. A relative path starts at the folder of the app."""
        return ROOT / self.authorities_folder

    def notify_key(self, authority: Authority) -> str | None:
        """The council's own key, else the common one."""
        own = os.environ.get(f"NOTIFY_API_KEY_{authority.upper().replace('-', '_')}")
        common = self.notify_api_key.get_secret_value() if self.notify_api_key else None
        return own or common


def certificate_bytes(secret: SecretStr) -> bytes:
    """The certificate as the credential takes it.

    Raises:
        ValueError: neither PEM text nor base64.
    """
    text = secret.get_secret_value()
    return text.encode() if "-----BEGIN" in text else base64.b64decode(text, validate=True)


def check_notify_keys(settings: Settings, authorities: Iterable[Authority]) -> None:
    """Check that customers can be notified.

    Raises:
        BadSetting: no council that sends messages has a key, or a key is malformed.
    """
    keys = {authority: settings.notify_key(authority) for authority in authorities}
    if settings.notify_provider == "none" or not keys:
        return
    if not any(keys.values()):
        raise BadSetting(f"NOTIFY_API_KEY is missing: it should be {_KEY}, or NOTIFY_PROVIDER should be none")
    for authority, key in keys.items():
        if key and len(key) < NOTIFY_KEY_LENGTH:
            raise BadSetting(f"NOTIFY_API_KEY for {authority} is malformed: it should be {_KEY}")


def read_settings(**instead: object) -> Settings:
    """Return the settings of this process. Values in `instead` replace those of the environment.

    Raises:
        BadSetting: a setting is missing or malformed. The one line names it and says what it should be.
    """
    _refuse_unresolved(os.environ)
    try:
        return Settings(**instead)  # type: ignore[arg-type]  # pydantic-settings fills it from the environment
    except ValidationError as error:
        raise BadSetting(_describe_error(error)) from None


def _refuse_unresolved(environment: Mapping[str, str]) -> None:
    """A reference that the platform could not resolve reaches the app as its own text, and may look like a key."""
    for name, value in environment.items():
        if value.startswith(VAULT_REFERENCE):
            raise BadSetting(
                f"{name} is malformed: it should be a secret from the vault, and the platform could not read it there; "
                "look whether the secret exists and the app's identity may read it"
            )


def _describe_error(error: ValidationError) -> str:
    first = error.errors(include_input=False, include_url=False)[0]
    if not first["loc"]:
        return first["msg"].removeprefix("Value error, ")
    name = str(first["loc"][0])
    if "not built yet" in first["msg"]:
        return f"{name}: {first['msg'].removeprefix('Value error, ')}"
    trouble = "is missing" if first["type"] == "missing" else "is malformed"
    return f"{name} {trouble}: it should be {_SAYS.get(name, first['msg'])}"
