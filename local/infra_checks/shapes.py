"""The schema excerpt: what types of resource there are, and what properties they have."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from local.infra_checks.kinds import ARRAY, BOOL, INT, OBJECT, STRING

FOLDER: Final = Path(__file__).parent / "schema"

type Types = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Type:
    """A type of the excerpt, such as `string`, `'A' | 'B'`, `Identity[]`; `types` are those that it may name."""

    spec: str
    types: Types

    @property
    def kind(self) -> str | None:
        """The kind of value it wants, None for any."""
        if self.spec.endswith("[]"):
            return ARRAY
        if self.spec in self.types or self.spec == OBJECT:
            return OBJECT
        if self.spec == "any":
            return None
        return self.spec if self.spec in {INT, BOOL} else STRING

    @property
    def item(self) -> "Type":
        """The type of an array's members."""
        return Type(self.spec.removesuffix("[]"), self.types)

    @property
    def literals(self) -> frozenset[str] | None:
        """The texts that are allowed, None for any."""
        parts = self.spec.split(" | ")
        if self.kind != STRING or STRING in parts:
            return None
        return frozenset(part.strip("'") for part in parts)


@dataclass(frozen=True, slots=True)
class Shape:
    """The properties of an object type."""

    properties: Mapping[str, str]
    others: str | None
    choice: str | None
    choices: Mapping[str, Any]
    types: Types

    def member(self, name: str) -> Type | None:
        """The type of a property, None if there is no such property."""
        spec = self.properties.get(name, self.others)
        return None if spec is None else Type(spec.partition(";")[0], self.types)

    def is_read_only(self, name: str) -> bool:
        """Return True if Azure returns a property and nobody may set it."""
        return self.properties.get(name, "").endswith("; read-only")

    @property
    def all(self) -> frozenset[str]:
        """Return the names of all properties, for every choice."""
        return frozenset(self.properties)

    @property
    def required(self) -> list[str]:
        """Return the properties that must be set."""
        return [name for name, spec in self.properties.items() if spec.endswith("; required")]

    def chosen(self, value: str | None) -> "Shape | None":
        """The shape that the discriminating property names; None if that is not known."""
        if self.choice is None:
            return self
        if value is None or value not in self.choices:
            return None
        own = make_shape(self.choices[value], self.types)
        return Shape({**self.properties, **own.properties}, own.others, None, {}, self.types)


def make_shape(said: Mapping[str, Any], types: Types) -> Shape:
    """An object type of the excerpt."""
    return Shape(said["properties"], said.get("others"), said.get("choice"), said.get("choices", {}), types)


@cache
def list_resources() -> Mapping[str, Shape]:
    """Every resource type with its API version, in lower case, and its shape."""
    files = [json.loads(file.read_text(encoding="utf-8")) for file in sorted(FOLDER.glob("*.json"))]
    return {name.lower(): make_shape(said, file["types"]) for file in files for name, said in file["resources"].items()}
