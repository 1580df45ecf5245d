"""`main.parameters.json`: by it azd fills the parameters of `main.bicep`."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from local.infra_checks.findings import Finding
from local.infra_checks.kinds import ARRAY, BOOL, INT, OBJECT, STRING, declared_kind
from local.infra_checks.modules import allowed_values
from local.infra_checks.template import Declaration, Template
from local.infra_checks.values import Value

RULE: Final = "parameters"


def check_parameters(main: Template, file: Path, shown: str) -> Iterator[Finding]:
    """Its names are parameters, its values of their kinds, and nothing that is required is left out."""
    if not file.is_file():
        yield Finding(shown, 1, RULE, "the file is missing", "write it: azd fills main.bicep's parameters from it")
        return
    lines = file.read_text(encoding="utf-8").splitlines()
    try:
        given = json.loads("\n".join(lines))["parameters"]
    except (ValueError, KeyError, TypeError) as error:
        yield Finding(shown, 1, RULE, f"it cannot be read: {error!r}", "write it as ARM parameters in JSON")
        return
    declared = {each.name: each for each in main.of("parameter")}
    for name, said in given.items():
        if name not in declared:
            wrong = f"main.bicep has no parameter `{name}`"
            yield Finding(shown, _find_line(lines, name), RULE, wrong, "take it away, or declare it there")
        elif (mistake := _wrong_value(declared[name], said)) is not None:
            yield Finding(shown, _find_line(lines, name), RULE, mistake, "mend the value")
    for name, each in declared.items():
        if name not in given and not each.optional:
            wrong = f"`{name}` of main.bicep has no default and no value here"
            yield Finding(shown, 1, RULE, wrong, f'add "{name}": {{ "value": "${{…}}" }}')


def _wrong_value(declared: Declaration, said: object) -> str | None:
    if not isinstance(said, dict) or not {"value", "reference"} & said.keys():
        return f"`{declared.name}` has no `value`"
    value, kind = said.get("value"), declared_kind(declared)
    python = {STRING: str, INT: int, BOOL: bool, ARRAY: list, OBJECT: dict}
    if isinstance(value, str) and value.startswith("${"):
        return None
    if kind is not None and "value" in said and (type(value) is not python[kind]):
        return f"`{declared.name}` is {kind}, and this is {json.dumps(value)[:40]}"
    allowed = allowed_values(declared)
    return f"`{declared.name}` does not allow `{value}`" if allowed and value not in allowed else None


def _find_line(lines: Iterable[str], name: str) -> int:
    return next((number for number, line in enumerate(lines, 1) if f'"{name}"' in line), 1)


def read_arguments(main: Template, file: Path) -> dict[str, Value]:
    """Return the values of `main.parameters.json` without any settings: literals, and `${NAME=default}`."""
    try:
        given = json.loads(file.read_text(encoding="utf-8"))["parameters"]
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    found: dict[str, Value] = {}
    for declared in main.of("parameter"):
        said = given.get(declared.name)
        value = said.get("value") if isinstance(said, dict) else None
        if isinstance(value, str) and value.startswith("${"):
            _, has_default, default = value.removesuffix("}").partition("=")
            if has_default:
                found[declared.name] = default
        elif value is not None:
            found[declared.name] = value
    return found
