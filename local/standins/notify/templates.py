"""The message templates: read from one TOML file that a person can read and change."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, ValidationError

from local.standins.notify import rendering

BUILT_IN_FILE: Final = Path(__file__).parent / "templates" / "templates.toml"


class TemplateFileError(Exception):
    """The templates file cannot be used. The message is one sentence that says why."""


class Template(BaseModel):
    """One e-mail template of one service."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: UUID
    service: str
    name: str
    version: int = 1
    subject: str
    body: str

    def missing(self, values: Mapping[str, object]) -> list[str]:
        """The placeholders of subject and body that these values leave open."""
        return rendering.list_missing(self.text, values)

    @property
    def text(self) -> str:
        """Subject and body together, to look for placeholders in both."""
        return f"{self.subject}\n{self.body}"


class Templates:
    """All templates. Each is only to be seen by its own service."""

    def __init__(self, templates: tuple[Template, ...]) -> None:
        self._templates = {template.id: template for template in templates}

    @classmethod
    def read(cls, path: Path = BUILT_IN_FILE) -> Self:
        """The templates in this file. Raises `TemplateFileError` when it is not one."""
        try:
            data: dict[str, Any] = tomllib.loads(path.read_text("utf-8"))
            return cls(tuple(Template.model_validate(entry) for entry in data["template"]))
        except OSError as error:
            raise TemplateFileError(f"The templates file {path} cannot be read: {error.strerror}.") from error
        except (tomllib.TOMLDecodeError, KeyError, UnicodeDecodeError) as error:
            raise TemplateFileError(f"The templates file {path} is not TOML with [[template]]: {error}.") from error
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            raise TemplateFileError(f"The templates file {path} has a wrong {where}: {first['msg']}.") from error

    def find(self, template_id: UUID, service: str) -> Template | None:
        """The template, if it belongs to this service."""
        template = self._templates.get(template_id)
        return template if template and template.service == service else None

    def of(self, service: str) -> list[Template]:
        """The templates of this service, by name."""
        return sorted((each for each in self._templates.values() if each.service == service), key=lambda t: t.name)
