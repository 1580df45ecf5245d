"""The value of a Bicep expression, as far as it can be known before a deployment."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from local.infra_checks.template import Declaration

type Value = bool | int | str | list[Value] | dict[str, Value] | Unknown | Reference | None
"""A value. A string may have unknown parts, which stand between « and »."""

MARKED: Final = re.compile("«[^»]*»")


@dataclass(frozen=True, slots=True)
class Unknown:
    """A value that only Azure or the person who deploys knows. `text` describes it."""

    text: str

    def __str__(self) -> str:
        return f"«{self.text}»"


@dataclass(frozen=True, slots=True, eq=False)
class Reference:
    """A resource or module that an expression names. `ask` gives a property, `item` one of a loop."""

    text: str
    declared: Declaration
    ask: Callable[[str], Value]
    item: Callable[[Value], Value]

    def __str__(self) -> str:
        return f"«{self.text}»"


def is_known(value: Value) -> bool:
    """Return True if the whole value is known."""
    if isinstance(value, Unknown | Reference):
        return False
    if isinstance(value, str):
        return not MARKED.search(value)
    if isinstance(value, list):
        return all(is_known(each) for each in value)
    if isinstance(value, dict):
        return all(is_known(key) and is_known(each) for key, each in value.items())
    return True


def write_value(value: Value) -> str:
    """Return the value as part of a text, with unknown parts marked."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def get_value(value: Value, *path: str) -> Value:
    """The value under these keys, None if there is none."""
    for key in path:
        if isinstance(value, Unknown):
            return Unknown(f"{value.text}.{key}")
        if isinstance(value, Reference):
            return value.ask(key)
        value = value.get(key) if isinstance(value, dict) else None
    return value
