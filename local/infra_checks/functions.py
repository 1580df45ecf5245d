"""Bicep's functions, as far as their answer is known without Azure. Of the others only the names are here."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from local.infra_checks.values import Reference, Unknown, Value, is_known, write_value

type Lambda = Callable[..., Value]
type Argument = Value | Lambda


class NotKnownError(Exception):
    """The answer depends on something that is not known before a deployment."""


def call_function(name: str, arguments: Sequence[Argument], shown: str) -> Value:
    """Return the result of a function. `shown` is the text of the call, which replaces an unknown result."""
    function = COMPUTED.get(name)
    if function is None:
        return Unknown(shown)
    try:
        return function(*arguments)
    except (NotKnownError, TypeError, ValueError, KeyError, IndexError, AttributeError):
        return Unknown(shown)


def _require_known(*values: Value) -> None:
    if not all(is_known(value) for value in values):
        raise NotKnownError


def _require_text(value: Value) -> str:
    _require_known(value)
    if not isinstance(value, str):
        raise NotKnownError
    return value


def _require_list(value: Value) -> list[Value]:
    """Return the members of a list. An unknown list has one unknown member."""
    if isinstance(value, list):
        return value
    return [] if value is None else [value if isinstance(value, Unknown | Reference) else _raise_failure()]


def _raise_failure() -> Value:
    raise NotKnownError


def _require_object(value: Value) -> dict[str, Value]:
    """Return the entries of an object. An unknown object has one entry under a name of its own."""
    if isinstance(value, dict):
        return value
    return {} if value is None else {str(value): value if isinstance(value, Unknown | Reference) else _raise_failure()}


def _call_concat(*values: Value) -> Value:
    if any(isinstance(value, list) for value in values):
        return [each for value in values for each in _require_list(value)]
    return "".join(write_value(value) for value in values)


def _call_union(*values: Value) -> Value:
    if any(isinstance(value, list) for value in values):
        return _keep_unique(each for value in values for each in _require_list(value))
    merged: dict[str, Value] = {}
    for value in values:
        for key, each in _require_object(value).items():
            old = merged.get(key)
            merged[key] = _call_union(old, each) if isinstance(old, dict) and isinstance(each, dict) else each
    return merged


def _keep_unique(values: object) -> list[Value]:
    kept: list[Value] = []
    for value in values:  # type: ignore[attr-defined]  # any iterable of values; dicts among them have no hash
        if value not in kept:
            kept.append(value)
    return kept


def _call_intersection(first: Value, *others: Value) -> Value:
    _require_known(first, *others)
    if isinstance(first, list):
        return [each for each in _keep_unique(first) if all(each in _require_list(other) for other in others)]
    return {
        key: each
        for key, each in _require_object(first).items()
        if all(key in _require_object(other) for other in others)
    }


def _call_filter(values: Value, keep: Lambda) -> Value:
    kept = []
    for value in _require_list(values):
        answer = keep(value)
        _require_known(answer)
        if answer:
            kept.append(value)
    return kept


def _to_object(values: Value, key: Lambda, value: Lambda = lambda each: each) -> Value:
    return {write_value(key(each)): value(each) for each in _require_list(values)}


def _call_items(value: Value) -> Value:
    return [{"key": key, "value": _require_object(value)[key]} for key in sorted(_require_object(value))]


def _call_contains(where: Value, what: Value) -> Value:
    _require_known(what)
    if isinstance(where, dict):
        if what in where:
            return True
    elif isinstance(where, list) and what in where:
        return True
    _require_known(where)
    return _require_text(what) in where if isinstance(where, str) else False


def _call_empty(value: Value) -> Value:
    if isinstance(value, Unknown | Reference):
        raise NotKnownError
    return not value


def _call_length(value: Value) -> Value:
    if not isinstance(value, list | dict):
        return len(_require_text(value))
    _require_known(*(each for each in value if isinstance(each, Unknown | Reference)))
    return len(value)


def _call_format(pattern: Value, *values: Value) -> Value:
    return _require_text(pattern).format(*(write_value(value) for value in values))


def _call_replace(text: Value, old: Value, new: Value) -> Value:
    return _require_text(text).replace(_require_text(old), _require_text(new))


def _call_split(text: Value, by: Value) -> Value:
    return list(_require_text(text).split(_require_text(by)))


def _call_join(values: Value, by: Value) -> Value:
    return _require_text(by).join(write_value(value) for value in _require_list(values))


def _call_string(value: Value) -> Value:
    if isinstance(value, dict | list):
        _require_known(value)
        return json.dumps(value, separators=(",", ":"))
    return write_value(value)


def _call_int(value: Value) -> Value:
    _require_known(value)
    return int(value)  # type: ignore[arg-type]  # anything else is a TypeError, and that is not known


def _call_range(start: Value, count: Value) -> Value:
    _require_known(start, count)
    return list(range(start, start + count))  # type: ignore[operator,arg-type]  # the same


def _call_substring(value: Value, start: int | None, end: int | None) -> Value:
    if isinstance(value, list):
        return value[start:end]
    return _require_text(value)[start:end]


def _resource_id(*parts: Value) -> Value:
    """Return a resource id from type and names. Only Azure knows the part before them."""
    return "«scope»/providers/" + "/".join(write_value(part) for part in parts)


def _call_coalesce(*values: Value) -> Value:
    for value in values:
        if isinstance(value, Unknown | Reference):
            raise NotKnownError
        if value is not None:
            return value
    return None


COMPUTED: Final[Mapping[str, Callable[..., Value]]] = {
    "any": lambda value: value,
    "array": lambda value: value if isinstance(value, list) else [value],
    "bool": lambda value: _require_text(value).lower() == "true",
    "coalesce": _call_coalesce,
    "concat": _call_concat,
    "contains": _call_contains,
    "empty": _call_empty,
    "endsWith": lambda text, end: _require_text(text).lower().endswith(_require_text(end).lower()),
    "filter": _call_filter,
    "first": lambda values: values[0] if values else None,
    "flatten": lambda values: [each for value in _require_list(values) for each in _require_list(value)],
    "format": _call_format,
    "int": _call_int,
    "intersection": _call_intersection,
    "items": _call_items,
    "join": _call_join,
    "json": json.loads,  # marks of what is unknown stand in its texts, and survive
    "last": lambda values: values[-1] if values else None,
    "length": _call_length,
    "map": lambda values, each: [each(value) for value in _require_list(values)],
    "mapValues": lambda value, each: {key: each(part) for key, part in _require_object(value).items()},
    "objectKeys": lambda value: list[Value](sorted(_require_object(value))),
    "range": _call_range,
    "replace": _call_replace,
    "resourceId": _resource_id,
    "skip": lambda value, count: _call_substring(value, count, None),
    "split": _call_split,
    "startsWith": lambda text, start: _require_text(text).lower().startswith(_require_text(start).lower()),
    "string": _call_string,
    "subscriptionResourceId": _resource_id,
    "substring": lambda text, start, count=None: _call_substring(text, start, None if count is None else start + count),
    "take": lambda value, count: _call_substring(value, 0, count),
    "tenantResourceId": _resource_id,
    "toLower": lambda text: _require_text(text).lower(),
    "toObject": _to_object,
    "toUpper": lambda text: _require_text(text).upper(),
    "trim": lambda text: _require_text(text).strip(),
    "union": _call_union,
}

FILES: Final = frozenset({"loadTextContent", "loadJsonContent", "loadFileAsBase64", "loadYamlContent"})
"""These read a file beside the template."""

ASKED: Final = """
    base64 base64ToJson base64ToString buildUri cidrHost cidrSubnet dataUri dataUriToString dateTimeAdd
    dateTimeFromEpoch dateTimeToEpoch deployer deployment environment extensionResourceId externalInput fail
    getSecret groupBy guid indexOf lastIndexOf managementGroup managementGroupResourceId max min newGuid nameof padLeft
    parseCidr parseUri pickZones providers readCliArg readEnvironmentVariable reduce reference resourceGroup
    shallowMerge sort subscription tenant toLogicalZone toLogicalZones toPhysicalZone toPhysicalZones
    uniqueString uri uriComponent uriComponentToString utcNow
""".split()  # noqa: SIM905 - words, not fifty lines
"""Functions whose answer is not computed here."""

NAMES: Final = frozenset({*COMPUTED, *FILES, *ASKED})
"""Every function that Bicep has, but those that begin with `list` and give away keys."""

DECORATORS: Final = frozenset(
    """
    allowed batchSize description discriminator export maxLength maxValue metadata minLength minValue onlyIfNotExists
    retryOn sealed secure waitUntil
    """.split()  # noqa: SIM905 - words, not sixty lines
)
