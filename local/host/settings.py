"""App settings: the environment, with local.settings.json behind it."""

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from local.host.errors import CannotStartError

_PLACEHOLDER: Final = re.compile(r"%([^%]+)%")
_TRUE: Final = {"1", "true"}


def apply_local_settings(app: Path) -> None:
    """Put the `Values` of the app's local.settings.json into the environment, where they are not set already."""
    for name, value in read_local_settings(app).items():
        os.environ.setdefault(name, value)


def read_local_settings(app: Path) -> Mapping[str, str]:
    """The `Values` of local.settings.json. Nothing if there is no such file."""
    file = app / "local.settings.json"
    if not file.is_file():
        return {}
    try:
        content = json.loads(file.read_text(encoding="utf-8-sig"))
    except ValueError as error:
        raise CannotStartError(f"{file.name} is not valid JSON: {error}") from None
    if content.get("IsEncrypted"):
        raise CannotStartError(f"{file.name} is encrypted, which only Core Tools can read. Decrypt it there.")
    return {name: str(value) for name, value in content.get("Values", {}).items()}


def resolve_settings(text: str, settings: Mapping[str, str]) -> str:
    """The text with every `%NAME%` replaced by that app setting, as the real host does in binding properties."""

    def value(match: re.Match[str]) -> str:
        name = match.group(1)
        if name not in settings:
            raise CannotStartError(f"app setting {name} is not set, and {text!r} needs it.")
        return settings[name]

    return _PLACEHOLDER.sub(value, text)


def is_disabled(function: str, settings: Mapping[str, str]) -> bool:
    """Return True if a setting disables this function."""
    # Linux app settings cannot contain dots, so Azure accepts the second spelling as well.
    spellings = (f"AzureWebJobs.{function}.Disabled", f"AzureWebJobs__{function}__Disabled")
    return any(settings.get(name, "").lower() in _TRUE for name in spellings)
