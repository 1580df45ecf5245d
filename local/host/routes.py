"""HTTP routes: templates like `status/{id:int}` and which of several fits a path."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

from local.host.errors import CannotStartError

_PARAMETER: Final = re.compile(
    r"\{(?P<star>\*{0,2})(?P<name>\w+)(?P<rules>(?::[^{}=?]+)*)(?:=(?P<default>[^{}]*))?(?P<optional>\?)?\}"
)

_CONSTRAINTS: Final[Mapping[str, str]] = {
    "int": r"-?\d{1,10}",
    "long": r"-?\d{1,19}",
    "bool": r"(?i:true|false)",
    "alpha": r"[A-Za-z]+",
    "guid": r"(?i:[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12})",
}
_SIZED: Final[Mapping[str, Callable[[str], str]]] = {
    "length": lambda size: f"[^/]{{{size}}}",
    "minlength": lambda size: f"[^/]{{{size},}}",
    "maxlength": lambda size: f"[^/]{{1,{size}}}",
}


@dataclass(frozen=True)
class Route:
    """A template that can be compared with paths. Of several that fit, the one with the least `rank` answers."""

    template: str
    pattern: re.Pattern[str]
    defaults: Mapping[str, str]
    rank: tuple[int, ...]

    def match(self, path: str) -> Mapping[str, str] | None:
        """The route parameters of a path (still percent-encoded, without a leading slash), if it fits."""
        found = self.pattern.fullmatch(path.strip("/"))
        if found is None:
            return None
        given = {name: unquote(value) for name, value in found.groupdict().items() if value is not None}
        return {**self.defaults, **given}


def compile_route(template: str) -> Route:
    """Read a route template of ASP.NET Core: literals, parameters, constraints, optional ones, catch-alls.

    Raises:
        CannotStartError: the template is malformed, or has a constraint that this host does not know.
    """
    segments = template.strip("/").split("/")
    pattern = "".join(_compile_segment(template, segment, first=index == 0) for index, segment in enumerate(segments))
    defaults = {found["name"]: found["default"] for found in _PARAMETER.finditer(template) if found["default"]}
    try:
        compiled = re.compile(pattern, re.IGNORECASE)
    except re.error as error:
        raise CannotStartError(f"route {template!r} is malformed: {error}.") from None
    return Route(template, compiled, defaults, tuple(_rank_segment(segment) for segment in segments))


def _compile_segment(template: str, segment: str, *, first: bool) -> str:
    slash = "" if first else "/"
    whole = _PARAMETER.fullmatch(segment)
    if whole is None:
        return slash + _compile_mixed(template, segment)
    group = f"(?P<{whole['name']}>{_compile_value(template, whole)})"
    if whole["star"] or whole["optional"] or whole["default"] is not None:
        return f"(?:{slash}{group})?"
    return slash + group


def _compile_mixed(template: str, segment: str) -> str:
    """Text and parameters in one segment, like `{name}.{extension}`."""
    pattern, position = "", 0
    for found in _PARAMETER.finditer(segment):
        pattern += (
            re.escape(segment[position : found.start()]) + f"(?P<{found['name']}>{_compile_value(template, found)})"
        )
        position = found.end()
    rest = segment[position:]
    if "{" in rest or "}" in rest:
        raise CannotStartError(f"route {template!r} is malformed near {rest!r}.")
    return pattern + re.escape(rest)


def _compile_value(template: str, parameter: re.Match[str]) -> str:
    if parameter["star"]:
        return ".*"
    rules = [rule for rule in parameter["rules"].split(":") if rule]
    ahead = "".join(f"(?={_compile_rule(template, rule)}(?:/|$))" for rule in rules)
    return f"{ahead}[^/]+"


def _compile_rule(template: str, rule: str) -> str:
    name, _, argument = rule.rstrip(")").partition("(")
    if name in _CONSTRAINTS:
        return _CONSTRAINTS[name]
    if name in _SIZED and argument.replace(",", "").isdigit():
        return _SIZED[name](argument)
    raise CannotStartError(f"route {template!r}: the local host does not know the constraint {rule!r}.")


def _rank_segment(segment: str) -> int:
    """Literals go before parameters, constrained ones before free ones, catch-alls last."""
    found = _PARAMETER.search(segment)
    if found is None:
        return 0
    if found["star"]:
        return 4
    return 1 if found.span() != (0, len(segment)) else 2 if found["rules"] else 3
