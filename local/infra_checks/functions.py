"""Bicep's functions, as far as their answer is known without Azure. Of the others only the names are here."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from local.infra_checks.values import Reference, Unknown, Value, known, written

type Lambda = Callable[..., Value]
type Argument = Value | Lambda


class NotKnownError(Exception):
    """The answer depends on something that is not known before a deployment."""


def call(name: str, arguments: Sequence[Argument], shown: str) -> Value:
    """What a function gives; `shown` is the call's text, which stands for an answer that is not known."""
    function = COMPUTED.get(name)
    if function is None:
        return Unknown(shown)
    try:
        return function(*arguments)
    except (NotKnownError, TypeError, ValueError, KeyError, IndexError, AttributeError):
        return Unknown(shown)


def _sure(*values: Value) -> None:
    if not all(known(value) for value in values):
        raise NotKnownError


def _text(value: Value) -> str:
    _sure(value)
    if not isinstance(value, str):
        raise NotKnownError
    return value


def _list(value: Value) -> list[Value]:
    """The members of a list; an unknown one stands for its members."""
    if isinstance(value, list):
        return value
    return [] if value is None else [value if isinstance(value, Unknown | Reference) else _fail()]


def _fail() -> Value:
    raise NotKnownError


def _object(value: Value) -> dict[str, Value]:
    """The entries of an object; an unknown one has one entry, under its own mark."""
    if isinstance(value, dict):
        return value
    return {} if value is None else {str(value): value if isinstance(value, Unknown | Reference) else _fail()}


def _concat(*values: Value) -> Value:
    if any(isinstance(value, list) for value in values):
        return [each for value in values for each in _list(value)]
    return "".join(written(value) for value in values)


def _union(*values: Value) -> Value:
    if any(isinstance(value, list) for value in values):
        return _unique(each for value in values for each in _list(value))
    merged: dict[str, Value] = {}
    for value in values:
        for key, each in _object(value).items():
            old = merged.get(key)
            merged[key] = _union(old, each) if isinstance(old, dict) and isinstance(each, dict) else each
    return merged


def _unique(values: object) -> list[Value]:
    kept: list[Value] = []
    for value in values:  # type: ignore[attr-defined]  # any iterable of values; dicts among them have no hash
        if value not in kept:
            kept.append(value)
    return kept


def _intersection(first: Value, *others: Value) -> Value:
    _sure(first, *others)
    if isinstance(first, list):
        return [each for each in _unique(first) if all(each in _list(other) for other in others)]
    return {key: each for key, each in _object(first).items() if all(key in _object(other) for other in others)}


def _filter(values: Value, keep: Lambda) -> Value:
    kept = []
    for value in _list(values):
        answer = keep(value)
        _sure(answer)
        if answer:
            kept.append(value)
    return kept


def _to_object(values: Value, key: Lambda, value: Lambda = lambda each: each) -> Value:
    return {written(key(each)): value(each) for each in _list(values)}


def _items(value: Value) -> Value:
    return [{"key": key, "value": _object(value)[key]} for key in sorted(_object(value))]


def _contains(where: Value, what: Value) -> Value:
    _sure(what)
    if isinstance(where, dict):
        if what in where:
            return True
    elif isinstance(where, list) and what in where:
        return True
    _sure(where)
    return _text(what) in where if isinstance(where, str) else False


def _empty(value: Value) -> Value:
    if isinstance(value, Unknown | Reference):
        raise NotKnownError
    return not value


def _length(value: Value) -> Value:
    if not isinstance(value, list | dict):
        return len(_text(value))
    _sure(*(each for each in value if isinstance(each, Unknown | Reference)))
    return len(value)


def _format(pattern: Value, *values: Value) -> Value:
    return _text(pattern).format(*(written(value) for value in values))


def _replace(text: Value, old: Value, new: Value) -> Value:
    return _text(text).replace(_text(old), _text(new))


def _split(text: Value, by: Value) -> Value:
    return list(_text(text).split(_text(by)))


def _join(values: Value, by: Value) -> Value:
    return _text(by).join(written(value) for value in _list(values))


def _string(value: Value) -> Value:
    if isinstance(value, dict | list):
        _sure(value)
        return json.dumps(value, separators=(",", ":"))
    return written(value)


def _whole(value: Value) -> Value:
    _sure(value)
    return int(value)  # type: ignore[arg-type]  # anything else is a TypeError, and that is not known


def _range(start: Value, count: Value) -> Value:
    _sure(start, count)
    return list(range(start, start + count))  # type: ignore[operator,arg-type]  # the same


def _some(value: Value, start: int | None, end: int | None) -> Value:
    if isinstance(value, list):
        return value[start:end]
    return _text(value)[start:end]


def _resource_id(*parts: Value) -> Value:
    """Of the type and the names; what precedes them only Azure knows."""
    return "«scope»/providers/" + "/".join(written(part) for part in parts)


def _coalesce(*values: Value) -> Value:
    for value in values:
        if isinstance(value, Unknown | Reference):
            raise NotKnownError
        if value is not None:
            return value
    return None


COMPUTED: Final[Mapping[str, Callable[..., Value]]] = {
    "any": lambda value: value,
    "array": lambda value: value if isinstance(value, list) else [value],
    "bool": lambda value: _text(value).lower() == "true",
    "coalesce": _coalesce,
    "concat": _concat,
    "contains": _contains,
    "empty": _empty,
    "endsWith": lambda text, end: _text(text).lower().endswith(_text(end).lower()),
    "filter": _filter,
    "first": lambda values: values[0] if values else None,
    "flatten": lambda values: [each for value in _list(values) for each in _list(value)],
    "format": _format,
    "int": _whole,
    "intersection": _intersection,
    "items": _items,
    "join": _join,
    "json": json.loads,  # marks of what is unknown stand in its texts, and survive
    "last": lambda values: values[-1] if values else None,
    "length": _length,
    "map": lambda values, each: [each(value) for value in _list(values)],
    "mapValues": lambda value, each: {key: each(part) for key, part in _object(value).items()},
    "objectKeys": lambda value: list[Value](sorted(_object(value))),
    "range": _range,
    "replace": _replace,
    "resourceId": _resource_id,
    "skip": lambda value, count: _some(value, count, None),
    "split": _split,
    "startsWith": lambda text, start: _text(text).lower().startswith(_text(start).lower()),
    "string": _string,
    "subscriptionResourceId": _resource_id,
    "substring": lambda text, start, count=None: _some(text, start, None if count is None else start + count),
    "take": lambda value, count: _some(value, 0, count),
    "tenantResourceId": _resource_id,
    "toLower": lambda text: _text(text).lower(),
    "toObject": _to_object,
    "toUpper": lambda text: _text(text).upper(),
    "trim": lambda text: _text(text).strip(),
    "union": _union,
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
